/* SPDX-License-Identifier: MIT
 * mix.c - tests of dataset/mix.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "dataset/mix.h"

enum { ITEMS = 40 };

static const sb_rng_key key = {{7, 11}};

/* Three sources of 10, 20 and 10 items. */
static sb_mix *mix_of(double a, double b, double c)
{
    const uint64_t items[] = {10, 20, 10};
    const double weight[] = {a, b, c};
    sb_mix *m = NULL;
    assert_int_equal(sb_mix_open(items, weight, 3, &m), SB_OK);
    return m;
}

static void epoch_of(const sb_mix *m, uint64_t epoch, int times[ITEMS])
{
    memset(times, 0, ITEMS * sizeof *times);
    for (uint64_t i = 0; i < sb_mix_places(m); i++) {
        uint64_t item = sb_mix_item(m, key, epoch, i);
        assert_true(item < ITEMS);
        times[item]++;
    }
}

static int sum_of(const int *times, int first, int last)
{
    int n = 0;
    for (int i = first; i < last; i++) n += times[i];
    return n;
}

static void with_weight_1_an_epoch_is_one_permutation(void **state)
{
    (void)state;
    sb_mix *m = mix_of(1, 1, 1);
    assert_int_equal(sb_mix_places(m), ITEMS);
    for (uint64_t e = 0; e < 5; e++)
        for (uint64_t i = 0; i < ITEMS; i++) {
            uint64_t item = sb_mix_item(m, key, e, i);
            assert_int_equal(item, sb_rng_permute(key, e, i, ITEMS));
            assert_int_equal(item, sb_mix_number(m, key, e, i));
        }
    sb_mix_close(m);
}

static void a_weight_of_2_and_a_half_is_two_passes_and_a_half(void **state)
{
    (void)state;
    sb_mix *m = mix_of(1, 2.5, 3);
    assert_int_equal(sb_mix_places(m), 10 + 50 + 30);
    int before[ITEMS], times[ITEMS], all[ITEMS] = {0};
    for (uint64_t e = 0; e < 6; e++) {
        epoch_of(m, e, times);
        for (int i = 0; i < ITEMS; i++) {
            int least = i < 10 ? 1 : i < 30 ? 2 : 3;
            assert_in_range(times[i], least, least + (i >= 10 && i < 30));
            all[i] += times[i];
        }
        assert_int_equal(sum_of(times, 10, 30), 50);
        if (e > 0) assert_true(memcmp(before, times, sizeof times) != 0);
        memcpy(before, times, sizeof times);
    }
    for (int i = 10; i < 30; i++) assert_int_equal(all[i], 15);
    sb_mix_close(m);
}

static void a_share_of_03_comes_round_to_every_item(void **state)
{
    (void)state;
    sb_mix *m = mix_of(0.3, 0.3, 0.3);
    assert_int_equal(sb_mix_places(m), 3 + 6 + 3);
    int times[ITEMS], all[ITEMS] = {0}, before[ITEMS] = {0};
    for (uint64_t e = 0; e < 10; e++) {
        epoch_of(m, e, times);
        assert_int_equal(sum_of(times, 0, 10), 3);
        assert_int_equal(sum_of(times, 10, 30), 6);
        for (int i = 0; i < ITEMS; i++) {
            assert_in_range(times[i], 0, 1);
            all[i] += times[i];
        }
        assert_true(memcmp(before, times, sizeof times) != 0);
        memcpy(before, times, sizeof times);
    }
    for (int i = 0; i < ITEMS; i++) assert_int_equal(all[i], 3);
    sb_mix_close(m);
}

static void a_source_of_weight_0_is_never_drawn(void **state)
{
    (void)state;
    for (int zero = 0; zero < 3; zero++) {
        sb_mix *m = mix_of(zero != 0, zero != 1, zero != 2);
        int times[ITEMS];
        assert_int_equal(sb_mix_places(m), zero == 1 ? 20 : 30);
        epoch_of(m, 3, times);
        for (int i = 0; i < ITEMS; i++) {
            int source = i < 10 ? 0 : i < 30 ? 1 : 2;
            assert_int_equal(times[i], source != zero);
        }
        sb_mix_close(m);
    }
}

static void a_small_weight_leaves_one_place(void **state)
{
    (void)state;
    sb_mix *m = mix_of(1e-9, 1, 0);
    int times[ITEMS];
    assert_int_equal(sb_mix_places(m), 21);
    epoch_of(m, 0, times);
    assert_int_equal(sum_of(times, 0, 10), 1);
    sb_mix_close(m);
}

static void numbers_are_different_for_every_place(void **state)
{
    (void)state;
    sb_mix *m = mix_of(2.5, 0.25, 0);
    int seen[30] = {0};
    assert_int_equal(sb_mix_places(m), 30);
    for (uint64_t i = 0; i < 30; i++) seen[sb_mix_number(m, key, 4, i)]++;
    for (int i = 0; i < 30; i++) assert_int_equal(seen[i], 1);
    sb_mix_close(m);
}

static void a_sum_is_that_of_all_places(void **state)
{
    (void)state;
    static const double weight[][3] = {
        {1, 1, 1}, {2.5, 0.3, 0}, {0, 0.77, 3}, {1e-9, 0.999, 1.05}};
    uint32_t value[ITEMS];
    for (uint32_t i = 0; i < ITEMS; i++) value[i] = 1000 + i * i;
    for (size_t w = 0; w < sizeof weight / sizeof weight[0]; w++) {
        sb_mix *m = mix_of(weight[w][0], weight[w][1], weight[w][2]);
        uint64_t sum = 0;
        for (uint64_t e = 0; e < 30; e++) {
            assert_true(sb_mix_sum(m, key, e, value) == sum);
            for (uint64_t i = 0; i < sb_mix_places(m); i++)
                sum += value[sb_mix_item(m, key, e, i)];
        }
        sb_mix_close(m);
    }
}

static void what_makes_no_epoch_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t items;
        double weight;
        sb_status status;
    } bad[] = {{10, -1, SB_EINVAL},       {10, NAN, SB_EINVAL},
               {10, INFINITY, SB_EINVAL}, {10, 0, SB_EINVAL},
               {0, 1, SB_EINVAL},         {0, 1e300, SB_EINVAL},
               {10, 1e300, SB_ELIMIT},    {(uint64_t)1 << 54, 1, SB_ELIMIT},
               {UINT64_MAX, 1, SB_ELIMIT}};
    sb_mix *m;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(sb_mix_open(&bad[i].items, &bad[i].weight, 1, &m),
                         bad[i].status);
    assert_int_equal(sb_mix_open(NULL, NULL, 0, &m), SB_EINVAL);
    sb_mix_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_weight_1_an_epoch_is_one_permutation),
        cmocka_unit_test(a_weight_of_2_and_a_half_is_two_passes_and_a_half),
        cmocka_unit_test(a_share_of_03_comes_round_to_every_item),
        cmocka_unit_test(a_source_of_weight_0_is_never_drawn),
        cmocka_unit_test(a_small_weight_leaves_one_place),
        cmocka_unit_test(numbers_are_different_for_every_place),
        cmocka_unit_test(a_sum_is_that_of_all_places),
        cmocka_unit_test(what_makes_no_epoch_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
