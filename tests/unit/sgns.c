/* SPDX-License-Identifier: MIT
 * sgns.c - tests of trainer/kernels/sgns.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/kernel_check.h"
#include "trainer/kernels/kernels.h"

enum { ROWS = 80, MAX_D = 301, MAX_N = 64 };

static size_t D, n;
static uint32_t row[MAX_N];
ROOM(in_room, MAX_D);
ROOM(din_room, MAX_D);
ROOM(out_room, ROWS *MAX_D);
static double ref_in[MAX_D], ref_din[MAX_D], ref_out[ROWS * MAX_D];

static const size_t widths[] = {1, 7, 15, 16, 17, 33, 65, 100, 300, 301};

static double softplus(double z)
{
    return fmax(z, 0) + log1p(exp(-fabs(z)));
}

static double sigmoid(double z)
{
    return z > 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
}

/* Row after row; a row that comes twice is seen as the first step left it. */
static double reference(double lr)
{
    double loss = 0;
    for (size_t j = 0; j < n; j++) {
        double *o = ref_out + row[j] * D, dot = 0;
        for (size_t i = 0; i < D; i++) dot += ref_in[i] * o[i];
        loss += softplus(j == 0 ? -dot : dot);
        double step = lr * ((j == 0 ? 1.0 : 0.0) - sigmoid(dot));
        for (size_t i = 0; i < D; i++) {
            double before = o[i];
            ref_din[i] += step * before;
            o[i] += step * ref_in[i];
        }
    }
    return loss;
}

static void fill_inputs(size_t s, size_t rows, float size)
{
    check_state = 5;
    fill(in_room + s, D, size);
    fill(din_room + s, D, size);
    fill(out_room + s, ROWS * D, size);
    for (size_t j = 0; j < n; j++) row[j] = (uint32_t)random_below(rows);
}

static void copy_inputs(void)
{
    to_double(ref_in, in_room, D);
    to_double(ref_din, din_room, D);
    to_double(ref_out, out_room, ROWS * D);
}

static void a_step_agrees_with_the_reference(void **state)
{
    (void)state;
    const size_t counts[] = {1, 2, 6, 16, 64};
    for (size_t k = 0; k < COUNT(widths); k++)
        for (size_t c = 0; c < COUNT(counts); c++) {
            D = widths[k], n = counts[c];
            /* Few rows: negatives equal each other and the true word. */
            fill_inputs(0, c % 2 ? 3 : ROWS, 0.5f);
            copy_inputs();
            double want = reference((double)0.05f);
            float got =
                sb_sgns_step(din_room, in_room, out_room, row, n, 0.05f, D);
            check_near("loss", 0, (double)got, want, 1e-6, 1e-6);
            check_all("in", in_room, ref_in, D, 0, 0);
            check_all("din", din_room, ref_din, D, 1e-5, 1e-6);
            check_all("out", out_room, ref_out, ROWS * D, 1e-6, 1e-6);
        }
}

/* The loss as a function of in and the n different rows. */
static double loss(const double *at)
{
    double l = 0;
    for (size_t j = 0; j < n; j++) {
        double dot = 0;
        for (size_t i = 0; i < D; i++) dot += at[i] * at[D + j * D + i];
        l += softplus(j == 0 ? -dot : dot);
    }
    return l;
}

static void a_step_goes_down_the_slope_of_the_loss(void **state)
{
    (void)state;
    static double at[33 + 6 * 33];
    static float before[6 * 33];
    D = 33, n = 6;
    fill_inputs(0, ROWS, 1.0f);
    memset(din_room, 0, sizeof din_room);
    for (size_t j = 0; j < n; j++) row[j] = (uint32_t)j;
    memcpy(before, out_room, sizeof before);
    to_double(at, in_room, D);
    to_double(at + D, before, n * D);
    float got = sb_sgns_step(din_room, in_room, out_room, row, n, 1.0f, D);
    check_near("loss", 0, (double)got, loss(at), 1e-6, 1e-6);
    for (size_t i = 0; i < D; i++)
        check_near("din", i, (double)din_room[i], -slope(loss, at, i), 1e-5,
                   1e-5);
    for (size_t i = 0; i < n * D; i++)
        check_near("out", i, (double)out_room[i] - (double)before[i],
                   -slope(loss, at, D + i), 1e-5, 1e-5);
}

