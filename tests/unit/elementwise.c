/* SPDX-License-Identifier: MIT
 * elementwise.c - tests of trainer/kernels/elementwise.c */
#include <float.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/kernel_check.h"
#include "trainer/kernels/kernels.h"

enum { MAX = 5000 };

ROOM(x_room, MAX);
ROOM(y_room, MAX);
ROOM(again_room, MAX);
ROOM(d_room, MAX);
static uint8_t keep[MAX + SHIFTS];

static const size_t sizes[] = {0, 1, 7, 15, 16, 17, 31, 32, 33, 65, 130};

static double gelu(double x)
{
    return x * 0.5 * erfc(-x * sqrt(0.5));
}

static double gelu_slope(double x)
{
    return 0.5 * erfc(-x * sqrt(0.5)) +
           x * exp(-0.5 * x * x) / sqrt(2.0 * acos(-1.0));
}

static void gelu_is_exact_to_a_few_ulp(void **state)
{
    (void)state;
    double worst = 0, worst_relative = 0, worst_slope = 0;
    for (double from = -14; from < 14; from += 0.01) {
        for (size_t i = 0; i < MAX; i++) {
            x_room[i] = (float)(from + 0.01 * (double)i / MAX);
            d_room[i] = 1.0f;
        }
        sb_gelu_forward(y_room, x_room, MAX);
        sb_gelu_backward(d_room, again_room, d_room, x_room, MAX);
        check_bits("y again", again_room, y_room, MAX);
        for (size_t i = 0; i < MAX; i += 7) {
            double x = (double)x_room[i], want = gelu(x);
            double error = fabs((double)y_room[i] - want);
            /* erf's error: without the rounding of y, twice Phi's. */
            double own = error - 0x1p-24 * fabs(want);
            worst = fmax(worst, 2 * own / fmax(fabs(x), 1e-30));
            if (fabs(x) < 5)
                worst_relative = fmax(worst_relative, error / fabs(want));
            worst_slope =
                fmax(worst_slope, fabs((double)d_room[i] - gelu_slope(x)));
        }
    }
    print_message("erf within %.2g, gelu within %.2g of itself on [-5, 5], "
                  "slope within %.2g\n",
                  worst, worst_relative, worst_slope);
    assert_true(worst <= 2e-7);
    assert_true(worst_relative <= 4e-6);
    assert_true(worst_slope <= 2e-7);
}

static void gelu_is_x_or_nothing_far_from_zero(void **state)
{
    (void)state;
    const float far[] = {14.0f, 30.0f, 1e4f, 1e20f, FLT_MAX};
    for (size_t k = 0; k < COUNT(far); k++) {
        float x[2] = {far[k], -far[k]}, y[2], dx[2], dy[2] = {3.0f, 3.0f};
        sb_gelu_forward(y, x, 2);
        assert_true(y[0] == far[k] && y[1] == 0.0f);
        sb_gelu_backward(dx, y, dy, x, 2);
        assert_true(dx[0] == 3.0f && dx[1] == 0.0f);
    }
    float x[3] = {0.0f, -0.0f, 1e-40f}, y[3];
    sb_gelu_forward(y, x, 3);
    assert_true(y[0] == 0.0f && y[1] == 0.0f);
    check_near("y", 2, (double)y[2], 0.5e-40, 2e-45, 0);
}

static double weighted_gelu(const double *at)
{
    double l = 0;
    for (size_t i = 0; i < 65; i++) l += (double)d_room[i] * gelu(at[i]);
    return l;
}

static void gelu_backward_agrees_with_central_differences(void **state)
{
    (void)state;
    double at[65];
    fill(x_room, 65, 6.0f);
    fill(d_room, 65, 1.0f);
    to_double(at, x_room, 65);
    sb_gelu_backward(y_room, again_room, d_room, x_room, 65);
    for (size_t i = 0; i < 65; i++)
        check_near("dx", i, (double)y_room[i], slope(weighted_gelu, at, i),
                   1e-6, 1e-6);
}

static void gelu_works_in_place(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(sizes); k++) {
        size_t n = sizes[k];
        fill(x_room, n, 5.0f);
        fill(d_room, n, 1.0f);
        sb_gelu_backward(y_room, again_room, d_room, x_room, n);
        sb_gelu_backward(d_room, again_room, d_room, x_room, n);
        check_bits("dx", d_room, y_room, n);
        sb_gelu_forward(y_room, x_room, n);
        sb_gelu_forward(x_room, x_room, n);
        check_bits("y", x_room, y_room, n);
    }
}

