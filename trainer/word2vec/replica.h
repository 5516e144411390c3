/* SPDX-License-Identifier: MIT
 * replica.h - one rank's copy of both tables, and how copies become one again.
 *
 * Invariant: outside a round all ranks' tables are equal, bit for bit. During
 * a round every rank changes its own; `base` keeps what they were. At the end,
 * for each row that anybody touched, with d_r = mine - base of rank r,
 *   S = d_0 + d_1 + ...  in rank order
 *   new = base + w S,    w = min(1, sum |d_r|^2 / |S|^2)
 *
 * Why w. Changes that have nothing to do with each other (rare rows: a step or
 * two each, in their own directions) are orthogonal, so |S|^2 = sum |d_r|^2,
 * w = 1, and they add up: the learning rate of a sequential run. Changes that
 * are all the same (frequent rows, which every rank takes to the same place
 * within a round) have |S|^2 = P sum |d_r|^2, w = 1 / P: they are averaged.
 * The plain sum overshoots those P-fold and diverges; the plain average throws
 * away most of what was learnt about the others. One trial, one seed: 19.5 M
 * words of English, 8000 words, dim 128, one epoch, blocks of 32,000 words;
 * loss of the last interval, % of 2129 analogies (half of those askable):
 *   alpha 0.025  1 rank 2.310 27.9 | 4 ranks: sum 438 0.8, average 2.458 3.1,
 *                model combiner (Gill et al. 2019, first try) 2.400 14.6,
 *                this 2.388 16.9 | 8 ranks: sum NaN, this 2.477 12.8
 *   alpha 0.05   1 rank 2.327 38.1 | this: 2 ranks 2.316 32.7, 4 ranks 2.331
 *                29.4
 *   alpha 0.1    this: 4 ranks 2.333 30.2 (1 rank not run)
 * So this does not diverge, but more ranks still cost quality at each rate that
 * was run on both; only this was run at other rates than 0.025. Shorter rounds
 * (8000 words) did not help. Still to be measured: each way at its own best
 * rate, several seeds, weights from update counts, w per direction of a row.
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
/* End of a round: make the tables equal again. Collective. */
void sb_replica_combine(sb_comm *c, sb_replica *r);

#endif
