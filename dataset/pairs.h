/* SPDX-License-Identifier: MIT
 * pairs.h - pairs of neighbouring pieces, their counts, and the best of them.
 * Private to wordpiece_train.c. */
#ifndef SB_DATASET_PAIRS_H
#define SB_DATASET_PAIRS_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

enum { SB_NO_PAIR = UINT32_MAX };

typedef struct sb_pair {
    uint64_t key;    /* left << 32 | right */
    int64_t count;   /* of its places, weighted */
    uint32_t head;   /* of the list of its places; the caller's */
    uint32_t raised; /* since the last sb_pairs_file */
} sb_pair;

typedef struct sb_pair_entry {
    int64_t count;
    uint64_t key;
} sb_pair_entry;

/* Start zeroed. */
typedef struct sb_pairs {
    sb_pair *of;
    size_t n, cap; /* taken so far, some of them spare */
    size_t live;
    uint32_t spare; /* 1 + first of the list through .head, 0: none */
    uint32_t *slots;
    size_t n_slots;
    sb_pair_entry *heap, limit;
    size_t n_heap;
    uint32_t *raised;
    size_t n_raised, raised_cap;
} sb_pairs;

/* Bytes per pair at the most; the heap and the rest. */
enum { SB_PAIR_BYTES = 32, SB_PAIRS_BYTES = 2 << 20 };

void sb_pairs_close(sb_pairs *p);

/* The number of a pair in p->of, which may move when one is added. */
uint32_t sb_pairs_find(const sb_pairs *p, uint64_t key); /* or SB_NO_PAIR */
SB_MUST_USE sb_status sb_pairs_add(sb_pairs *p, uint64_t key, uint32_t *out);
void sb_pairs_drop(sb_pairs *p, uint32_t id);

/* The count of a pair has risen: it is filed anew by sb_pairs_file, which the
 * caller calls before it asks for the best pair. A raised pair must not be
 * dropped before that; sb_pairs_file drops those whose count is 0. */
SB_MUST_USE sb_status sb_pairs_raised(sb_pairs *p, uint32_t id);
void sb_pairs_file(sb_pairs *p);

/* The pair with the highest count, ties to the lower key; SB_NO_PAIR if there
 * is none with a count of `least` (> 0) or more. */
SB_MUST_USE sb_status sb_pairs_best(sb_pairs *p, int64_t least, uint32_t *out);

#endif
