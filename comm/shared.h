/* SPDX-License-Identifier: MIT
 * shared.h - memory that the ranks of a group have in common.
 *
 * Plain loads and stores. Between two calls of sb_shared_sync a byte is
 * written by one rank and read by no other, or what is read may be old or new
 * (word2vec's rows). Stores and loads of aligned 4 and 8 bytes do not tear.
 *
 * Open MPI keeps the memory in a file in /dev/shm, which it unlinks as soon as
 * all ranks have it open: a run that is killed later leaves nothing of it.
 */
#ifndef SB_COMM_SHARED_H
#define SB_COMM_SHARED_H

#include <stddef.h>

#include "comm/base/status.h"
#include "comm/comm.h"

typedef struct sb_shared sb_shared;

/* Take `bytes` bytes, the same number on all ranks, for the group `node` (of
 * sb_comm_split_nodes; borrowed until the close). `what` names them in errors.
 * Zeroed, and really there: a host without room is found here and not at a
 * later store. Each rank zeroes its share of the pages, so that a system with
 * several memories puts them near different ranks. A group of one rank gets
 * ordinary memory.
 * Collective on node; SB_ENOMEM, SB_ELIMIT, SB_EBUG, the same on all ranks of
 * it. Other groups may have succeeded: sb_agree on their parent comes next. */
SB_MUST_USE sb_status sb_shared_open(sb_comm *node, size_t bytes,
                                     const char *what, sb_shared **shared_out);

/* The first byte, at the start of a page. The address is this rank's own, what
 * lies there is everybody's. Local. */
void *sb_shared_at(const sb_shared *s);

/* Every rank sees after it what any stored before it. Collective on node. */
void sb_shared_sync(sb_shared *s);

/* Give the memory back. Collective on node; NULL is fine. */
void sb_shared_close(sb_shared *s);

#endif
