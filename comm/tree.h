/* SPDX-License-Identifier: MIT
 * tree.h - sums of float vectors in one fixed binary tree.
 *
 * Floats are not associative, so the order of a sum must not depend on who
 * computes it. n leaves (slots of the batch, blocks of the vocabulary) are
 * numbered 0 .. n-1; node (level, i) covers the leaves [i << level,
 * (i + 1) << level) and is the sum of its two children, left + right; a child
 * without leaves adds nothing. The sum is the root's.
 *
 * A rank owns contiguous leaves. It forms its leaves in any order and on any
 * of its threads; finished siblings are added at once, so that about
 * log2(n) + threads vectors exist. What remains are the partial sums of the
 * largest subtrees that lie wholly inside the rank's range;
 * comm/reduce.h finishes the tree across ranks.
 *
 * Local; knows no MPI.
 */
#ifndef SB_COMM_TREE_H
#define SB_COMM_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

typedef struct sb_node {
    unsigned level;
    uint64_t index;
} sb_node;

enum { SB_TREE_PARTIALS_MAX = 128 };

/* The partial subtrees of a rank that owns leaves [first, last) of n, in leaf
 * order: at most SB_TREE_PARTIALS_MAX; returns how many. */
size_t sb_tree_partials(uint64_t n, uint64_t first, uint64_t last,
                        sb_node *nodes_out);

typedef struct sb_tree sb_tree;

/* A tree of n leaves of which this rank owns [first, last); vectors of `len`
 * floats. Buffers are made as needed and kept for later rounds. */
SB_MUST_USE sb_status sb_tree_open(uint64_t n, uint64_t first, uint64_t last,
                                   size_t len, sb_tree **tree_out);
void sb_tree_close(sb_tree *t);

/* Begin another sum: all partials are forgotten. `len` may shrink or grow. */
void sb_tree_reset(sb_tree *t, size_t len);

/* A vector for a leaf, its contents undefined; any thread. Give it back with
 * sb_tree_add. */
SB_MUST_USE sb_status sb_tree_leaf(sb_tree *t, float **leaf_out);
/* Leaf `leaf` is finished: hand its vector over. Any thread. */
void sb_tree_add(sb_tree *t, uint64_t leaf, float *vector);

/* After all own leaves: partial k's vector, borrowed until reset. */
const float *sb_tree_partial(const sb_tree *t, size_t k);

uint64_t sb_tree_leaves(const sb_tree *t);
/* The root's level in a tree of n leaves. */
unsigned sb_tree_height(uint64_t n);

#endif
