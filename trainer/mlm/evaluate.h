/* SPDX-License-Identifier: MIT
 * evaluate.h - the held-out loss, beside what no model at all would get. */
#ifndef SB_MLM_EVALUATE_H
#define SB_MLM_EVALUATE_H

#include "trainer/mlm/engine.h"

typedef struct sb_evaluation {
    double loss;    /* nats per masked token of the held-out documents      */
    double unigram; /* the same from unigram counts (add one) of training   */
    double random;  /* ln V                                                 */
    uint64_t masked, documents;
    int stop; /* asked to stop: not finished, the numbers mean nothing */
} sb_evaluation;

/* The first `samples` held-out documents, always masked alike, no dropout.
 * counts: [V] of the training split. Collective; the same bits for any number
 * of ranks. SB_EINVAL: no token of them is masked. */
SB_MUST_USE sb_status sb_mlm_evaluate(sb_mlm *m, sb_corpus *heldout,
                                      const uint64_t *counts, uint64_t samples,
                                      sb_evaluation *out);

#endif
