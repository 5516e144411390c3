/* SPDX-License-Identifier: MIT
 * vocab_head.c - the output layer, block by block. */
#include "trainer/mlm/vocab_head.h"

#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/mem.h"
#include "comm/reduce.h"
#include "trainer/kernels/kernels.h"

struct sb_head {
    sb_table *table;
    sb_pool *pool;
    int train_table, kept;
    size_t keep_bytes;
    sb_tree *tree;    /* dz over the blocks of the vocabulary           */
    float *logits;    /* own blocks if kept, else one block per worker  */
    float *max, *sum; /* [blocks, M]                                    */
    float *lse;       /* [M]                                            */
    double *hit;      /* [M] the target's logit                         */
    double *loss;     /* [M] cross entropy of each position             */
    uint8_t *correct; /* [M] no logit is larger than the target's       */
    int32_t *column;  /* [workers, M] the target's column in a block    */
    size_t *cut;      /* [size + 1]                                     */
    size_t logits_cap, max_cap, sum_cap, lse_cap, hit_cap, column_cap;
    size_t loss_cap, correct_cap;
    /* the call in progress */
    const float *z;
    const uint32_t *target;
    size_t M;
    float scale;
};

sb_status sb_head_open(sb_table *table, sb_pool *pool, size_t keep_bytes,
                       int train_table, sb_head **head_out)
{
    sb_head *h = NULL;
    sb_status st = sb_alloc(1, sizeof *h, "output layer", &h);
    if (st == SB_OK) {
        h->table = table;
        h->pool = pool;
        h->keep_bytes = keep_bytes;
        h->train_table = train_table;
        st = sb_alloc((size_t)sb_comm_size(table->comm) + 1, sizeof *h->cut,
                      "output layer", &h->cut);
    }
    if (st == SB_OK)
        st = sb_tree_open(table->blocks, table->first_block, table->last_block,
                          0, &h->tree);
    st = sb_agree(table->comm, st);
    if (st == SB_OK)
        *head_out = h;
    else
        sb_head_close(h);
    return st;
}

void sb_head_close(sb_head *h)
{
    if (!h) return;
    sb_tree_close(h->tree);
    void *grown[] = {h->logits, h->max,    h->sum,  h->lse,
                     h->hit,    h->column, h->loss, h->correct};
    for (size_t i = 0; i < sizeof grown / sizeof grown[0]; i++) free(grown[i]);
    sb_free(h->cut);
    sb_free(h);
}

static sb_status room(sb_head *h, size_t M)
{
    const sb_table *t = h->table;
    size_t blocks = t->blocks, workers = (size_t)sb_pool_workers(h->pool);
    size_t own = (size_t)(t->last_block - t->first_block), one, all, pairs;
    SB_REQUIRE(!__builtin_mul_overflow(M, (size_t)t->block, &one) &&
                   !__builtin_mul_overflow(one, own * sizeof(float), &all) &&
                   !__builtin_mul_overflow(M, blocks, &pairs),
               SB_ELIMIT, "%zu masked positions do not fit in memory", M);
    h->kept = all <= h->keep_bytes;
    SB_TRY(sb_grow(&h->logits, &h->logits_cap, one * (h->kept ? own : workers),
                   sizeof *h->logits, "logits"));
    SB_TRY(
        sb_grow(&h->max, &h->max_cap, pairs, sizeof *h->max, "softmax sums"));
    SB_TRY(
        sb_grow(&h->sum, &h->sum_cap, pairs, sizeof *h->sum, "softmax sums"));
    SB_TRY(sb_grow(&h->lse, &h->lse_cap, M, sizeof *h->lse, "softmax sums"));
    SB_TRY(sb_grow(&h->hit, &h->hit_cap, M, sizeof *h->hit, "softmax sums"));
    SB_TRY(sb_grow(&h->loss, &h->loss_cap, M, sizeof *h->loss, "losses"));
    SB_TRY(sb_grow(&h->correct, &h->correct_cap, M, 1, "losses"));
    return sb_grow(&h->column, &h->column_cap, M * workers, sizeof *h->column,
                   "targets");
}

/* The rows of own block `task` and where its logits lie. */
typedef struct span {
    uint64_t row;  /* first row of the block in the vocabulary */
    size_t at, W;  /* first row in this rank's shard, rows     */
    float *logits; /* [M, W]                                   */
} span;

