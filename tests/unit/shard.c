/* SPDX-License-Identifier: MIT
 * shard.c - tests of dataset/shard_write.c and dataset/shard_read.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/made_corpus.h"

static char path[128];

static int up(void **state)
{
    int bad = made_dir_up(state);
    snprintf(path, sizeof path, "%s/train-00000.mdb", made_dir);
    return bad;
}

static sb_shard_reader *open_ok(void)
{
    sb_shard_reader *r = NULL;
    assert_int_equal(sb_shard_open(path, 0, &r), SB_OK);
    return r;
}

static sb_status open_status(uint64_t bytes)
{
    sb_shard_reader *r = NULL;
    sb_status st = sb_shard_open(path, bytes, &r);
    if (st == SB_OK) sb_shard_close(r);
    return st;
}

/* Open, read everything, close; the first failure. */
static sb_status read_all(void)
{
    sb_shard_reader *r;
    uint64_t counts[MADE_VOCAB] = {0};
    SB_TRY(sb_shard_open(path, 0, &r));
    sb_status st = sb_shard_add_counts(r, counts);
    for (uint64_t i = 0; i < sb_shard_get_info(r)->blocks && st == SB_OK; i++) {
        sb_block b;
        st = sb_shard_read(r, i, &b);
    }
    sb_shard_close(r);
    return st;
}

static void a_sealed_shard_gives_back_its_blocks(void **state)
{
    (void)state;
    sb_shard_info info;
    assert_int_equal(made_shard(path, 10, 5, 40, &info), SB_OK);
    assert_int_equal(info.blocks, 5);
    assert_int_equal(info.documents, 200);
    sb_shard_reader *r = open_ok();
    assert_memory_equal(sb_shard_get_info(r), &info, sizeof info);
    uint64_t counts[MADE_VOCAB] = {0}, d = 10;
    for (uint64_t i = 5; i-- > 0;) { /* any order, twice */
        sb_block b;
        assert_int_equal(sb_shard_read(r, i, &b), SB_OK);
        assert_int_equal(sb_shard_read(r, i, &b), SB_OK);
    }
    for (uint64_t i = 0; i < 5; i++) {
        sb_block b;
        assert_int_equal(sb_shard_read(r, i, &b), SB_OK);
        assert_int_equal(b.tokens, sb_shard_index(r)[i].tokens);
        assert_int_equal((uintptr_t)b.ids % 16, 0);
        uint32_t at = 0;
        for (uint32_t k = 0; k < b.documents; k++, d++) {
            for (uint32_t t = 0; at < b.doc_end[k]; t++, at++) {
                assert_int_equal(b.ids[at], made_id(d, t));
                counts[b.ids[at]]++;
            }
        }
        assert_int_equal(b.sent_end[b.sentences - 1], b.tokens);
    }
    uint64_t twice[MADE_VOCAB] = {0};
    for (int k = 0; k < 2; k++)
        assert_int_equal(sb_shard_add_counts(r, twice), SB_OK);
    for (int id = 0; id < MADE_VOCAB; id++)
        assert_int_equal(twice[id], 2 * counts[id]);
    sb_block b;
    assert_int_equal(sb_shard_read(r, 5, &b), SB_EINVAL);
    sb_shard_close(r);
}

static void a_large_block_and_many_transactions_come_back(void **state)
{
    (void)state;
    enum { N = SB_BLOCK_TOKENS_MAX, BLOCKS = 12 };
    uint32_t *ids, end = N;
    assert_int_equal(sb_alloc(N, sizeof *ids, "ids", &ids), SB_OK);
    sb_shard_writer *w;
    assert_int_equal(sb_shard_create(path, 1 << 30, MADE_VOCAB, 1, &w), SB_OK);
    sb_block b = {ids, &end, &end, N, 1, 1};
    for (uint32_t k = 0; k < BLOCKS; k++) {
        for (uint32_t i = 0; i < N; i++) ids[i] = (i * 13 + k) % MADE_VOCAB;
        assert_int_equal(sb_shard_append(w, &b), SB_OK);
    }
    sb_shard_info info;
    assert_int_equal(sb_shard_seal(w, &info), SB_OK);
    sb_shard_reader *r = open_ok();
    for (uint32_t k = 0; k < BLOCKS; k++) {
        assert_int_equal(sb_shard_read(r, k, &b), SB_OK);
        for (uint32_t i = 0; i < N; i += 4093)
            assert_int_equal(b.ids[i], (i * 13 + k) % MADE_VOCAB);
    }
    sb_shard_close(r);
    sb_free(ids);
}