static void the_loss_is_finite_for_huge_products(void **state)
{
    (void)state;
    D = 1, n = 64;
    for (int sign = -1; sign < 2; sign += 2) {
        in_room[0] = 100.0f;
        din_room[0] = 0.0f;
        for (size_t j = 0; j < n; j++) {
            row[j] = (uint32_t)j;
            out_room[j] = (float)sign * 100.0f;
        }
        copy_inputs();
        double want = reference(0.0);
        float got = sb_sgns_step(din_room, in_room, out_room, row, n, 0.0f, 1);
        check_near("loss", 0, (double)got, want, 1e-5, 1e-6);
    }
    for (size_t j = 0; j < n; j++)
        out_room[j] = 0.0f; /* n log 2: the product is 2^n */
    float got = sb_sgns_step(din_room, in_room, out_room, row, n, 0.0f, 1);
    check_near("loss", 0, (double)got, 64 * log(2), 1e-6, 1e-6);
}

static void a_sure_pair_still_has_its_small_loss(void **state)
{
    (void)state;
    D = 1, n = 1;
    row[0] = 0;
    for (float z = 1; z < 80; z += 1.37f) {
        in_room[0] = 1.0f;
        out_room[0] = z;
        din_room[0] = 0.0f;
        float got = sb_sgns_step(din_room, in_room, out_room, row, 1, 1.0f, 1);
        /* 1 + e is a double: nothing is seen of e below 1e-16. */
        check_near("loss", 0, (double)got, log1p(exp((double)-z)), 3e-16, 1e-6);
        check_near("din", 0, (double)din_room[0],
                   (double)z * sigmoid(-(double)z), 0, 2e-6);
    }
}

static void nan_reaches_the_loss_and_the_rows(void **state)
{
    (void)state;
    D = 33, n = 4;
    fill_inputs(0, ROWS, 1.0f);
    for (size_t j = 0; j < n; j++) row[j] = (uint32_t)j;
    out_room[2 * D + 5] = NAN;
    float got = sb_sgns_step(din_room, in_room, out_room, row, n, 0.1f, D);
    check_nan("loss", &got, 1);
    check_nan("din", din_room, D);
    check_nan("out", out_room + 2 * D, D);
    check_no_nan("out", out_room, 2 * D);
    fill_inputs(0, ROWS, 1.0f);
    in_room[32] = NAN;
    got = sb_sgns_step(din_room, in_room, out_room, row, n, 0.1f, D);
    check_nan("loss", &got, 1);
    check_nan("din", din_room, D);
}

static void bits_are_the_same_at_every_alignment(void **state)
{
    (void)state;
    static float din[MAX_D], out[ROWS * MAX_D];
    n = 6;
    for (size_t k = 0; k < COUNT(widths); k++) {
        float first = 0;
        for (size_t s = 0; s < SHIFTS; s++) {
            D = widths[k];
            fill_inputs(s, 4, 0.5f);
            float got = sb_sgns_step(din_room + s, in_room + s, out_room + s,
                                     row, n, 0.05f, D);
            if (s == 0) {
                first = got;
                memcpy(din, din_room, sizeof din);
                memcpy(out, out_room, sizeof out);
            }
            check_bits("loss", &got, &first, 1);
            check_bits("din", din_room + s, din, D);
            check_bits("out", out_room + s, out, ROWS * D);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_agrees_with_the_reference),
        cmocka_unit_test(a_step_goes_down_the_slope_of_the_loss),
        cmocka_unit_test(the_loss_is_finite_for_huge_products),
        cmocka_unit_test(a_sure_pair_still_has_its_small_loss),
        cmocka_unit_test(nan_reaches_the_loss_and_the_rows),
        cmocka_unit_test(bits_are_the_same_at_every_alignment),
    };
    sb_kernels_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
