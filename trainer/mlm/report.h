/* SPDX-License-Identifier: MIT
 * report.h - what a run says of its steps: metrics.jsonl, the progress line,
 * and what was waited for. Local; rank 0 writes. */
#ifndef SB_MLM_REPORT_H
#define SB_MLM_REPORT_H

#include "comm/base/log.h"
#include "trainer/metrics.h"
#include "trainer/mlm/engine.h"

/* Of one step, or of several. */
typedef struct sb_mlm_tally {
    uint64_t steps, tokens;
    double seconds, flop, waited[SB_WAITS];
} sb_mlm_tally;

typedef struct sb_mlm_report {
    const sb_mlm *m;
    sb_metrics *metrics; /* borrowed */
    sb_progress progress;
    double blas_flop_s; /* speed.h */
    char (*name)[40];   /* [n] of a step's line */
    const char **names;
    double *value;
    size_t n;
    sb_mlm_tally all, shown; /* since the run went on; since the last line */
    /* when the step in progress began */
    double start, waited_then[SB_WAITS];
    uint64_t sent_then;
} sb_mlm_report;

/* blas_flop_s: what speeds are shares of. */
SB_MUST_USE sb_status sb_mlm_report_open(const sb_mlm *m, sb_metrics *metrics,
                                         uint64_t step, double blas_flop_s,
                                         sb_mlm_report *report_out);
void sb_mlm_report_close(sb_mlm_report *r);

void sb_mlm_report_begin(sb_mlm_report *r); /* a step begins */

/* A step that was taken: it is number `step`, from 1. */
typedef struct sb_mlm_step {
    uint64_t step, skipped;
    double loss, lr, norm;
    size_t masked, tokens; /* of all ranks */
    double flop;           /* the model's */
} sb_mlm_step;
void sb_mlm_report_step(sb_mlm_report *r, const sb_mlm_step *s);

/* The last line. */
void sb_mlm_report_end(sb_mlm_report *r, double loss);

#endif