/* Where every sentence is a document, the ends are stored once. */
static void equal_ends_come_back_as_one_array(void **state)
{
    (void)state;
    enum { N = 3000 };
    static uint32_t ids[N], end[N];
    for (uint32_t i = 0; i < N; i++) end[i] = i + 1;
    uint64_t bytes[2];
    for (int two = 0; two < 2; two++) { /* the last document: 1, 2 sentences */
        sb_shard_writer *w;
        sb_shard_info info;
        uint32_t documents = N - (uint32_t)two;
        uint32_t doc_end[N];
        memcpy(doc_end, end, sizeof doc_end);
        doc_end[documents - 1] = N;
        sb_block b = {ids, end, doc_end, N, N, documents};
        assert_int_equal(sb_shard_create(path, MADE_MAP, MADE_VOCAB, 1, &w),
                         SB_OK);
        assert_int_equal(sb_shard_append(w, &b), SB_OK);
        assert_int_equal(sb_shard_seal(w, &info), SB_OK);
        assert_int_equal(sb_file_size(path, &bytes[two]), SB_OK);
        sb_shard_reader *r = open_ok();
        assert_int_equal(sb_shard_read(r, 0, &b), SB_OK);
        assert_int_equal(b.doc_end == b.sent_end, !two);
        assert_int_equal(b.documents, documents);
        assert_memory_equal(b.sent_end, end, sizeof end);
        assert_memory_equal(b.doc_end, doc_end, documents * sizeof *doc_end);
        sb_shard_close(r);
    }
    assert_true(bytes[0] + 2 * N < bytes[1]);
}

/* Beside a page for each value there are a handful of LMDB's own. */
static void a_shard_is_hardly_larger_than_its_ids(void **state)
{
    (void)state;
    enum { N = 1 << 16, BLOCKS = 64, V = 250000 };
    uint32_t *ids, end = N;
    assert_int_equal(sb_alloc(N, sizeof *ids, "ids", &ids), SB_OK);
    sb_shard_writer *w;
    assert_int_equal(sb_shard_create(path, 1 << 30, V, 1, &w), SB_OK);
    uint64_t *counts, *sum, bytes;
    assert_int_equal(sb_alloc(V, sizeof *counts, "counts", &counts), SB_OK);
    assert_int_equal(sb_alloc(V, sizeof *sum, "counts", &sum), SB_OK);
    for (uint64_t k = 0, i = 0; k < BLOCKS; k++) {
        for (uint32_t t = 0; t < N; t++, i++) { /* most ids are small */
            ids[t] = (uint32_t)(i * 2654435761u % V % (1 + i % 997 * 251));
            counts[ids[t]]++;
        }
        sb_block b = {ids, &end, &end, N, 1, 1};
        assert_int_equal(sb_shard_append(w, &b), SB_OK);
    }
    sb_shard_info info;
    assert_int_equal(sb_shard_seal(w, &info), SB_OK);
    assert_int_equal(sb_file_size(path, &bytes), SB_OK);
    sb_shard_reader *r = open_ok();
    assert_int_equal(sb_shard_add_counts(r, sum), SB_OK);
    assert_memory_equal(sum, counts, V * sizeof *sum);
    uint64_t pieces = 0;
    for (uint32_t i = 0; i < V; i++) pieces += counts[i] > 0;
    assert_true(pieces > V / 2);
    assert_true(bytes < 4ull * N * BLOCKS + 3 * pieces + 4096 * (BLOCKS + 40));
    sb_shard_close(r);
    sb_free(ids);
    sb_free(counts);
    sb_free(sum);
}

