/* SPDX-License-Identifier: MIT
 * linear.c - tests of trainer/kernels/linear.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/kernel_check.h"
#include "trainer/kernels/kernels.h"

enum { MAX_N = 65, MAX_I = 96, MAX_O = 130 };

static size_t N, I, O;
ROOM(x_room, MAX_N *MAX_I);
ROOM(w_room, MAX_O *MAX_I);
ROOM(b_room, MAX_O);
ROOM(y_room, MAX_N *MAX_O);
ROOM(dx_room, MAX_N *MAX_I);
ROOM(dw_room, MAX_O *MAX_I);
ROOM(db_room, MAX_O);
static double want[MAX_O * MAX_I + MAX_N * (MAX_I + MAX_O)];

static const size_t shapes[][3] = {{1, 1, 1},    {1, 7, 15},   {2, 16, 17},
                                   {7, 33, 1},   {15, 1, 64},  {16, 16, 16},
                                   {17, 65, 63}, {33, 31, 65}, {65, 96, 130}};

static void set_shape(const size_t *s)
{
    N = s[0];
    I = s[1];
    O = s[2];
}

static void fill_inputs(size_t shift)
{
    check_state = 42;
    fill(x_room + shift, N * I, 1.0f);
    fill(w_room + shift, O * I, 1.0f);
    fill(b_room + shift, O, 1.0f);
    fill(y_room + shift, N * O, 1.0f); /* dy of a backward */
    fill(dw_room + shift, O * I, 1.0f);
    fill(db_room + shift, O, 1.0f);
}

static void forward_is(const float *b)
{
    for (size_t n = 0; n < N; n++)
        for (size_t o = 0; o < O; o++) {
            double s = b ? (double)b[o] : 0.0;
            for (size_t i = 0; i < I; i++)
                s += (double)x_room[n * I + i] * (double)w_room[o * I + i];
            want[n * O + o] = s;
        }
    check_all("y", y_room, want, N * O, 1e-5, 1e-6);
}

static void forward_is_x_times_w_transposed_plus_b(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(shapes); k++) {
        set_shape(shapes[k]);
        fill_inputs(0);
        sb_linear_forward(y_room, x_room, w_room, b_room, N, I, O);
        forward_is(b_room);
        sb_linear_forward(y_room, x_room, w_room, NULL, N, I, O);
        forward_is(NULL);
    }
}

static void forward_does_not_read_what_was_in_y(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(shapes); k++) {
        set_shape(shapes[k]);
        fill_inputs(0);
        for (int bias = 0; bias < 2; bias++) {
            const float *b = bias ? b_room : NULL;
            for (size_t i = 0; i < N * O; i++)
                y_room[i] = i % 2 ? NAN : INFINITY;
            sb_linear_forward(y_room, x_room, w_room, b, N, I, O);
            forward_is(b);
        }
    }
}

static void backward_adds_to_parameters_and_writes_dx(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(shapes); k++) {
        set_shape(shapes[k]);
        fill_inputs(0);
        for (size_t o = 0; o < O; o++)
            for (size_t i = 0; i < I; i++) {
                double s = (double)dw_room[o * I + i];
                for (size_t n = 0; n < N; n++)
                    s += (double)y_room[n * O + o] * (double)x_room[n * I + i];
                want[o * I + i] = s;
            }
        double *db = want + O * I, *dx = db + O;
        for (size_t o = 0; o < O; o++) {
            db[o] = (double)db_room[o];
            for (size_t n = 0; n < N; n++) db[o] += (double)y_room[n * O + o];
        }
        for (size_t n = 0; n < N; n++)
            for (size_t i = 0; i < I; i++) {
                double s = 0;
                for (size_t o = 0; o < O; o++)
                    s += (double)y_room[n * O + o] * (double)w_room[o * I + i];
                dx[n * I + i] = s;
            }
        for (size_t i = 0; i < N * I; i++) dx_room[i] = NAN;
        sb_linear_backward(dx_room, dw_room, db_room, 1, y_room, x_room, w_room,
                           N, I, O);
        check_all("dw", dw_room, want, O * I, 1e-5, 1e-6);
        check_all("db", db_room, db, O, 1e-5, 1e-6);
        check_all("dx", dx_room, dx, N * I, 1e-5, 1e-6);
    }
}

