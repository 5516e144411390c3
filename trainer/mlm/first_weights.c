/* SPDX-License-Identifier: MIT
 * first_weights.c - chance, or word2vec. */
#include "trainer/mlm/first_weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/rng.h"
#include "trainer/kernels/kernels.h"
#include "trainer/mlm/frozen.h"
#include "trainer/mlm/tensors.h"
#include "trainer/resume.h"

/* Rows of the token table are named behind the flat vector's parameters. */
enum { INIT_TABLE = 1 << 20 };

static int from_word2vec(const sb_mlm *m, const sb_vocab *vocab,
                         const uint64_t *counts, uint64_t row)
{
    return m->o->init_dir && counts[row] > 0 &&
           !sb_vocab_is_special(vocab, (uint32_t)row);
}

/* Squares of the word2vec rows of every block, then their mean over all
 * ranks in block order: the deviation to divide by. */
static sb_status word2vec_deviation(sb_mlm *m, const sb_vocab *vocab,
                                    const uint64_t *counts, double *out)
{
    const sb_table *t = m->table;
    double *square = NULL;
    uint64_t n = 0;
    sb_status st = sb_alloc(t->blocks, sizeof *square, "row norms", &square);
    SB_GOTO(st, sb_agree(m->comm, st), out);
    for (uint64_t row = 0; row < t->vocab; row++)
        n += (uint64_t)from_word2vec(m, vocab, counts, row);
    for (uint64_t row = t->first; row < t->last; row++)
        if (from_word2vec(m, vocab, counts, row))
            square[row / t->block] +=
                sb_sum_squares(t->rows + (row - t->first) * t->dim, t->dim);
    sb_table_gather_blocks(m->table, square, sizeof *square);
    double sum = 0;
    for (uint64_t b = 0; b < t->blocks; b++) sum += square[b];
    *out = n ? sqrt(sum / ((double)n * (double)t->dim)) : 0;
out:
    sb_free(square);
    return st;
}

typedef struct rows {
    sb_mlm *m;
    const sb_vocab *vocab;
} rows;

/* This rank's rows. Local. */
static sb_status read_rows(const sb_mlm *m, const sb_vocab *vocab, sb_ckpt *k)
{
    uint64_t D = m->o->shape.dim, first = m->table->first;
    sb_tensor t = sb_mlm_table_tensor(&m->o->shape, SB_W2V_INPUT);
    SB_REQUIRE(sb_ckpt_get_meta(k)->vocab_hash == sb_vocab_hash(vocab),
               SB_EINVAL,
               "the word2vec checkpoint in '%s' was trained with another "
               "vocabulary",
               m->o->init_dir);
    SB_TRY(sb_mlm_check_tensor(k, &t));
    return sb_ckpt_get(k, &t, first * D, (m->table->last - first) * D,
                       m->table->rows);
}

static sb_status take(sb_ckpt *k, void *arg)
{
    rows *r = arg;
    return sb_agree(r->m->comm, read_rows(r->m, r->vocab, k));
}

static sb_status read_word2vec(sb_mlm *m, const sb_vocab *vocab)
{
    rows r = {m, vocab};
    int found;
    sb_status st = sb_state_read(m->comm, m->o->init_dir, take, &r, &found);
    if (st == SB_EINVAL)
        return sb_hint("--init names a word2vec folder of the same vocabulary "
                       "and --dim");
    SB_TRY(st);
    if (found) return SB_OK;
    sb_fail(SB_ENOENT, __FILE__, __LINE__, "no word2vec checkpoint in '%s'",
            m->o->init_dir);
    return sb_hint("run `shardbert word2vec` first, or start from random rows "
                   "with --init none");
}

typedef struct init_job {
    sb_mlm *m;
    const sb_vocab *vocab;
    const uint64_t *counts;
    float scale; /* of word2vec's rows */
} init_job;

static void init_row(const init_job *j, uint64_t row)
{
    const sb_table *t = j->m->table;
    float *x = t->rows + (row - t->first) * t->dim;
    sb_rng_key key = sb_rng_key_make(j->m->o->seed, SB_RNG_INIT);
    if (row == sb_vocab_special(j->vocab).pad)
        memset(x, 0, t->dim * sizeof *x);
    else if (!from_word2vec(j->m, j->vocab, j->counts, row))
        sb_rng_normal(key, INIT_TABLE, row * t->dim, x, t->dim,
                      j->m->o->init_range);
    else
        for (size_t i = 0; i < t->dim; i++) x[i] *= j->scale;
}

static sb_status init_block(void *context, size_t task, int worker)
{
    (void)worker;
    const init_job *j = context;
    const sb_table *t = j->m->table;
    uint64_t b = t->first_block + task;
    for (uint64_t row = sb_table_block_row(t, b);
         row < sb_table_block_row(t, b + 1); row++)
        init_row(j, row);
    return SB_OK;
}

static sb_status init_rows(sb_mlm *m, const sb_vocab *vocab,
                           const uint64_t *counts, double deviation)
{
    const sb_table *t = m->table;
    init_job j = {m, vocab, counts, 1};
    if (m->o->init_scale > 0 && deviation > 0)
        j.scale = (float)(m->o->init_scale / deviation);
    return sb_pool_run(m->pool, (size_t)(t->last_block - t->first_block),
                       init_block, &j);
}

/* log((count + 1) / (total + V)): add-one, so that no piece is impossible. */
static void init_bias(sb_mlm *m, const uint64_t *counts)
{
    sb_table *t = m->table;
    double total = (double)t->vocab;
    for (uint64_t row = 0; row < t->vocab; row++) total += (double)counts[row];
    for (uint64_t row = t->first; row < t->last; row++)
        t->bias[row - t->first] = (float)log(((double)counts[row] + 1) / total);
}

sb_status sb_mlm_init(sb_mlm *m, const sb_vocab *vocab, const uint64_t *counts)
{
    double deviation = 0;
    sb_layout_init(&m->layout, m->w, m->o->seed, m->o->init_range);
    if (m->o->init_dir) {
        SB_TRY(read_word2vec(m, vocab));
        SB_TRY(word2vec_deviation(m, vocab, counts, &deviation));
        sb_log(SB_LOG_INFO,
               "token rows from word2vec in %s: deviation %.4f, scaled to %.4f",
               m->o->init_dir, deviation,
               m->o->init_scale > 0 ? m->o->init_scale : deviation);
    }
    SB_TRY(sb_agree(m->comm, init_rows(m, vocab, counts, deviation)));
    if (m->o->unigram_bias) init_bias(m, counts);
    if (!m->o->adam.train_table) m->frozen = sb_frozen_hash(m->table);
    return SB_OK;
}
