/* SPDX-License-Identifier: MIT
 * mixed.c - tests of trainer/kernels/mixed.c: against products in double of
 * operands that were rounded one by one; oneDNN's against the emulated ones
 * where the processor can. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/kernel_check.h"
#include "trainer/kernels/kernels.h"

enum { MAX_N = 65, MAX_I = 96, MAX_O = 130, FIRST = 3 };

static size_t N, I, O;
ROOM(x_room, MAX_N *MAX_I);
ROOM(w_room, FIRST + MAX_O * MAX_I);
ROOM(b_room, MAX_O);
ROOM(dy_room, MAX_N *MAX_O);

typedef struct result {
    float y[MAX_N * MAX_O], dx[MAX_N * MAX_I], dw[MAX_O * MAX_I], db[MAX_O];
} result;
static result got, other;

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
    fill(w_room + shift, FIRST + O * I, 1.0f);
    fill(b_room + shift, O, 1.0f);
    fill(dy_room + shift, N * O, 1.0f);
}

/* Forward with a bias, and backward that adds to dw and db (of 1), with
 * weights that begin at element FIRST of those that were rounded. */
static void compute(sb_precision p, size_t shift, result *r)
{
    static _Alignas(64) char dy[4 * MAX_N * MAX_O], x[4 * MAX_N * MAX_I],
        rounded[4 * (FIRST + MAX_O * MAX_I)];
    sb_mixed g = {.dy = dy, .x = x};
    assert_true(sb_mixed_open(&g, p));
    sb_round(rounded, w_room + shift, FIRST + O * I, p);
    sb_weights w = {w_room + shift, rounded};
    w = sb_weights_at(w, p, FIRST);
    for (size_t i = 0; i < N * O; i++) r->y[i] = NAN;
    for (size_t i = 0; i < N * I; i++) r->dx[i] = NAN;
    for (size_t i = 0; i < O * I; i++) r->dw[i] = 1;
    for (size_t i = 0; i < O; i++) r->db[i] = 1;
    sb_mixed_forward(&g, r->y, x_room + shift, w, b_room + shift, N, I, O);
    sb_mixed_backward(&g, r->dx, r->dw, r->db, 1, dy_room + shift,
                      x_room + shift, w, N, I, O);
    assert_int_equal(g.failed, 0);
    sb_mixed_close(&g);
}

static double rounded(float x)
{
    float y;
    sb_round(&y, &x, 1, SB_BF16_EMULATED);
    return (double)y;
}

static void is_reference(const result *r)
{
    const float *w = w_room + FIRST;
    static double y[MAX_N * MAX_O], dx[MAX_N * MAX_I], dw[MAX_O * MAX_I],
        db[MAX_O];
    memset(dx, 0, sizeof dx);
    for (size_t k = 0; k < O * I; k++) dw[k] = 1;
    for (size_t o = 0; o < O; o++) db[o] = 1;
    for (size_t n = 0; n < N; n++)
        for (size_t o = 0; o < O; o++) {
            double d = rounded(dy_room[n * O + o]);
            y[n * O + o] = (double)b_room[o];
            db[o] += (double)dy_room[n * O + o];
            for (size_t i = 0; i < I; i++) {
                double a = rounded(x_room[n * I + i]);
                double c = rounded(w[o * I + i]);
                y[n * O + o] += a * c;
                dx[n * I + i] += d * c;
                dw[o * I + i] += d * a;
            }
        }
    check_all("y", r->y, y, N * O, 1e-5, 1e-6);
    check_all("dx", r->dx, dx, N * I, 1e-5, 1e-6);
    check_all("dw", r->dw, dw, O * I, 1e-5, 1e-6);
    check_all("db", r->db, db, O, 1e-5, 1e-6);
}

static void emulated_products_are_those_of_rounded_operands(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(shapes); k++) {
        set_shape(shapes[k]);
        fill_inputs(0);
        compute(SB_BF16_EMULATED, 0, &got);
        is_reference(&got);
    }
}

static void bf16_products_are_those_of_rounded_operands(void **state)
{
    (void)state;
    const char *why = sb_precision_lacks(SB_BF16);
    if (why) {
        print_message("skipped: %s\n", why);
        skip();
    }
    for (size_t k = 0; k < COUNT(shapes); k++) {
        set_shape(shapes[k]);
        fill_inputs(0);
        compute(SB_BF16, 0, &got);
        is_reference(&got);
    }
}

static void check_same(const result *a, const result *b)
{
    check_bits("y", a->y, b->y, N * O);
    check_bits("dx", a->dx, b->dx, N * I);
    check_bits("dw", a->dw, b->dw, O * I);
    check_bits("db", a->db, b->db, O);
}

static void bits_are_the_same_at_every_alignment(void **state)
{
    (void)state;
    sb_precision most =
        sb_precision_lacks(SB_BF16) ? SB_BF16_EMULATED : SB_BF16;
    for (size_t k = 0; k < COUNT(shapes); k++)
        for (sb_precision p = SB_BF16_EMULATED;; p = most) {
            set_shape(shapes[k]);
            fill_inputs(0);
            compute(p, 0, &got);
            for (size_t s = 1; s < SHIFTS; s++) {
                fill_inputs(s);
                compute(p, s, &other);
                check_same(&other, &got);
            }
            if (p == most) break;
        }
}

