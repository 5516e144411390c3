/* SPDX-License-Identifier: MIT
 * shard_tree.c - whatever becomes of a shard's bytes, its reader refuses it or
 * gives back what was written, and LMDB never crashes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "comm/base/rng.h"
#include "tests/unit/made_shard.h"

enum { PAGE = 4096, CHANGES_MAX = 4, ROUNDS = 4000 };

static unsigned char *whole; /* the file as it was sealed */
static size_t bytes;
static unsigned per; /* documents a block */
static int fd;

static void seal_and_keep(unsigned blocks, unsigned each)
{
    sb_shard_info info;
    per = each;
    assert_int_equal(made_shard(path, 0, blocks, per, &info), SB_OK);
    char *data;
    assert_int_equal(sb_file_read(path, 1 << 24, &data, &bytes), SB_OK);
    whole = (unsigned char *)data;
    assert_int_equal(bytes % PAGE, 0);
    assert_int_equal(chmod(path, 0644), 0);
    fd = open(path, O_RDWR);
}

static int done(void **state)
{
    close(fd);
    sb_free(whole);
    return made_dir_down(state);
}

/* ---- reading ------------------------------------------------------------- */

static int is_made(const sb_block *b, uint64_t d)
{
    sb_sentence s = sb_sentence_start(b);
    for (uint32_t k = 0, from = 0; k < b->sentences; k++) {
        sb_sentence_next(&s);
        for (uint32_t t = s.begin; t < s.end; t++)
            if (b->ids[t] != made_id(d, t - from)) return 0;
        if (!s.last) continue;
        if (s.end - from != made_length(d++)) return 0;
        from = s.end;
    }
    return 1;
}

/* Open and read everything; SB_EBUG: other data than were written. */
static sb_status read_back(void)
{
    sb_shard_reader *r;
    SB_TRY(sb_shard_open(path, 0, &r));
    uint64_t blocks = sb_shard_get_info(r)->blocks;
    sb_status st = SB_OK;
    for (uint64_t i = 0; i < blocks && st == SB_OK; i++) {
        sb_block b;
        st = sb_shard_read(r, i, &b);
        if (st == SB_OK && (b.documents != per || !is_made(&b, i * per)))
            st = SB_EBUG;
    }
    sb_shard_close(r);
    return st;
}

static int is_refusal(sb_status st)
{
    return st == SB_EFORMAT || st == SB_EVERSION || st == SB_EIO;
}

/* ---- changes ------------------------------------------------------------- */

typedef struct change {
    size_t at;
    unsigned char bits;
} change;

/* What a child that reads everything after each round of changes has seen. */
typedef struct seen {
    uint64_t refused, same;
    change now[CHANGES_MAX];
} seen;
static seen *tally; /* shared with the child */

static void look(const change *c, int n)
{
    for (int i = 0; i < n; i++) {
        unsigned char b = whole[c[i].at] ^ c[i].bits;
        tally->now[i] = c[i];
        if (pwrite(fd, &b, 1, (off_t)c[i].at) != 1) _exit(101);
    }
    sb_status st = read_back();
    if (st != SB_OK && !is_refusal(st)) _exit(100);
    if (st == SB_OK)
        tally->same++;
    else
        tally->refused++;
    for (int i = 0; i < n; i++)
        if (pwrite(fd, whole + c[i].at, 1, (off_t)c[i].at) != 1) _exit(101);
}

/* Run in a child, and tell where it crashed. */
static seen in_child(void (*rounds)(void))
{
    tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(tally != MAP_FAILED);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        alarm(120);
        rounds();
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    if (status)
        fail_msg("status %d after byte %zu ^ %d, %zu ^ %d", status,
                 tally->now[0].at, tally->now[0].bits, tally->now[1].at,
                 tally->now[1].bits);
    assert_int_equal(read_back(), SB_OK);
    seen s = *tally;
    munmap(tally, sizeof *tally);
    return s;
}

/* A page of the tree that is in use: a leaf is 2, a branch 1. */
static int is_page(size_t page, int kind)
{
    uint64_t number;
    memcpy(&number, whole + page, sizeof number);
    return number == page / PAGE && whole[page + 10] == kind &&
           whole[page + 11] == 0;
}

