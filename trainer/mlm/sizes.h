/* SPDX-License-Identifier: MIT
 * sizes.h - what a training run will take, before it takes it; and the largest
 * micro-batch that fits.
 *
 * A micro-batch is a whole number of slots whose activations a rank keeps at a
 * time; backward runs the forward of the others again. It changes no bit.
 */
#ifndef SB_MLM_SIZES_H
#define SB_MLM_SIZES_H

#include "comm/comm.h"
#include "trainer/mlm/layout.h"
#include "trainer/mlm/pretrain.h"

/* Of one rank, in bytes. */
typedef struct sb_mlm_sizes {
    uint64_t table;       /* token rows, gradients, moments         */
    uint64_t encoder;     /* weights (and rounded), moments of the own part */
    uint64_t sums;        /* the slots' gradients, being summed     */
    uint64_t activations; /* of the micro-batch, and workers' room  */
    uint64_t logits;      /* the output layer's, and rounded rows   */
    uint64_t copy;        /* of what is saved, if it is saved behind training */
} sb_mlm_sizes;

typedef struct sb_mlm_plan {
    uint64_t first_slot;
    size_t slots; /* own                           */
    size_t width; /* sequences of the largest slot */
    size_t micro; /* slots of a micro-batch        */
    size_t
        trees; /* sum trees: 2, or one a stage if there are several micro-batches */
    size_t longest_stage,
        longest_share; /* floats; of a stage, of some rank's part of one */
    int behind; /* checkpoints are written behind training: the copy fits on
                   all ranks */
    sb_mlm_sizes sizes;
} sb_mlm_plan;

/* Plan this rank's part and say what it takes. The micro-batch is o->micro_batch
 * sequences; 0: as many as o->memory_limit allows, which for 0 is the ranks'
 * equal parts of what their host has free. The copy that checkpoints are
 * written from comes last: it takes no memory that saves running forward twice
 * for all. SB_ELIMIT on every rank if some
 * rank's part does not fit: the message names the largest item, the hint the
 * options that make it smaller. Collective. */
SB_MUST_USE sb_status sb_mlm_plan_open(sb_comm *c, const sb_layout *l,
                                       const sb_mlm_options *o,
                                       sb_mlm_plan *plan_out);

#endif