static void fp32_is_the_linear_layer_bit_by_bit(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(shapes); k++) {
        set_shape(shapes[k]);
        fill_inputs(0);
        compute(SB_FP32, 0, &got);
        const float *w = w_room + FIRST;
        for (size_t i = 0; i < O * I; i++) other.dw[i] = 1;
        for (size_t i = 0; i < O; i++) other.db[i] = 1;
        sb_linear_forward(other.y, x_room, w, b_room, N, I, O);
        sb_linear_backward(other.dx, other.dw, other.db, 1, dy_room, x_room, w,
                           N, I, O);
        check_same(&got, &other);
    }
}

static char dy_area[4 * 17 * 63], x_area[4 * 17 * 65], w_area[4 * 63 * 65];

static void what_is_not_wanted_is_left_out(void **state)
{
    (void)state;
    sb_mixed g = {.dy = dy_area, .x = x_area};
    assert_true(sb_mixed_open(&g, SB_BF16_EMULATED));
    N = 17, I = 65, O = 63;
    fill_inputs(0);
    sb_round(w_area, w_room, O * I, SB_BF16_EMULATED);
    const sb_weights w = {w_room, w_area}, none = {0};
    sb_mixed_forward(&g, got.y, x_room, w, NULL, N, I, O);
    sb_mixed_forward(&g, other.y, x_room, w, b_room, N, I, O);
    for (size_t n = 0; n < N; n++)
        for (size_t o = 0; o < O; o++)
            assert_true(got.y[n * O + o] + b_room[o] == other.y[n * O + o]);
    sb_mixed_backward(&g, got.dx, got.dw, got.db, 0, dy_room, x_room, w, N, I,
                      O);
    sb_mixed_backward(&g, other.dx, NULL, NULL, 0, dy_room, NULL, w, N, I, O);
    sb_mixed_backward(&g, NULL, other.dw, other.db, 0, dy_room, x_room, none, N,
                      I, O);
    memcpy(other.y, got.y, sizeof got.y);
    check_same(&other, &got);
    sb_mixed_close(&g);
}

static void no_rows_add_nothing_and_write_zeros(void **state)
{
    (void)state;
    sb_mixed g = {.dy = dy_area, .x = x_area};
    assert_true(sb_mixed_open(&g, SB_BF16_EMULATED));
    const sb_weights w = {w_room, w_area};
    float dw[2] = {3, 4}, db[1] = {5}, y = 6;
    sb_mixed_forward(&g, &y, x_room, w, b_room, 0, 2, 1);
    sb_mixed_backward(&g, &y, dw, db, 1, dy_room, x_room, w, 0, 2, 1);
    assert_true(y == 6 && dw[0] == 3 && dw[1] == 4 && db[0] == 5);
    sb_mixed_backward(&g, &y, dw, db, 0, dy_room, x_room, w, 0, 2, 1);
    assert_true(y == 6 && dw[0] == 0 && dw[1] == 0 && db[0] == 0);
    sb_mixed_close(&g);
}

static void nan_reaches_all_that_depends_on_it(void **state)
{
    (void)state;
    N = 16, I = 16, O = 16;
    fill_inputs(0);
    x_room[3 * I + 5] = NAN;
    compute(SB_BF16_EMULATED, 0, &got);
    check_nan("y", got.y + 3 * O, O);
    check_no_nan("y", got.y, 3 * O);
    for (size_t o = 0; o < O; o++) check_nan("dw", got.dw + o * I + 5, 1);
    fill_inputs(0);
    dy_room[3 * O + 5] = NAN;
    compute(SB_BF16_EMULATED, 0, &got);
    check_nan("dx", got.dx + 3 * I, I);
    check_nan("dw", got.dw + 5 * I, I);
    check_nan("db", got.db + 5, 1);
}

static void what_is_lacking_does_not_open(void **state)
{
    (void)state;
    sb_mixed g = {0};
    assert_null(sb_precision_lacks(SB_FP32));
    assert_null(sb_precision_lacks(SB_BF16_EMULATED));
    assert_int_equal(sb_mixed_open(&g, SB_BF16),
                     sb_precision_lacks(SB_BF16) == NULL);
    sb_mixed_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(emulated_products_are_those_of_rounded_operands),
        cmocka_unit_test(bf16_products_are_those_of_rounded_operands),
        cmocka_unit_test(bits_are_the_same_at_every_alignment),
        cmocka_unit_test(fp32_is_the_linear_layer_bit_by_bit),
        cmocka_unit_test(what_is_not_wanted_is_left_out),
        cmocka_unit_test(no_rows_add_nothing_and_write_zeros),
        cmocka_unit_test(nan_reaches_all_that_depends_on_it),
        cmocka_unit_test(what_is_lacking_does_not_open),
    };
    sb_kernels_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
