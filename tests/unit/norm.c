/* SPDX-License-Identifier: MIT
 * norm.c - tests of trainer/kernels/norm.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/kernel_check.h"
#include "trainer/kernels/kernels.h"

enum { MAX_N = 9, MAX_D = 770 };

static size_t N, D;
static float eps = 1e-12f;
ROOM(x_room, MAX_N *MAX_D);
ROOM(y_room, MAX_N *MAX_D);
ROOM(dy_room, MAX_N *MAX_D);
ROOM(dx_room, MAX_N *MAX_D);
ROOM(g_room, MAX_D);
ROOM(b_room, MAX_D);
ROOM(dg_room, MAX_D);
ROOM(db_room, MAX_D);
ROOM(mean_room, MAX_N);
ROOM(rstd_room, MAX_N);
static double ref_y[MAX_N * MAX_D], ref_dx[MAX_N * MAX_D];
static double ref_dg[MAX_D], ref_db[MAX_D];

static const size_t widths[] = {1,  2,  7,  15, 16,  17, 31,
                                33, 48, 65, 96, 768, 770};

static void fill_inputs(size_t s)
{
    check_state = 7;
    fill(x_room + s, N * D, 2.0f);
    fill(dy_room + s, N * D, 1.0f);
    fill(g_room + s, D, 1.5f);
    fill(b_room + s, D, 1.0f);
    fill(dg_room + s, D, 1.0f);
    fill(db_room + s, D, 1.0f);
}

static void moments(const double *x, double *mean, double *rstd)
{
    double m = 0, v = 0;
    for (size_t i = 0; i < D; i++) m += x[i] / (double)D;
    for (size_t i = 0; i < D; i++) v += (x[i] - m) * (x[i] - m) / (double)D;
    *mean = m;
    *rstd = 1 / sqrt(v + (double)eps);
}

/* From the arrays at shift 0; d-arrays as they were before the kernel. */
static void reference(void)
{
    static double x[MAX_D];
    for (size_t i = 0; i < D; i++) {
        ref_dg[i] = 0;
        ref_db[i] = 0;
    }
    for (size_t n = 0; n < N; n++) {
        double mean, rstd, s = 0, t = 0;
        to_double(x, x_room + n * D, D);
        moments(x, &mean, &rstd);
        for (size_t i = 0; i < D; i++) {
            double hat = (x[i] - mean) * rstd, g = (double)g_room[i];
            double dy = (double)dy_room[n * D + i];
            ref_y[n * D + i] = hat * g + (double)b_room[i];
            s += dy * g / (double)D;
            t += dy * g * hat / (double)D;
            ref_dg[i] += dy * hat;
            ref_db[i] += dy;
        }
        for (size_t i = 0; i < D; i++) {
            double hat = (x[i] - mean) * rstd;
            double h = (double)dy_room[n * D + i] * (double)g_room[i];
            ref_dx[n * D + i] = rstd * (h - s - hat * t);
        }
    }
}

static void forward(size_t s, float *y)
{
    sb_layernorm_forward(y, mean_room + s, rstd_room + s, x_room + s,
                         g_room + s, b_room + s, eps, N, D);
}

static void backward(size_t s, float *dx)
{
    sb_layernorm_backward(dx, dg_room + s, db_room + s, dy_room + s, x_room + s,
                          g_room + s, mean_room + s, rstd_room + s, N, D);
}

static void both_directions_agree_with_the_reference(void **state)
{
    (void)state;
    eps = 1e-5f;
    for (size_t k = 0; k < COUNT(widths); k++)
        for (N = 0; N <= MAX_N; N += 3) {
            D = widths[k];
            fill_inputs(0);
            reference();
            forward(0, y_room);
            backward(0, dx_room);
            /* Two columns can be close to each other: then rstd is large. */
            double wide = D < 3 ? 1e-3 : 2e-5;
            check_all("y", y_room, ref_y, N * D, wide, wide);
            check_all("dx", dx_room, ref_dx, N * D, 100 * wide, wide);
            check_all("dg", dg_room, ref_dg, D, wide, wide);
            check_all("db", db_room, ref_db, D, 2e-6, 1e-6);
        }
}

