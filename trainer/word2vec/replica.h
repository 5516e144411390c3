/* SPDX-License-Identifier: MIT
 * replica.h - one rank's copy of both tables, and how copies become one again.
 *
 * Invariant: outside a round all ranks' tables are equal, bit for bit. During
 * a round every rank changes its own; `base` keeps what they were. At the end,
 * for each row that anybody touched, with d_r = mine - base of rank r,
 *   S = d_0 + d_1 + ...  in rank order, over the q ranks that changed it
 *   new = base + w S,    w = (1 - exp(-q c)) / (q (1 - exp(-c)))
 *
 * Why w. An update pulls a row towards where its neighbours want it by a
 * share alpha * curvature of the way; a round's k updates by 1 - exp(-c),
 * c = k alpha curvature. Had the q ranks worked one after the other, the row
 * would have come 1 - exp(-q c) of the way, while the sum of their changes is
 * q (1 - exp(-c)): w is the quotient. Rare rows (c near 0) add up, w = 1, the
 * learning rate of a sequential run; frequent rows, which every rank takes to
 * the same place within a round, are averaged, w = 1 / q. The plain sum
 * overshoots the latter and diverges from 3 or 4 ranks on; the plain average
 * throws away most of what was learnt about the others. k is the expected
 * number of updates (sb_sampler_updates), so w needs no message and no counter.
 * The curvature, the mean of sigmoid' |other row|^2, is taken as one constant;
 * docs/word2vec.md has what was measured.
 *
 * How: one gather of touched-row bitmaps tells everybody who changed what, so
 * no sizes need to be sent. Then, panel by panel (a range of rows of at most
 * about 8 MiB), each row's changes travel to the one rank that owns it in the
 * panel, which adds them up and hands the result to all: a reduce-scatter and
 * an all-gather of touched rows only. The same path serves 8000 x 128, where
 * every row is touched in every round (two panels, 2 (P-1)/P tables of
 * traffic, the bitmaps cost nothing), and 256,000 x 768, where few input rows
 * are and buffers must stay small. With one rank there is no base, no bitmap
 * and no exchange.
 */
#ifndef SB_TRAINER_REPLICA_H
#define SB_TRAINER_REPLICA_H

#include <stdint.h>

#include "comm/comm.h"
#include "trainer/word2vec/hogwild.h"

typedef struct sb_replica sb_replica;

/* Bytes sb_replica_open will ask for. */
uint64_t sb_replica_bytes(const sb_comm *c, uint32_t V, uint32_t D);
/* Zeroed tables [V, D]. Local. */
SB_MUST_USE sb_status sb_replica_open(const sb_comm *c, uint32_t V, uint32_t D,
                                      sb_replica **replica_out);
void sb_replica_close(sb_replica *r); /* NULL is fine */

/* Borrowed. To be filled before sb_replica_begin. */
const sb_w2v_tables *sb_replica_tables(const sb_replica *r);

/* Input rows uniform in (-0.5/D, 0.5/D), each named by (seed, row); output
 * rows zero. Local. */
void sb_replica_init(sb_replica *r, uint64_t seed);
/* The tables are now what all ranks start from. Local. */
void sb_replica_begin(sb_replica *r);
/* Expected updates per pair of every row (sb_sampler_updates), [V] each;
 * borrowed. Without them w = 1 / q. Local. */
void sb_replica_expect(sb_replica *r, const float *in, const float *out);

/* End of a round in which each rank trained about `pairs` pairs at learning
 * rate `alpha`: make the tables equal again. Arguments equal on all ranks.
 * Collective. */
void sb_replica_combine(sb_comm *c, sb_replica *r, double pairs, double alpha);

#endif
