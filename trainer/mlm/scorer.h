/* SPDX-License-Identifier: MIT
 * scorer.h - what the model of a checkpoint makes of masked sequences: the loss
 * at each masked place. Weights only, the token table sharded over the ranks.
 *
 * Sequences come in waves of at most SB_SCORER_WAVE, shared out over the ranks
 * and, on each, over its threads. Each is computed by itself, so that the bits
 * are the same for any number of either. */
#ifndef SB_MLM_SCORER_H
#define SB_MLM_SCORER_H

#include "comm/comm.h"
#include "dataset/batch.h"
#include "proto/checkpoint.h"
#include "trainer/mlm/layout.h"

enum { SB_SCORER_WAVE = 64 };

typedef struct sb_scorer sb_scorer;

/* SB_EINVAL: made with another vocabulary. Collective. */
SB_MUST_USE sb_status sb_scorer_open(sb_comm *c, sb_ckpt *ckpt,
                                     const sb_vocab *vocab, int threads,
                                     sb_scorer **scorer_out);
void sb_scorer_close(sb_scorer *s); /* NULL is fine */
const sb_mlm_shape *sb_scorer_shape(const sb_scorer *s);

/* Put sequence i, masked, into b, which has room for one of as many tokens as
 * the model has positions. */
typedef sb_status (*sb_scorer_fill)(void *context, uint64_t i, sb_batch *b);

/* Of a wave, borrowed until the next one; equal on all ranks. */
typedef struct sb_scores {
    size_t masked;
    const size_t *begin;    /* [sequences + 1] the places of sequence k are
                               [begin[k], begin[k + 1]) */
    const uint32_t *target; /* [masked] the true id              */
    const double *loss;     /* [masked] nats                     */
    const uint8_t *correct; /* [masked] 1: no id is likelier     */
} sb_scores;

/* Sequences first, first + 1, ... first + n - 1. `fill` is called on one rank
 * for each, one at a time. Collective. SB_ESTOP: some rank was asked to stop. */
SB_MUST_USE sb_status sb_scorer_run(sb_scorer *s, sb_scorer_fill fill,
                                    void *context, uint64_t first, size_t n,
                                    sb_scores *scores_out);

#endif
