/* SPDX-License-Identifier: MIT
 * judge.h - how good a model of a checkpoint is: on held-out text, by source
 * and by how frequent the masked piece is; and on sentences. */
#ifndef SB_MLM_JUDGE_H
#define SB_MLM_JUDGE_H

#include "trainer/mlm/evaluate.h"
#include "trainer/mlm/scorer.h"

/* Pieces by their place among all when sorted by count, the most frequent
 * first: places from, from + 1, ... to. */
typedef struct sb_band {
    uint64_t from, to;
    sb_score score;
} sb_band;

enum { SB_BANDS = 6 }; /* the last: pieces that never occur in training */

/* Evaluate the documents of `h` (evaluate.h), masked as `o` says: their scores
 * go to h, as sb_mlm_evaluate has them, and to band
 * [SB_BANDS]; a score of no places is zero. counts [V] of the training split.
 * Collective; the same bits for any number of ranks and threads. SB_EINVAL: no
 * token is masked. */
SB_MUST_USE sb_status sb_judge_heldout(sb_comm *c, sb_scorer *s, sb_heldout *h,
                                       const sb_batch_options *o,
                                       const uint64_t *counts, sb_band *band);

/* The pseudo-log-likelihood of a sentence, ids[0..n) with [CLS] first and [SEP]
 * last (Salazar et al. 2020): the sum over its other tokens of log p(token |
 * the rest), each masked in turn. n at most the model's positions; of fewer
 * than three it is 0. Collective. */
SB_MUST_USE sb_status sb_judge_sentence(sb_scorer *s, const uint32_t *ids,
                                        size_t n, uint32_t mask, double *out);

#endif