/* One pass does what three do, bit for bit: drop out, add, normalise. */
static void the_fused_passes_are_the_plain_ones(void **state)
{
    (void)state;
    static float sum[MAX_N * MAX_D], want[MAX_N * MAX_D], part[MAX_N * MAX_D];
    static float branch[MAX_N * MAX_D], moments_of[2][MAX_N];
    static float again[MAX_N * MAX_D], d[2][MAX_D];
    static uint8_t keep[MAX_N * MAX_D];
    eps = 1e-12f;
    for (size_t k = 0; k < COUNT(widths); k++)
        for (int drop = 0; drop < 2; drop++) {
            N = MAX_N, D = widths[k];
            fill_inputs(0);
            for (size_t i = 0; i < N * D; i++) keep[i] = i % 3 != 0;
            fill(part, N * D, 1.0f);
            memcpy(sum, part, sizeof sum);
            if (drop) sb_dropout(sum, keep, 1.25f, N * D);
            sb_add(sum, x_room, N * D);
            sb_layernorm_forward(want, moments_of[0], moments_of[1], sum,
                                 g_room, b_room, eps, N, D);
            sb_residual_norm_forward(y_room, mean_room, rstd_room, part, x_room,
                                     drop ? keep : NULL, 1.25f, g_room, b_room,
                                     eps, N, D);
            check_bits("sum", part, sum, N * D);
            check_bits("y", y_room, want, N * D);
            check_bits("mean", mean_room, moments_of[0], N);
            check_bits("rstd", rstd_room, moments_of[1], N);
            sb_layernorm_again(again, part, g_room, b_room, mean_room,
                               rstd_room, N, D);
            check_bits("y again", again, want, N * D);

            sb_layernorm_backward(want, d[0], d[1], dy_room, sum, g_room,
                                  mean_room, rstd_room, N, D);
            sb_residual_norm_backward(dx_room, drop ? branch : NULL, dg_room,
                                      db_room, dy_room, part, g_room, mean_room,
                                      rstd_room, keep, 1.25f, N, D);
            check_bits("dx", dx_room, want, N * D);
            check_bits("dg", dg_room, d[0], D);
            check_bits("db", db_room, d[1], D);
            if (!drop) continue;
            sb_dropout(want, keep, 1.25f, N * D);
            check_bits("branch", branch, want, N * D);
        }
}

static double loss(const double *at)
{
    const double *g = at + N * D, *b = g + D;
    double l = 0;
    for (size_t n = 0; n < N; n++) {
        double mean, rstd;
        moments(at + n * D, &mean, &rstd);
        for (size_t i = 0; i < D; i++)
            l += (double)dy_room[n * D + i] *
                 ((at[n * D + i] - mean) * rstd * g[i] + b[i]);
    }
    return l;
}

static void backward_agrees_with_central_differences(void **state)
{
    (void)state;
    static double at[3 * 33 + 2 * 33];
    eps = 1e-12f;
    N = 3, D = 33;
    fill_inputs(0);
    to_double(at, x_room, N * D);
    to_double(at + N * D, g_room, D);
    to_double(at + N * D + D, b_room, D);
    memset(dg_room, 0, sizeof dg_room);
    memset(db_room, 0, sizeof db_room);
    forward(0, y_room);
    backward(0, dx_room);
    for (size_t i = 0; i < COUNT(at); i++) {
        float got = i < N * D       ? dx_room[i]
                    : i < N * D + D ? dg_room[i - N * D]
                                    : db_room[i - N * D - D];
        check_near("gradient", i, (double)got, slope(loss, at, i), 1e-5, 1e-5);
    }
}

