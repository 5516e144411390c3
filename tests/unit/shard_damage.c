/* SPDX-License-Identifier: MIT
 * shard_damage.c - what is not a whole shard is refused by its reader, and what
 * is not a block by its writer. (LMDB's own pages: shard_tree.c.) */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "comm/base/hash.h"
#include "dataset/shard_format.h"
#include "tests/unit/made_shard.h"

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
        if (memcmp(head.magic, "SBK2", 4) && memcmp(head.magic, "SBS2", 4))
            continue;
        assert_true(n < room);
        at[n][0] = p + 16;
        at[n++][1] = p + (uint64_t)head.pages * 4096;
    }
    close(fd);
    return n;
}

static int value_is(const uint64_t at[2], const char *magic)
{
    char got[4];
    int fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, got, sizeof got, (off_t)at[0]), 4);
    close(fd);
    return memcmp(got, magic, sizeof got) == 0;
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
    assert_int_equal(n, 4);
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

/* Lengths of a block of four tokens; the good ones are {4, 5}. */
typedef struct unfit {
    uint8_t at[16], bytes;
    uint32_t sentences, documents;
} unfit;

static const unfit unfits[] = {
    {{0, 9}, 2, 2, 1},  /* a sentence of nothing */
    {{8, 1}, 2, 2, 1},  /* ... at the end */
    {{9, 1}, 2, 2, 2},  /* ... a document of nothing */
    {{4, 3}, 2, 2, 1},  /* a token in no sentence */
    {{4, 7}, 2, 2, 1},  /* a sentence over the end */
    {{10, 5}, 2, 2, 1}, /* ... and another behind it */
    {{0xfe, 0xff, 0xff, 0x7f, 5}, 5, 2, 1},
    {{4, 4}, 2, 2, 0}, /* the last does not end a document */
    {{5, 4}, 2, 2, 1},
    {{5, 5}, 2, 2, 1}, /* more documents than are said */
    {{4, 5}, 2, 2, 2}, /* fewer */
    {{9, 0}, 1, 1, 2},
    {{0x84, 0x80, 0x80, 0x80, 0, 5}, 6, 2, 1}, /* too long a number */
    {{4, 0x85, 0x80, 0x80, 0x80, 0}, 6, 2, 1},
    {{4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 8, 2, 1},
};
enum { UNFITS = sizeof unfits / sizeof unfits[0] };

static void a_writer_refuses_lengths_that_do_not_fit(void **state)
{
    (void)state;
    static const uint32_t ids[4] = {1, 2, 3, 4};
    static const uint8_t good[] = {4, 5};
    sb_shard_writer *w;
    sb_shard_info info;
    assert_int_equal(sb_shard_create(path, MADE_MAP, MADE_VOCAB, 1, &w), SB_OK);
    for (size_t i = 0; i < UNFITS; i++) {
        const unfit *u = &unfits[i];
        sb_block b = {ids, u->at, 4, u->sentences, u->documents};
        if (sb_shard_append(w, &b) != SB_EINVAL) fail_msg("lengths %zu", i);
    }
    sb_block b = {ids, good, 4, 2, 1}; /* nothing of them stayed */
    assert_int_equal(sb_shard_append(w, &b), SB_OK);
    assert_int_equal(sb_shard_seal(w, &info), SB_OK);
    assert_int_equal(info.tokens, 4);
    assert_int_equal(read_all(), SB_OK);
}

/* Give value `at` other bytes, and the checksum that they need. */
static void patch(const uint64_t at[2], size_t where, const void *bytes,
                  size_t n)
{
    static unsigned char v[4096];
    size_t all = (size_t)(at[1] - at[0]);
    assert_true(all <= sizeof v);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, v, all, (off_t)at[0]), all);
    memcpy(v + where, bytes, n);
    uint32_t crc = sb_crc32c(0, v + SB_SHARD_CRC_AT, all - SB_SHARD_CRC_AT);
    memcpy(v + SB_SHARD_CRC_AT - sizeof crc, &crc, sizeof crc);
    assert_int_equal(pwrite(fd, v, all, (off_t)at[0]), all);
    close(fd);
}

/* A shard of one block of four tokens with these lengths, as if a writer had
 * stored them: block and summary are changed together. */
static sb_status read_patched(const unfit *u)
{
    static const uint32_t ids[4] = {1, 2, 3, 4};
    static const uint8_t good[] = {4, 5};
    uint64_t bytes, at[2][2];
    sb_shard_writer *w;
    sb_shard_info info;
    assert_int_equal(sb_shard_create(path, MADE_MAP, MADE_VOCAB, 1, &w), SB_OK);
    sb_block b = {ids, good, 4, 2, 1};
    assert_int_equal(sb_shard_append(w, &b), SB_OK);
    assert_int_equal(sb_shard_seal(w, &info), SB_OK);
    assert_int_equal(sb_file_size(path, &bytes), SB_OK);
    assert_int_equal(find_values(at, 2, bytes), 2);
    chmod(path, 0644);
    int summary_first = value_is(at[0], "SBS2");
    uint32_t numbers[] = {4, u->sentences, u->documents, u->bytes};
    patch(at[summary_first], offsetof(sb_block_head, tokens), numbers,
          sizeof numbers);
    patch(at[summary_first], sizeof(sb_block_head) + sizeof ids, u->at,
          sizeof u->at);
    info.sentences = u->sentences;
    info.documents = u->documents;
    patch(at[!summary_first], offsetof(sb_summary_head, info), &info,
          sizeof info);
    patch(at[!summary_first], sizeof(sb_summary_head), numbers,
          sizeof(sb_block_index));
    return read_all();
}

static void a_reader_refuses_lengths_that_do_not_fit(void **state)
{
    (void)state;
    static const unfit good[] = {{{4, 5}, 2, 2, 1},
                                 {{5, 5}, 2, 2, 2},
                                 {{9}, 1, 1, 1},
                                 {{3, 3, 3, 3}, 4, 4, 4}};
    static const unfit cut[] = {{{4, 5}, 1, 2, 1},
                                {{4, 5}, 3, 2, 1},
                                {{4, 5}, 0, 2, 1},
                                {{4, 0x85}, 2, 2, 1},
                                {{4, 5}, 200, 2, 1}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(read_patched(&good[i]), SB_OK);
    for (size_t i = 0; i < UNFITS; i++)
        if (read_patched(&unfits[i]) != SB_EFORMAT) fail_msg("lengths %zu", i);
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++)
        if (read_patched(&cut[i]) != SB_EFORMAT) fail_msg("cut %zu", i);
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
        T(a_file_of_another_size_is_refused_before_it_is_mapped),
        T(a_flipped_bit_in_any_value_is_found),
        T(a_writer_refuses_lengths_that_do_not_fit),
        T(a_reader_refuses_lengths_that_do_not_fit),
        T(a_random_file_is_not_a_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
