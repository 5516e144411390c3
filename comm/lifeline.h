/* SPDX-License-Identifier: MIT
 * lifeline.h - small messages between rank 0 and every other rank that do not
 * need MPI: they arrive while a rank hangs inside of it.
 *
 * UDP over IPv4. Rank 0 hands out the addresses of its host, a port, and a
 * random token with one broadcast; what comes without the token is dropped
 * unread. The others try all addresses until one answers. Messages may be lost,
 * doubled, or blocked by a firewall: send what matters again and again. They
 * are readable on the network, and hold a rank's number and place in the run.
 *
 * Opened by the main thread, used by one other; only sb_lifeline_wake is
 * anybody's. Nothing here ends the job or prints.
 */
#ifndef SB_COMM_LIFELINE_H
#define SB_COMM_LIFELINE_H

#include "comm/base/life.h"
#include "comm/comm.h"

typedef enum sb_pulse_kind {
    SB_PULSE_LIFE = 1, /* this is how I am */
    SB_PULSE_LEAVE,    /* I have nothing left to do */
    SB_PULSE_END       /* end now, without a word: I have spoken */
} sb_pulse_kind;

typedef struct sb_pulse {
    uint64_t token;
    uint32_t kind, rank; /* the sender's */
    uint32_t path;       /* which of rank 0's addresses */
    uint32_t size;       /* of the job */
    sb_life life;
} sb_pulse;

typedef struct sb_lifeline sb_lifeline;

/* near: this rank is on rank 0's host. A rank without network gets a line too,
 * on which nothing arrives: rank 0 sees that. Collective; SB_ENOMEM, SB_ELIMIT
 * (no file descriptor), the same on all ranks. */
SB_MUST_USE sb_status sb_lifeline_open(sb_comm *c, int near,
                                       sb_lifeline **line_out);
void sb_lifeline_close(sb_lifeline *l); /* local; NULL is fine */

/* The next message, waiting for `seconds` at the most. 1: there is one, its
 * rank below the job's size and its text ended; 0: none, or woken. */
int sb_lifeline_receive(sb_lifeline *l, double seconds, sb_pulse *pulse_out);

/* To a rank: rank 0 reaches those it has heard of, the others rank 0. Never
 * waits. */
void sb_lifeline_send(sb_lifeline *l, int rank, sb_pulse_kind kind,
                      const sb_life *life);

/* The receiving thread's receive returns, now or the next time. */
void sb_lifeline_wake(sb_lifeline *l);

/* Rank 0's port, 0: it has no network. */
unsigned sb_lifeline_port(const sb_lifeline *l);

#endif
