/* SPDX-License-Identifier: MIT
 * bf16.c - tests of trainer/kernels/bf16.c: rounding, bit by bit. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/kernel_check.h"
#include "trainer/kernels/kernels.h"

static uint32_t bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static float number(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static uint16_t rounded(float x)
{
    uint16_t half;
    float full;
    sb_round(&half, &x, 1, SB_BF16);
    sb_round(&full, &x, 1, SB_BF16_EMULATED);
    assert_int_equal(bits(full), (uint32_t)half << 16);
    return half;
}

/* By distance, in double: of the two bf16 around |x| the nearer one, of two as
 * near the one whose last bit is 0. Behind the largest lies 2^128. */
static uint16_t nearest(float x)
{
    uint32_t u = bits(x), low = u & 0x7fff0000u, high = low + 0x10000u;
    double at = fabs((double)x), a = (double)number(low);
    double b = high == 0x7f800000u ? ldexp(1, 128) : (double)number(high);
    int up = at - a > b - at || (!(at - a < b - at) && (low >> 16 & 1));
    return (uint16_t)(((up ? high : low) | (u & 0x80000000u)) >> 16);
}

static const uint32_t lows[] = {0,      1,      2,      0x7ffe, 0x7fff,
                                0x8000, 0x8001, 0xfffe, 0xffff};

static void every_number_becomes_the_nearest_and_ties_become_even(void **state)
{
    (void)state;
    for (uint32_t high = 0; high < 0x10000; high++) {
        if ((high & 0x7f80) == 0x7f80) continue;
        for (size_t i = 0; i < COUNT(lows) + 4; i++) {
            uint32_t low =
                i < COUNT(lows) ? lows[i] : (uint32_t)random_below(0x10000);
            float x = number(high << 16 | low);
            if (rounded(x) != nearest(x))
                fail_msg("%a becomes %#x, wanted %#x", (double)x, rounded(x),
                         nearest(x));
        }
    }
}

static void known_numbers(void **state)
{
    (void)state;
    static const struct {
        uint32_t x;
        uint16_t want;
    } known[] = {{0x00000000, 0x0000},
                 {0x80000000, 0x8000}, /* zeros */
                 {0x3f800000, 0x3f80},
                 {0xbf800000, 0xbf80}, /* 1, -1 */
                 {0x3f808000, 0x3f80},
                 {0x3f818000, 0x3f82}, /* ties, down and up */
                 {0x3f808001, 0x3f81},
                 {0x3f807fff, 0x3f80}, /* beside a tie */
                 {0x3fffffff, 0x4000}, /* into the exponent */
                 {0x00000001, 0x0000},
                 {0x00008000, 0x0000}, /* denormals */
                 {0x00008001, 0x0001},
                 {0x00018000, 0x0002},
                 {0x007fffff, 0x0080}, /* the largest denormal becomes normal */
                 {0x80008001, 0x8001},
                 {0x7f7f7fff, 0x7f7f}, /* nearest to the largest bf16 */
                 {0x7f7f8000, 0x7f80},
                 {0x7f7fffff, 0x7f80}, /* too large */
                 {0xff7fffff, 0xff80},
                 {0x7f800000, 0x7f80},
                 {0xff800000, 0xff80}};
    for (size_t i = 0; i < COUNT(known); i++)
        assert_int_equal(rounded(number(known[i].x)), known[i].want);
}

/* A signalling NaN with a short payload would become infinite if its lower half
 * were just cut off, and 0x7fffffff negative if it were rounded. */
static void a_nan_stays_a_nan_of_its_sign(void **state)
{
    (void)state;
    static const uint32_t nans[] = {0x7f800001, 0x7f80ffff, 0x7fbfffff,
                                    0x7fc00000, 0x7fffffff, 0xff800001,
                                    0xff808000, 0xffffffff};
    for (size_t i = 0; i < COUNT(nans); i++) {
        uint16_t y = rounded(number(nans[i]));
        assert_true((y & 0x7f80) == 0x7f80 && (y & 0x7f) != 0);
        assert_true(y & 0x40); /* a quiet one */
        assert_int_equal(y >> 15, nans[i] >> 31);
    }
}

enum { MOST = 67 };

static void an_array_is_its_elements_at_every_length_and_place(void **state)
{
    (void)state;
    ROOM(x, MOST);
    static uint16_t halves[MOST + SHIFTS + 1];
    ROOM(floats, MOST + 1);
    for (size_t n = 0; n <= MOST; n++)
        for (size_t s = 0; s < SHIFTS; s++) {
            for (size_t i = 0; i < n; i++)
                x[s + i] = number((uint32_t)random_below(UINT32_MAX));
            halves[s + n] = 0x1234;
            floats[s + n] = 5;
            sb_round(halves + s, x + s, n, SB_BF16);
            sb_round(floats + s, x + s, n, SB_BF16_EMULATED);
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(halves[s + i], rounded(x[s + i]));
                assert_int_equal(bits(floats[s + i]),
                                 (uint32_t)rounded(x[s + i]) << 16);
            }
            assert_int_equal(halves[s + n], 0x1234);
            assert_true(floats[s + n] == 5);
        }
}

static void what_is_rounded_stays_when_rounded_again(void **state)
{
    (void)state;
    for (uint32_t high = 0; high < 0x10000; high++)
        if ((high & 0x7f80) != 0x7f80)
            assert_int_equal(rounded(number(high << 16)), high);
}

static void fp32_needs_no_room_and_writes_nothing(void **state)
{
    (void)state;
    float x = 1, to = 7;
    assert_int_equal(sb_rounded_size(SB_FP32), 0);
    assert_int_equal(sb_rounded_size(SB_BF16), 2);
    assert_int_equal(sb_rounded_size(SB_BF16_EMULATED), 4);
    sb_round(&to, &x, 1, SB_FP32);
    assert_true(to == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_becomes_the_nearest_and_ties_become_even),
        cmocka_unit_test(known_numbers),
        cmocka_unit_test(a_nan_stays_a_nan_of_its_sign),
        cmocka_unit_test(an_array_is_its_elements_at_every_length_and_place),
        cmocka_unit_test(what_is_rounded_stays_when_rounded_again),
        cmocka_unit_test(fp32_needs_no_room_and_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
