/* SPDX-License-Identifier: MIT
 * group.h - groups of ranks that lie on one host.
 *
 * A group is a communicator of its own: all of comm.h, sb_agree and the queue
 * work on it, and its seconds and bytes are counted apart from its parent's.
 * Ranks in it are numbered from 0; messages to people still name the rank in
 * the whole job.
 */
#ifndef SB_COMM_GROUP_H
#define SB_COMM_GROUP_H

#include "comm/base/status.h"
#include "comm/comm.h"

/* Cut c into groups that can share memory. Collective on c.
 *   at_most      the most ranks of a group, 0 for no limit; the same on all
 *                ranks. The ranks of a host, in their order in c, are cut
 *                into runs of this length; the last may be shorter.
 *   node_out     this rank's group, in the order of c
 *   leaders_out  rank 0 of every group, in the order of c; NULL on ranks that
 *                are not rank 0 of theirs
 * A group's ranks need not be neighbours in c (mpirun --map-by node). The
 * caller frees both with sb_comm_free. SB_EINVAL, SB_ENOMEM, the same on all
 * ranks. */
SB_MUST_USE sb_status sb_comm_split_nodes(sb_comm *c, int at_most,
                                          sb_comm **node_out,
                                          sb_comm **leaders_out);

/* A rank's equal part of what its host has free now. Collective on c; the same
 * for all ranks of a host. SB_ENOMEM, the same on all ranks. */
SB_MUST_USE sb_status sb_comm_memory_share(sb_comm *c, uint64_t *bytes_out);

/* Free a group, before its parent is closed. Collective on the group; NULL is
 * fine. */
void sb_comm_free(sb_comm *group);

#endif
