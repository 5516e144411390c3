/* SPDX-License-Identifier: MIT
 * reduce.h - exact sums across ranks: the fixed tree of comm/tree.h finished
 * by a reduce-scatter, and the gather that completes an allreduce.
 *
 * The leaves must be dealt out by sb_share(n, rank, size). For 2^k ranks that
 * divide n the bytes sent are those of a ring: (size - 1) / size of the
 * vector per rank.
 */
#ifndef SB_COMM_REDUCE_H
#define SB_COMM_REDUCE_H

#include "comm/comm.h"
#include "comm/tree.h"

/* out[0 .. cut[rank+1]-cut[rank]) <- elements [cut[rank], cut[rank+1]) of the
 * tree's sum. cut: [size + 1] element offsets, rising, equal on all ranks,
 * cut[size] <= the tree's length. Collective. Same bits for any size. */
SB_MUST_USE sb_status sb_reduce_scatter(sb_comm *c, const sb_tree *t,
                                        const size_t *cut, float *out);

/* Every rank's elements [cut[r], cut[r+1]) of x to all ranks, in place. */
SB_MUST_USE sb_status sb_gather_parts(sb_comm *c, float *x, const size_t *cut);

#endif
