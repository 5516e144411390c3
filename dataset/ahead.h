/* SPDX-License-Identifier: MIT
 * ahead.h - a thread that makes bytes ahead of the one who reads them, as far
 * as a ring of 1 MiB has room. Private to dataset/stream.c.
 */
#ifndef SB_DATASET_AHEAD_H
#define SB_DATASET_AHEAD_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

/* Makes at most `room` more bytes, perhaps none. *taken_out: how far in the
 * file they end; *more_out = 0: they were the last. */
typedef sb_status (*sb_pull)(void *from, void *to, size_t room, size_t *got_out,
                             uint64_t *taken_out, int *more_out);

typedef struct sb_ahead sb_ahead;

/* From here on until it is closed, `from` (borrowed) is the thread's. */
SB_MUST_USE sb_status sb_ahead_open(sb_pull pull, void *from,
                                    sb_ahead **ahead_out);
/* Waits for the pull that is under way and no other. NULL is fine. */
void sb_ahead_close(sb_ahead *a);

/* As sb_stream_read. A pull's failure comes when all bytes made before it are
 * read, and again at each later call. */
SB_MUST_USE sb_status sb_ahead_read(sb_ahead *a, void *to, size_t room,
                                    size_t *got_out);

/* *taken_out of bytes that were read. */
uint64_t sb_ahead_taken(const sb_ahead *a);

#endif
