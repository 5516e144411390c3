/* SPDX-License-Identifier: MIT
 * watch.h - word vectors judged at intervals while they are trained.
 *
 * What is judged is the input table of the first replica as it is between two
 * rounds; those of others differ a little until they settle (replica.h). After
 * the last round all are equal. Nothing is changed by it: a run that is watched
 * has the same bits as one that is not.
 */
#ifndef SB_TRAINER_WATCH_H
#define SB_TRAINER_WATCH_H

#include <stdint.h>

#include "comm/base/pool.h"
#include "comm/comm.h"
#include "dataset/vocab.h"
#include "trainer/metrics.h"
#include "trainer/word2vec/evaluation.h"
#include "trainer/word2vec/replica.h"

enum { SB_WATCH_WORDS = 30000 }; /* the most frequent, for speed */

typedef struct sb_watch_options {
    sb_evaluation_files files;
    uint32_t times; /* in a run, evenly over its words; 0: never */
} sb_watch_options;

typedef struct sb_watch sb_watch;

/* Read the files. options, vocab: borrowed until close. SB_EINVAL: times, but
 * no file; else the errors of sb_evaluation_open. Local. */
SB_MUST_USE sb_status sb_watch_open(const sb_watch_options *o,
                                    const sb_vocab *vocab,
                                    const uint64_t *counts, sb_watch **w_out);
void sb_watch_close(sb_watch *w); /* NULL is fine */

/* 1 if a time lies in the words (before, after] of `total`. Local. */
int sb_watch_due(const sb_watch *w, uint64_t before, uint64_t after,
                 uint64_t total);

/* Judge, write a line of metrics at `step` and one for people, who read that
 * `share` of the run is done. Workers rest. A stop asked for meanwhile ends it
 * without a line, and is no failure. Collective on c; the same status
 * everywhere. */
SB_MUST_USE sb_status sb_watch_run(sb_watch *w, sb_comm *c, const sb_replica *r,
                                   sb_pool *pool, sb_metrics *m, uint64_t step,
                                   double share);

#endif
