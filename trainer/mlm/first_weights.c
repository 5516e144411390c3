/* SPDX-License-Identifier: MIT
 * first_weights.c - chance, and what is brought along. */
#include "trainer/mlm/first_weights.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/rng.h"
#include "trainer/kernels/kernels.h"
#include "trainer/mlm/first_hf.h"
#include "trainer/mlm/first_rows.h"
#include "trainer/mlm/frozen.h"

/* Rows of the token table are named behind the flat vector's parameters. */
enum { INIT_TABLE = 1 << 20 };

typedef struct start {
    sb_mlm *m;
    const sb_vocab *vocab;
    const uint64_t *counts;
    unsigned char *have, *have_bias; /* [own rows] brought along */
    uint64_t found;                  /* rows brought along, of all ranks */
    float scale;                     /* of those from word2vec */
} start;

/* ---- rows that are brought along ----------------------------------------- */

/* Squares of the given rows of every block, then their mean over all ranks in
 * block order: the deviation to divide by. */
static sb_status deviation(const start *s, double *out)
{
    const sb_table *t = s->m->table;
    double *square = NULL;
    sb_status st = sb_alloc(t->blocks, sizeof *square, "row norms", &square);
    SB_GOTO(st, sb_agree(s->m->comm, st), out);
    for (uint64_t row = t->first; row < t->last; row++)
        if (s->have[row - t->first])
            square[row / t->block] +=
                sb_sum_squares(t->rows + (row - t->first) * t->dim, t->dim);
    sb_table_gather_blocks(s->m->table, square, sizeof *square);
    double sum = 0;
    for (uint64_t b = 0; b < t->blocks; b++) sum += square[b];
    *out = s->found ? sqrt(sum / ((double)s->found * (double)t->dim)) : 0;
out:
    sb_free(square);
    return st;
}

/* Their deviation becomes init_scale. */
static sb_status find_scale(start *s)
{
    const sb_mlm_options *o = s->m->o;
    double d = 0;
    SB_TRY(deviation(s, &d));
    if (o->init_scale > 0 && d > 0) s->scale = (float)(o->init_scale / d);
    sb_log(SB_LOG_INFO,
           "token rows from word2vec in %s: deviation %.4f, scaled to %.4f",
           o->init_path, d, o->init_scale > 0 ? o->init_scale : d);
    return SB_OK;
}

static sb_status read_given(start *s)
{
    sb_mlm *m = s->m;
    const sb_table *t = m->table;
    switch (m->o->init_from) {
    case SB_FROM_CHANCE:
        return SB_OK;
    case SB_FROM_WORD2VEC:
        SB_TRY(sb_rows_of_run(m, s->vocab, s->counts, s->have));
        break;
    case SB_FROM_VECTORS:
        SB_TRY(sb_rows_of_file(m, s->vocab, s->have));
        break;
    case SB_FROM_HF:
        SB_TRY(sb_weights_of_hf(m, s->vocab, s->have, s->have_bias));
        break;
    }
    for (uint64_t row = t->first; row < t->last; row++)
        s->found += s->have[row - t->first];
    sb_comm_sum_u64(m->comm, &s->found, 1);
    if (m->o->init_from != SB_FROM_HF) SB_TRY(find_scale(s));
    if (s->found < t->vocab)
        sb_log(SB_LOG_INFO,
               "%" PRIu64 " of %" PRIu64
               " token rows found there, the others start from chance",
               s->found, t->vocab);
    return SB_OK;
}

/* ---- the others ---------------------------------------------------------- */

static void init_row(const start *s, uint64_t row)
{
    const sb_table *t = s->m->table;
    float *x = t->rows + (row - t->first) * t->dim;
    sb_rng_key key = sb_rng_key_make(s->m->o->seed, SB_RNG_INIT);
    if (s->have[row - t->first])
        for (size_t i = 0; i < t->dim; i++) x[i] *= s->scale;
    else if (row == sb_vocab_special(s->vocab).pad)
        memset(x, 0, t->dim * sizeof *x);
    else
        sb_rng_normal(key, INIT_TABLE, row * t->dim, x, t->dim,
                      s->m->o->init_range);
}

static sb_status init_block(void *context, size_t task, int worker)
{
    (void)worker;
    const start *s = context;
    const sb_table *t = s->m->table;
    uint64_t b = t->first_block + task;
    for (uint64_t row = sb_table_block_row(t, b);
         row < sb_table_block_row(t, b + 1); row++)
        init_row(s, row);
    return SB_OK;
}

/* log((count + 1) / (total + V)): add-one, so that no piece is impossible. */
static void init_bias(const start *s)
{
    sb_table *t = s->m->table;
    double total = (double)t->vocab;
    for (uint64_t row = 0; row < t->vocab; row++)
        total += (double)s->counts[row];
    for (uint64_t row = t->first; row < t->last; row++)
        if (!s->have_bias[row - t->first])
            t->bias[row - t->first] =
                (float)log(((double)s->counts[row] + 1) / total);
}

static sb_status init(start *s)
{
    sb_mlm *m = s->m;
    const sb_table *t = m->table;
    size_t own = (size_t)(t->last - t->first);
    sb_status st = sb_alloc(own, 1, "first rows", &s->have);
    if (st == SB_OK) st = sb_alloc(own, 1, "first rows", &s->have_bias);
    SB_TRY(sb_agree(m->comm, st));
    SB_TRY(read_given(s));
    st = sb_pool_run(m->pool, (size_t)(t->last_block - t->first_block),
                     init_block, s);
    SB_TRY(sb_agree(m->comm, st));
    if (m->o->unigram_bias) init_bias(s);
    return SB_OK;
}

sb_status sb_mlm_init(sb_mlm *m, const sb_vocab *vocab, const uint64_t *counts)
{
    start s = {.m = m, .vocab = vocab, .counts = counts, .scale = 1};
    sb_layout_init(&m->layout, m->w, m->o->seed, m->o->init_range);
    sb_status st = init(&s);
    sb_free(s.have);
    sb_free(s.have_bias);
    if (st == SB_OK && !m->o->adam.train_table)
        m->frozen = sb_frozen_hash(m->table);
    return st;
}
