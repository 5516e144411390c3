/* SPDX-License-Identifier: MIT
 * crew.h - the workers of a rank, and the turns of its replica.
 *
 * A round trains one stretch per worker (plan.h), in as many parts as there
 * are turns in it (replica.h). The main thread exchanges what the last turn
 * set aside while the workers train the next part; with one replica there is
 * one part, and the main thread is a worker itself.
 */
#ifndef SB_TRAINER_CREW_H
#define SB_TRAINER_CREW_H

#include "comm/comm.h"
#include "trainer/word2vec/plan.h"
#include "trainer/word2vec/replica.h"
#include "trainer/word2vec/sampler.h"

typedef struct sb_w2v_crew sb_w2v_crew;

typedef struct sb_w2v_crew_options {
    sb_replica_options replica;
    int threads; /* workers of this rank */
    int cbow;
    uint32_t window, negative;
    uint64_t sync_words; /* a replica trains between two turns */
} sb_w2v_crew_options;

/* What came of a round, on this rank. */
typedef struct sb_w2v_sum {
    double loss, pairs, rows; /* hogwild.h */
    double wait_s; /* from the end of a part to the start of the next, the
                      mean over the workers */
} sb_w2v_sum;

/* Bytes of this rank beside those of its replica. */
uint64_t sb_w2v_crew_bytes(const sb_w2v_plan *p, const sb_w2v_crew_options *o);

/* plan, sampler, updates (sb_replica_begin): borrowed. Collective; the same
 * status everywhere. */
SB_MUST_USE sb_status sb_w2v_crew_open(sb_comm *c, const sb_w2v_plan *plan,
                                       const sb_sampler *sampler,
                                       const sb_w2v_crew_options *o,
                                       sb_w2v_crew **crew_out);
void sb_w2v_crew_close(sb_w2v_crew *w); /* Collective; NULL is fine */
sb_replica *sb_w2v_crew_replica(const sb_w2v_crew *w);
sb_pool *sb_w2v_crew_pool(const sb_w2v_crew *w); /* idle between rounds */

/* Train positions [cursor, last). words: those of all before. Collective; the
 * status is this rank's: SB_EFORMAT and the like of a damaged block, SB_ENAN of
 * a loss that is no number. */
SB_MUST_USE sb_status sb_w2v_crew_round(sb_w2v_crew *w, uint64_t cursor,
                                        uint64_t last, uint64_t words,
                                        sb_w2v_sum *sum_out);
/* Make all replicas equal. Collective. */
void sb_w2v_crew_settle(sb_w2v_crew *w);
/* What follows is no waiting for each other (a checkpoint was written, or the
 * table judged). */
void sb_w2v_crew_rested(sb_w2v_crew *w);

#endif
