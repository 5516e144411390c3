/* SPDX-License-Identifier: MIT
 * fill.c - one sentence through the model, scored against all rows. */
#include "trainer/mlm/fill.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "trainer/kernels/kernels.h"
#include "trainer/mlm/model.h"
#include "trainer/mlm/shard_table.h"
#include "trainer/mlm/state_mlm.h"
#include "trainer/mlm/tensors.h"

enum { BLOCK = 4096 };

struct sb_filler {
    sb_comm *comm;
    sb_special_ids special;
    sb_layout layout;
    float *w;
    sb_table *table;
    sb_acts acts;
    sb_work work;
    sb_batch batch;
    float *max, *sum; /* [blocks]   */
    float *logits;    /* own rows   */
};

/* ---- open ---------------------------------------------------------------- */

static sb_status open_local(sb_filler *f, sb_ckpt *ckpt, const sb_vocab *vocab)
{
    sb_mlm_shape shape;
    SB_TRY(sb_mlm_shape_with(ckpt, vocab, &shape));
    SB_TRY(sb_layout_open(&shape, &f->layout));
    f->special = sb_vocab_special(vocab);
    SB_TRY(sb_alloc(f->layout.total, sizeof *f->w, "encoder", &f->w));
    SB_TRY(sb_batch_open(1, shape.positions, &f->batch));
    SB_TRY(sb_acts_open(&f->layout, 1, shape.positions, &f->acts));
    return sb_work_open(&f->layout, 1, shape.positions, SB_FP32, &f->work);
}

sb_status sb_filler_open(sb_comm *c, sb_ckpt *ckpt, const sb_vocab *vocab,
                         sb_filler **filler_out)
{
    sb_kernels_start();
    sb_filler *f = NULL;
    sb_status st = sb_alloc(1, sizeof *f, "model", &f);
    if (st == SB_OK) {
        f->comm = c;
        st = open_local(f, ckpt, vocab);
    }
    SB_GOTO(st, sb_agree(c, st), failed);
    SB_GOTO(st,
            sb_table_open(c, f->layout.shape.vocab, BLOCK, f->layout.shape.dim,
                          0, &f->table),
            failed);
    SB_GOTO(st, sb_mlm_load_weights(c, ckpt, &f->layout, f->w, f->table),
            failed);
    const sb_table *t = f->table;
    st = sb_alloc(t->last - t->first, sizeof(float), "logits", &f->logits);
    if (st == SB_OK) st = sb_alloc(t->blocks, sizeof(float), "logits", &f->max);
    if (st == SB_OK) st = sb_alloc(t->blocks, sizeof(float), "logits", &f->sum);
    SB_GOTO(st, sb_agree(c, st), failed);
    *filler_out = f;
    return SB_OK;
failed:
    sb_filler_close(f);
    return st;
}

void sb_filler_close(sb_filler *f)
{
    if (!f) return;
    sb_table_close(f->table);
    sb_acts_close(&f->acts);
    sb_work_close(&f->work);
    sb_batch_close(&f->batch);
    sb_layout_close(&f->layout);
    void *owned[] = {f->w, f->max, f->sum, f->logits};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        sb_free(owned[i]);
    sb_free(f);
}

/* ---- fill ---------------------------------------------------------------- */

/* The sentence as a batch of one sequence whose masked positions are scored. */
static sb_status load_batch(sb_filler *f, const uint32_t *ids, size_t n,
                            size_t max_masks)
{
    sb_batch *b = &f->batch;
    SB_REQUIRE(n <= f->layout.shape.positions, SB_EINVAL,
               "the sentence has %zu tokens, the model has %u positions", n,
               f->layout.shape.positions);
    b->tokens = n;
    b->sequences = 1;
    b->seq_begin[0] = 0;
    b->seq_begin[1] = (uint32_t)n;
    b->nmasked = 0;
    memcpy(b->ids, ids, n * sizeof *ids);
    for (uint32_t i = 0; i < n; i++)
        if (ids[i] == f->special.mask) b->masked[b->nmasked++] = i;
    if (b->nmasked == 0) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__, "the sentence has no [MASK]");
        return sb_hint("write [MASK] where a word is to be found");
    }
    SB_REQUIRE(b->nmasked <= max_masks, SB_EINVAL,
               "the sentence has %zu [MASK]s, at most %zu are filled at once",
               b->nmasked, max_masks);
    return SB_OK;
}