/* One way, or both ways where LMDB looks. */
static void flip(size_t at)
{
    size_t page = at / PAGE * PAGE;
    look(&(change){at, (unsigned char)(1u << at % 8)}, 1);
    if (page < 2 * PAGE || is_page(page, 1) || is_page(page, 2))
        look(&(change){at, 0xff}, 1);
}

/* ---- tests --------------------------------------------------------------- */

static void all_bytes(void)
{
    for (size_t at = 0; at < bytes; at++) flip(at);
}

static void any_flipped_byte_is_refused_or_changes_nothing(void **state)
{
    (void)state;
    seal_and_keep(2, 3);
    seen s = in_child(all_bytes);
    assert_true(s.refused > 0 && s.same > 0);
    assert_true(s.refused + s.same >= bytes + 3 * PAGE);
}

static size_t pages_of(int kind)
{
    size_t n = 0;
    for (size_t at = 2 * PAGE; at < bytes; at += PAGE)
        n += (size_t)is_page(at, kind);
    return n;
}

/* Heads, lists and last nodes of all pages, and some of what is between. */
static void tree_bytes(void)
{
    for (size_t page = 2 * PAGE; page < bytes; page += PAGE) {
        if (!is_page(page, 1) && !is_page(page, 2)) continue;
        for (size_t i = 0; i < PAGE; i += i < 64 || i > PAGE - 128 ? 1 : 61)
            flip(page + i);
    }
}

static void any_flipped_byte_of_a_tall_tree_is_no_crash(void **state)
{
    (void)state;
    seal_and_keep(320, 1);
    assert_int_equal(pages_of(1), 1);
    assert_true(pages_of(2) >= 3);
    seen s = in_child(tree_bytes);
    assert_true(s.refused > 0);
}

/* Several bytes at once, anything instead of them: as if someone meant it. */
static void random_changes(void)
{
    size_t page[16], n = 0;
    for (size_t at = 0; at < bytes && n < 16; at += PAGE)
        if (at < 2 * PAGE || is_page(at, 1) || is_page(at, 2)) page[n++] = at;
    sb_rng_key key = sb_rng_key_make(1, SB_RNG_TEST);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        change c[CHANGES_MAX];
        int changes = 1 + (int)(round % CHANGES_MAX);
        for (int i = 0; i < changes; i++) {
            sb_rng4 r = sb_rng_at(key, round, (uint32_t)i, 0);
            uint32_t most = r.v[3] % 2 ? PAGE : 200;
            c[i].at = page[r.v[0] % n] + sb_rng_below(r.v[1], most);
            c[i].bits = (unsigned char)(1 + r.v[2] % 255);
        }
        look(c, changes);
    }
}

static void no_change_of_the_tree_crashes_or_misleads(void **state)
{
    (void)state;
    seal_and_keep(320, 1);
    seen s = in_child(random_changes);
    assert_int_equal(s.refused + s.same, ROUNDS);
    assert_true(s.refused > 1000);
}

static void a_file_of_another_length_is_refused(void **state)
{
    (void)state;
    static const int beside[] = {1, 0, -1, -777};
    seal_and_keep(3, 40);
    for (size_t page = bytes; page > 0; page -= PAGE)
        for (int i = 0; i < 4; i++) {
            off_t n = (off_t)page + beside[i];
            if (n == (off_t)bytes) continue;
            assert_int_equal(ftruncate(fd, n), 0);
            if (!is_refusal(read_back())) fail_msg("%d bytes", (int)n);
        }
    assert_int_equal(pwrite(fd, whole, bytes, 0), bytes);
    assert_int_equal(read_back(), SB_OK);
}

/* Of what else lies there: any size, nothing for LMDB to hold on to. */
static void a_pipe_or_a_page_of_zeros_is_no_shard(void **state)
{
    (void)state;
    static const unsigned char zeros[3 * PAGE];
    seal_and_keep(1, 3);
    for (size_t n = 0; n <= sizeof zeros; n += PAGE / 4) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, zeros, n, 0), n);
        assert_int_equal(read_back(), SB_EFORMAT);
    }
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes: no waiting */
    assert_int_equal(read_back(), SB_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, done)
        T(any_flipped_byte_is_refused_or_changes_nothing),
        T(any_flipped_byte_of_a_tall_tree_is_no_crash),
        T(no_change_of_the_tree_crashes_or_misleads),
        T(a_file_of_another_length_is_refused),
        T(a_pipe_or_a_page_of_zeros_is_no_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
