/* SPDX-License-Identifier: MIT
 * Random numbers, hashes, memory and files. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "comm/base/rng.h"

static char dir[] = "/tmp/sb-base-XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int drop_dir(void **state)
{
    (void)state;
    return sb_dir_remove(dir) != SB_OK;
}

/* Random123's known-answer file: philox4x32-10 of zeros and of ones. */
static void philox_gives_the_published_values(void **state)
{
    (void)state;
    sb_rng_key zero = {{0, 0}}, ones = {{UINT32_MAX, UINT32_MAX}};
    sb_rng4 a = sb_rng_at(zero, 0, 0, 0);
    assert_int_equal(a.v[0], 0x6627e8d5u);
    assert_int_equal(a.v[1], 0xe169c58du);
    assert_int_equal(a.v[2], 0xbc57ac4cu);
    assert_int_equal(a.v[3], 0x9b00dbd8u);
    sb_rng4 b = sb_rng_at(ones, UINT64_MAX, UINT32_MAX, UINT32_MAX);
    assert_int_equal(b.v[0], 0x408f276du);
    assert_int_equal(b.v[1], 0x41c83b0eu);
    assert_int_equal(b.v[2], 0xa20bc7c6u);
    assert_int_equal(b.v[3], 0x6d5451fdu);
}

static void a_permutation_visits_every_number_once(void **state)
{
    (void)state;
    sb_rng_key key = sb_rng_key_make(3, SB_RNG_ORDER);
    const uint64_t size[] = {1, 2, 3, 4, 5, 16, 17, 1000, 4097};
    for (size_t k = 0; k < sizeof size / sizeof size[0]; k++) {
        for (uint64_t round = 0; round < 3; round++) {
            uint8_t seen[5000] = {0};
            uint64_t moved = 0;
            for (uint64_t i = 0; i < size[k]; i++) {
                uint64_t p = sb_rng_permute(key, round, i, size[k]);
                assert_true(p < size[k]);
                assert_int_equal(seen[p]++, 0);
                moved += p != i;
            }
            if (size[k] >= 1000) assert_true(moved > size[k] * 9 / 10);
        }
    }
}

static void normals_have_their_moments_and_names(void **state)
{
    (void)state;
    enum { N = 100001 };
    static float x[N], y[N];
    sb_rng_key key = sb_rng_key_make(5, SB_RNG_INIT);
    sb_rng_normal(key, 9, 0, x, N, 0.02f);
    double sum = 0, square = 0;
    for (int i = 0; i < N; i++) {
        sum += (double)x[i];
        square += (double)x[i] * (double)x[i];
    }
    assert_true(fabs(sum / N) < 3e-4);
    assert_true(fabs(sqrt(square / N) - 0.02) < 2e-4);
    for (size_t first = 0; first < 5; first++) { /* any cut, the same values */
        sb_rng_normal(key, 9, first, y, 100, 0.02f);
        assert_memory_equal(x + first, y, 100 * sizeof *y);
    }
}

static void dropout_keeps_its_share(void **state)
{
    (void)state;
    enum { N = 200000 };
    static uint8_t keep[N];
    sb_rng_keep(sb_rng_key_make(1, SB_RNG_DROPOUT), 7, 2, 0.1f, keep, N);
    double kept = 0;
    for (int i = 0; i < N; i++) kept += keep[i];
    assert_true(fabs(kept / N - 0.9) < 0.003);
}

static void crc32c_gives_the_published_value(void **state)
{
    (void)state;
    assert_int_equal(sb_crc32c(0, "123456789", 9), 0xe3069283u); /* RFC 3720 */
    uint32_t parts = sb_crc32c(sb_crc32c(0, "1234", 4), "56789", 5);
    assert_int_equal(parts, 0xe3069283u);
}

static uint32_t crc_by_bits(const unsigned char *p, size_t n)
{
    uint32_t c = ~0u;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++) c = c & 1 ? (c >> 1) ^ 0x82f63b78u : c >> 1;
    }
    return ~c;
}

/* Long ones are cut into stripes. */
static void crc32c_of_any_length_is_that_of_the_definition(void **state)
{
    (void)state;
    static unsigned char data[40000];
    for (uint32_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 2654435761u >> 13);
    static const size_t length[] = {0,     1,     7,     8,     2048, 6143,
                                    24576, 24577, 24585, 30000, 39999};
    for (size_t i = 0; i < sizeof length / sizeof *length; i++)
        for (size_t at = 0; at < 2; at++) {
            size_t n = length[i], cut = n / 3;
            uint32_t c = crc_by_bits(data + at, n);
            assert_int_equal(sb_crc32c(0, data + at, n), c);
            assert_int_equal(sb_crc32c(sb_crc32c(0, data + at, cut),
                                       data + at + cut, n - cut),
                             c);
        }
}

