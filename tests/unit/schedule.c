/* SPDX-License-Identifier: MIT
 * schedule.c - tests of trainer/mlm/schedule.c: values of transformers'
 * lambdas, worked out by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "trainer/mlm/schedule.h"

static sb_schedule of(sb_schedule_shape shape, uint64_t warmup)
{
    return (sb_schedule){
        .lr = 0.5, .warmup = warmup, .steps = 20, .shape = shape};
}

static void is(const sb_schedule *s, uint64_t step, double share)
{
    assert_true(fabs(sb_schedule_at(s, step) - 0.5 * share) < 1e-15);
}

static void all_shapes_warm_up_in_a_line(void **state)
{
    (void)state;
    for (int shape = 0; shape < 3; shape++) {
        sb_schedule s = of((sb_schedule_shape)shape, 4);
        for (uint64_t step = 0; step < 4; step++)
            is(&s, step, (double)step / 4);
        is(&s, 4, 1);
        s.warmup = 0;
        is(&s, 0, 1);
    }
}

static void linear_falls_to_zero(void **state)
{
    (void)state;
    sb_schedule s = of(SB_SCHEDULE_LINEAR, 4);
    is(&s, 5, 15.0 / 16);
    is(&s, 12, 0.5);
    is(&s, 19, 1.0 / 16);
    is(&s, 20, 0);
    is(&s, UINT64_MAX, 0);
}

static void constant_stays(void **state)
{
    (void)state;
    sb_schedule s = of(SB_SCHEDULE_CONSTANT, 4);
    is(&s, 5, 1);
    is(&s, 19, 1);
    is(&s, 1000, 1);
}

/* The half angles: cos(pi / 4) and its like have roots for values. */
static void cosine_is_half_a_cosine(void **state)
{
    (void)state;
    sb_schedule s = of(SB_SCHEDULE_COSINE, 4);
    is(&s, 8, (1 + sqrt(0.5)) / 2);
    is(&s, 12, 0.5);
    is(&s, 16, (1 - sqrt(0.5)) / 2);
    is(&s, 20, 0);
    is(&s, 28, 0); /* it does not rise again */
    double before = sb_schedule_at(&s, 4);
    for (uint64_t step = 5; step <= 20; step++) {
        double now = sb_schedule_at(&s, step);
        assert_true(now < before && now >= 0);
        before = now;
    }
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    for (int shape = 0; shape < 3; shape++) {
        sb_schedule s = of((sb_schedule_shape)shape, 19);
        assert_int_equal(sb_schedule_check(&s), SB_OK);
        s.warmup = 20;
        assert_int_equal(sb_schedule_check(&s),
                         shape == SB_SCHEDULE_CONSTANT ? SB_OK : SB_EINVAL);
        s = of((sb_schedule_shape)shape, 0);
        s.steps = 0;
        assert_int_equal(sb_schedule_check(&s), SB_EINVAL);
        s = of((sb_schedule_shape)shape, 0);
        s.lr = 0;
        assert_int_equal(sb_schedule_check(&s), SB_EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_shapes_warm_up_in_a_line),
        cmocka_unit_test(linear_falls_to_zero),
        cmocka_unit_test(constant_stays),
        cmocka_unit_test(cosine_is_half_a_cosine),
        cmocka_unit_test(what_cannot_be_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
