/* SPDX-License-Identifier: MIT
 * duplicates.h - documents that equal an earlier one, in any source.
 *
 * Two documents are equal if XXH3-64 of their bytes is: among n different
 * ones about n^2 / 2^65 pairs are taken for equal by mistake (3e8 documents:
 * 0.002). "Earlier" is the order of units and of documents in them. */
#ifndef SB_LAUNCH_DUPLICATES_H
#define SB_LAUNCH_DUPLICATES_H

#include "comm/comm.h"
#include "dataset/source.h"

/* From the units' hashes in `dir` (dataset/unit_files.h): how many documents
 * of each source are duplicates, per_source_out: [sources], on all ranks. With
 * `drop` every unit's list of them is written too. Each rank takes about
 * `memory` bytes. Collective. */
SB_MUST_USE sb_status sb_duplicates_find(sb_comm *c, const sb_sources *s,
                                         const char *dir, uint64_t memory,
                                         int drop, uint64_t *per_source_out);

#endif
