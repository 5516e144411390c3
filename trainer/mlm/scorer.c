/* SPDX-License-Identifier: MIT
 * scorer.c - fill, encode each, gather, score all against all rows. */
#include "trainer/mlm/scorer.h"

#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/life.h"
#include "comm/base/mem.h"
#include "comm/base/pool.h"
#include "comm/base/stop.h"
#include "trainer/kernels/kernels.h"
#include "trainer/mlm/model.h"
#include "trainer/mlm/shard_table.h"
#include "trainer/mlm/state_mlm.h"
#include "trainer/mlm/tensors.h"
#include "trainer/mlm/vocab_head.h"

enum { BLOCK = 8000, GROUP = 512, TAG = 1 };

struct sb_scorer {
    sb_comm *comm;
    sb_layout layout;
    float *w;
    sb_table *table;
    sb_pool *pool;
    sb_head *head;
    sb_batch batch[SB_SCORER_WAVE]; /* own sequences */
    sb_acts *acts;                  /* [workers] */
    sb_work *work;                  /* [workers] */
    size_t begin[SB_SCORER_WAVE + 1];
    size_t *cut;                     /* [size + 1] bytes */
    size_t token_at[SB_SCORER_WAVE]; /* of own sequences, in ids */
    uint32_t *ids, *target;
    float *z; /* [masked, D] of all ranks */
    size_t ids_cap, target_cap, z_cap;
    /* the wave in progress */
    size_t own, first_own; /* sequences: how many, and the first's number */
    const float *rows;
    const uint32_t *place;
};

/* ---- open ---------------------------------------------------------------- */

static sb_status open_local(sb_scorer *s, int threads)
{
    const sb_mlm_shape *shape = &s->layout.shape;
    size_t workers = (size_t)threads;
    SB_TRY(sb_alloc(s->layout.total, sizeof *s->w, "encoder", &s->w));
    SB_TRY(sb_pool_open(threads, &s->pool));
    SB_TRY(sb_alloc((size_t)sb_comm_size(s->comm) + 1, sizeof *s->cut, "ranks",
                    &s->cut));
    SB_TRY(sb_alloc(workers, sizeof *s->acts, "activations", &s->acts));
    SB_TRY(sb_alloc(workers, sizeof *s->work, "activations", &s->work));
    for (size_t i = 0; i < workers; i++) {
        SB_TRY(sb_acts_open(&s->layout, 1, shape->positions, &s->acts[i]));
        SB_TRY(sb_work_open(&s->layout, 1, shape->positions, SB_FP32,
                            &s->work[i]));
    }
    for (size_t i = 0; i < SB_SCORER_WAVE; i++)
        SB_TRY(sb_batch_open(1, shape->positions, &s->batch[i]));
    return SB_OK;
}

static sb_status read_layout(sb_scorer *s, sb_ckpt *ckpt, const sb_vocab *vocab)
{
    sb_mlm_shape shape;
    SB_TRY(sb_mlm_shape_with(ckpt, vocab, &shape));
    return sb_layout_open(&shape, &s->layout);
}

static sb_status open_all(sb_scorer *s, sb_ckpt *ckpt, const sb_vocab *vocab,
                          int threads)
{
    static const sb_head_options head = {.group = GROUP,
                                         .tag = TAG,
                                         .reduce = SB_REDUCE_EXACT,
                                         .precision = SB_FP32};
    sb_status st = read_layout(s, ckpt, vocab);
    if (st == SB_OK) st = open_local(s, threads);
    SB_TRY(sb_agree(s->comm, st));
    const sb_mlm_shape *shape = &s->layout.shape;
    SB_TRY(
        sb_table_open(s->comm, shape->vocab, BLOCK, shape->dim, 0, &s->table));
    SB_TRY(sb_head_open(s->table, s->pool, &head, &s->head));
    return sb_mlm_load_weights(s->comm, ckpt, &s->layout, s->w, s->table);
}

sb_status sb_scorer_open(sb_comm *c, sb_ckpt *ckpt, const sb_vocab *vocab,
                         int threads, sb_scorer **scorer_out)
{
    sb_scorer *s = NULL;
    sb_kernels_start();
    SB_TRY(sb_agree(c, sb_alloc(1, sizeof *s, "model", &s)));
    s->comm = c;
    sb_status st = open_all(s, ckpt, vocab, threads);
    if (st == SB_OK)
        *scorer_out = s;
    else
        sb_scorer_close(s);
    return st;
}

void sb_scorer_close(sb_scorer *s)
{
    if (!s) return;
    sb_head_close(s->head);
    sb_table_close(s->table);
    for (int i = 0; s->acts && i < sb_pool_workers(s->pool); i++)
        sb_acts_close(&s->acts[i]);
    for (int i = 0; s->work && i < sb_pool_workers(s->pool); i++)
        sb_work_close(&s->work[i]);
    for (size_t i = 0; i < SB_SCORER_WAVE; i++) sb_batch_close(&s->batch[i]);
    sb_pool_close(s->pool);
    sb_layout_close(&s->layout);
    void *owned[] = {s->w, s->cut, s->acts, s->work};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        sb_free(owned[i]);
    free(s->ids);
    free(s->target);
    free(s->z);
    sb_free(s);
}

