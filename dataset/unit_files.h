/* SPDX-License-Identifier: MIT
 * unit_files.h - what an unfinished ingest remembers of its units.
 *
 *   <dir>/unit-00000.done   the unit's shards are sealed: an sb_source_stats
 *   <dir>/unit-00000.hash   u64 XXH3 of each document, in order
 *   <dir>/unit-00000.counts how often each id occurs in its training shard
 *   <dir>/unit-00000.drop   u64 numbers of documents left out, rising
 *
 * Each is a head (magic, CRC-32C, what the unit was made from) and bytes as
 * they lie in memory: they are for the same program on the same machines, and
 * are removed when the manifest is written.
 */
#ifndef SB_DATASET_UNIT_FILES_H
#define SB_DATASET_UNIT_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

/* Atomically. `made_from`: names the input and options. */
SB_MUST_USE sb_status sb_unit_put(const char *dir, size_t unit,
                                  const char *kind, uint64_t made_from,
                                  const void *data, size_t bytes);

/* *data_out = NULL if there is none, or one that was made from something else.
 * Else its bytes, a multiple of `item`: sb_free. SB_EFORMAT: damaged. */
SB_MUST_USE sb_status sb_unit_get(const char *dir, size_t unit,
                                  const char *kind, uint64_t made_from,
                                  size_t item, void **data_out,
                                  size_t *bytes_out);

/* Missing is fine. */
SB_MUST_USE sb_status sb_unit_remove(const char *dir, size_t unit,
                                     const char *kind);

#endif
