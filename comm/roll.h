/* SPDX-License-Identifier: MIT
 * roll.h - the roll of all ranks: when each was last heard of and last moved,
 * and which of them holds up the run.
 *
 * Knows no clock, no network and no thread: times are seconds of the caller's.
 * Local.
 */
#ifndef SB_COMM_ROLL_H
#define SB_COMM_ROLL_H

#include "comm/base/life.h"
#include "comm/base/status.h"

typedef struct sb_roll_rank {
    int seen, done;      /* heard of at all; has left in order */
    double heard, moved; /* the last time */
    sb_life life;        /* then */
} sb_roll_rank;

typedef struct sb_roll {
    int size;
    double limit;       /* seconds that a rank may be silent, or not move */
    sb_roll_rank *rank; /* [size] */
} sb_roll;

typedef enum sb_verdict {
    SB_ROLL_WELL,
    SB_ROLL_SILENT, /* not heard of for so long */
    SB_ROLL_STANDS, /* heard of, waits for nobody, and does not move */
    SB_ROLL_UNSEEN, /* the only ranks that can: never heard of; all others
                       wait and do not move */
    SB_ROLL_KNOT    /* all ranks wait for each other */
} sb_verdict;

/* Sizes from 1. */
SB_MUST_USE sb_status sb_roll_open(int size, double limit, sb_roll *roll_out);
void sb_roll_close(sb_roll *r);

/* Rank `rank` lives at `now`. */
void sb_roll_hear(sb_roll *r, int rank, const sb_life *life, double now);
/* It has nothing left to do: it is judged no more. */
void sb_roll_leave(sb_roll *r, int rank);
/* All times begin anew: it was the caller who slept. */
void sb_roll_forgive(sb_roll *r, double now);

/* How many were never heard of, and the first of them. */
int sb_roll_unseen(const sb_roll *r, int *first_out);

/* Whose fault, the rank of longest standing, and for how many seconds;
 * SB_ROLL_WELL leaves both alone. */
sb_verdict sb_roll_judge(const sb_roll *r, double now, int *rank_out,
                         double *seconds_out);

#endif
