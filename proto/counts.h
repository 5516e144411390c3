/* SPDX-License-Identifier: MIT
 * counts.h - <run>/vocab/counts.pb: how often each piece of a vocabulary
 * occurs. One framed Counts message (proto/shardbert.proto, docs/formats.md),
 * written under another name first. */
#ifndef SB_PROTO_COUNTS_H
#define SB_PROTO_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

enum { SB_COUNTS_FORMAT = 1 };

#define SB_COUNTS_NAME "counts.pb"

/* counts[id] for id < n. SB_ELIMIT: their sum does not fit 64 bits. */
SB_MUST_USE sb_status sb_counts_write(const char *path, uint64_t vocab_hash,
                                      const uint64_t *counts, size_t n);

/* Read the counts of the vocabulary that has this hash and n pieces into
 * counts_out [n], written only by a call that succeeds.
 * SB_ENOENT: no file; SB_EFORMAT: damaged; SB_EVERSION; SB_EINVAL: counts of
 * another vocabulary. */
SB_MUST_USE sb_status sb_counts_read(const char *path, uint64_t vocab_hash,
                                     uint64_t *counts_out, size_t n);

#endif