/* sum of dy * y over x, w and b, one after the other. */
static double loss(const double *at)
{
    const double *w = at + N * I, *b = w + O * I;
    double l = 0;
    for (size_t n = 0; n < N; n++)
        for (size_t o = 0; o < O; o++) {
            double y = b[o];
            for (size_t i = 0; i < I; i++) y += at[n * I + i] * w[o * I + i];
            l += (double)y_room[n * O + o] * y;
        }
    return l;
}

static void backward_agrees_with_central_differences(void **state)
{
    (void)state;
    static double at[7 * 33 + 17 * 33 + 17];
    N = 7, I = 33, O = 17;
    fill_inputs(0);
    to_double(at, x_room, N * I);
    to_double(at + N * I, w_room, O * I);
    to_double(at + N * I + O * I, b_room, O);
    memset(dw_room, 0, sizeof dw_room);
    memset(db_room, 0, sizeof db_room);
    sb_linear_backward(dx_room, dw_room, db_room, 1, y_room, x_room, w_room, N,
                       I, O);
    for (size_t i = 0; i < COUNT(at); i++) {
        float got = i < N * I           ? dx_room[i]
                    : i < N * I + O * I ? dw_room[i - N * I]
                                        : db_room[i - N * I - O * I];
        check_near("gradient", i, (double)got, slope(loss, at, i), 1e-5, 1e-5);
    }
}

static void dx_and_db_may_be_left_out(void **state)
{
    (void)state;
    static float dw[MAX_O * MAX_I], db[MAX_O];
    set_shape(shapes[7]);
    fill_inputs(0);
    memcpy(dw, dw_room, sizeof dw);
    memcpy(db, db_room, sizeof db);
    sb_linear_backward(dx_room, dw_room, db_room, 1, y_room, x_room, w_room, N,
                       I, O);
    sb_linear_backward(NULL, dw, NULL, 1, y_room, x_room, w_room, N, I, O);
    check_bits("dw", dw, dw_room, O * I);
    memcpy(db_room, db, sizeof db);
    sb_linear_backward(NULL, dw, db_room, 1, y_room, x_room, w_room, N, I, O);
}

static void no_rows_change_nothing(void **state)
{
    (void)state;
    static float dw[MAX_O * MAX_I], db[MAX_O], y[4] = {1, 2, 3, 4};
    const float four[4] = {1, 2, 3, 4};
    set_shape(shapes[8]);
    fill_inputs(0);
    memcpy(dw, dw_room, sizeof dw);
    memcpy(db, db_room, sizeof db);
    sb_linear_forward(y, x_room, w_room, b_room, 0, I, O);
    check_bits("y", y, four, 4);
    sb_linear_backward(y, dw_room, db_room, 1, y_room, x_room, w_room, 0, I, O);
    check_bits("dx", y, four, 4);
    check_bits("dw", dw_room, dw, O * I);
    check_bits("db", db_room, db, O);
    sb_linear_backward(y, dw_room, db_room, 0, y_room, x_room, w_room, 0, I, O);
    for (size_t i = 0; i < O * I; i++) assert_true(dw_room[i] == 0.0f);
    for (size_t i = 0; i < O; i++) assert_true(db_room[i] == 0.0f);
}

