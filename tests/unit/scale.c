/* SPDX-License-Identifier: MIT
 * scale.c - tests of launch/scale.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "launch/scale.h"

static uint32_t state_of_chance = 1;

static double chance(void) /* [0, 1) */
{
    state_of_chance = state_of_chance * 1664525u + 1013904223u;
    return (double)(state_of_chance >> 8) / (1 << 24);
}

/* The labels of an axis, blanks between. */
static const char *labels(const sb_axis *a)
{
    static char all[SB_TICKS_MAX * 25];
    *all = 0;
    for (int i = 0; i < a->ticks; i++) {
        char text[24];
        sb_axis_label(a, a->tick[i], text);
        strcat(strcat(all, i ? " " : ""), text);
    }
    return all;
}

static void ticks_are_1_2_or_5_times_a_power_of_ten(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        double scale = pow(10, floor(chance() * 60 - 30));
        double low = (chance() - 0.5) * scale, wide = chance() * scale;
        int most = 2 + (int)(chance() * 10), wider = i % 2;
        sb_axis a;
        sb_axis_linear(low, low + wide, most, wider, &a);
        assert_true(a.low <= low && a.high >= low + wide && a.low < a.high);
        assert_in_range(a.ticks, wider ? 2 : 0, most + 2);
        if (a.ticks < 2) continue;
        double step = a.tick[1] - a.tick[0];
        double lead = step / pow(10, floor(log10(step) + 1e-6));
        assert_true(fabs(lead - 1) < 1e-6 || fabs(lead - 2) < 1e-6 ||
                    fabs(lead - 5) < 1e-6);
        for (int k = 0; k < a.ticks; k++) {
            assert_true(a.tick[k] >= a.low - step * 1e-6 &&
                        a.tick[k] <= a.high + step * 1e-6);
            assert_true(!k ||
                        fabs(a.tick[k] - a.tick[k - 1] - step) < step * 1e-6);
        }
        if (!wider) continue;
        assert_true(fabs(a.tick[0] - a.low) < step * 1e-6);
        assert_true(fabs(a.tick[a.ticks - 1] - a.high) < step * 1e-6);
    }
}

static void labels_have_the_digits_they_need(void **state)
{
    (void)state;
    static const struct {
        double low, high;
        int power;
        const char *want;
    } is[] = {{0, 1, 0, "0.0 0.2 0.4 0.6 0.8 1.0"},
              {4.37, 7.25, 0, "4.0 4.5 5.0 5.5 6.0 6.5 7.0 7.5"},
              {0, 1500, 0, "0 500 1000 1500"},
              {0, 250000, 3, "0 50k 100k 150k 200k 250k"},
              {1.5e6, 3.2e6, 6, "1.5M 2.0M 2.5M 3.0M 3.5M"},
              {0, 3e-3, -3, "0.0 0.5 1.0 1.5 2.0 2.5 3.0"},
              {0, 5e-5, -5, "0 1 2 3 4 5"},
              {0, 0.02, -2, "0.0 0.5 1.0 1.5 2.0"},
              {12345678, 12345679, 6,
               "12.28M 12.30M 12.32M 12.34M 12.36M 12.38M 12.40M"},
              {-2, 2, 0, "-2 -1 0 1 2"}};
    for (size_t i = 0; i < sizeof is / sizeof *is; i++) {
        sb_axis a;
        sb_axis_linear(is[i].low, is[i].high, 6, 1, &a);
        assert_int_equal(a.power, is[i].power);
        assert_string_equal(labels(&a), is[i].want);
    }
}

static void a_level_curve_has_an_axis(void **state)
{
    (void)state;
    static const double level[] = {0,    1,     -3,     1e-99,   -1e-99,
                                   1e99, -1e99, 1e-300, 4.9e-324};
    for (size_t i = 0; i < sizeof level / sizeof *level; i++) {
        sb_axis a;
        sb_axis_linear(level[i], level[i], 6, 1, &a);
        assert_true(isfinite(a.low) && isfinite(a.high));
        assert_true(a.low < a.high && a.low <= level[i] && a.high >= level[i]);
        assert_true(a.ticks >= 2);
        labels(&a);
        double at = sb_axis_place(&a, level[i]);
        assert_true(at >= 0 && at <= 1);
    }
}

static void a_logarithmic_axis_has_powers_of_ten(void **state)
{
    (void)state;
    sb_axis a;
    sb_axis_log(0.03, 1.2, 6, &a);
    assert_string_equal(labels(&a), "0.05 0.1 0.2 0.5 1");
    sb_axis_log(1e-4, 1e3, 6, &a);
    assert_string_equal(labels(&a), "1e-4 0.01 1 100");
    assert_true(fabs(sb_axis_place(&a, 1e-4)) < 1e-12);
    assert_true(fabs(sb_axis_place(&a, 1e3) - 1) < 1e-12);
    assert_true(sb_axis_place(&a, 0) < 0);
    for (int i = 0; i < 2000; i++) {
        double low = pow(10, chance() * 190 - 95);
        sb_axis_log(low, low * pow(10, chance() * 4), 6, &a);
        assert_true(a.low > 0 && a.low < a.high);
        assert_in_range(a.ticks, 0, 14);
    }
    sb_axis_log(1e-90, 1e90, 6, &a);
    assert_in_range(a.ticks, 3, 7);
}

