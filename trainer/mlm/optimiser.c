/* SPDX-License-Identifier: MIT
 * optimiser.c - one update. */
#include "trainer/mlm/optimiser.h"

#include <math.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/mem.h"
#include "comm/reduce.h"
#include "trainer/kernels/kernels.h"

sb_status sb_optimiser_open(sb_comm *c, const sb_layout *l, sb_table *table,
                            sb_optimiser *o_out)
{
    int r = sb_comm_rank(c), size = sb_comm_size(c);
    sb_optimiser o = {.comm = c, .layout = l, .table = table};
    o.first = sb_layout_cut(l, r, size);
    o.last = sb_layout_cut(l, r + 1, size);
    size_t n = o.last - o.first;
    sb_status st;
    SB_GOTO(st, sb_alloc(n, sizeof(float), "gradients", &o.grad), agree);
    SB_GOTO(st, sb_alloc(n, sizeof(float), "Adam moments", &o.m), agree);
    SB_GOTO(st, sb_alloc(n, sizeof(float), "Adam moments", &o.v), agree);
    SB_GOTO(st, sb_alloc((size_t)size + 1, sizeof *o.cut, "pieces", &o.cut),
            agree);
    st = sb_alloc(sb_layout_pieces(l) + (size_t)table->blocks, sizeof *o.square,
                  "gradient norms", &o.square);
agree:
    st = sb_agree(c, st);
    if (st == SB_OK)
        *o_out = o;
    else
        sb_optimiser_close(&o);
    return st;
}

void sb_optimiser_close(sb_optimiser *o)
{
    sb_free(o->grad);
    sb_free(o->m);
    sb_free(o->v);
    sb_free(o->cut);
    sb_free(o->square);
    memset(o, 0, sizeof *o);
}

/* ---- norm ---------------------------------------------------------------- */

typedef struct norm_job {
    sb_optimiser *o;
    size_t first_piece, own_pieces;
    int train_table;
} norm_job;

static sb_status norm_piece(void *context, size_t task, int worker)
{
    (void)worker;
    norm_job *j = context;
    sb_optimiser *o = j->o;
    if (task < j->own_pieces) {
        size_t at = task * SB_LAYOUT_PIECE, n = o->last - o->first - at;
        if (n > SB_LAYOUT_PIECE) n = SB_LAYOUT_PIECE;
        o->square[j->first_piece + task] = sb_sum_squares(o->grad + at, n);
        return SB_OK;
    }
    const sb_table *t = o->table;
    uint64_t b = t->first_block + (task - j->own_pieces);
    size_t at = (size_t)(sb_table_block_row(t, b) - t->first);
    size_t rows = (size_t)(sb_table_block_row(t, b + 1) - t->first) - at;
    double sum = sb_sum_squares(t->bias_grad + at, rows);
    if (j->train_table)
        sum += sb_sum_squares(t->grad + at * t->dim, rows * t->dim);
    o->square[sb_layout_pieces(o->layout) + b] = sum;
    return SB_OK;
}

static sb_status norm(sb_optimiser *o, int train_table, sb_pool *pool,
                      double *norm_out)
{
    int size = sb_comm_size(o->comm), r = sb_comm_rank(o->comm);
    size_t pieces = sb_layout_pieces(o->layout),
           blocks = (size_t)o->table->blocks;
    norm_job j = {.o = o, .train_table = train_table};
    j.first_piece = (size_t)sb_share(pieces, r, size);
    j.own_pieces = (size_t)sb_share(pieces, r + 1, size) - j.first_piece;
    size_t own_blocks = (size_t)(o->table->last_block - o->table->first_block);
    SB_TRY(sb_pool_run(pool, j.own_pieces + own_blocks, norm_piece, &j));
    for (int k = 0; k <= size; k++)
        o->cut[k] = (size_t)sb_share(pieces, k, size) * sizeof(double);
    sb_comm_gather_cut(o->comm, o->square, o->cut);
    sb_table_gather_blocks(o->table, o->square + pieces, sizeof(double));
    double sum = 0;
    for (size_t i = 0; i < pieces + blocks; i++) sum += o->square[i];
    *norm_out = sqrt(sum);
    return SB_OK;
}

