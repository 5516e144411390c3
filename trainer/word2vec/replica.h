/* SPDX-License-Identifier: MIT
 * replica.h - copies of both tables, one for each node, and how they are kept
 * one model.
 *
 * The ranks of a node (or of a run of at most `ranks` of them) train on one
 * pair of tables in shared memory; each such group is a replica. Replicas meet
 * at turns, which come after the same number of words everywhere. A row whose
 * turn it is is due; what a replica did to it since its last turn, d = row -
 * base, is sent in the background while training goes on, and combined into
 * the new base (exchange.h); at the next turn
 *   row = base_new + (row - base_old - d),  base = base_new
 * so nothing that was learnt in between is lost, and bases are equal on all
 * replicas, bit for bit. Due are at every turn the `hot` rows that are expected
 * to be updated most, of each table, and a share 1 / cycle of all others, in
 * turns: frequent rows often, rare ones seldom, and of these only what changed.
 * What a turn sends and keeps is bounded by the rows due.
 *
 * With one replica there is no base and nothing to exchange. With one thread
 * in every replica all of it is a function of the number of replicas: the same
 * bits each time. Workers that share a table are Hogwild (hogwild.h).
 */
#ifndef SB_TRAINER_REPLICA_H
#define SB_TRAINER_REPLICA_H

#include <stdint.h>

#include "comm/base/pool.h"
#include "comm/comm.h"
#include "trainer/word2vec/combine.h"
#include "trainer/word2vec/hogwild.h"

typedef struct sb_replica sb_replica;

typedef struct sb_replica_options {
    uint32_t V, D;
    int ranks;      /* of a node that share a replica; 0: all */
    sb_combine how; /* combine.h */
    uint32_t hot;   /* rows of a table due at every turn */
    uint32_t cycle; /* turns until every other row was due; > 0 */
} sb_replica_options;

/* Bytes of a replica, shared by its ranks. */
uint64_t sb_replica_bytes(const sb_replica_options *o, int replicas);

/* Zeroed tables. Collective; the same status everywhere. */
SB_MUST_USE sb_status sb_replica_open(sb_comm *c, const sb_replica_options *o,
                                      sb_replica **replica_out);
void sb_replica_close(sb_replica *r); /* Collective; NULL is fine */

const sb_w2v_tables *sb_replica_tables(const sb_replica *r); /* borrowed */
int sb_replica_count(const sb_replica *r);
int sb_replica_ranks(const sb_replica *r);     /* of this one */
sb_comm *sb_replica_comm(const sb_replica *r); /* theirs; borrowed */
/* This rank fills rows [*first, *last) of its replica. */
void sb_replica_share(const sb_replica *r, uint32_t *first, uint32_t *last);

/* This rank's share: input rows uniform in (-0.5/D, 0.5/D), each named by
 * (seed, row); output rows zero. Local. */
void sb_replica_init(sb_replica *r, uint64_t seed);
/* All shares are filled, the same on all replicas. updates: expected updates
 * per pair of rows of both tables (sb_sampler_updates), [V] each. Collective
 * over the replica. */
SB_MUST_USE sb_status sb_replica_begin(sb_replica *r, const float *in,
                                       const float *out);

/* Workers rest: take in what the last exchange brought, and choose what the
 * next one takes. `pull`: pairs a replica trains until the next turn x learning
 * rate. Collective over the replica. */
void sb_replica_turn(sb_replica *r, sb_pool *pool, double pull);
/* The exchange that the last turn prepared, if any; workers may train. From
 * the main thread, once after every turn. Collective over all. */
void sb_replica_exchange(sb_replica *r);
/* Workers rest, every exchange is done: make all replicas equal, bit for bit.
 * Collective over all. */
void sb_replica_settle(sb_replica *r, sb_pool *pool, double pull);

/* Seconds this rank spent in exchanges, and bytes it sent in them. */
double sb_replica_seconds(const sb_replica *r);
uint64_t sb_replica_sent(const sb_replica *r);

#endif
