/* SPDX-License-Identifier: MIT
 * watchdog.h - a thread in every rank that ends the run when a rank hangs.
 *
 * Ranks tell rank 0 every few seconds where they are and whether they move
 * (comm/lifeline.h, comm/base/life.h); it answers. Rank 0 ends the run if for
 * the limit a rank is silent, or neither moves nor waits for others, or if all
 * wait for each other. If rank 0 falls silent, one of the others ends the run,
 * some seconds later: first those on other hosts, in rank order. Whoever does
 * so prints one message that names the rank; all ranks that can still run
 * leave with exit code 6, and mpirun (srun --kill-on-bad-exit) ends the rest.
 *
 * The thread makes no call of MPI, so that MPI_THREAD_FUNNELED is enough. A
 * process that was itself stopped and goes on again forgives what it missed.
 */
#ifndef SB_COMM_WATCHDOG_H
#define SB_COMM_WATCHDOG_H

#include "comm/base/status.h"
#include "comm/comm.h"

typedef struct sb_watchdog sb_watchdog;

/* Watch from now on; minutes 0: not at all, *watchdog_out is NULL. Ranks whose
 * thread or messages do not come through are not watched, and rank 0 warns of
 * them. minutes: the same on all ranks. Collective; SB_ENOMEM, SB_ELIMIT, the
 * same on all ranks. */
SB_MUST_USE sb_status sb_watchdog_open(sb_comm *c, double minutes,
                                       sb_watchdog **watchdog_out);

/* The end of it, behind sb_comm_close: the last wait is watched too. Local;
 * NULL is fine. */
void sb_watchdog_close(sb_watchdog *w);

#endif
