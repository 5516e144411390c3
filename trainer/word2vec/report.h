/* SPDX-License-Identifier: MIT
 * report.h - what a run says of itself: lines for people, metrics.jsonl, and
 * an alarm when the loss rises.
 *
 * Every rank keeps the same sums, of what all ranks voted; rank 0 prints. */
#ifndef SB_TRAINER_REPORT_H
#define SB_TRAINER_REPORT_H

#include "comm/base/log.h"
#include "comm/comm.h"
#include "trainer/metrics.h"
#include "trainer/word2vec/plan.h"

/* Sums over all ranks: of a round, or since a line or a window began. */
typedef struct sb_w2v_tally {
    double loss, pairs; /* nats, pairs */
    double wait_s;      /* of ranks: as many seconds a second as there are */
    double sent;        /* bytes */
    uint64_t words;
} sb_w2v_tally;

typedef struct sb_w2v_report {
    const sb_w2v_plan *plan; /* borrowed */
    sb_metrics *metrics;     /* borrowed; rank 0's */
    sb_progress progress;
    int ranks;
    uint64_t words, words_start;           /* done; when the run began */
    sb_w2v_tally all, line, shown, window; /* since the start, or a ... */
    double start, line_since, shown_since; /* sb_now */
    double loss_first, loss_last;          /* per pair, of lines */
    double best;                           /* mean loss of a window */
    int rising;                            /* windows in a row far above it */
} sb_w2v_report;

/* The run begins, with `words` words done before it. */
void sb_w2v_report_begin(sb_w2v_report *r, const sb_comm *c,
                         const sb_w2v_plan *plan, sb_metrics *metrics,
                         uint64_t words);
/* A round is done. SB_ENAN: the loss has been far above its best for long;
 * the same on all ranks. */
SB_MUST_USE sb_status sb_w2v_report_round(sb_w2v_report *r,
                                          const sb_w2v_tally *round);
/* A line for machines about once a second, or at once if it must be; a line
 * for people when one is due. */
void sb_w2v_report_line(sb_w2v_report *r, uint64_t cursor, int must);
/* What took `seconds` was not training: rates are of training. */
void sb_w2v_report_leave_out(sb_w2v_report *r, double seconds);
/* The last line. */
void sb_w2v_report_end(sb_w2v_report *r);

#endif