static span span_of(const sb_head *h, size_t task, int worker)
{
    const sb_table *t = h->table;
    uint64_t b = t->first_block + task;
    span s = {.row = sb_table_block_row(t, b)};
    s.at = (size_t)(s.row - t->first);
    s.W = (size_t)(sb_table_block_row(t, b + 1) - s.row);
    s.logits =
        h->logits + h->M * (size_t)t->block * (h->kept ? task : (size_t)worker);
    return s;
}

static void score(const sb_head *h, const span *s)
{
    const sb_table *t = h->table;
    sb_linear_forward(s->logits, h->z, t->rows + s->at * t->dim,
                      t->bias + s->at, h->M, t->dim, s->W);
}

/* ---- forward ------------------------------------------------------------- */

static sb_status forward_block(void *context, size_t task, int worker)
{
    sb_head *h = context;
    span s = span_of(h, task, worker);
    size_t b = (size_t)h->table->first_block + task;
    score(h, &s);
    sb_xent_block(h->max + b * h->M, h->sum + b * h->M, s.logits, h->M, s.W);
    for (size_t m = 0; m < h->M; m++) {
        uint64_t row = h->target[m];
        if (row >= s.row && row < s.row + s.W)
            h->hit[m] = (double)s.logits[m * s.W + (row - s.row)];
    }
    return SB_OK;
}

/* A logit is the same float wherever it is looked at, so the target's equals a
 * block's maximum if it is that maximum. */
static void judge(sb_head *h)
{
    for (size_t m = 0; m < h->M; m++) {
        h->loss[m] = (double)h->lse[m] - h->hit[m];
        h->correct[m] = 1;
        for (uint64_t b = 0; b < h->table->blocks; b++)
            h->correct[m] &= h->hit[m] >= (double)h->max[b * h->M + m];
    }
}

const double *sb_head_loss(const sb_head *h)
{
    return h->loss;
}

const uint8_t *sb_head_correct(const sb_head *h)
{
    return h->correct;
}

sb_status sb_head_forward(sb_head *h, const float *z, const uint32_t *target,
                          size_t M, double *loss_out)
{
    sb_table *t = h->table;
    h->z = z;
    h->target = target;
    h->M = M;
    SB_TRY(sb_agree(t->comm, room(h, M)));
    memset(h->hit, 0, M * sizeof *h->hit);
    sb_status st = sb_pool_run(
        h->pool, (size_t)(t->last_block - t->first_block), forward_block, h);
    SB_TRY(sb_agree(t->comm, st));
    sb_table_gather_blocks(t, h->max, M * sizeof *h->max);
    sb_table_gather_blocks(t, h->sum, M * sizeof *h->sum);
    sb_xent_merge(h->lse, h->max, h->sum, (size_t)t->blocks, M);
    /* One rank knows each target's logit, the others add zero: exact. */
    sb_comm_sum_f64(t->comm, h->hit, M);
    judge(h);
    double loss = 0;
    for (size_t m = 0; m < M; m++) loss += h->loss[m];
    *loss_out = loss;
    return SB_OK;
}

/* ---- backward ------------------------------------------------------------ */

static sb_status backward_block(void *context, size_t task, int worker)
{
    sb_head *h = context;
    sb_table *t = h->table;
    span s = span_of(h, task, worker);
    int32_t *column = h->column + h->M * (size_t)worker;
    float *dz;
    SB_TRY(sb_tree_leaf(h->tree, &dz));
    for (size_t m = 0; m < h->M; m++) {
        uint64_t row = h->target[m];
        column[m] =
            row >= s.row && row < s.row + s.W ? (int32_t)(row - s.row) : -1;
    }
    if (!h->kept) score(h, &s);
    sb_xent_grad(s.logits, h->lse, column, h->scale, h->M, s.W);
    sb_linear_backward(dz, h->train_table ? t->grad + s.at * t->dim : NULL,
                       t->bias_grad + s.at, s.logits, h->z,
                       t->rows + s.at * t->dim, h->M, t->dim, s.W);
    sb_tree_add(h->tree, t->first_block + task, dz);
    return SB_OK;
}

sb_status sb_head_backward(sb_head *h, float scale, const size_t *cut,
                           float *dz)
{
    sb_table *t = h->table;
    int size = sb_comm_size(t->comm);
    h->scale = scale;
    sb_status st = sb_tree_reset(h->tree, h->M * t->dim);
    if (st == SB_OK)
        st = sb_pool_run(h->pool, (size_t)(t->last_block - t->first_block),
                         backward_block, h);
    SB_TRY(sb_agree(t->comm, st));
    for (int r = 0; r <= size; r++) h->cut[r] = cut[r] * t->dim;
    return sb_reduce_scatter(t->comm, h->tree, h->cut, dz);
}