/* This rank's best k rows by logit into best[0..k); unused places get -inf. */
static void best_rows(const sb_filler *f, size_t k, sb_guess *best)
{
    const sb_table *t = f->table;
    for (size_t i = 0; i < k; i++) best[i] = (sb_guess){SB_NO_ID, -INFINITY};
    for (size_t r = 0; r < (size_t)(t->last - t->first); r++) {
        float x = f->logits[r];
        if (!(x > best[k - 1].probability)) continue; /* ties: the lower id */
        size_t at = k - 1;
        for (; at > 0 && x > best[at - 1].probability; at--)
            best[at] = best[at - 1];
        best[at] = (sb_guess){(uint32_t)(t->first + r), x};
    }
}

static int better(const void *a, const void *b)
{
    const sb_guess *x = a, *y = b;
    if (x->probability != y->probability)
        return x->probability > y->probability ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Logits of one scored vector against the own rows, and the log of the
 * partition sum over all ranks, block by block. */
static float score(sb_filler *f, const float *z)
{
    sb_table *t = f->table;
    float lse;
    for (uint64_t b = t->first_block; b < t->last_block; b++) {
        size_t at = (size_t)(sb_table_block_row(t, b) - t->first);
        size_t W = (size_t)(sb_table_block_row(t, b + 1) - t->first) - at;
        sb_linear_forward(f->logits + at, z, t->rows + at * t->dim,
                          t->bias + at, 1, t->dim, W);
        sb_xent_block(f->max + b, f->sum + b, f->logits + at, 1, W);
    }
    sb_table_gather_blocks(t, f->max, sizeof(float));
    sb_table_gather_blocks(t, f->sum, sizeof(float));
    sb_xent_merge(&lse, NULL, f->max, f->sum, 1, (size_t)t->blocks, 1);
    return lse;
}

sb_status sb_fill(sb_filler *f, const uint32_t *ids, size_t n, size_t k,
                  size_t max_masks, sb_guess *out, size_t *masks_out)
{
    static const sb_dropout_rate none = {0};
    size_t size = (size_t)sb_comm_size(f->comm);
    const float *rows;
    const uint32_t *place;
    sb_guess *all = NULL, *mine = NULL;
    sb_status st = load_batch(f, ids, n, max_masks);
    if (st == SB_OK) st = sb_alloc(k * size, sizeof *all, "guesses", &all);
    if (st == SB_OK) st = sb_alloc(k, sizeof *mine, "guesses", &mine);
    SB_GOTO(st, sb_agree(f->comm, st), out);
    SB_GOTO(st, sb_table_pull(f->table, f->batch.ids, n, &rows, &place), out);
    sb_model_forward(&f->layout, (sb_weights){.full = f->w}, &f->batch, rows,
                     place, &none, &f->acts, &f->work);
    for (size_t j = 0; j < f->batch.nmasked; j++) {
        float lse = score(f, f->acts.z + j * f->layout.shape.dim);
        best_rows(f, k, mine);
        sb_comm_gather(f->comm, mine, k * sizeof *mine, all);
        qsort(all, k * size, sizeof *all, better);
        for (size_t i = 0; i < k; i++) {
            out[j * k + i] = all[i];
            out[j * k + i].probability = expf(all[i].probability - lse);
        }
    }
    *masks_out = f->batch.nmasked;
out:
    sb_free(all);
    sb_free(mine);
    return st;
}