static void a_streamed_hash_is_the_hash_of_the_whole(void **state)
{
    (void)state;
    char text[1000];
    for (int i = 0; i < 1000; i++) text[i] = (char)(i * 7);
    sb_hasher *h = sb_hasher_new();
    for (size_t at = 0; at < 1000; at += 125) sb_hasher_add(h, text + at, 125);
    assert_true(sb_hasher_end(h) == sb_hash64(text, 1000));
}

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    void *p = NULL;
    assert_int_equal(sb_alloc(SIZE_MAX / 2, 3, "a table", &p), SB_ELIMIT);
    assert_int_equal(sb_alloc((size_t)1 << 60, 1, "a table", &p), SB_ENOMEM);
    assert_non_null(strstr(sb_error_last()->text, "a table"));
    assert_null(p);
    size_t cap = 0;
    assert_int_equal(sb_grow(&p, &cap, SIZE_MAX - 5, 8, "a list"), SB_ELIMIT);
}

/* Pages of this process that are in memory. */
static long resident(void)
{
    long size, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &size, &pages), 2);
    fclose(f);
    return pages;
}

static void what_is_reserved_takes_no_memory_until_it_is_written_to(
    void **state)
{
    (void)state;
    enum { MIB = 1 << 20 };
    char *p;
    assert_int_equal(sb_reserve(SIZE_MAX / 2, 3, "room", &p), SB_ELIMIT);
    assert_int_equal(sb_reserve(0, 8, "room", &p), SB_OK);
    assert_non_null(p);
    sb_free(p);
    long before = resident();
    assert_int_equal(sb_reserve(256, MIB, "room", &p), SB_OK);
    assert_int_equal((uintptr_t)p % 64, 0);
    p[0] = p[255 * (size_t)MIB] = 1;
    assert_in_range(resident() - before, 0, 16 * MIB / 4096);
    sb_free(p);
}

static void a_file_is_written_whole_or_not_at_all(void **state)
{
    (void)state;
    char *path = sb_path_join(dir, "file"), *data;
    size_t n;
    assert_int_equal(sb_file_write(path, "old", 3), SB_OK);
    for (int call = 1; call <= 3; call++) {
        static const char *const fault[] = {"write:1", "fsync:1", "rename:1"};
        setenv("SB_FAULT", fault[call - 1], 1);
        assert_int_equal(sb_file_write(path, "new text", 8), SB_EIO);
        unsetenv("SB_FAULT");
        assert_int_equal(sb_file_read(path, 100, &data, &n), SB_OK);
        assert_string_equal(data, "old");
        sb_free(data);
    }
    char **names;
    assert_int_equal(sb_dir_list(dir, &names, &n), SB_OK);
    assert_int_equal(n, 1); /* no debris */
    sb_names_free(names, n);
    assert_int_equal(sb_file_write(path, "new text", 8), SB_OK);
    assert_int_equal(sb_file_read(path, 4, &data, &n), SB_ELIMIT);
    sb_free(path);
}

static void folders_are_made_and_removed_whole(void **state)
{
    (void)state;
    char *deep = sb_path_join(dir, "a/b/c"), *top = sb_path_join(dir, "a");
    char *file = sb_path_join(dir, "a/b/f");
    assert_int_equal(sb_dir_make(deep), SB_OK);
    assert_int_equal(sb_dir_make(deep), SB_OK);
    assert_int_equal(sb_file_write(file, "x", 1), SB_OK);
    char *below = sb_path_join(file, "d");
    assert_int_equal(sb_dir_make(file), SB_EIO);
    assert_int_equal(sb_dir_make(below), SB_EIO);
    assert_int_equal(sb_dir_remove(top), SB_OK);
    assert_false(sb_file_exists(top));
    assert_int_equal(sb_dir_remove(top), SB_OK);
    char *owned[] = {deep, top, file, below};
    for (int i = 0; i < 4; i++) sb_free(owned[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_values),
        cmocka_unit_test(a_permutation_visits_every_number_once),
        cmocka_unit_test(normals_have_their_moments_and_names),
        cmocka_unit_test(dropout_keeps_its_share),
        cmocka_unit_test(crc32c_gives_the_published_value),
        cmocka_unit_test(crc32c_of_any_length_is_that_of_the_definition),
        cmocka_unit_test(a_streamed_hash_is_the_hash_of_the_whole),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(
            what_is_reserved_takes_no_memory_until_it_is_written_to),
        cmocka_unit_test(a_file_is_written_whole_or_not_at_all),
        cmocka_unit_test(folders_are_made_and_removed_whole),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
