/* SPDX-License-Identifier: MIT
 * lr_find.c - tests of what trainer/mlm/lr_find.c makes of a curve. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "comm/base/rng.h"
#include "trainer/mlm/lr_find.h"

enum { STEPS = 120, REACH = STEPS / 12 };
static sb_lr_point point[STEPS];

static sb_lr_curve curve(size_t n)
{
    return (sb_lr_curve){.point = point, .n = n, .steps = STEPS};
}

/* 9, falling to 5 with its steepest place at step 60, rising from 90 on. */
static double course(size_t i)
{
    double x = (double)i, rise = x > 90 ? (x - 90) * 0.4 : 0;
    return 7 - 2 * tanh((x - 60) / 12) + rise;
}

static void the_steepest_and_the_lowest_place_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < STEPS; i++) point[i].loss = course(i);
    sb_lr_curve c = curve(STEPS);
    sb_lr_curve_judge(&c);
    assert_int_equal(c.steepest, 60);
    assert_in_range(c.lowest, 78, 91); /* the rise is seen before it comes */
}

static void noise_moves_them_little(void **state)
{
    (void)state;
    float noise[STEPS];
    sb_rng_normal(sb_rng_key_make(1, SB_RNG_TEST), 1, 0, noise, STEPS, 0.2f);
    for (size_t i = 0; i < STEPS; i++)
        point[i].loss = course(i) + (double)noise[i];
    sb_lr_curve c = curve(STEPS);
    sb_lr_curve_judge(&c);
    assert_in_range(c.steepest, 54, 66);
    assert_in_range(c.lowest, 78, 94);
}

/* A line is smoothed to itself, at the ends too. */
static void a_line_stays_a_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < STEPS; i++) point[i].loss = 9 - (double)i / 100;
    sb_lr_curve c = curve(STEPS);
    sb_lr_curve_judge(&c);
    for (size_t i = 0; i < STEPS; i++)
        assert_true(fabs(point[i].smooth - point[i].loss) < 1e-12);
    assert_int_equal(c.lowest, STEPS - 1 - REACH);
}

static void a_loss_that_never_falls_gives_no_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < STEPS; i++) point[i].loss = 5 + (double)i / 10;
    sb_lr_curve c = curve(STEPS);
    sb_lr_curve_judge(&c);
    assert_int_equal(c.lowest, REACH);
    assert_int_equal(c.steepest, c.n);
}

static void too_few_points_give_no_place(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 2 * REACH; n++) {
        for (size_t i = 0; i < n; i++) point[i].loss = 9 - (double)i;
        sb_lr_curve c = curve(n);
        sb_lr_curve_judge(&c);
        assert_int_equal(c.lowest, n);
        assert_int_equal(c.steepest, n);
    }
    sb_lr_curve c = curve(2 * REACH + 1);
    point[2 * REACH].loss = 0;
    sb_lr_curve_judge(&c);
    assert_int_equal(c.steepest, REACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_steepest_and_the_lowest_place_are_found),
        cmocka_unit_test(noise_moves_them_little),
        cmocka_unit_test(a_line_stays_a_line),
        cmocka_unit_test(a_loss_that_never_falls_gives_no_place),
        cmocka_unit_test(too_few_points_give_no_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
