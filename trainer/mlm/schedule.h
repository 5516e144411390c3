/* SPDX-License-Identifier: MIT
 * schedule.h - the learning rate as a function of the global step alone: not
 * of ranks, of restarts, or of anything that was measured.
 *
 * Updates are numbered s = 0, 1, ...; w = warmup, S = steps. Below w all
 * shapes give lr s / w. From there, as in transformers' optimization.py:
 *   linear    lr (S - s) / (S - w)                   0 from S on
 *   cosine    lr (1 + cos(pi (s - w) / (S - w))) / 2 0 from S on
 *   constant  lr
 * (get_linear_schedule_with_warmup, get_cosine_schedule_with_warmup with half
 * a cosine, get_constant_schedule_with_warmup.)
 */
#ifndef SB_MLM_SCHEDULE_H
#define SB_MLM_SCHEDULE_H

#include <stdint.h>

#include "comm/base/status.h"

typedef enum sb_schedule_shape {
    SB_SCHEDULE_LINEAR,
    SB_SCHEDULE_CONSTANT,
    SB_SCHEDULE_COSINE
} sb_schedule_shape;

typedef struct sb_schedule {
    double lr;
    uint64_t warmup, steps;
    sb_schedule_shape shape;
} sb_schedule;

/* SB_EINVAL: no steps, a learning rate of 0, or a warm-up that leaves no step
 * to a shape that falls. Local. */
SB_MUST_USE sb_status sb_schedule_check(const sb_schedule *s);

/* The learning rate of update `step`, from 0. */
double sb_schedule_at(const sb_schedule *s, uint64_t step);

#endif
