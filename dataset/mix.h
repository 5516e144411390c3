/* SPDX-License-Identifier: MIT
 * mix.h - an epoch of weighted sources.
 *
 * Source s has n_s items (documents or blocks, numbered through over all
 * sources) and weight w_s. An epoch has round(w_s x n_s) places for it, at
 * least one unless w_s or n_s is 0: every item floor(w_s) times, and a share
 * of them once more. The share moves on from epoch to epoch, through one
 * random order of the source's items and round again, so that all of them
 * come up equally often. With weight 1 an epoch is every item once. All of it
 * is a function of (key, epoch, place).
 */
#ifndef SB_DATASET_MIX_H
#define SB_DATASET_MIX_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/rng.h"
#include "comm/base/status.h"

typedef struct sb_mix sb_mix;

/* items, weight: [sources], copied. SB_EINVAL: a weight that is negative or
 * not finite, or no place at all; SB_ELIMIT: more than 2^53 places. */
SB_MUST_USE sb_status sb_mix_open(const uint64_t *items, const double *weight,
                                  size_t sources, sb_mix **mix_out);
void sb_mix_close(sb_mix *m); /* NULL is fine */

uint64_t sb_mix_places(const sb_mix *m); /* of one epoch, > 0 */

/* The item at place i < sb_mix_places of an epoch whose places are shuffled
 * by `key`. */
uint64_t sb_mix_item(const sb_mix *m, sb_rng_key key, uint64_t epoch,
                     uint64_t i);
/* A number < sb_mix_places that no other place of the epoch has, though
 * others may have the same item. With weights 1 it is the item. */
uint64_t sb_mix_number(const sb_mix *m, sb_rng_key key, uint64_t epoch,
                       uint64_t i);

/* The sum of value[item] over all places of the first `epochs` epochs.
 * value: [items of all sources]. O(items), however many epochs. */
uint64_t sb_mix_sum(const sb_mix *m, sb_rng_key key, uint64_t epochs,
                    const uint32_t *value);

#endif