/* An element alone, and the same one anywhere in an array of any length. */
static void an_element_does_not_know_its_place(void **state)
{
    (void)state;
    enum { LONGEST = 70 };
    static float alone[2][LONGEST], x[LONGEST], d[LONGEST];
    fill(x, LONGEST, 6.0f);
    fill(d, LONGEST, 1.0f);
    for (size_t i = 0; i < LONGEST; i++) {
        sb_gelu_forward(&alone[0][i], x + i, 1);
        sb_gelu_backward(&alone[1][i], again_room, d + i, x + i, 1);
    }
    for (size_t n = 1; n <= LONGEST; n++)
        for (size_t s = 0; s < SHIFTS; s++) {
            memcpy(x_room + s, x, n * sizeof *x);
            memcpy(d_room + s, d, n * sizeof *d);
            float after = y_room[s + n] = 77.0f;
            sb_gelu_forward(y_room + s, x_room + s, n);
            check_bits("y", y_room + s, alone[0], n);
            sb_gelu_backward(y_room + s, again_room + s, d_room + s, x_room + s,
                             n);
            check_bits("y again", again_room + s, alone[0], n);
            check_bits("dx", y_room + s, alone[1], n);
            assert_true(y_room[s + n] == after);
        }
}

static void gelu_keeps_nan_and_infinity(void **state)
{
    (void)state;
    for (size_t i = 0; i < 33; i++) {
        fill(x_room, 33, 3.0f);
        fill(d_room, 33, 1.0f);
        x_room[i] = NAN;
        sb_gelu_forward(y_room, x_room, 33);
        check_nan("y", y_room + i, 1);
        check_no_nan("y", y_room, i);
        check_no_nan("y", y_room + i + 1, 32 - i);
        sb_gelu_backward(y_room, again_room, d_room, x_room, 33);
        check_nan("dx", y_room + i, 1);
        check_no_nan("dx", y_room, i);
        x_room[i] = 1.0f;
        d_room[i] = NAN;
        sb_gelu_backward(y_room, again_room, d_room, x_room, 33);
        check_nan("dx", y_room + i, 1);
        x_room[i] = INFINITY;
        sb_gelu_forward(y_room, x_room, 33);
        assert_true(isinf(y_room[i]));
        x_room[i] = -INFINITY; /* -inf * 0, as in PyTorch */
        sb_gelu_forward(y_room, x_room, 33);
        check_nan("y", y_room + i, 1);
    }
}

static void dropout_scales_what_it_keeps(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(sizes); k++)
        for (size_t s = 0; s < SHIFTS; s++) {
            size_t n = sizes[k];
            fill(x_room + s, n + 1, 1.0f);
            fill_mask(keep + s, n);
            memcpy(y_room, x_room + s, (n + 1) * sizeof *y_room);
            sb_dropout(x_room + s, keep + s, 1.25f, n);
            for (size_t i = 0; i < n; i++)
                y_room[i] = keep[s + i] ? y_room[i] * 1.25f : 0.0f;
            check_bits("x", x_room + s, y_room, n + 1);
        }
    float x[2] = {NAN, NAN};
    const uint8_t second[2] = {0, 1};
    sb_dropout(x, second, 2.0f, 2);
    assert_true(x[0] == 0.0f && isnan(x[1]));
}

static void add_adds(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(sizes); k++)
        for (size_t s = 0; s < SHIFTS; s++) {
            size_t n = sizes[k];
            fill(x_room + s, n, 1.0f);
            fill(y_room + s, n + 1, 1.0f);
            memcpy(d_room, y_room + s, (n + 1) * sizeof *y_room);
            sb_add(y_room + s, x_room + s, n);
            for (size_t i = 0; i < n; i++) d_room[i] += x_room[s + i];
            check_bits("y", y_room + s, d_room, n + 1);
        }
    float x[3] = {NAN, INFINITY, -INFINITY}, y[3] = {1, 1, INFINITY};
    sb_add(y, x, 3);
    assert_true(isnan(y[0]) && isinf(y[1]) && isnan(y[2]));
}

static void sum_of_squares_is_a_double_in_one_order(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(sizes); k++) {
        size_t n = sizes[k];
        double first = 0;
        for (size_t s = 0; s < SHIFTS; s++) {
            check_state = k + 1;
            fill(x_room + s, n, 1e15f);
            double got = sb_sum_squares(x_room + s, n), want = 0;
            for (size_t i = 0; i < n; i++)
                want += (double)x_room[s + i] * (double)x_room[s + i];
            check_near("sum", n, got, want, 0, 1e-14);
            if (s == 0) first = got;
            assert_memory_equal(&got, &first, sizeof got);
        }
    }
    for (size_t i = 0; i < 33; i++) {
        fill(x_room, 33, 1.0f);
        x_room[i] = NAN;
        assert_true(isnan(sb_sum_squares(x_room, 33)));
        x_room[i] = -INFINITY;
        assert_true(isinf(sb_sum_squares(x_room, 33)));
        x_room[i] = FLT_MAX;
        assert_true(isfinite(sb_sum_squares(x_room, 33)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gelu_is_exact_to_a_few_ulp),
        cmocka_unit_test(gelu_is_x_or_nothing_far_from_zero),
        cmocka_unit_test(gelu_backward_agrees_with_central_differences),
        cmocka_unit_test(gelu_works_in_place),
        cmocka_unit_test(an_element_does_not_know_its_place),
        cmocka_unit_test(gelu_keeps_nan_and_infinity),
        cmocka_unit_test(dropout_scales_what_it_keeps),
        cmocka_unit_test(add_adds),
        cmocka_unit_test(sum_of_squares_is_a_double_in_one_order),
    };
    sb_kernels_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
