/* SPDX-License-Identifier: MIT
 * evaluate.h - the held-out set, and what the model makes of it: loss and
 * accuracy of all and by source, beside what no model at all would get.
 *
 * The set is the same in every evaluation and for any number of ranks: of each
 * source its first documents, as many as its share of all held-out documents,
 * and one at least. They are always masked alike (dataset/batch.h).
 */
#ifndef SB_MLM_EVALUATE_H
#define SB_MLM_EVALUATE_H

#include "trainer/metrics.h"
#include "trainer/mlm/engine.h"

typedef struct sb_score {
    double loss;     /* nats per masked token; no number if none is masked   */
    double accuracy; /* share of them whose piece no other is likelier than  */
    uint64_t masked;
} sb_score;

/* Documents [first, first + documents) of the split, all of one source. */
typedef struct sb_heldout_part {
    const char *source; /* borrowed from the corpus */
    uint64_t first, documents;
    sb_score score;
    char loss_name[64], accuracy_name[64]; /* in metrics.jsonl */
} sb_heldout_part;

typedef struct sb_heldout {
    sb_corpus *corpus;     /* borrowed */
    sb_heldout_part *part; /* [parts], of the sources that have documents */
    size_t parts;
    uint64_t documents; /* of all parts */
    /* what the newest evaluation found */
    sb_score score;
    double unigram;    /* loss of unigram counts (add one) of training */
    double random;     /* ln V                                         */
    const char **name; /* of a line of metrics.jsonl, and its values */
    double *value;
} sb_heldout;

/* Choose about `samples` documents of the held-out split. Local. */
SB_MUST_USE sb_status sb_heldout_open(sb_corpus *corpus, uint64_t samples,
                                      sb_heldout *heldout_out);
void sb_heldout_close(sb_heldout *h); /* zeroed is fine */

/* Evaluate the model, without dropout. counts: [V] of the training split.
 * *stop_out: some rank was asked to stop, and the scores mean nothing.
 * Collective; the same bits for any number of ranks. SB_EINVAL: no token is
 * masked. */
SB_MUST_USE sb_status sb_mlm_evaluate(sb_mlm *m, sb_heldout *h,
                                      const uint64_t *counts, int *stop_out);

/* The scores after `step` updates: for people, in a line and, if there are
 * several sources, in one more; for machines, in a line of metrics.jsonl
 * (docs/formats.md). Local. */
void sb_heldout_tell(sb_heldout *h, uint64_t step, sb_metrics *metrics);

#endif
