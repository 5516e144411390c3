/* SPDX-License-Identifier: MIT
 * frozen.h - a token table that must not move (--freeze-table), held to it.
 *
 * Its rows are hashed when a run begins and again before every checkpoint; the
 * hash lies in the checkpoint, so that a run which goes on is held to the rows
 * it began with (trainer/mlm/state_mlm.c).
 *
 * The hash is the sum, modulo 2^64, over all rows of a hash of the row's number
 * and contents: the same for any number of ranks and any vocab-block. */
#ifndef SB_MLM_FROZEN_H
#define SB_MLM_FROZEN_H

#include "trainer/mlm/shard_table.h"

/* Collective; the same on every rank. */
uint64_t sb_frozen_hash(const sb_table *t);

/* SB_EBUG on every rank, naming the tensor, if the rows are no longer those of
 * hash `was`. Collective. */
SB_MUST_USE sb_status sb_frozen_check(const sb_table *t, uint64_t was);

#endif