const sb_mlm_shape *sb_scorer_shape(const sb_scorer *s)
{
    return &s->layout.shape;
}

/* ---- a wave -------------------------------------------------------------- */

static sb_status fill_own(sb_scorer *s, sb_scorer_fill fill, void *context,
                          uint64_t first)
{
    size_t tokens = 0;
    for (size_t i = 0; i < s->own; i++) {
        sb_batch *b = &s->batch[i];
        SB_TRY(fill(context, first + s->first_own + i, b));
        SB_TRY(sb_grow(&s->ids, &s->ids_cap, tokens + b->tokens, sizeof *s->ids,
                       "token ids"));
        memcpy(s->ids + tokens, b->ids, b->tokens * sizeof *s->ids);
        s->token_at[i] = tokens;
        tokens += b->tokens;
    }
    if (!sb_stop_asked()) return SB_OK;
    SB_FAIL(SB_ESTOP, "asked to stop: the same command begins anew");
}

/* Cuts between the ranks' parts of an array of `n` sequences. */
static void cut_sequences(sb_scorer *s, size_t n, size_t bytes)
{
    int size = sb_comm_size(s->comm);
    for (int r = 0; r <= size; r++) s->cut[r] = sb_share(n, r, size) * bytes;
}

/* And of places, `bytes` each. */
static void cut_places(sb_scorer *s, size_t n, size_t bytes)
{
    int size = sb_comm_size(s->comm);
    for (int r = 0; r <= size; r++)
        s->cut[r] = s->begin[sb_share(n, r, size)] * bytes;
}

/* Where the masked places of each sequence lie among those of the wave. */
static void count(sb_scorer *s, size_t n)
{
    for (size_t i = 0; i < s->own; i++)
        s->begin[s->first_own + i + 1] = s->batch[i].nmasked;
    cut_sequences(s, n, sizeof *s->begin);
    sb_comm_gather_cut(s->comm, s->begin + 1, s->cut);
    s->begin[0] = 0;
    for (size_t i = 0; i < n; i++) s->begin[i + 1] += s->begin[i];
}

static sb_status encode(void *context, size_t task, int worker)
{
    static const sb_dropout_rate none = {0};
    sb_scorer *s = context;
    const sb_batch *b = &s->batch[task];
    size_t D = s->layout.shape.dim, at = s->begin[s->first_own + task];
    if (!b->nmasked) return SB_OK;
    sb_model_forward(&s->layout, (sb_weights){.full = s->w}, b, s->rows,
                     s->place + s->token_at[task], &none, &s->acts[worker],
                     &s->work[worker]);
    memcpy(s->z + at * D, s->acts[worker].z, b->nmasked * D * sizeof *s->z);
    memcpy(s->target + at, b->target, b->nmasked * sizeof *s->target);
    return SB_OK;
}

static sb_status encode_own(sb_scorer *s, size_t n)
{
    size_t D = s->layout.shape.dim, M = s->begin[n];
    size_t tokens =
        s->own ? s->token_at[s->own - 1] + s->batch[s->own - 1].tokens : 0;
    sb_status st =
        sb_grow(&s->z, &s->z_cap, M * D, sizeof *s->z, "scored vectors");
    if (st == SB_OK)
        st = sb_grow(&s->target, &s->target_cap, M, sizeof *s->target,
                     "targets");
    SB_TRY(sb_agree(s->comm, st));
    SB_TRY(sb_table_pull(s->table, s->ids, tokens, &s->rows, &s->place));
    SB_TRY(sb_agree(s->comm, sb_pool_run(s->pool, s->own, encode, s)));
    cut_places(s, n, D * sizeof *s->z);
    sb_comm_gather_cut(s->comm, s->z, s->cut);
    cut_places(s, n, sizeof *s->target);
    sb_comm_gather_cut(s->comm, s->target, s->cut);
    return SB_OK;
}

sb_status sb_scorer_run(sb_scorer *s, sb_scorer_fill fill, void *context,
                        uint64_t first, size_t n, sb_scores *scores_out)
{
    int r = sb_comm_rank(s->comm), size = sb_comm_size(s->comm);
    double sum;
    sb_life_at("eval: sequence", first);
    s->first_own = (size_t)sb_share(n, r, size);
    s->own = (size_t)sb_share(n, r + 1, size) - s->first_own;
    SB_TRY(sb_agree(s->comm, fill_own(s, fill, context, first)));
    count(s, n);
    SB_TRY(encode_own(s, n));
    SB_TRY(sb_head_run(s->head, s->z, s->target, s->begin[n], NULL, &sum));
    *scores_out = (sb_scores){.masked = s->begin[n],
                              .begin = s->begin,
                              .target = s->target,
                              .loss = sb_head_loss(s->head),
                              .correct = sb_head_correct(s->head)};
    return SB_OK;
}