/* Written: the same bits as added to zeros, whatever was there. */
static void backward_writes_what_it_is_not_told_to_add(void **state)
{
    (void)state;
    static float dw[MAX_O * MAX_I], db[MAX_O];
    for (size_t k = 0; k < COUNT(shapes); k++) {
        set_shape(shapes[k]);
        fill_inputs(0);
        memset(dw, 0, sizeof dw);
        memset(db, 0, sizeof db);
        for (size_t i = 0; i < O * I; i++) dw_room[i] = NAN;
        for (size_t i = 0; i < O; i++) db_room[i] = NAN;
        sb_linear_backward(NULL, dw, db, 1, y_room, x_room, w_room, N, I, O);
        sb_linear_backward(NULL, dw_room, db_room, 0, y_room, x_room, w_room, N,
                           I, O);
        check_bits("dw", dw_room, dw, O * I);
        check_bits("db", db_room, db, O);
    }
}

static void nan_reaches_all_that_depends_on_it(void **state)
{
    (void)state;
    set_shape(shapes[7]);
    fill_inputs(0);
    x_room[3 * I + 5] = NAN;
    sb_linear_forward(y_room, x_room, w_room, b_room, N, I, O);
    check_nan("y", y_room + 3 * O, O);
    check_no_nan("y", y_room, 3 * O);
    check_no_nan("y", y_room + 4 * O, (N - 4) * O);
    fill_inputs(0);
    memset(y_room, 0, sizeof y_room); /* dy is 0, and 0 * NaN is NaN */
    x_room[3 * I + 5] = NAN;
    sb_linear_backward(dx_room, dw_room, db_room, 1, y_room, x_room, w_room, N,
                       I, O);
    for (size_t o = 0; o < O; o++) check_nan("dw", dw_room + o * I + 5, 1);
    check_no_nan("db", db_room, O);
    y_room[2 * O + 1] = NAN;
    sb_linear_backward(dx_room, dw_room, db_room, 1, y_room, x_room, w_room, N,
                       I, O);
    check_nan("db", db_room + 1, 1);
    check_nan("dx", dx_room + 2 * I, I);
    check_no_nan("dx", dx_room, 2 * I);
}

static void bits_are_the_same_at_every_alignment(void **state)
{
    (void)state;
    static float y[MAX_N * MAX_O], dx[MAX_N * MAX_I], dw[MAX_O * MAX_I],
        db[MAX_O];
    for (size_t k = 0; k < COUNT(shapes); k++)
        for (size_t s = 0; s < SHIFTS; s++) {
            set_shape(shapes[k]);
            fill_inputs(s);
            sb_linear_backward(dx_room + s, dw_room + s, db_room + s, 1,
                               y_room + s, x_room + s, w_room + s, N, I, O);
            sb_linear_forward(y_room + s, x_room + s, w_room + s, b_room + s, N,
                              I, O);
            if (s == 0) {
                memcpy(y, y_room, sizeof y);
                memcpy(dx, dx_room, sizeof dx);
                memcpy(dw, dw_room, sizeof dw);
                memcpy(db, db_room, sizeof db);
            }
            check_bits("y", y_room + s, y, N * O);
            check_bits("dx", dx_room + s, dx, N * I);
            check_bits("dw", dw_room + s, dw, O * I);
            check_bits("db", db_room + s, db, O);
        }
}

static void the_core_has_a_name(void **state)
{
    (void)state;
    assert_non_null(sb_kernels_core());
    assert_true(strlen(sb_kernels_core()) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_x_times_w_transposed_plus_b),
        cmocka_unit_test(forward_does_not_read_what_was_in_y),
        cmocka_unit_test(backward_adds_to_parameters_and_writes_dx),
        cmocka_unit_test(backward_agrees_with_central_differences),
        cmocka_unit_test(dx_and_db_may_be_left_out),
        cmocka_unit_test(no_rows_change_nothing),
        cmocka_unit_test(backward_writes_what_it_is_not_told_to_add),
        cmocka_unit_test(nan_reaches_all_that_depends_on_it),
        cmocka_unit_test(bits_are_the_same_at_every_alignment),
        cmocka_unit_test(the_core_has_a_name),
    };
    sb_kernels_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
