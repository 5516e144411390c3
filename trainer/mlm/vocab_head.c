/* SPDX-License-Identifier: MIT
 * vocab_head.c - the output layer, group by group and block by block. */
#include "trainer/mlm/vocab_head.h"

#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/mem.h"
#include "trainer/mlm/precision.h"

struct sb_head {
    sb_table *table;
    sb_pool *pool;
    sb_head_options o;
    sb_tree *tree[2]; /* dz over the blocks, of this group and the last one */
    sb_reduction *sum;
    float *logits;      /* [group, own rows], block by block              */
    float *pair;        /* [blocks, 2, group]: max, sum of exp            */
    float *lse;         /* [group]                                        */
    int32_t *column;    /* [workers, group] the target's column in a block */
    void *rounded;      /* [own rows, D]                                  */
    sb_mixed *mixed;    /* [workers]                                      */
    size_t *cut;        /* [size + 1]                                     */
    double *hit, *loss; /* [M] the target's logit, and the loss           */
    float *top;         /* [M] the largest logit                          */
    uint8_t *correct;   /* [M]                                            */
    size_t hit_cap, loss_cap, top_cap, correct_cap;
    /* the group in progress */
    const float *z;
    const uint32_t *target;
    double *group_hit;
    size_t M;
    float scale;
    int first, parity;
    int fresh; /* the table's rows are not rounded yet */
};

uint64_t sb_head_bytes(const sb_comm *c, uint64_t vocab, uint64_t block,
                       size_t dim, size_t group, int threads, sb_reduce reduce,
                       sb_precision precision)
{
    uint64_t size = sb_rounded_size(precision);
    uint64_t blocks = (vocab + block - 1) / block;
    int r = sb_comm_rank(c), p = sb_comm_size(c);
    uint64_t own = sb_share(blocks, r + 1, p) - sb_share(blocks, r, p);
    uint64_t trees = 2 * (sb_tree_height(blocks) + (uint64_t)threads);
    uint64_t floats =
        own * block + 2 * blocks + 2 + (uint64_t)threads + trees * dim;
    return group * floats * sizeof(float) + own * block * dim * size +
           (uint64_t)threads * group * (block + dim) * size +
           sb_reduction_bytes(c, blocks, group * dim, group * dim, reduce);
}

/* A worker rounds z and the gradient of a block's logits. */
static sb_status open_mixed(sb_head *h)
{
    const sb_table *t = h->table;
    size_t workers = (size_t)sb_pool_workers(h->pool), G = h->o.group;
    size_t size = sb_rounded_size(h->o.precision), all;
    size_t block = (size_t)(t->block < t->vocab ? t->block : t->vocab);
    SB_REQUIRE(!__builtin_mul_overflow(t->last - t->first, t->dim, &all),
               SB_ELIMIT, "a table's rounded rows do not fit in memory");
    SB_TRY(sb_reserve(all, size, "rounded rows", &h->rounded));
    SB_TRY(sb_alloc(workers, sizeof *h->mixed, "output layer", &h->mixed));
    for (size_t i = 0; i < workers; i++) {
        sb_mixed *g = &h->mixed[i];
        SB_TRY(sb_precision_open(h->o.precision, g));
        SB_TRY(sb_reserve(block * size, G, "rounded logits", &g->dy));
        SB_TRY(sb_reserve(t->dim * size, G, "rounded vectors", &g->x));
    }
    return SB_OK;
}

static void close_mixed(sb_head *h)
{
    for (int i = 0; h->mixed && i < sb_pool_workers(h->pool); i++) {
        sb_mixed_close(&h->mixed[i]);
        sb_free(h->mixed[i].dy);
        sb_free(h->mixed[i].x);
    }
    sb_free(h->mixed);
}

static sb_status open_local(sb_head *h)
{
    const sb_table *t = h->table;
    size_t own = (size_t)(t->last - t->first), G = h->o.group, all, dz;
    SB_REQUIRE(G > 0 && !__builtin_mul_overflow(G, own, &all) &&
                   !__builtin_mul_overflow(G, t->dim, &dz),
               SB_ELIMIT, "%zu positions at once do not fit in memory", G);
    SB_TRY(sb_alloc(all, sizeof *h->logits, "logits", &h->logits));
    SB_TRY(
        sb_alloc(t->blocks, 2 * G * sizeof *h->pair, "softmax sums", &h->pair));
    SB_TRY(sb_alloc(G, sizeof *h->lse, "softmax sums", &h->lse));
    SB_TRY(sb_alloc((size_t)sb_pool_workers(h->pool), G * sizeof *h->column,
                    "targets", &h->column));
    SB_TRY(sb_alloc((size_t)sb_comm_size(t->comm) + 1, sizeof *h->cut,
                    "output layer", &h->cut));
    for (int i = 0; i < 2; i++)
        SB_TRY(sb_tree_open(t->blocks, t->first_block, t->last_block, dz,
                            &h->tree[i]));
    return open_mixed(h);
}