static void a_bad_block_is_refused(void **state)
{
    (void)state;
    sb_shard_writer *w;
    assert_int_equal(sb_shard_create(path, MADE_MAP, MADE_VOCAB, 1, &w), SB_OK);
    uint32_t ids[4] = {1, 2, 3, 4}, sent[2] = {2, 4}, doc[1] = {4};
    sb_block good = {ids, sent, doc, 4, 2, 1}, b = good;
    b.tokens = 0;
    assert_int_equal(sb_shard_append(w, &b), SB_EINVAL);
    b.tokens = SB_BLOCK_TOKENS_MAX + 1;
    assert_int_equal(sb_shard_append(w, &b), SB_EINVAL);
    b = good;
    b.tokens = 3; /* the last sentence ends elsewhere */
    assert_int_equal(sb_shard_append(w, &b), SB_EINVAL);
    b = good;
    uint32_t falling[2] = {4, 4};
    b.sent_end = falling;
    assert_int_equal(sb_shard_append(w, &b), SB_EINVAL);
    uint32_t inside[2] = {1, 4};
    b = good;
    b.doc_end = inside;
    b.documents = 2;
    assert_int_equal(sb_shard_append(w, &b), SB_EINVAL);
    ids[2] = MADE_VOCAB;
    assert_int_equal(sb_shard_append(w, &good), SB_EINVAL);
    ids[2] = MADE_VOCAB - 1;
    assert_int_equal(sb_shard_append(w, &good), SB_OK);
    sb_shard_abandon(w);
    assert_false(sb_file_exists(path));
}

static void a_full_map_says_what_to_do_and_leaves_nothing(void **state)
{
    (void)state;
    sb_shard_writer *w;
    assert_int_equal(sb_shard_create(path, 1 << 20, MADE_VOCAB, 1, &w), SB_OK);
    sb_status st = SB_OK;
    for (int i = 0; i < 400 && st == SB_OK; i++) st = made_append(w, 0, 40);
    assert_int_equal(st, SB_ELIMIT);
    assert_true(sb_error_last()->hint[0]);
    sb_shard_info info;
    assert_int_equal(sb_shard_seal(w, &info), SB_EBUG);
    char **names;
    size_t n;
    assert_int_equal(sb_dir_list(made_dir, &names, &n), SB_OK);
    assert_int_equal(n, 0);
    sb_names_free(names, n);
}

static void an_unsealed_shard_is_not_there_and_is_replaced(void **state)
{
    (void)state;
    sb_shard_writer *w;
    assert_int_equal(sb_shard_create(path, MADE_MAP, MADE_VOCAB, 1, &w), SB_OK);
    assert_int_equal(made_append(w, 0, 40), SB_OK);
    assert_false(sb_file_exists(path));
    assert_int_equal(open_status(0), SB_ENOENT);
    sb_shard_info info;
    /* As after a kill: the old .tmp is still there (and here even open). */
    assert_int_equal(made_shard(path, 0, 1, 10, &info), SB_OK);
    assert_int_equal(read_all(), SB_OK);
    sb_shard_abandon(w);
    assert_int_equal(read_all(), SB_OK);
}

static void a_failed_rename_fails_the_seal(void **state)
{
    (void)state;
    setenv("SB_FAULT", "rename:1", 1);
    sb_shard_info info;
    sb_status st = made_shard(path, 0, 1, 10, &info);
    unsetenv("SB_FAULT");
    assert_int_equal(st, SB_EIO);
    assert_false(sb_file_exists(path));
}

static void a_file_of_another_size_is_refused_before_it_is_mapped(void **state)
{
    (void)state;
    sb_shard_info info;
    uint64_t bytes;
    assert_int_equal(made_shard(path, 0, 3, 40, &info), SB_OK);
    assert_int_equal(sb_file_size(path, &bytes), SB_OK);
    assert_int_equal(open_status(bytes), SB_OK);
    assert_int_equal(open_status(bytes + 1), SB_EFORMAT);
    chmod(path, 0644);
    /* Even if nobody knows the size: LMDB would read behind the end. */
    for (uint64_t cut = bytes - 1; cut > 4096; cut -= cut / 3) {
        assert_int_equal(truncate(path, (off_t)cut), 0);
        assert_int_equal(open_status(bytes), SB_EFORMAT);
        assert_int_equal(open_status(0), SB_EFORMAT);
    }
    for (int cut = 4096; cut >= 0; cut -= 512) {
        assert_int_equal(truncate(path, cut), 0);
        assert_int_equal(open_status(0), SB_EFORMAT);
    }
}

static void flip(uint64_t at, unsigned char bits)
{
    int fd = open(path, O_RDWR);
    unsigned char b;
    assert_int_equal(pread(fd, &b, 1, (off_t)at), 1);
    b ^= bits;
    assert_int_equal(pwrite(fd, &b, 1, (off_t)at), 1);
    close(fd);
}

/* Where the values lie: [first, last) byte of each. LMDB says before the
 * magic on how many pages. */
