/* SPDX-License-Identifier: MIT
 * engine.h - one wave of the batch through the sharded model: forward with
 * loss, backward with gradients, update.
 *
 * Order of a step (docs/architecture.md has the picture):
 *   batches of the own slots -> one small gather (counts, stop, failure)
 *   -> pull token rows -> encoder forward per slot -> gather z and targets
 *   -> head forward, backward -> dz back to its rank -> encoder backward per
 *   slot into the gradient tree -> push row gradients -> optimiser.
 *
 * Everything here is collective unless it says "local".
 */
#ifndef SB_MLM_ENGINE_H
#define SB_MLM_ENGINE_H

#include "comm/base/pool.h"
#include "trainer/mlm/model.h"
#include "trainer/mlm/optimiser.h"
#include "trainer/mlm/pretrain.h"
#include "trainer/mlm/shard_table.h"
#include "trainer/mlm/vocab_head.h"

typedef struct sb_slot {
    uint64_t first, last; /* sequences of the wave            */
    sb_batch batch;
    sb_acts *acts;    /* its own, or the worker's         */
    size_t token_at;  /* first of this rank's ids         */
    size_t masked_at; /* first of the wave's positions    */
    float *dword;     /* [max tokens, D] row gradients    */
} sb_slot;

typedef struct sb_mlm {
    sb_comm *comm;
    const sb_mlm_options *o;
    sb_batch_options batch;
    sb_layout layout;
    float *w; /* [layout.total] replicated parameters */
    sb_table *table;
    sb_head *head;
    sb_optimiser optimiser;
    uint64_t frozen; /* the frozen table's hash (frozen.h) */
    sb_pool *pool;
    sb_tree *grads;
    uint64_t first_slot;
    size_t slots; /* own slots */
    sb_slot *slot;
    sb_acts *acts;
    size_t kept;  /* the first slots, whose activations stay for backward;
                       the others share one set per worker, and backward runs
                       their forward again */
    size_t nacts; /* kept + workers, if any slot is not kept */
    /* the wave in progress */
    uint32_t *ids; /* this rank's, all own slots */
    const float *rows;
    const uint32_t *place;
    float *z, *dz;
    uint32_t *target;
    size_t ids_cap, z_cap, dz_cap, target_cap;
    size_t *cut; /* [size + 1] positions of each rank */
    int training;
} sb_mlm;

/* Check the options against each other and the number of ranks, say how much
 * memory is needed, take it. Weights are zero. */
SB_MUST_USE sb_status sb_mlm_open(sb_comm *c, const sb_mlm_options *o,
                                  const sb_vocab *vocab, sb_mlm **mlm_out);
void sb_mlm_close(sb_mlm *m); /* local; NULL is fine */

typedef enum sb_wave_kind { SB_WAVE_TRAIN, SB_WAVE_HELDOUT } sb_wave_kind;

typedef struct sb_wave {
    double loss_sum;       /* nats, over the masked positions */
    size_t masked, tokens; /* of all ranks                    */
    int stop;              /* some rank was asked to stop: nothing was done */
} sb_wave;

/* Forward of samples [first, first + batch) (training: with dropout), or of
 * held-out documents of that range below `limit`. The wave's targets of all
 * ranks are then in m->target [masked]. A failure of one rank (a damaged
 * block, say) is returned on all. */
SB_MUST_USE sb_status sb_mlm_forward(sb_mlm *m, sb_corpus *corpus,
                                     sb_wave_kind kind, uint64_t first,
                                     uint64_t limit, sb_wave *wave_out);

/* Gradients of the mean loss of the last forward, into the tree and the
 * table. */
SB_MUST_USE sb_status sb_mlm_backward(sb_mlm *m, const sb_wave *wave);

#endif
