/* SPDX-License-Identifier: MIT
 * vocab_head.h - softmax cross entropy over a vocabulary that no rank holds.
 *
 * The scored vectors z of all masked positions of the global batch are on
 * every rank, in global order. Each rank scores them against its own blocks
 * of the token table (tied weights), `group` positions at a time:
 *     logits = z E^T + bias, one [group, block] product per block,
 *     (max, sum of exp) of each position and block: to all ranks, merged in
 *     block order on every rank into the log of the partition sum,
 *     G = (softmax - onehot) x scale,   dE += G^T z,   dbias += sum of G,
 *     dz = sum over blocks of G E   (fixed tree, reduce-scatter).
 * So a rank holds [group, own rows] logits, never [tokens, V], and computes
 * each of them once. dz of one group travels while the next is scored.
 *
 * In bf16 the operands of the three products, z, E and G, are rounded: E once a
 * run, when its rows are first scored, into a copy of the own rows.
 *
 * The group is part of the recipe: it orders the sum dE.
 */
#ifndef SB_MLM_VOCAB_HEAD_H
#define SB_MLM_VOCAB_HEAD_H

#include "comm/base/pool.h"
#include "comm/reduce.h"
#include "trainer/kernels/kernels.h"
#include "trainer/mlm/shard_table.h"

typedef struct sb_head sb_head;

typedef struct sb_head_options {
    size_t group;     /* positions scored at once */
    int tag;          /* of its messages: comm/flight.h */
    int train_table;  /* 0: the rows are frozen, no gradient is formed for them;
                        the bias still learns */
    sb_reduce reduce; /* how dz is summed */
    sb_precision precision; /* of the products */
} sb_head_options;

/* `table` and `pool` are borrowed. Collective. */
SB_MUST_USE sb_status sb_head_open(sb_table *table, sb_pool *pool,
                                   const sb_head_options *o,
                                   sb_head **head_out);
void sb_head_close(sb_head *h); /* NULL is fine */
/* Bytes that a head takes on this rank. Local. */
uint64_t sb_head_bytes(const sb_comm *c, uint64_t vocab, uint64_t block,
                       size_t dim, size_t group, int threads, sb_reduce reduce,
                       sb_precision precision);

/* Where gradients go: those of loss x scale. */
typedef struct sb_head_gradient {
    float scale;
    const size_t *cut; /* [size + 1] positions of each rank */
    float *dz;         /* <- rows [cut[rank], cut[rank + 1]) of z's gradient */
} sb_head_gradient;

/* Cross entropy of M positions; and, unless g is NULL, gradients: the table's
 * grad and bias_grad are WRITTEN.
 *   z       [M, D], target [M]: equal on all ranks
 *   loss_out  sum over the positions in nats (double, position order)
 * Collective; the same bits on every rank and for any number of ranks. */
SB_MUST_USE sb_status sb_head_run(sb_head *h, const float *z,
                                  const uint32_t *target, size_t M,
                                  const sb_head_gradient *g, double *loss_out);

/* Of the last sb_head_run, [M], borrowed: each position's loss in nats, and 1
 * if no logit is larger than the target's. Equal on all ranks. */
const double *sb_head_loss(const sb_head *h);
const uint8_t *sb_head_correct(const sb_head *h);

/* Move messages, if there are any under way; 1: there are. Local. */
int sb_head_poll(sb_head *h);

#endif