static size_t find_values(uint64_t at[][2], size_t room, uint64_t bytes)
{
    size_t n = 0;
    int fd = open(path, O_RDONLY);
    for (uint64_t p = 0; p < bytes; p += 4096) {
        struct {
            uint32_t pages;
            char magic[4];
        } head;
        assert_int_equal(pread(fd, &head, sizeof head, (off_t)p + 12), 8);
        if (memcmp(head.magic, "SBK2", 4) && memcmp(head.magic, "SBC2", 4) &&
            memcmp(head.magic, "SBS2", 4))
            continue;
        assert_true(n < room);
        at[n][0] = p + 16;
        at[n++][1] = p + (uint64_t)head.pages * 4096;
    }
    close(fd);
    return n;
}

static void a_flipped_bit_in_any_value_is_found(void **state)
{
    (void)state;
    sb_shard_info info;
    uint64_t bytes, at[8][2];
    assert_int_equal(made_shard(path, 0, 3, 40, &info), SB_OK);
    assert_int_equal(sb_file_size(path, &bytes), SB_OK);
    chmod(path, 0644);
    size_t n = find_values(at, 8, bytes);
    assert_int_equal(n, 5);
    for (size_t k = 0; k < n; k++)
        for (uint64_t p = at[k][0]; p < at[k][1];
             p += p < at[k][0] + 64 ? 1 : 997) {
            unsigned char bits = (unsigned char)(1u << p % 8);
            flip(p, bits);
            sb_status st = read_all();
            if (p - at[k][0] == 3)
                assert_int_equal(st, SB_EVERSION);
            else
                assert_int_equal(st, SB_EFORMAT);
            flip(p, bits);
        }
    assert_int_equal(read_all(), SB_OK);
}

/* What a child that reads everything makes of the file: its status, or -1. */
static int read_in_child(void)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        alarm(20);
        sb_shard_reader *r;
        sb_status st = sb_shard_open(path, 0, &r);
        if (st == SB_OK) {
            uint64_t d = 0;
            for (uint64_t i = 0; i < sb_shard_get_info(r)->blocks; i++) {
                sb_block b;
                if ((st = sb_shard_read(r, i, &b)) != SB_OK) break;
                for (uint32_t t = 0, k = 0, from = 0; t < b.tokens; t++) {
                    if (t == b.doc_end[k]) {
                        from = b.doc_end[k++];
                        d++;
                    }
                    if (b.ids[t] != made_id(d, t - from)) _exit(100);
                }
                d++;
            }
        }
        _exit((int)st);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_flipped_byte_in_a_meta_page_never_crashes_or_misleads(
    void **state)
{
    (void)state;
    sb_shard_info info;
    assert_int_equal(made_shard(path, 0, 3, 40, &info), SB_OK);
    chmod(path, 0644);
    assert_int_equal(read_in_child(), SB_OK);
    for (uint64_t p = 0; p < 304; p++) {
        uint64_t at = p < 152 ? p : 4096 + p - 152;
        unsigned char bits = (unsigned char)(p % 3 ? 1u << p % 8 : 255);
        flip(at, bits);
        int was = read_in_child();
        if (was != SB_OK && was != SB_EFORMAT && was != SB_EIO)
            fail_msg("byte %d of a meta page: %d", (int)at, was);
        flip(at, bits);
    }
}

static void a_random_file_is_not_a_shard(void **state)
{
    (void)state;
    unsigned char junk[3 * 4096];
    for (size_t i = 0; i < sizeof junk; i++) junk[i] = (unsigned char)(i * 37);
    assert_int_equal(sb_file_write(path, junk, sizeof junk), SB_OK);
    assert_int_equal(open_status(0), SB_EFORMAT);
    assert_int_equal(open_status(sizeof junk), SB_EFORMAT);
    unlink(path);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(open_status(0), SB_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, made_dir_down)
        T(a_sealed_shard_gives_back_its_blocks),
        T(a_large_block_and_many_transactions_come_back),
        T(equal_ends_come_back_as_one_array),
        T(a_shard_is_hardly_larger_than_its_ids),
        T(a_bad_block_is_refused),
        T(a_full_map_says_what_to_do_and_leaves_nothing),
        T(an_unsealed_shard_is_not_there_and_is_replaced),
        T(a_failed_rename_fails_the_seal),
        T(a_file_of_another_size_is_refused_before_it_is_mapped),
        T(a_flipped_bit_in_any_value_is_found),
        T(a_flipped_byte_in_a_meta_page_never_crashes_or_misleads),
        T(a_random_file_is_not_a_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
