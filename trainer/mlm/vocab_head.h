/* SPDX-License-Identifier: MIT
 * vocab_head.h - softmax cross entropy over a vocabulary that no rank holds.
 *
 * The scored vectors z of all masked positions of the global batch are on
 * every rank, in global order. Each rank scores them against its own blocks
 * of the token table (tied weights): logits = z E^T + bias, one [M, block]
 * product per block; [M, V] never exists. Per block the pair (max, sum of
 * exp) of each position is shared, and merged in block order on every rank
 * into the log of the partition sum. Then, per own block,
 *     G = (softmax - onehot) / M,   dE += G^T z,   dbias += sum of G,
 *     dz = sum over blocks of G E   (fixed tree, reduce-scatter).
 *
 * Logits of the own blocks are kept between the passes when they fit
 * `keep_bytes`, else computed again: the same product, so the same bits.
 */
#ifndef SB_MLM_VOCAB_HEAD_H
#define SB_MLM_VOCAB_HEAD_H

#include "comm/base/pool.h"
#include "comm/tree.h"
#include "trainer/mlm/shard_table.h"

typedef struct sb_head sb_head;

/* `table` and `pool` are borrowed. `train_table` 0: the rows are frozen (no
 * gradient is formed for them; the bias still learns). */
SB_MUST_USE sb_status sb_head_open(sb_table *table, sb_pool *pool,
                                   size_t keep_bytes, int train_table,
                                   sb_head **head_out);
void sb_head_close(sb_head *h); /* NULL is fine */

/* Cross entropy of M positions.
 *   z       [M, D], target [M]: equal on all ranks
 *   loss_out  sum over the positions in nats (double, position order)
 * Collective; the same bits on every rank and for any number of ranks. */
SB_MUST_USE sb_status sb_head_forward(sb_head *h, const float *z,
                                      const uint32_t *target, size_t M,
                                      double *loss_out);

/* What the last forward made of every position, [M]: the cross entropy in nats,
 * and whether no logit is larger than the target's. Borrowed until the next
 * forward; the same bits on every rank and for any number of ranks. Local. */
const double *sb_head_loss(const sb_head *h);
const uint8_t *sb_head_correct(const sb_head *h);

/* After a forward, whose z and target must still be there: add the gradients of
 * loss x scale to the table's grad and bias_grad, and dz[0 .. mine) <- this
 * rank's rows [cut[rank], cut[rank+1]) of the gradient of z. cut: [size + 1]
 * positions. Collective. */
SB_MUST_USE sb_status sb_head_backward(sb_head *h, float scale,
                                       const size_t *cut, float *dz);

#endif
