/* SPDX-License-Identifier: MIT
 * report.h - what a run says of its steps: metrics.jsonl, the progress line,
 * and what was waited for. Local; rank 0 writes. */
#ifndef SB_MLM_REPORT_H
#define SB_MLM_REPORT_H

#include "comm/base/log.h"
#include "trainer/metrics.h"
#include "trainer/mlm/engine.h"

typedef struct sb_mlm_report {
    const sb_mlm *m;
    sb_metrics *metrics; /* borrowed */
    sb_progress progress;
    char (*name)[40]; /* [n] of a step's line */
    const char **names;
    double *value;
    size_t n;
    /* since the run went on: steps, their tokens, seconds, and waiting */
    uint64_t steps, tokens;
    double seconds, waited[SB_WAITS];
    /* when the step in progress began */
    double start, waited_then[SB_WAITS];
    uint64_t sent_then;
} sb_mlm_report;

SB_MUST_USE sb_status sb_mlm_report_open(const sb_mlm *m, sb_metrics *metrics,
                                         uint64_t step,
                                         sb_mlm_report *report_out);
void sb_mlm_report_close(sb_mlm_report *r);

void sb_mlm_report_begin(sb_mlm_report *r); /* a step begins */

/* A step that was taken: it is number `step`, from 1. */
typedef struct sb_mlm_step {
    uint64_t step, skipped;
    double loss, lr, norm;
    size_t masked, tokens; /* of all ranks */
} sb_mlm_step;
void sb_mlm_report_step(sb_mlm_report *r, const sb_mlm_step *s);

/* The last line. */
void sb_mlm_report_end(sb_mlm_report *r, double loss);

#endif
