/* SPDX-License-Identifier: MIT
 * reduce.h - exact sums across ranks: the fixed tree of comm/tree.h finished
 * by a reduce-scatter that runs while the ranks compute something else.
 *
 * The leaves must be dealt out by sb_share(n, rank, size). For 2^k ranks that
 * divide n the bytes sent are those of a ring: (size - 1) / size of the
 * vector per rank. The same bits for any number of ranks, unless SB_REDUCE_FAST
 * is asked for.
 *
 * A reduction does one sum at a time. Begin, poll and end are local, but every
 * rank must begin the same sums in the same order.
 */
#ifndef SB_COMM_REDUCE_H
#define SB_COMM_REDUCE_H

#include "comm/comm.h"
#include "comm/tree.h"

typedef struct sb_reduction sb_reduction;

typedef enum sb_reduce {
    SB_REDUCE_EXACT,
    SB_REDUCE_FAST /* MPI's own reduce-scatter: other bits for other ranks */
} sb_reduce;

/* For trees of `leaves` leaves and vectors of at most `len` elements, of which
 * a rank's segment has at most `most`; takes all the memory that it will need.
 * tag: see comm/flight.h. Collective. */
SB_MUST_USE sb_status sb_reduction_open(sb_comm *c, uint64_t leaves, size_t len,
                                        size_t most, sb_reduce how, int tag,
                                        sb_reduction **reduction_out);
void sb_reduction_close(sb_reduction *x); /* NULL is fine */
/* Bytes that sb_reduction_open takes. Local. */
uint64_t sb_reduction_bytes(const sb_comm *c, uint64_t leaves, size_t len,
                            size_t most, sb_reduce how);

/* Begin: out[0 .. cut[rank+1]-cut[rank]) <- elements [cut[rank], cut[rank+1])
 * of the tree's sum. cut: [size + 1] element offsets, rising, equal on all
 * ranks, cut[size] <= the tree's length. All own leaves are in the tree, which
 * is left alone until the end. If a sum is under way it is ended first. */
void sb_reduction_begin(sb_reduction *x, const sb_tree *t, const size_t *cut,
                        float *out);
/* Do what can be done without waiting; 0: nothing is under way. */
int sb_reduction_poll(sb_reduction *x);
/* Wait for the sum under way, if there is one. */
void sb_reduction_end(sb_reduction *x);

#endif