sb_status sb_head_open(sb_table *table, sb_pool *pool, const sb_head_options *o,
                       sb_head **head_out)
{
    sb_head *h = NULL;
    sb_status st = sb_alloc(1, sizeof *h, "output layer", &h);
    if (st == SB_OK) {
        h->table = table;
        h->pool = pool;
        h->o = *o;
        st = open_local(h);
    }
    st = sb_agree(table->comm, st);
    size_t len = o->group * table->dim; /* one rank may own them all */
    if (st == SB_OK)
        st = sb_reduction_open(table->comm, table->blocks, len, len, o->reduce,
                               o->tag, &h->sum);
    if (st == SB_OK)
        *head_out = h;
    else
        sb_head_close(h);
    return st;
}

void sb_head_close(sb_head *h)
{
    if (!h) return;
    for (int i = 0; i < 2; i++) sb_tree_close(h->tree[i]);
    sb_reduction_close(h->sum);
    close_mixed(h);
    void *owned[] = {h->logits, h->pair, h->lse, h->column, h->cut, h->rounded};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        sb_free(owned[i]);
    void *grown[] = {h->hit, h->loss, h->top, h->correct};
    for (size_t i = 0; i < sizeof grown / sizeof grown[0]; i++) free(grown[i]);
    sb_free(h);
}

const double *sb_head_loss(const sb_head *h)
{
    return h->loss;
}

const uint8_t *sb_head_correct(const sb_head *h)
{
    return h->correct;
}

int sb_head_poll(sb_head *h)
{
    return sb_reduction_poll(h->sum);
}

static sb_status room(sb_head *h, size_t M)
{
    SB_TRY(sb_grow(&h->hit, &h->hit_cap, M, sizeof *h->hit, "losses"));
    SB_TRY(sb_grow(&h->loss, &h->loss_cap, M, sizeof *h->loss, "losses"));
    SB_TRY(sb_grow(&h->top, &h->top_cap, M, sizeof *h->top, "losses"));
    SB_TRY(sb_grow(&h->correct, &h->correct_cap, M, 1, "losses"));
    memset(h->hit, 0, M * sizeof *h->hit);
    return SB_OK;
}

/* The rows of own block `task` and where its logits lie. */
typedef struct span {
    uint64_t row;  /* first row of the block in the vocabulary */
    size_t at, W;  /* first row in this rank's shard, rows     */
    float *logits; /* [M, W]                                   */
} span;

static span span_of(const sb_head *h, size_t task)
{
    const sb_table *t = h->table;
    uint64_t b = t->first_block + task;
    span s = {.row = sb_table_block_row(t, b)};
    s.at = (size_t)(s.row - t->first);
    s.W = (size_t)(sb_table_block_row(t, b + 1) - s.row);
    s.logits = h->logits + h->M * s.at;
    return s;
}

/* ---- one group ----------------------------------------------------------- */

/* The block's rows, for products. */
static sb_weights rows_of(const sb_head *h, const span *s)
{
    const sb_weights all = {h->table->rows, h->rounded};
    return sb_weights_at(all, h->o.precision, s->at * h->table->dim);
}

static void round_rows(const sb_head *h, const span *s)
{
    size_t D = h->table->dim, at = s->at * D;
    char *to = h->rounded;
    sb_round(to + at * sb_rounded_size(h->o.precision), h->table->rows + at,
             s->W * D, h->o.precision);
}

static sb_status forward_block(void *context, size_t task, int worker)
{
    sb_head *h = context;
    const sb_table *t = h->table;
    span s = span_of(h, task);
    float *pair = h->pair + 2 * h->M * (size_t)(t->first_block + task);
    if (h->fresh) round_rows(h, &s);
    sb_mixed_forward(&h->mixed[worker], s.logits, h->z, rows_of(h, &s),
                     t->bias + s.at, h->M, t->dim, s.W);
    sb_xent_block(pair, pair + h->M, s.logits, h->M, s.W);
    for (size_t m = 0; m < h->M; m++) {
        uint64_t row = h->target[m];
        if (row >= s.row && row < s.row + s.W)
            h->group_hit[m] = (double)s.logits[m * s.W + (row - s.row)];
    }
    return sb_precision_status(&h->mixed[worker]);
}

