/* SPDX-License-Identifier: MIT
 * agree.h - turning one rank's failure into every rank's failure.
 *
 * Two exits exist, and a call site chooses by one question: "can every peer
 * still reach this line?"
 *
 *   yes -> sb_agree(). All ranks learn the same code and text, unwind
 *          normally, free what they hold, and leave through MPI_Finalize with
 *          the same exit code. This is the normal way to fail.
 *   no  -> sb_fatal(). A peer may already be inside a collective that will
 *          never complete. One message is printed, then MPI_Abort.
 */
#ifndef SB_COMM_AGREE_H
#define SB_COMM_AGREE_H

#include "comm/base/status.h"
#include "comm/comm.h"

/* Make `local` common. Collective.
 * SB_OK on every rank if it was SB_OK on every rank. Otherwise, on every rank,
 * the code of the lowest failing rank, and sb_error_last() is that rank's
 * record with .rank and .host filled in: its rank in the whole job, also where
 * c is a group (comm/group.h). A failure that a group has agreed on keeps them
 * when more ranks agree. Costs one 8-byte allreduce when all is well. */
SB_MUST_USE sb_status sb_agree(sb_comm *c, sb_status local);

/* The one line of an error record, and its hint, to standard error. Local. */
void sb_error_print(const sb_comm *c, const sb_error *e);

/* Print this thread's record and end all ranks with its exit code. Local; any
 * rank, any thread; c may be NULL before MPI has started. If several ranks get
 * here at once the lowest speaks: higher ones wait a moment, and MPI_Abort
 * ends them before they do. */
_Noreturn void sb_fatal(sb_comm *c);

#endif
