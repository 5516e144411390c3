/* SPDX-License-Identifier: MIT
 * flight.h - messages under way while the caller computes.
 *
 * Begin any number of them, go on, look now and then (looking is also what
 * moves them: MPI works inside its calls), and wait for the rest. A flight's
 * messages never mix with those of another tag, nor with collectives.
 *
 * Local, but every send needs its receive, in the same order between the same
 * two ranks. Sizes may exceed INT_MAX. Errors of MPI end the job (comm.h).
 */
#ifndef SB_COMM_FLIGHT_H
#define SB_COMM_FLIGHT_H

#include "comm/comm.h"

typedef struct sb_flight sb_flight;

/* tag: from 1 to 1000, equal on all ranks; one flight a tag and sb_comm. */
SB_MUST_USE sb_status sb_flight_open(sb_comm *c, int tag,
                                     sb_flight **flight_out);
void sb_flight_close(sb_flight *f); /* with nothing under way; NULL is fine */

/* `buf` belongs to the flight until it is done. No bytes: no message. */
void sb_flight_send(sb_flight *f, const void *buf, size_t bytes, int to);
void sb_flight_recv(sb_flight *f, void *buf, size_t bytes, int from);

/* Every rank's bytes [cut[r], cut[r + 1]) of buf to all ranks, in place. */
void sb_flight_gather(sb_flight *f, void *buf, const size_t *cut);

/* 1: nothing is under way. Does not wait. */
int sb_flight_done(sb_flight *f);
/* Ends when nothing is under way; counts as waiting (sb_comm_waited). */
void sb_flight_wait(sb_flight *f);

#endif
