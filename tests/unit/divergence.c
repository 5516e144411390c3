/* SPDX-License-Identifier: MIT
 * divergence.c - tests of trainer/mlm/divergence.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "trainer/mlm/divergence.h"

static const sb_divergence_options three = {.deviations = 3};

/* Losses that swing by 1 around 5: mean 5, deviation 1. */
static void swing(sb_divergence *d, int n)
{
    for (int i = 0; i < n; i++) sb_divergence_observe(d, i % 2 ? 4 : 6);
}

static void mean_and_variance_are_plain_at_first(void **state)
{
    (void)state;
    static const double x[] = {6.5, 6.25, 7.0, 5.0, 5.75};
    sb_divergence d = {0};
    double sum = 0, square = 0;
    for (int n = 1; n <= 5; n++) {
        sb_divergence_observe(&d, x[n - 1]);
        sum += x[n - 1];
        square += x[n - 1] * x[n - 1];
        double mean = sum / n;
        assert_true(fabs(d.mean - mean) < 1e-12);
        assert_true(fabs(d.variance - (square / n - mean * mean)) < 1e-12);
    }
    assert_int_equal(d.seen, 5);
}

static void old_losses_are_forgotten(void **state)
{
    (void)state;
    sb_divergence d = {0};
    for (int i = 0; i < 300; i++) sb_divergence_observe(&d, 9);
    assert_true(fabs(d.mean - 9) < 1e-12 && d.variance < 1e-12);
    sb_divergence_observe(&d, 8);
    assert_true(fabs(d.mean - 8.99) < 1e-12);
    assert_true(fabs(d.variance - 0.99 * 0.01) < 1e-12);
    for (int i = 0; i < 2000; i++) sb_divergence_observe(&d, 3);
    assert_true(fabs(d.mean - 3) < 1e-6 && d.variance < 1e-6);
}

static void a_spike_is_told_from_noise(void **state)
{
    (void)state;
    sb_divergence d = {0};
    swing(&d, 400);
    assert_true(fabs(d.mean - 5) < 0.02 && fabs(d.variance - 1) < 0.02);
    assert_int_equal(sb_divergence_check(&d, &three, 7.9, 401), SB_OK);
    assert_int_equal(sb_divergence_check(&d, &three, 8.1, 401), SB_ENAN);
    assert_non_null(strstr(sb_error_last()->text, "jumps to 8.1000 at step 4"));
    assert_int_equal(sb_divergence_check(&d, &three, -100, 401), SB_OK);
}

static void spikes_are_looked_for_only_when_enough_is_known(void **state)
{
    (void)state;
    sb_divergence d = {0};
    assert_int_equal(sb_divergence_check(&d, &three, 1e9, 1), SB_OK);
    swing(&d, SB_SPIKE_AFTER - 1);
    assert_int_equal(sb_divergence_check(&d, &three, 1e9, 1), SB_OK);
    swing(&d, 1);
    assert_int_equal(sb_divergence_check(&d, &three, 1e9, 1), SB_ENAN);
    sb_divergence_options off = {0};
    assert_int_equal(sb_divergence_check(&d, &off, 1e9, 1), SB_OK);
}

static void what_is_no_number_always_counts(void **state)
{
    (void)state;
    sb_divergence d = {0};
    sb_divergence_options off = {0};
    assert_int_equal(sb_divergence_check(&d, &off, NAN, 1), SB_ENAN);
    assert_int_equal(sb_divergence_check(&d, &off, INFINITY, 1), SB_ENAN);
    assert_int_equal(sb_divergence_check(&d, &three, -INFINITY, 1), SB_ENAN);
}

static void three_batches_in_a_row_may_be_left_out(void **state)
{
    (void)state;
    sb_divergence d = {0};
    for (uint64_t b = 0; b < 3; b++)
        assert_int_equal(sb_divergence_skip(&d, b), 1);
    assert_int_equal(sb_divergence_skip(&d, 3), 0);
    assert_int_equal(d.skips, 3);
    assert_int_equal(sb_divergence_skip(&d, 4), 1); /* 3 was trained on */
    assert_int_equal(d.skip[3], 4);
}

static void ten_batches_may_be_left_out_in_all(void **state)
{
    (void)state;
    sb_divergence d = {0};
    for (uint64_t i = 0; i < SB_SKIPS_MAX; i++)
        assert_int_equal(sb_divergence_skip(&d, 5 + 2 * i), 1);
    assert_int_equal(sb_divergence_skip(&d, 1000), 0);
    assert_int_equal(d.skips, SB_SKIPS_MAX);
}

static void the_state_comes_back_from_a_checkpoint(void **state)
{
    (void)state;
    sb_divergence d = {0}, back;
    uint64_t word[SB_DIVERGENCE_WORDS];
    swing(&d, 123);
    assert_int_equal(sb_divergence_skip(&d, 7), 1);
    assert_int_equal(sb_divergence_skip(&d, 90), 1);
    sb_divergence_pack(&d, word);
    assert_int_equal(sb_divergence_unpack(word, &back), SB_OK);
    assert_memory_equal(&d, &back, sizeof d);
    static const struct {
        size_t at;
        uint64_t value;
    } bad[] = {{1, UINT64_MAX},
               {2, UINT64_MAX},
               {2, 1ull << 63 | 1},
               {3, SB_SKIPS_MAX + 1},
               {5, 7}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sb_divergence_pack(&d, word);
        word[bad[i].at] = bad[i].value;
        assert_int_equal(sb_divergence_unpack(word, &back), SB_EFORMAT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_and_variance_are_plain_at_first),
        cmocka_unit_test(old_losses_are_forgotten),
        cmocka_unit_test(a_spike_is_told_from_noise),
        cmocka_unit_test(spikes_are_looked_for_only_when_enough_is_known),
        cmocka_unit_test(what_is_no_number_always_counts),
        cmocka_unit_test(three_batches_in_a_row_may_be_left_out),
        cmocka_unit_test(ten_batches_may_be_left_out_in_all),
        cmocka_unit_test(the_state_comes_back_from_a_checkpoint)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