enum { LONG = 100000, BUCKETS = 50 };

static sb_point *long_curve(void)
{
    sb_point *p = malloc(LONG * sizeof *p);
    assert_non_null(p);
    for (int i = 0; i < LONG; i++) p[i] = (sb_point){i + 1, chance()};
    return p;
}

static void a_thin_curve_keeps_every_extreme(void **state)
{
    (void)state;
    sb_point *p = long_curve(), out[2 * BUCKETS];
    p[12345].y = 9;
    p[77777].y = -9;
    size_t n = sb_thin(p, LONG, 1, LONG, BUCKETS, out);
    assert_in_range(n, BUCKETS, 2 * BUCKETS);
    int high = 0, low = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(i == 0 || out[i].x > out[i - 1].x);
        const sb_point *from = &p[(size_t)out[i].x - 1];
        assert_true(from->x == out[i].x && from->y == out[i].y);
        high += out[i].y == 9;
        low += out[i].y == -9;
    }
    assert_true(high == 1 && low == 1);
    for (size_t b = 0; b < BUCKETS; b++) { /* each bucket's, by hand */
        size_t first = b * LONG / BUCKETS + 1, last = (b + 1) * LONG / BUCKETS;
        double most = -99;
        for (size_t i = first; i < last; i++) most = fmax(most, p[i].y);
        int there = 0;
        for (size_t i = 0; i < n; i++) there |= out[i].y >= most;
        assert_true(there);
    }
    free(p);
}

static void a_short_curve_is_left_as_it_is(void **state)
{
    (void)state;
    sb_point *p = long_curve(), out[2 * BUCKETS];
    for (size_t n = 0; n <= 2 * BUCKETS; n++) {
        assert_int_equal(sb_thin(p, n, 1, (double)n, BUCKETS, out), n);
        assert_memory_equal(out, p, n * sizeof *out);
    }
    free(p);
}

static void no_order_of_steps_writes_beyond_the_room(void **state)
{
    (void)state;
    sb_point *p = long_curve(), out[2 * BUCKETS + 1];
    out[2 * BUCKETS] = (sb_point){7, 7};
    for (int i = 0; i < LONG; i++) p[i].x = chance() * 1e6 - 5e5;
    for (int i = 0; i < LONG; i += 7) p[i].x = 5;
    assert_in_range(sb_thin(p, LONG, 0, 1000, BUCKETS, out), 1, 2 * BUCKETS);
    assert_in_range(sb_thin(p, LONG, 5, 5, BUCKETS, out), 1, 2 * BUCKETS);
    assert_in_range(sb_thin_mean(p, LONG, 0, 1000, BUCKETS, out), 1, BUCKETS);
    assert_true(out[2 * BUCKETS].x == 7);
    free(p);
}

static void means_of_buckets_are_means(void **state)
{
    (void)state;
    sb_point p[] = {{0, 1}, {1, 3}, {2, 5}, {9, 7}}, out[2];
    assert_int_equal(sb_thin_mean(p, 4, 0, 10, 2, out), 2);
    assert_true(out[0].x == 1 && out[0].y == 3);
    assert_true(out[1].x == 9 && out[1].y == 7);
}

static void smoothing_has_no_bias_to_the_start(void **state)
{
    (void)state;
    sb_point p[1000];
    for (int i = 0; i < 1000; i++) p[i] = (sb_point){i, 4};
    sb_smooth(p, 1000, 0.03);
    for (int i = 0; i < 1000; i++) assert_true(fabs(p[i].y - 4) < 1e-12);
    for (int i = 0; i < 1000; i++) p[i].y = i < 500 ? 0 : 1;
    sb_smooth(p, 1000, 0.03);
    assert_true(p[499].y == 0 && p[500].y > 0.05 && p[500].y < 0.1);
    assert_true(p[999].y > 0.999999 && p[999].y <= 1);
    sb_smooth(p, 1, 0.03); /* one point is itself */
    assert_true(p[0].y == 0);
}

static void a_quantile_is_one_of_the_values(void **state)
{
    (void)state;
    double y[] = {5, 1, 4, 2, 3};
    assert_true(sb_quantile(y, 5, 0.2) == 1);
    assert_true(sb_quantile(y, 5, 0.21) == 2);
    assert_true(sb_quantile(y, 5, 1) == 5);
    assert_true(sb_quantile(y, 5, 0) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_are_1_2_or_5_times_a_power_of_ten),
        cmocka_unit_test(labels_have_the_digits_they_need),
        cmocka_unit_test(a_level_curve_has_an_axis),
        cmocka_unit_test(a_logarithmic_axis_has_powers_of_ten),
        cmocka_unit_test(a_thin_curve_keeps_every_extreme),
        cmocka_unit_test(a_short_curve_is_left_as_it_is),
        cmocka_unit_test(no_order_of_steps_writes_beyond_the_room),
        cmocka_unit_test(means_of_buckets_are_means),
        cmocka_unit_test(smoothing_has_no_bias_to_the_start),
        cmocka_unit_test(a_quantile_is_one_of_the_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
