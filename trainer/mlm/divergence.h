/* SPDX-License-Identifier: MIT
 * divergence.h - does training still go well, and what if it does not.
 *
 * A batch is bad if its loss or the norm of its gradient is not a finite
 * number, or if its loss spikes: more than `deviations` standard deviations
 * above the mean, both of the losses so far, weighted exponentially (Finch
 * 2009, "Incremental calculation of weighted mean and variance", section 9):
 *     d = loss - mean;  mean += a d;  variance = (1 - a) (variance + a d^2)
 * with a = 1 / n of the n-th loss, but 1 / SB_SPIKE_AFTER at least; spikes are
 * looked for from then on.
 *
 * All of it is known before anything is updated. So leaving a bad batch out in
 * place gives, bit for bit, what going back to any earlier checkpoint and
 * training again without that batch would give, and costs nothing; and it does
 * not depend on where checkpoints or restarts lie. A batch that is left out
 * moves the data on, not the step: update s trains on batch s + (batches left
 * out before it).
 *
 * The state below is in every checkpoint. Everything here is local; the caller
 * makes verdicts common.
 */
#ifndef SB_MLM_DIVERGENCE_H
#define SB_MLM_DIVERGENCE_H

#include <stdint.h>

#include "comm/base/status.h"

enum {
    SB_SPIKE_AFTER = 100, /* losses */
    SB_SKIPS_MAX = 10,    /* batches a run may leave out */
    SB_SKIPS_IN_A_ROW = 3 /* of them one after the other */
};

typedef struct sb_divergence_options {
    double deviations; /* 0: spikes are fine */
    int skip;          /* leave bad batches out; else they end the run */
} sb_divergence_options;

typedef struct sb_divergence {
    uint64_t seen; /* losses */
    double mean, variance;
    uint64_t skips, skip[SB_SKIPS_MAX]; /* batches left out, rising */
} sb_divergence;

/* SB_ENAN: the loss of update `step` (from 1) is not finite, or a spike. */
SB_MUST_USE sb_status sb_divergence_check(const sb_divergence *d,
                                          const sb_divergence_options *o,
                                          double loss, uint64_t step);
/* The loss of a batch that was trained on. */
void sb_divergence_observe(sb_divergence *d, double loss);
/* Leave `batch` out: 1, or 0 if too many have been. */
int sb_divergence_skip(sb_divergence *d, uint64_t batch);

/* The state as a checkpoint holds it (docs/formats.md). SB_EFORMAT: it cannot
 * be that. */
enum { SB_DIVERGENCE_WORDS = 4 + SB_SKIPS_MAX };
void sb_divergence_pack(const sb_divergence *d,
                        uint64_t word_out[SB_DIVERGENCE_WORDS]);
SB_MUST_USE sb_status sb_divergence_unpack(
    const uint64_t word[SB_DIVERGENCE_WORDS], sb_divergence *d_out);

#endif
