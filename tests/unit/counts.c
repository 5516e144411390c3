/* SPDX-License-Identifier: MIT
 * counts.c - counts.pb: what was written is read, and nothing else. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "proto/counts.h"

enum { N = 40 };

#define HASH 0x0123456789abcdefu

static char folder[] = "/tmp/sb-counts-XXXXXX";
static char *path;
static uint64_t counts[N];

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i++) counts[i] = (uint64_t)1 << i * 3 / 2;
    counts[7] = 0;
    if (!mkdtemp(folder)) return -1;
    path = sb_path_join(folder, SB_COUNTS_NAME);
    return path ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    sb_free(path);
    return sb_dir_remove(folder) == SB_OK ? 0 : -1;
}

static sb_status read_back(void)
{
    uint64_t got[N] = {0};
    sb_status st = sb_counts_read(path, HASH, got, N);
    if (st == SB_OK) assert_memory_equal(got, counts, sizeof counts);
    return st;
}

static void write_good(void)
{
    assert_int_equal(sb_counts_write(path, HASH, counts, N), SB_OK);
}

/* Thousands of files: without syncing each. */
static void put(const char *text, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    write_good();
    assert_int_equal(read_back(), SB_OK);
    write_good(); /* over the old one */
    assert_int_equal(read_back(), SB_OK);
    assert_int_equal(sb_counts_write(path, HASH, counts, 0), SB_OK);
    assert_int_equal(sb_counts_read(path, HASH, NULL, 0), SB_OK);
    assert_int_equal(read_back(), SB_EFORMAT);
}

static void another_vocabulary_is_refused(void **state)
{
    (void)state;
    uint64_t got[N + 1];
    write_good();
    assert_int_equal(sb_counts_read(path, HASH + 1, got, N), SB_EINVAL);
    assert_int_equal(sb_counts_read(path, HASH, got, N - 1), SB_EFORMAT);
    assert_int_equal(sb_counts_read(path, HASH, got, N + 1), SB_EFORMAT);
}

static void a_sum_that_overflows_is_refused(void **state)
{
    (void)state;
    const uint64_t large[2] = {UINT64_MAX, 1};
    assert_int_equal(sb_counts_write(path, HASH, large, 1), SB_OK);
    assert_int_equal(sb_counts_write(path, HASH, large, 2), SB_ELIMIT);
}

static void every_flipped_bit_and_every_cut_is_found(void **state)
{
    (void)state;
    char *text;
    size_t bytes;
    write_good();
    assert_int_equal(sb_file_read(path, 1 << 16, &text, &bytes), SB_OK);
    for (size_t i = 0; i < bytes * 8; i++) {
        text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
        put(text, bytes);
        assert_int_equal(read_back(), SB_EFORMAT);
        text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
    }
    for (size_t cut = 0; cut < bytes; cut++) {
        put(text, cut);
        assert_int_equal(read_back(), SB_EFORMAT);
    }
    put(text, bytes + 1);
    assert_int_equal(read_back(), SB_EFORMAT);
    sb_free(text);
}

/* Whoever can write the file can also make the checksum right. */
static void a_right_checksum_is_not_enough(void **state)
{
    (void)state;
    char *text;
    size_t bytes, taken = 0;
    write_good();
    assert_int_equal(sb_file_read(path, 1 << 16, &text, &bytes), SB_OK);
    for (size_t i = 8 * 8; i < bytes * 8; i++) {
        uint64_t got[N];
        text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
        uint32_t crc = sb_crc32c(0, text + 8, bytes - 8);
        memcpy(text + 4, &crc, sizeof crc);
        put(text, bytes);
        sb_status st = sb_counts_read(path, HASH, got, N);
        assert_true(st == SB_OK || st == SB_EFORMAT || st == SB_EVERSION ||
                    st == SB_EINVAL);
        taken += st == SB_OK;
        text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
    }
    assert_int_equal(taken, 0);
    sb_free(text);
}

static void only_a_plain_file_is_read(void **state)
{
    (void)state;
    unlink(path);
    assert_int_equal(read_back(), SB_ENOENT);
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_int_equal(read_back(), SB_EIO);
    unlink(path);
    assert_int_equal(sb_dir_make(path), SB_OK);
    assert_int_equal(read_back(), SB_EIO);
    assert_int_equal(sb_dir_remove(path), SB_OK);
}

static void a_write_that_fails_leaves_the_old_file(void **state)
{
    (void)state;
    write_good();
    setenv("SB_FAULT", "write:1", 1);
    assert_int_equal(sb_counts_write(path, HASH + 1, counts, N), SB_EIO);
    unsetenv("SB_FAULT");
    assert_int_equal(read_back(), SB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(another_vocabulary_is_refused),
        cmocka_unit_test(a_sum_that_overflows_is_refused),
        cmocka_unit_test(every_flipped_bit_and_every_cut_is_found),
        cmocka_unit_test(a_right_checksum_is_not_enough),
        cmocka_unit_test(only_a_plain_file_is_read),
        cmocka_unit_test(a_write_that_fails_leaves_the_old_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
