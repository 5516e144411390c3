/* SPDX-License-Identifier: MIT
 * piece_counts.h - <corpus>/counts: how often each piece occurs in the
 * training split of each source. Written before corpus.json; opening a corpus
 * reads it instead of adding up the counts of all shards.
 */
#ifndef SB_DATASET_PIECE_COUNTS_H
#define SB_DATASET_PIECE_COUNTS_H

#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/manifest.h"

/* counts: [m->sources][m->vocab_size]. */
SB_MUST_USE sb_status sb_piece_counts_write(const char *dir,
                                            const sb_manifest *m,
                                            const uint64_t *counts);

/* SB_EFORMAT: damaged, or not the counts of what m describes. Free
 * *counts_out with sb_free. */
SB_MUST_USE sb_status sb_piece_counts_read(const char *dir,
                                           const sb_manifest *m,
                                           uint64_t **counts_out);

/* Sort ids [n], all < the length of counts, by falling count, equal ones by
 * id. Local. */
SB_MUST_USE sb_status sb_piece_counts_sort(const uint64_t *counts,
                                           uint32_t *ids, size_t n);

#endif
