/* SPDX-License-Identifier: MIT
 * schedule.c - the learning rate of a step. */
#include "trainer/mlm/schedule.h"

#include <inttypes.h>
#include <math.h>

sb_status sb_schedule_check(const sb_schedule *s)
{
    SB_REQUIRE(s->steps > 0, SB_EINVAL, "steps 0: there is nothing to train");
    SB_REQUIRE(s->lr > 0, SB_EINVAL, "lr %g: the learning rate must be above 0",
               s->lr);
    if (s->shape == SB_SCHEDULE_CONSTANT || s->warmup < s->steps) return SB_OK;
    sb_fail(SB_EINVAL, __FILE__, __LINE__,
            "warmup = %" PRIu64 " takes all of the %" PRIu64
            " steps: none is left for the learning rate to fall",
            s->warmup, s->steps);
    return sb_hint("a shorter --warmup, more --steps, or --schedule constant");
}

double sb_schedule_at(const sb_schedule *s, uint64_t step)
{
    if (step < s->warmup) return s->lr * (double)step / (double)s->warmup;
    if (s->shape == SB_SCHEDULE_CONSTANT) return s->lr;
    if (step >= s->steps) return 0;
    double all = (double)(s->steps - s->warmup);
    if (s->shape == SB_SCHEDULE_LINEAR)
        return s->lr * (double)(s->steps - step) / all;
    return s->lr * (1 + cos(acos(-1.0) * (double)(step - s->warmup) / all)) / 2;
}
