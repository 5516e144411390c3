/* SPDX-License-Identifier: MIT
 * optimiser.h - clipping and AdamW over the replicated vector and the table.
 *
 * The replicated vector's gradient arrives by reduce-scatter: a rank updates
 * the pieces it owns (and holds their moments), then weights are gathered.
 * The table is updated where its rows lie.
 *
 * Global gradient norm: squares summed in double per fixed piece (pieces of
 * the vector, blocks of the vocabulary), gathered, added in piece order: the
 * same number on every rank, for any number of ranks. Every parameter counts
 * once.
 */
#ifndef SB_MLM_OPTIMISER_H
#define SB_MLM_OPTIMISER_H

#include "comm/base/pool.h"
#include "comm/tree.h"
#include "trainer/mlm/layout.h"
#include "trainer/mlm/shard_table.h"

typedef struct sb_adam_options {
    double beta1, beta2;
    float eps, decay;
    double clip; /* largest global norm; 0: no clipping */
    int train_table;
} sb_adam_options;

typedef struct sb_optimiser {
    sb_comm *comm;
    const sb_layout *layout;
    sb_table *table;
    size_t first, last;  /* owned floats of the flat vector */
    float *grad, *m, *v; /* [last - first]                  */
    size_t *cut;         /* [size + 1]                      */
    double *square;      /* per piece and block             */
} sb_optimiser;

SB_MUST_USE sb_status sb_optimiser_open(sb_comm *c, const sb_layout *l,
                                        sb_table *table, sb_optimiser *o_out);
void sb_optimiser_close(sb_optimiser *o);

/* One update: finish the sum of the vector's gradients from the slots' tree,
 * take the norm, clip, update w (gathered on return: equal on all ranks) and
 * the table from its grad, and clear the table's gradients. `lr` and `step`
 * (from 1) are those of this update. SB_ENAN on every rank, before anything is
 * changed, if the norm is not finite. Collective. */
SB_MUST_USE sb_status sb_optimiser_step(sb_optimiser *o, const sb_tree *grads,
                                        const sb_adam_options *a, double lr,
                                        uint64_t step, sb_pool *pool, float *w,
                                        double *norm_out);

#endif