static sb_status backward_block(void *context, size_t task, int worker)
{
    sb_head *h = context;
    sb_table *t = h->table;
    span s = span_of(h, task);
    int32_t *column = h->column + h->o.group * (size_t)worker;
    float *dz;
    SB_TRY(sb_tree_leaf(h->tree[h->parity], &dz));
    for (size_t m = 0; m < h->M; m++) {
        uint64_t row = h->target[m];
        column[m] =
            row >= s.row && row < s.row + s.W ? (int32_t)(row - s.row) : -1;
    }
    sb_xent_grad(s.logits, h->lse, column, h->scale, h->M, s.W);
    sb_mixed_backward(&h->mixed[worker], dz,
                      h->o.train_table ? t->grad + s.at * t->dim : NULL,
                      t->bias_grad + s.at, !h->first, s.logits, h->z,
                      rows_of(h, &s), h->M, t->dim, s.W);
    sb_tree_add(h->tree[h->parity], t->first_block + task, dz);
    return sb_precision_status(&h->mixed[worker]);
}

/* The part of rank r's positions that lies in [from, to), from `from` on. */
static size_t clip(size_t x, size_t from, size_t to)
{
    return x < from ? 0 : x > to ? to - from : x - from;
}

static sb_status backward_group(sb_head *h, const sb_head_gradient *g,
                                size_t from)
{
    const sb_table *t = h->table;
    size_t own = (size_t)(t->last_block - t->first_block), D = t->dim;
    int size = sb_comm_size(t->comm), r = sb_comm_rank(t->comm);
    sb_tree_reset(h->tree[h->parity], h->M * D);
    SB_TRY(sb_pool_run(h->pool, own, backward_block, h));
    for (int k = 0; k <= size; k++)
        h->cut[k] = clip(g->cut[k], from, from + h->M) * D;
    size_t before = from > g->cut[r] ? from - g->cut[r] : 0;
    if (before > g->cut[r + 1] - g->cut[r]) before = g->cut[r + 1] - g->cut[r];
    sb_reduction_begin(h->sum, h->tree[h->parity], h->cut, g->dz + before * D);
    h->parity ^= 1;
    h->first = 0;
    return SB_OK;
}

static sb_status run_group(sb_head *h, const sb_head_gradient *g, size_t from)
{
    sb_table *t = h->table;
    size_t own = (size_t)(t->last_block - t->first_block);
    SB_TRY(sb_pool_run(h->pool, own, forward_block, h));
    sb_table_gather_blocks(t, h->pair, 2 * h->M * sizeof *h->pair);
    sb_xent_merge(h->lse, h->top + from, h->pair, h->pair + h->M, 2 * h->M,
                  (size_t)t->blocks, h->M);
    for (size_t m = 0; m < h->M; m++) h->loss[from + m] = (double)h->lse[m];
    return g ? backward_group(h, g, from) : SB_OK;
}

/* ---- all groups ---------------------------------------------------------- */

static void no_gradient(sb_table *t, int train_table)
{
    size_t n = (size_t)(t->last - t->first);
    memset(t->bias_grad, 0, n * sizeof(float));
    if (train_table) memset(t->grad, 0, n * t->dim * sizeof(float));
}

sb_status sb_head_run(sb_head *h, const float *z, const uint32_t *target,
                      size_t M, const sb_head_gradient *g, double *loss_out)
{
    sb_table *t = h->table;
    size_t groups = (M + h->o.group - 1) / h->o.group;
    double loss = 0;
    SB_TRY(sb_agree(t->comm, room(h, M)));
    h->first = 1;
    h->scale = g ? g->scale : 0;
    if (g && M == 0) no_gradient(t, h->o.train_table);
    for (size_t k = 0; k < groups; k++) {
        size_t from = (size_t)sb_share(M, (int)k, (int)groups);
        h->M = (size_t)sb_share(M, (int)k + 1, (int)groups) - from;
        h->z = z + from * t->dim;
        h->target = target + from;
        h->group_hit = h->hit + from;
        h->fresh = k == 0;
        /* Only memory can fail in the middle, and a peer may be waiting. */
        if (run_group(h, g, from) != SB_OK) sb_fatal(t->comm);
    }
    /* One rank knows each target's logit, the others add zero: exact. */
    sb_comm_sum_f64(t->comm, h->hit, M);
    for (size_t m = 0; m < M; m++) {
        h->loss[m] -= h->hit[m];
        h->correct[m] = h->hit[m] >= (double)h->top[m];
        loss += h->loss[m];
    }
    if (g) sb_reduction_end(h->sum);
    *loss_out = loss;
    return SB_OK;
}
