/* SPDX-License-Identifier: MIT
 * hogwild.h - one worker trains one block of the corpus on a pair of tables.
 *
 * The tables are shared by the threads of a rank without locks (Recht et al.,
 * "Hogwild!", NIPS 2011). That is a data race, and a deliberate one:
 *   - an update touches a few rows of many, so two threads seldom meet;
 *   - when they meet, one of two small steps of the same row is lost, or a
 *     thread reads a row half old and half new: noise far below that of the
 *     sampling itself;
 *   - aligned floats are loaded and stored whole on every machine this runs
 *     on, so no value appears that nobody wrote;
 *   - no pointer, index or size is ever taken from a table: a torn value
 *     cannot become a wild access.
 * The price is that runs with several threads per rank differ in their last
 * bits from each other. With one thread there is no race and no difference.
 * The race is confined to hogwild.c and the kernels it calls, and marked there
 * for ThreadSanitizer.
 *
 * Local. Knows nothing of ranks.
 */
#ifndef SB_TRAINER_HOGWILD_H
#define SB_TRAINER_HOGWILD_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/shard.h"
#include "trainer/word2vec/sampler.h"

/* Both tables, and which of their rows were changed. */
typedef struct sb_w2v_tables {
    float *in, *out;                   /* [V, D] each */
    uint8_t *in_touched, *out_touched; /* [V] set to 1; NULL: not wanted */
    uint32_t V, D;
} sb_w2v_tables;

/* The learning rate falls linearly with the words done by all ranks. */
typedef struct sb_w2v_rate {
    double alpha, min_alpha;
    uint64_t total; /* words of the whole run */
} sb_w2v_rate;

static inline float sb_w2v_rate_at(const sb_w2v_rate *r, uint64_t words)
{
    double share = (double)words / (double)r->total;
    if (share > 1) share = 1;
    return (float)(r->alpha + (r->min_alpha - r->alpha) * share);
}

/* One block to train, and what came of it. */
typedef struct sb_w2v_task {
    const sb_w2v_tables *tables;
    const sb_sampler *sampler;
    const sb_w2v_rate *rate;
    sb_block block;
    sb_fast_rng rng;
    int cbow;
    uint32_t window, negative;
    /* While this worker does one word, all workers together do `workers`: the
     * rate is that of min(words_first + done * workers, words_last). */
    uint64_t words_first, words_last;
    uint32_t workers;
    /* scratch, see sb_w2v_task_open */
    uint32_t *sentence; /* words of a sentence that take part */
    uint32_t *row;      /* output rows of a centre's pairs */
    size_t *rows;       /* how many each pair has */
    float *mean, *din;
    /* results */
    double loss;    /* nats, sum over pairs */
    uint64_t pairs; /* skip-gram: (centre, context); CBOW: centres */
} sb_w2v_task;

/* Scratch for blocks of at most `tokens` tokens. */
SB_MUST_USE sb_status sb_w2v_task_open(sb_w2v_task *t, uint32_t tokens,
                                       uint32_t window, uint32_t negative,
                                       uint32_t D);
void sb_w2v_task_close(sb_w2v_task *t); /* a zeroed one is fine */

/* Train t->block. Special tokens and words lost to subsampling are taken out
 * of a sentence first, so windows reach over them, but never over the end of a
 * sentence. Each centre's window is min(window, what a uniform draw from
 * 1..window leaves). A negative that equals the centre is drawn again, a few
 * times, then left out.
 *   skip-gram  the input row is the context's, the output row the centre's,
 *              as in word2vec.c and gensim
 *   CBOW       the input is the mean of the context rows; the step of that
 *              mean is added to each of them whole (gensim, cbow_mean=1)
 * A loss that is not finite ends the block; the caller looks at t->loss. */
void sb_w2v_block(sb_w2v_task *t);

#endif
