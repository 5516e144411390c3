/* SPDX-License-Identifier: MIT
 * w2v.h - phase 1: skip-gram or CBOW with negative sampling (Mikolov et al.
 * 2013a, 2013b) over the training split of a corpus.
 *
 * The ranks of a node share both tables; every such replica trains on its own
 * and they are kept one model by exchanges in the background (replica.h).
 * With one worker per replica a run is repeatable, bit for bit, for the same
 * number of replicas; workers that share tables do so without locks. Blocks
 * come in an order permuted anew for every epoch; the state between rounds is
 * one number, the blocks done, so a run may go on with another number of ranks
 * or threads.
 */
#ifndef SB_TRAINER_W2V_H
#define SB_TRAINER_W2V_H

#include <stdint.h>

#include "comm/comm.h"
#include "dataset/corpus.h"
#include "dataset/vocab.h"
#include "trainer/names.h"
#include "trainer/resume.h"
#include "trainer/word2vec/combine.h"
#include "trainer/word2vec/watch.h"

typedef struct sb_w2v_options {
    const char *dir;    /* checkpoints and metrics.jsonl go here         */
    const char *config; /* effective configuration, for the checkpoint   */
    sb_begun begun;     /* NULL: nobody needs to know                    */
    void *begun_arg;
    int cbow; /* 0: skip-gram                                   */
    uint32_t dim, window, negative, epochs;
    double alpha, min_alpha; /* learning rate, linear over all words       */
    double sample; /* subsampling threshold (0: none)                */
    double power;  /* of the noise distribution, 0.75                */
    uint64_t seed;
    int threads;
    int replica_ranks;   /* ranks of a node that share tables, 0: all  */
    sb_combine combine;  /* of replicas' changes                       */
    uint64_t sync_words; /* a replica trains between two turns         */
    uint32_t sync_hot;   /* rows due at every turn                     */
    uint32_t sync_cycle; /* turns until every other row was due        */
    sb_watch_options watch;
    double checkpoint_minutes;
    const char *local_dir; /* of local checkpoints (trainer/shares.h), NULL */
    double local_minutes;  /* between them */
    unsigned keep;         /* checkpoints kept                               */
    int tensorboard;       /* an event file beside metrics.jsonl             */
} sb_w2v_options;

/* Train, or go on where the newest whole checkpoint in dir stands
 * (trainer/resume.h); a finished phase returns at once. Collective. SB_ESTOP after a signal, with a checkpoint. */
SB_MUST_USE sb_status sb_w2v_train(sb_comm *c, sb_corpus *corpus,
                                   const sb_vocab *vocab,
                                   const sb_w2v_options *o);

#endif
