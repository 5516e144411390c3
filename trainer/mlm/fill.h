/* SPDX-License-Identifier: MIT
 * fill.h - the likeliest tokens for the [MASK]s of a sentence. */
#ifndef SB_MLM_FILL_H
#define SB_MLM_FILL_H

#include "comm/comm.h"
#include "dataset/vocab.h"
#include "proto/checkpoint.h"
#include "trainer/mlm/layout.h"

typedef struct sb_filler sb_filler;

/* The model of an mlm checkpoint, weights only, its table sharded over the
 * ranks. The shape is read from the checkpoint. Collective. */
SB_MUST_USE sb_status sb_filler_open(sb_comm *c, sb_ckpt *ckpt,
                                     const sb_vocab *vocab,
                                     sb_filler **filler_out);
void sb_filler_close(sb_filler *f); /* NULL is fine */

typedef struct sb_guess {
    uint32_t id;
    float probability;
} sb_guess;

/* ids[0..n) with [CLS], [SEP] and at least one [MASK]; for the j-th [MASK] the
 * k likeliest tokens, best first, in out[j * k ...]; *masks_out how many masks
 * there are (at most max_masks). Collective; the same answer on every rank and
 * for any number of ranks. SB_EINVAL: no mask, too long. */
SB_MUST_USE sb_status sb_fill(sb_filler *f, const uint32_t *ids, size_t n,
                              size_t k, size_t max_masks, sb_guess *out,
                              size_t *masks_out);

#endif
