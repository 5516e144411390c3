/* SPDX-License-Identifier: MIT
 * packing.h - a training split cut into samples of nearly one length.
 *
 * The documents of a block, with one separator between two of them, are a
 * stream. A stream of n ids makes c = ceil(n / (max_length - 2)) samples (two
 * places are [CLS]'s and [SEP]'s): sample k is [n k / c, n (k + 1) / c) of
 * it. So a sample holds more than half of what it may, if its block does; it
 * may begin and end inside of documents; and each token of the split is in
 * exactly one. A separator that begins or ends a sample is left out.
 *
 * Samples are numbered through over the blocks, and so by source. An epoch of
 * them is a mix (dataset/mix.h), as of documents.
 */
#ifndef SB_DATASET_PACKING_H
#define SB_DATASET_PACKING_H

#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/corpus.h"
#include "dataset/mix.h"

typedef struct sb_packing sb_packing;

/* From numbers of blocks alone: no block is read. Local. */
SB_MUST_USE sb_status sb_packing_open(const sb_corpus *train,
                                      uint32_t max_length,
                                      sb_packing **packing_out);
void sb_packing_close(sb_packing *p); /* NULL is fine */

uint32_t sb_packing_max_length(const sb_packing *p);
const sb_mix *sb_packing_mix(const sb_packing *p);

/* Sample i < the number of all: its ids, with `separator` between documents,
 * to ids [max_length - 2]. `train` as at open. O(log blocks) and what its
 * block has of sentences. */
SB_MUST_USE sb_status sb_packing_sample(const sb_packing *p, sb_corpus *train,
                                        uint64_t i, uint32_t separator,
                                        uint32_t *ids, uint32_t *n_out);

#endif
