/* SPDX-License-Identifier: MIT
 * shares.h - checkpoints in two levels: on the hosts' own disks at short
 * intervals, in the run folder at long ones.
 *
 * Each rank keeps its share of a checkpoint (proto/checkpoint.h) in a folder of
 * its own, <local>/shardbert-<id>/rank-00003, and nobody else's; <dir>/
 * local-shares says where, under an id drawn at every start. When a run starts
 * again, on any number of ranks, and all shares of a step that is newer than
 * dir's newest checkpoint are found on its hosts, they become a checkpoint in
 * dir like any other. Who ran where does not matter; if a host is missing, what
 * dir has is what is left.
 */
#ifndef SB_TRAINER_SHARES_H
#define SB_TRAINER_SHARES_H

#include "comm/comm.h"

typedef struct sb_shares sb_shares;

/* Bring what the run before left on local disks to dir, if it is newer and
 * whole, and remove the rest of it; then make this rank's folder under
 * `local` (NULL: none is wanted, *shares_out = NULL). Before
 * anybody looks for checkpoints in dir. If what is there cannot be copied
 * nothing is removed. Collective, the same status everywhere. */
SB_MUST_USE sb_status sb_shares_open(sb_comm *c, const char *dir,
                                     const char *local, sb_shares **shares_out);

/* This rank's folder; NULL: there is none. Borrowed. Local. */
const char *sb_shares_dir(const sb_shares *s);

/* Free it; NULL is fine. `done`: dir has all that is worth keeping, the folder
 * is removed. Local. */
void sb_shares_close(sb_shares *s, int done);

#endif