static void both_directions_work_in_place(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(widths); k++) {
        static float dg[MAX_D], mean[MAX_N];
        N = 5, D = widths[k];
        fill_inputs(0);
        forward(0, y_room);
        memcpy(mean, mean_room, sizeof mean);
        backward(0, dx_room);
        memcpy(dg, dg_room, sizeof dg);
        fill_inputs(0);
        backward(0, dy_room);
        check_bits("dx", dy_room, dx_room, N * D);
        check_bits("dg", dg_room, dg, D);
        forward(0, x_room);
        check_bits("y", x_room, y_room, N * D);
        check_bits("mean", mean_room, mean, N);
    }
}

static void a_constant_row_gives_the_bias(void **state)
{
    (void)state;
    eps = 1e-12f;
    N = 2, D = 64; /* a power of two, so that the mean is exact */
    fill_inputs(0);
    for (size_t i = 0; i < D; i++) x_room[i] = 3.5f;
    forward(0, y_room);
    check_bits("y", y_room, b_room, D);
    assert_true(isfinite(rstd_room[0]));
}

static void a_far_mean_costs_little(void **state)
{
    (void)state;
    eps = 1e-12f;
    N = 3, D = 768;
    fill_inputs(0);
    for (size_t i = 0; i < N * D; i++)
        x_room[i] += 1000.0f; /* ulp 6e-5 in x itself */
    reference();
    forward(0, y_room);
    check_all("y", y_room, ref_y, N * D, 1e-3, 1e-3);
}

static void nan_reaches_its_row_and_no_other(void **state)
{
    (void)state;
    const float bad[] = {NAN, INFINITY};
    N = 3, D = 33;
    for (size_t b = 0; b < COUNT(bad); b++)
        for (size_t i = 0; i < D; i++) {
            fill_inputs(0);
            x_room[D + i] = bad[b];
            forward(0, y_room);
            check_nan("y", y_room + D, D);
            check_no_nan("y", y_room, D);
            check_no_nan("y", y_room + 2 * D, D);
            backward(0, dx_room);
            check_nan("dx", dx_room + D, D);
            check_nan("dg", dg_room, D);
            check_no_nan("dx", dx_room, D);
            fill_inputs(0);
            forward(0, y_room);
            dy_room[2 * D + i] = bad[b];
            backward(0, dx_room);
            for (size_t j = 0; j < D; j++)
                assert_true(!isfinite(dx_room[2 * D + j]));
            assert_true(!isfinite(db_room[i]));
            check_no_nan("dx", dx_room, 2 * D);
        }
}

static void bits_are_the_same_at_every_alignment(void **state)
{
    (void)state;
    static float y[MAX_N * MAX_D], dx[MAX_N * MAX_D], dg[MAX_D], db[MAX_D];
    N = 4;
    for (size_t k = 0; k < COUNT(widths); k++)
        for (size_t s = 0; s < SHIFTS; s++) {
            D = widths[k];
            fill_inputs(s);
            forward(s, y_room + s);
            backward(s, dx_room + s);
            if (s == 0) {
                memcpy(y, y_room, sizeof y);
                memcpy(dx, dx_room, sizeof dx);
                memcpy(dg, dg_room, sizeof dg);
                memcpy(db, db_room, sizeof db);
            }
            check_bits("y", y_room + s, y, N * D);
            check_bits("dx", dx_room + s, dx, N * D);
            check_bits("dg", dg_room + s, dg, D);
            check_bits("db", db_room + s, db, D);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_directions_agree_with_the_reference),
        cmocka_unit_test(the_fused_passes_are_the_plain_ones),
        cmocka_unit_test(backward_agrees_with_central_differences),
        cmocka_unit_test(both_directions_work_in_place),
        cmocka_unit_test(a_constant_row_gives_the_bias),
        cmocka_unit_test(a_far_mean_costs_little),
        cmocka_unit_test(nan_reaches_its_row_and_no_other),
        cmocka_unit_test(bits_are_the_same_at_every_alignment),
    };
    sb_kernels_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
