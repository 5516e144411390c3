/* SPDX-License-Identifier: MIT
 * shard_table.h - the token table and the output bias, split by rows.
 *
 * V rows of D floats and a bias each. The vocabulary is cut into fixed blocks
 * of `block` rows (the last may be shorter); rank r owns the whole blocks
 * sb_share(blocks, r, size), with their gradients and Adam moments, and nobody
 * else holds a copy. A rank may own none. V = 256000, D = 768: 750 MiB, with
 * gradient and moments 2.9 GiB, divided by the ranks.
 *
 * A step moves rows, never the table:
 *     pull   ids -> owners -> rows      (each distinct row of a rank once)
 *     push   row gradients -> owners    (each distinct row of a SLOT once)
 * The tied output layer (vocab_head.h) works on the owned rows where they lie
 * and adds its gradient, dense over the vocabulary, without sending it.
 *
 * Same bits: gradients are summed inside a slot in position order by the
 * sender and in slot order by the owner. Since ranks own rising ranges of
 * slots, that is the order of arrival (source rank, then position).
 */
#ifndef SB_MLM_SHARD_TABLE_H
#define SB_MLM_SHARD_TABLE_H

#include <stdint.h>

#include "comm/comm.h"

typedef struct sb_table {
    sb_comm *comm;
    uint64_t vocab, block, blocks;
    size_t dim;
    uint64_t first, last; /* owned rows [first, last)                */
    uint64_t first_block, last_block;
    /* [last - first, dim] and [last - first]: values, gradients, moments */
    float *rows, *grad, *m, *v;
    float *bias, *bias_grad, *bias_m, *bias_v;
    uint32_t *slot_of; /* [vocab] scratch: id -> place, or NONE   */
    struct sb_route *route;
} sb_table;

/* Collective. All zero. `moments` 0: no gradients and moments (fill). */
SB_MUST_USE sb_status sb_table_open(sb_comm *c, uint64_t vocab, uint64_t block,
                                    size_t dim, int moments,
                                    sb_table **table_out);
void sb_table_close(sb_table *t); /* NULL is fine */
/* Rows that this rank will own. Local. */
uint64_t sb_table_rows(const sb_comm *c, uint64_t vocab, uint64_t block);
/* Bytes that sb_table_open takes on this rank. Local. */
uint64_t sb_table_bytes(const sb_comm *c, uint64_t vocab, uint64_t block,
                        size_t dim, int moments);

/* The row at which block b begins; b == blocks gives vocab. Local. */
static inline uint64_t sb_table_block_row(const sb_table *t, uint64_t b)
{
    return b * t->block < t->vocab ? b * t->block : t->vocab;
}

/* x holds `bytes` bytes for every block of the vocabulary, of which each rank
 * has filled in those of its own blocks: all of them to all ranks. Collective. */
void sb_table_gather_blocks(sb_table *t, void *x, size_t bytes);

/* Fetch the rows of ids[0..n). Collective; n may be 0. *rows_out [distinct, D]
 * and *place_out [n] (ids[i] is row place[i] of them) are borrowed until the
 * next pull or push. SB_EINVAL on every rank if some id is >= vocab. */
SB_MUST_USE sb_status sb_table_pull(sb_table *t, const uint32_t *ids, size_t n,
                                    const float **rows_out,
                                    const uint32_t **place_out);

/* One slot's share of a push: grad[i, :] belongs to ids[i]. */
typedef struct sb_slot_grad {
    const uint32_t *ids;
    const float *grad; /* [n, D] */
    size_t n;
} sb_slot_grad;

/* Add the gradients of this rank's slots, in slot order, to their rows at the
 * owners; gradients of row `skip` ([PAD]) are dropped. Collective. */
SB_MUST_USE sb_status sb_table_push(sb_table *t, const sb_slot_grad *slots,
                                    size_t nslots, uint32_t skip);

#endif
