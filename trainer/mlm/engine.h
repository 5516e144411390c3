/* SPDX-License-Identifier: MIT
 * engine.h - one wave of the batch through the sharded model: forward with
 * loss, backward with gradients, update.
 *
 * Order of a step (docs/architecture.md has the picture):
 *   batches of the own slots -> one small gather (counts, stop, failure)
 *   -> pull token rows -> encoder forward per slot, z and targets gathered
 *   meanwhile -> head: losses, dz back to its rank -> encoder backward, stage by stage
 *   from the last to the first, each stage's gradients summed over the slots
 *   and on their way while the next stage is computed -> push row gradients
 *   -> optimiser.
 *
 * Everything here is collective unless it says "local".
 */
#ifndef SB_MLM_ENGINE_H
#define SB_MLM_ENGINE_H

#include "comm/base/pool.h"
#include "comm/reduce.h"
#include "trainer/mlm/model.h"
#include "trainer/mlm/optimiser.h"
#include "trainer/mlm/positions.h"
#include "trainer/mlm/pretrain.h"
#include "trainer/mlm/shard_table.h"
#include "trainer/mlm/sizes.h"
#include "trainer/mlm/vocab_head.h"

typedef struct sb_slot {
    uint64_t first, last; /* sequences of the wave            */
    sb_batch batch;
    size_t token_at; /* first of this rank's ids         */
    float *dword;    /* [max tokens, D] row gradients    */
} sb_slot;

/* What a rank waits for, as sb_comm_cause knows it. */
typedef enum sb_wait {
    SB_WAIT_RANKS, /* others that are not there yet: votes */
    SB_WAIT_ROWS,
    SB_WAIT_HEAD,
    SB_WAIT_GRADIENTS,
    SB_WAIT_WEIGHTS,
    SB_WAITS
} sb_wait;

typedef struct sb_mlm {
    sb_comm *comm;
    const sb_mlm_options *o;
    sb_batch_options batch;
    sb_layout layout;
    float *w;      /* [layout.total] replicated parameters */
    void *rounded; /* the same as a wave's products see them (not in fp32) */
    sb_table *table;
    sb_head *head;
    sb_optimiser optimiser;
    uint64_t frozen; /* the frozen table's hash (frozen.h) */
    sb_pool *pool;
    sb_mlm_plan plan;
    sb_slot *slot; /* [plan.slots] */
    /* A micro-batch of slots has its activations here at a time; where there
     * are several, backward runs the forward of all but the last again. */
    sb_acts *acts; /* [plan.micro] */
    sb_work *work; /* [workers]    */
    /* Gradients of a stage, summed over the slots. One micro-batch needs two
     * trees in turn, several need one for every stage. */
    sb_tree **tree;    /* [plan.trees] */
    sb_reduction *sum; /* of the trees over the ranks */
    size_t *grad_cut;  /* [size + 1] */
    /* the wave in progress */
    uint32_t *ids; /* this rank's, all own slots */
    const float *rows;
    const uint32_t *place;
    sb_positions at; /* masked positions of all ranks */
    float *dz;       /* of the own ones */
    size_t ids_cap, dz_cap;
    uint64_t *vote;
    int training;
    size_t micro_first, stage; /* of the tasks in progress */
} sb_mlm;

/* Check the options against each other, the number of ranks and the memory
 * (sizes.h), then take it. Weights are zero. */
SB_MUST_USE sb_status sb_mlm_open(sb_comm *c, const sb_mlm_options *o,
                                  const sb_vocab *vocab, sb_mlm **mlm_out);
void sb_mlm_close(sb_mlm *m); /* local; NULL is fine */

typedef enum sb_wave_kind { SB_WAVE_TRAIN, SB_WAVE_HELDOUT } sb_wave_kind;

typedef struct sb_wave {
    double loss_sum;       /* nats, over the masked positions */
    size_t masked, tokens; /* of all ranks                    */
    int stop;              /* some rank was asked to stop: nothing was done */
} sb_wave;

/* Forward of samples [first, first + batch), or of held-out documents of that
 * range below `limit`. In training, with dropout, and the head's gradients are
 * formed as well, of the mean loss. The wave's targets of all ranks are then in
 * m->at.target [masked]. A failure of one rank (a damaged block, say) is returned
 * on all. */
SB_MUST_USE sb_status sb_mlm_forward(sb_mlm *m, sb_corpus *corpus,
                                     sb_wave_kind kind, uint64_t first,
                                     uint64_t limit, sb_wave *wave_out);

/* The encoder's gradients of the last forward into m->optimiser.grad, and those
 * of the looked-up rows into the table's. */
SB_MUST_USE sb_status sb_mlm_backward(sb_mlm *m);

#endif
