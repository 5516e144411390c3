/* SPDX-License-Identifier: MIT
 * replica.h - one rank's copy of both tables, and how copies become one again.
 *
 * Invariant: outside a round all ranks' tables are equal, bit for bit. During
 * a round every rank changes its own; `base` keeps what they were. At the end
 *   new = base + (mine - base) of rank 0 + of rank 1 + ...
 * in rank order, for the rows anybody touched; other rows are not looked at.
 *
 * How: one gather of touched-row bitmaps tells everybody who changed what, so
 * no sizes need to be sent. Then, panel by panel (a range of rows of at most
 * about 32 MiB), each row's changes travel to the one rank that owns it in the
 * panel, which adds them up and hands the result to all: a reduce-scatter and
 * an all-gather of touched rows only. The same path serves 8000 x 128, where
 * every row is touched in every round (two panels, 2 (P-1)/P tables of
 * traffic, the bitmaps cost nothing), and 256,000 x 768, where few input rows
 * are and buffers must stay small. With one rank there is no base, no bitmap
 * and no exchange.
 *
 * Adding whole changes of stale copies keeps the learning rate of a sequential
 * run, but overshoots rows that all ranks push the same way, the more the
 * longer a round and the more ranks there are. Rounds are short (one block of
 * some 10^4 words per worker) to keep that small. To be measured against it:
 * averages weighted by update counts, and model combiners (Gill et al. 2019).
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
/* End of a round: make the tables equal again. Collective. */
void sb_replica_combine(sb_comm *c, sb_replica *r);

#endif
