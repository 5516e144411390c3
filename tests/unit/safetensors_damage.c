/* SPDX-License-Identifier: MIT
 * safetensors_damage.c - damaged safetensors files. The format has no
 * checksum, so damage may give other values; but nothing is read out of bounds
 * (run this under ASan), and what is taken is whole. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/rng.h"
#include "dataset/safetensors_header.h"

/* As PyTorch's users have it: metadata, three types, a number without
 * dimensions. */
static const char header[] =
    "{\"__metadata__\":{\"format\":\"pt\",\"k\":\"\\u00e9\\\\\"},"
    "\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
    "\"b\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[24,32]},"
    "\"\xc3\xbc\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[32,40]}}  ";
enum { DATA = 40, BYTES = sizeof header - 1 };

/* The text lies in memory of its own size: ASan sees a byte too far. What is
 * taken must be a whole list. */
static sb_status parse(const char *text, size_t n, uint64_t data)
{
    sb_stored_list list = {0};
    char *copy = malloc(n ? n : 1);
    memcpy(copy, text, n);
    sb_status st = sb_safetensors_parse("x", copy, n, data, &list);
    uint64_t at = 0;
    for (size_t i = 0; st == SB_OK && i < list.n; i++) {
        const sb_stored *t = &list.tensor[i];
        assert_int_equal(t->first, at);
        assert_true(t->ndim <= SB_SAFETENSORS_DIMS_MAX);
        assert_true(t->name >= copy && t->name + strlen(t->name) < copy + n);
        at = t->last;
    }
    if (st == SB_OK) assert_int_equal(at, data);
    free(list.tensor);
    free(copy);
    return st;
}

static void it_is_good_to_begin_with(void **state)
{
    (void)state;
    assert_int_equal(parse(header, BYTES, DATA), SB_OK);
}

/* Taken are letters of names and of metadata, blanks, and dimensions that
 * change places with nothing: 154 of 2007 flips. */
static void a_flipped_bit_is_refused_or_harmless(void **state)
{
    (void)state;
    char bad[BYTES];
    size_t taken = 0;
    for (size_t at = 0; at < BYTES; at++)
        for (int bit = 0; bit < 9; bit++) {
            memcpy(bad, header, BYTES);
            bad[at] = (char)(bad[at] ^ (bit < 8 ? 1 << bit : 0xff));
            sb_status st = parse(bad, BYTES, DATA);
            assert_true(st == SB_OK || st == SB_EFORMAT);
            taken += st == SB_OK;
        }
    assert_true(taken < BYTES);
}

static void a_cut_header_is_refused_at_any_byte(void **state)
{
    (void)state;
    for (size_t n = 0; n < BYTES - 2; n++)
        assert_int_equal(parse(header, n, DATA), SB_EFORMAT);
    assert_int_equal(parse(header, BYTES - 2, DATA), SB_OK); /* blanks */
}

static void other_data_than_announced_is_refused(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 100; n++)
        assert_int_equal(parse(header, BYTES, n),
                         n == DATA ? SB_OK : SB_EFORMAT);
}

/* Pieces of JSON put together at random: more than flips reach. */
static void any_text_is_understood_or_refused(void **state)
{
    (void)state;
    static const char whole[] = "\"a\":{\"dtype\":\"F32\",\"shape\":[1],"
                                "\"data_offsets\":[0,4]}";
    static const char *const part[] = {"{",
                                       "}",
                                       "[",
                                       "]",
                                       ",",
                                       ":",
                                       "\"",
                                       "\"a\"",
                                       "\"b\"",
                                       "\"dtype\"",
                                       "\"F32\"",
                                       "\"shape\"",
                                       "\"data_offsets\"",
                                       "0",
                                       "4",
                                       "[0,4]",
                                       "[1]",
                                       "\\",
                                       "\\u00",
                                       "18446744073709551615",
                                       " ",
                                       "\xc3",
                                       whole,
                                       "\"__metadata__\":{\"a\":\"b\"}"};
    enum { PARTS = sizeof part / sizeof *part, ROUNDS = 200000 };
    sb_rng_key key = sb_rng_key_make(1, SB_RNG_TEST);
    size_t taken = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        char text[2048] = "{";
        size_t n = 1, k = round % 12;
        for (uint32_t i = 0; i < k; i++) {
            sb_rng4 r = sb_rng_at(key, round, i, 0);
            const char *p = part[sb_rng_below(r.v[0], PARTS)];
            memcpy(text + n, p, strlen(p));
            n += strlen(p);
        }
        sb_status st = parse(text, n, round % 2 * 4);
        assert_true(st == SB_OK || st == SB_EFORMAT);
        taken += st == SB_OK;
    }
    assert_true(taken > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_good_to_begin_with),
        cmocka_unit_test(a_flipped_bit_is_refused_or_harmless),
        cmocka_unit_test(a_cut_header_is_refused_at_any_byte),
        cmocka_unit_test(other_data_than_announced_is_refused),
        cmocka_unit_test(any_text_is_understood_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
