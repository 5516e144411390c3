/* SPDX-License-Identifier: MIT
 * optimiser.h - clipping and AdamW over the replicated vector and the table.
 *
 * The replicated vector's gradient arrives by reduce-scatter, stage by stage
 * (comm/reduce.h): a rank updates the spans it owns (and holds their moments),
 * then weights are gathered, while the table's rows are updated where they lie
 * and the next batch is made.
 *
 * Global gradient norm: squares summed in double per span of the vector and
 * block of the vocabulary, in their order: the same number on every rank, for
 * any number of ranks. Every parameter counts once.
 */
#ifndef SB_MLM_OPTIMISER_H
#define SB_MLM_OPTIMISER_H

#include "comm/base/pool.h"
#include "comm/flight.h"
#include "trainer/mlm/layout.h"
#include "trainer/mlm/shard_table.h"

typedef struct sb_adam_options {
    double beta1, beta2;
    float eps, decay;
    double clip; /* largest global norm; 0: no clipping */
    int train_table;
} sb_adam_options;

/* Groups of parameters: the stages of the layout, the table, the output bias.
 * Norms: of the gradient before clipping, of the weights after the update. */
typedef struct sb_group_norm {
    double gradient, weight;
} sb_group_norm;

typedef struct sb_optimiser {
    sb_comm *comm;
    const sb_layout *layout;
    sb_table *table;
    sb_own *own;         /* [stages] of this rank                 */
    size_t n;            /* floats owned                          */
    float *grad, *m, *v; /* [n]                                   */
    size_t *cut;         /* [size + 1]                            */
    double *square;      /* [spans + blocks + blocks] rows, biases */
    sb_group_norm *norm; /* [sb_optimiser_groups] of the last step */
    sb_flight *weights;
} sb_optimiser;

/* `tag`: of the weights' messages (comm/flight.h). Collective. */
SB_MUST_USE sb_status sb_optimiser_open(sb_comm *c, const sb_layout *l,
                                        sb_table *table, int tag,
                                        sb_optimiser *o_out);
void sb_optimiser_close(sb_optimiser *o);

size_t sb_optimiser_groups(const sb_layout *l);
/* "embeddings", "layer.0", ..., "transform", "table", "output_bias". */
void sb_optimiser_group_name(const sb_layout *l, size_t group, char name[24]);

/* One update from o->grad and the table's gradient: take the norm, clip, update
 * w (equal on all ranks after sb_optimiser_settle) and the table. `lr` and `step`
 * (from 1) are those of this update. SB_ENAN on every rank, before anything is
 * changed, if the norm is not finite. Collective. */
SB_MUST_USE sb_status sb_optimiser_step(sb_optimiser *o,
                                        const sb_adam_options *a, double lr,
                                        uint64_t step, sb_pool *pool, float *w,
                                        double *norm_out);

/* Wait for the weights that are under way. Before w is read. Collective. */
void sb_optimiser_settle(sb_optimiser *o);
/* Move messages, if there are any under way; 1: there are. Local. */
int sb_optimiser_poll(sb_optimiser *o);

#endif
