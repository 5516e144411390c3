/* SPDX-License-Identifier: MIT
 * metrics.h - <dir>/metrics.jsonl: one JSON object a line, for machines.
 * Rank 0 writes; other ranks' calls do nothing. On resume, lines of steps
 * after the checkpoint are cut off, so that the file is the run that was. */
#ifndef SB_TRAINER_METRICS_H
#define SB_TRAINER_METRICS_H

#include <stdint.h>

#include "comm/comm.h"

typedef struct sb_metrics sb_metrics;

/* Open for appending after the line of step `step` (0: start anew). events (0 or
 * 1): the same values to an event file as well, a new one at every start, for
 * TensorBoard (proto/events.h). Local. */
SB_MUST_USE sb_status sb_metrics_open(const sb_comm *c, const char *dir,
                                      uint64_t step, int events,
                                      sb_metrics **metrics_out);
/* One line {"step":step, name:value, ...}: pairs of (const char *, double),
 * n of them. Not-a-number is written as null. */
void sb_metrics_line(sb_metrics *m, uint64_t step, const char *const *name,
                     const double *value, int n);
/* The value of `name` in the first (last = 0) or last line of
 * <dir>/metrics.jsonl that has it. SB_ENOENT if none has. Local. */
SB_MUST_USE sb_status sb_metrics_find(const char *dir, const char *name,
                                      int last, double *value_out);
/* Has the line of step `step` a `name`? Local. */
SB_MUST_USE sb_status sb_metrics_has(const char *dir, const char *name,
                                     uint64_t step, int *has_out);
/* Flush and close; reports a write that failed. NULL is fine. */
SB_MUST_USE sb_status sb_metrics_close(sb_metrics *m);

#endif
