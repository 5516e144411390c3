/* SPDX-License-Identifier: MIT
 * made_stretch.h - a small text, a pair of tables, and the task of training
 * the one on the other. Include after cmocka.h. */
#ifndef SB_TESTS_MADE_STRETCH_H
#define SB_TESTS_MADE_STRETCH_H

#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "trainer/word2vec/hogwild.h"

enum { V = 40, D = 24, STRIDE = 48, TOKENS = 4000, SENTENCE = 10, PIECES = 4 };

static const sb_special_ids special = {0, 1, 2, 3, 4};

typedef struct world {
    float in[V * STRIDE], out[V * STRIDE];
    uint8_t in_touched[V], out_touched[V];
    uint64_t counts[V];
    uint32_t ids[TOKENS];
    sb_lengths lengths[PIECES];
    sb_w2v_piece piece[PIECES];
    sb_sampler sampler;
    sb_w2v_tables tables;
    sb_w2v_rate rate;
    sb_w2v_task task;
} world;

static inline sb_rng_key test_key(void)
{
    return sb_rng_key_make(11, SB_RNG_TEST);
}

/* The task gets the first `tokens` ids, in sentences of `each`, as so many
 * pieces of the same size. */
static inline void cut(world *w, uint32_t tokens, uint32_t each,
                       uint32_t pieces)
{
    uint32_t size = tokens / pieces;
    for (uint32_t p = 0; p < pieces; p++) {
        sb_lengths *l = &w->lengths[p];
        sb_free(l->data);
        *l = (sb_lengths){0};
        for (uint32_t end = each; end <= size; end += each)
            assert_int_equal(sb_lengths_sentence(l, end), SB_OK);
        sb_lengths_document(l);
        w->piece[p].block = (sb_block){w->ids + p * size, l->data, l->tokens,
                                       l->sentences, l->documents};
    }
    w->task.pieces = pieces;
}

static inline void start(sb_w2v_task *t, uint32_t epoch, uint32_t worker)
{
    for (uint32_t p = 0; p < t->pieces; p++)
        t->piece[p].rng = sb_fast_rng_start(test_key(), epoch, 1 + p);
    t->rng = sb_fast_rng_start(test_key(), epoch, 100 + worker);
    t->loss = 0;
    t->pairs = 0;
}

static inline void open_task(world *w, sb_w2v_task *t, uint32_t window,
                             uint32_t negative)
{
    assert_int_equal(sb_w2v_task_open(t, TOKENS, &w->tables, window, negative),
                     SB_OK);
    t->sampler = &w->sampler;
    t->rate = &w->rate;
    t->piece = w->piece;
    t->words_last = TOKENS;
}

/* Low: 30 words are in every group many times, and their steps are all taken
 * from the same values; a rate of 0.05 goes too far and diverges. */
static const double alpha = 0.0125;

/* Two groups of pieces, 5-19 and 20-34; a sentence stays in one group. The
 * ids 35-39 never occur; every seventh token is special. */
static inline world *make(int cbow, uint32_t window, uint32_t negative)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_int_equal(sb_w2v_stride(D), STRIDE);
    for (uint32_t i = 0; i < TOKENS; i++) {
        sb_rng4 r = sb_rng_at(test_key(), i, 0, 0);
        uint32_t group = sb_rng_at(test_key(), i / SENTENCE, 1, 0).v[0] & 1;
        w->ids[i] =
            i % 7 == 0 ? r.v[1] % 5 : 5 + 15 * group + sb_rng_below(r.v[0], 15);
        w->counts[w->ids[i]]++;
    }
    for (uint32_t i = 0; i < V * D; i++)
        w->in[i / D * STRIDE + i % D] =
            (sb_rng_unit(sb_rng_at(test_key(), i, 2, 0).v[0]) - 0.5f) / D;
    assert_int_equal(
        sb_sampler_open(w->counts, V, special, 0, 0.75, &w->sampler), SB_OK);
    w->tables = (sb_w2v_tables){w->in, w->out, w->in_touched, w->out_touched,
                                V,     D,      STRIDE};
    w->rate = (sb_w2v_rate){alpha, 0.0001, TOKENS};
    open_task(w, &w->task, window, negative);
    w->task.cbow = cbow;
    cut(w, TOKENS, SENTENCE, PIECES);
    start(&w->task, 0, 0);
    return w;
}

static inline void drop(world *w)
{
    sb_w2v_task_close(&w->task);
    sb_sampler_close(&w->sampler);
    for (int p = 0; p < PIECES; p++) sb_free(w->lengths[p].data);
    free(w);
}

static inline double mean_loss(world *w, uint32_t epoch)
{
    start(&w->task, epoch, 0);
    sb_w2v_train_part(&w->task, 0, 1);
    assert_true(w->task.pairs > 0);
    return w->task.loss / (double)w->task.pairs;
}

#endif