/* ---- update -------------------------------------------------------------- */

typedef struct update_job {
    sb_optimiser *o;
    const sb_adam_options *a;
    sb_adamw step; /* decay is set per range */
    float *w;
    size_t params;
} update_job;

/* The part of parameter `task` that this rank owns, or one vocabulary block.
 * Parameters begin at multiples of SB_LAYOUT_ALIGN and pieces are longer, so
 * ranges are cut at multiples of the vector width for any number of ranks. */
static sb_status update_piece(void *context, size_t task, int worker)
{
    (void)worker;
    const update_job *j = context;
    sb_optimiser *o = j->o;
    sb_adamw s = j->step;
    if (task < j->params) {
        const sb_param *p = &o->layout->param[task];
        size_t from, to;
        sb_param_part(p, o->first, o->last, &from, &to);
        s.decay = p->decay ? j->a->decay : 0;
        if (from < to)
            sb_adamw_step(j->w + from, o->m + (from - o->first),
                          o->v + (from - o->first), o->grad + (from - o->first),
                          &s, to - from);
        return SB_OK;
    }
    sb_table *t = o->table;
    uint64_t b = t->first_block + (task - j->params);
    size_t at = (size_t)(sb_table_block_row(t, b) - t->first);
    size_t n = (size_t)(sb_table_block_row(t, b + 1) - t->first) - at,
           D = t->dim;
    s.decay = 0;
    sb_adamw_step(t->bias + at, t->bias_m + at, t->bias_v + at,
                  t->bias_grad + at, &s, n);
    memset(t->bias_grad + at, 0, n * sizeof(float));
    if (!j->a->train_table) return SB_OK;
    s.decay = j->a->decay;
    sb_adamw_step(t->rows + at * D, t->m + at * D, t->v + at * D,
                  t->grad + at * D, &s, n * D);
    memset(t->grad + at * D, 0, n * D * sizeof(float));
    return SB_OK;
}

sb_status sb_optimiser_step(sb_optimiser *o, const sb_tree *grads,
                            const sb_adam_options *a, double lr, uint64_t step,
                            sb_pool *pool, float *w, double *norm_out)
{
    int size = sb_comm_size(o->comm);
    for (int r = 0; r <= size; r++)
        o->cut[r] = sb_layout_cut(o->layout, r, size);
    SB_TRY(sb_reduce_scatter(o->comm, grads, o->cut, o->grad));
    double length;
    SB_TRY(norm(o, a->train_table, pool, &length));
    SB_REQUIRE(isfinite(length), SB_ENAN,
               "the gradient's norm is not a finite number at step %llu",
               (unsigned long long)step);
    update_job j = {.o = o, .a = a, .w = w, .params = o->layout->params};
    /* torch.nn.utils.clip_grad_norm_: min(1, clip / (norm + 1e-6)) */
    double clip = a->clip > 0 ? a->clip / (length + 1e-6) : 1;
    j.step = (sb_adamw){.lr = (float)lr,
                        .beta1 = a->beta1,
                        .beta2 = a->beta2,
                        .eps = a->eps,
                        .clip = (float)(clip < 1 ? clip : 1),
                        .t = step};
    size_t own = (size_t)(o->table->last_block - o->table->first_block);
    SB_TRY(sb_pool_run(pool, j.params + own, update_piece, &j));
    for (int r = 0; r <= size; r++)
        o->cut[r] = sb_layout_cut(o->layout, r, size);
    SB_TRY(sb_gather_parts(o->comm, w, o->cut));
    *norm_out = length;
    return SB_OK;
}
