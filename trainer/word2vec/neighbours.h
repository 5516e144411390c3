/* SPDX-License-Identifier: MIT
 * neighbours.h - the rows nearest to a word by cosine. */
#ifndef SB_TRAINER_NEIGHBOURS_H
#define SB_TRAINER_NEIGHBOURS_H

#include <stdint.h>

#include "comm/comm.h"
#include "dataset/vocab.h"
#include "proto/checkpoint.h"

typedef struct sb_neighbour {
    uint32_t id;
    float cosine;
} sb_neighbour;

/* The `k` rows of the [V, dim] tensor `name` of a checkpoint nearest to the
 * mean of rows ids[0..n), best first, ids themselves and special tokens left
 * out; *found_out <= k. Each rank reads its share of the rows only; ties go
 * to the lower id, so the answer is the same for any number of ranks.
 * Collective. */
SB_MUST_USE sb_status sb_neighbours(sb_comm *c, sb_ckpt *ckpt, const char *name,
                                    const sb_vocab *vocab, const uint32_t *ids,
                                    size_t n, size_t k, sb_neighbour *out,
                                    size_t *found_out);

#endif
