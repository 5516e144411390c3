/* SPDX-License-Identifier: MIT
 * hogwild.h - one worker trains a stretch of the corpus on a pair of tables.
 *
 * The tables are shared by workers without locks (Recht et al.,
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
#include "trainer/word2vec/windows.h"

/* Both tables, and which of their rows were changed. Rows are `stride` floats
 * apart and filled up with zeros, so that kernels meet whole vectors only, and
 * an odd number of cache lines, so that the same column of many rows does not
 * fall into the same few sets of the cache. */
typedef struct sb_w2v_tables {
    float *in, *out;                   /* [V, stride] each */
    uint8_t *in_touched, *out_touched; /* [V] set to 1; NULL: not wanted */
    uint32_t V, D;
    size_t stride;
} sb_w2v_tables;

static inline size_t sb_w2v_columns(uint32_t D) /* with the zeros */
{
    return ((size_t)D + 15) / 16 * 16;
}
static inline size_t sb_w2v_stride(uint32_t D)
{
    return sb_w2v_columns(D) + (sb_w2v_columns(D) / 16 % 2 == 0 ? 16 : 0);
}

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

/* A block to train, and the start of its draws. */
typedef struct sb_w2v_piece {
    sb_block block;
    sb_fast_rng rng;
} sb_w2v_piece;

/* A group and where its rows lie. */
typedef struct sb_w2v_batch sb_w2v_batch;

/* A stretch of blocks to train, and what came of it. */
typedef struct sb_w2v_task {
    const sb_w2v_tables *tables;
    const sb_sampler *sampler;
    const sb_w2v_rate *rate;
    sb_w2v_piece *piece; /* [pieces] caller's */
    size_t pieces;
    sb_fast_rng rng; /* of the negatives */
    int cbow;
    uint32_t window, negative;
    /* The words of the whole run done before and behind this stretch, by all
     * workers: the learning rate goes evenly from the one's to the other's. */
    uint64_t words_first, words_last;
    /* results, added to */
    double loss;    /* nats, sum over pairs */
    uint64_t pairs; /* skip-gram: (centre, context); CBOW: centres */
    uint64_t moved; /* rows of both tables, read and written for a group */
    /* private, see sb_w2v_task_open */
    sb_windows windows;
    sb_w2v_batch *batch[2];
    float *g, *rows, **aside;
} sb_w2v_task;

/* Scratch for stretches of at most `tokens` tokens. */
SB_MUST_USE sb_status sb_w2v_task_open(sb_w2v_task *t, size_t tokens,
                                       const sb_w2v_tables *tables,
                                       uint32_t window, uint32_t negative);
void sb_w2v_task_close(sb_w2v_task *t); /* a zeroed one is fine */
/* What that takes. */
uint64_t sb_w2v_task_bytes(size_t tokens, uint32_t V, uint32_t D,
                           uint32_t window, uint32_t negative);

/* Train part `part` of `parts` of the stretch, in order; part 0 first cuts its
 * windows. windows.h says which windows there are and how they are grouped;
 * a group is one sb_sgns_step.
 *   skip-gram  the input row is the context's, the output row the centre's,
 *              as in word2vec.c and gensim
 *   CBOW       the input is the mean of the context rows; the step of that
 *              mean is added to each of them whole (gensim, cbow_mean=1)
 * A loss that is not finite ends the stretch; the caller looks at t->loss. */
void sb_w2v_train_part(sb_w2v_task *t, uint32_t part, uint32_t parts);

#endif
