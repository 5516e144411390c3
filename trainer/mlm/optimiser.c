/* SPDX-License-Identifier: MIT
 * optimiser.c - one update. */
#include "trainer/mlm/optimiser.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/mem.h"
#include "trainer/kernels/kernels.h"

static size_t squares(const sb_optimiser *o)
{
    return o->layout->spans + 2 * (size_t)o->table->blocks;
}

sb_status sb_optimiser_open(sb_comm *c, const sb_layout *l, sb_table *table,
                            int tag, sb_optimiser *o_out)
{
    sb_optimiser o = {.comm = c, .layout = l, .table = table};
    int r = sb_comm_rank(c), size = sb_comm_size(c);
    sb_status st;
    SB_GOTO(st, sb_alloc(l->stages, sizeof *o.own, "pieces", &o.own), agree);
    o.n = sb_layout_own(l, r, size, o.own);
    SB_GOTO(st, sb_alloc(o.n, sizeof(float), "gradients", &o.grad), agree);
    SB_GOTO(st, sb_alloc(o.n, sizeof(float), "Adam moments", &o.m), agree);
    SB_GOTO(st, sb_alloc(o.n, sizeof(float), "Adam moments", &o.v), agree);
    SB_GOTO(st, sb_alloc((size_t)size + 1, sizeof *o.cut, "pieces", &o.cut),
            agree);
    SB_GOTO(
        st,
        sb_alloc(squares(&o), sizeof *o.square, "gradient norms", &o.square),
        agree);
    SB_GOTO(st,
            sb_alloc(sb_optimiser_groups(l), sizeof *o.norm, "gradient norms",
                     &o.norm),
            agree);
    st = sb_flight_open(c, tag, &o.weights);
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
    if (o->weights) sb_flight_wait(o->weights);
    sb_flight_close(o->weights);
    void *owned[] = {o->own, o->grad, o->m, o->v, o->cut, o->square, o->norm};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        sb_free(owned[i]);
    memset(o, 0, sizeof *o);
}

void sb_optimiser_settle(sb_optimiser *o)
{
    sb_flight_wait(o->weights);
}

int sb_optimiser_poll(sb_optimiser *o)
{
    return !sb_flight_done(o->weights);
}

/* ---- tasks: own spans, stage by stage, then own blocks ------------------- */

typedef struct job {
    sb_optimiser *o;
    const sb_adam_options *a;
    sb_adamw step; /* decay is set per range */
    float *w;
} job;

/* Own span number `task`, and its first element in the own arrays. */
static const sb_span *own_span(const sb_optimiser *o, size_t task, size_t *at)
{
    const sb_own *own = o->own;
    for (; task >= own->spans; own++) task -= own->spans;
    const sb_span *s = &o->layout->span[own->first_span + task];
    *at = own->at + (s->at - own->first);
    return s;
}

static size_t own_spans(const sb_optimiser *o)
{
    size_t n = 0;
    for (size_t s = 0; s < o->layout->stages; s++) n += o->own[s].spans;
    return n;
}

static size_t own_blocks(const sb_optimiser *o)
{
    return (size_t)(o->table->last_block - o->table->first_block);
}

/* Own block number `task`: its first row here, its rows, and its square. */
static size_t own_block(const sb_optimiser *o, size_t task, size_t *rows,
                        double **square)
{
    const sb_table *t = o->table;
    uint64_t b = t->first_block + task;
    size_t at = (size_t)(sb_table_block_row(t, b) - t->first);
    *rows = (size_t)(sb_table_block_row(t, b + 1) - t->first) - at;
    *square = o->square + o->layout->spans + 2 * (size_t)b;
    return at;
}

/* Share the squares: every one is set by one rank, the others add zero. Their
 * sums by group, in order, into o->norm. Returns the sum of all. */
static double sum_squares(sb_optimiser *o, int gradient)
{
    const sb_layout *l = o->layout;
    size_t groups = sb_optimiser_groups(l);
    double total = 0;
    sb_comm_sum_f64(o->comm, o->square, squares(o));
    for (size_t g = 0; g < groups; g++) {
        double sum = 0;
        if (g < l->stages) {
            for (size_t i = l->stage_span[g]; i < l->stage_span[g + 1]; i++)
                sum += o->square[i];
        } else {
            for (uint64_t b = 0; b < o->table->blocks; b++)
                sum += o->square[l->spans + 2 * b + (g - l->stages)];
        }
        total += sum;
        *(gradient ? &o->norm[g].gradient : &o->norm[g].weight) = sqrt(sum);
    }
    return total;
}

size_t sb_optimiser_groups(const sb_layout *l)
{
    return l->stages + 2;
}

void sb_optimiser_group_name(const sb_layout *l, size_t group, char name[24])
{
    if (group > 0 && group < l->stages - 1) {
        snprintf(name, 24, "layer.%u", (unsigned)(group - 1));
        return;
    }
    snprintf(name, 24, "%s",
             group == 0           ? "embeddings"
             : group < l->stages  ? "transform"
             : group == l->stages ? "table"
                                  : "output_bias");
}

/* ---- norm ---------------------------------------------------------------- */

static sb_status norm_task(void *context, size_t task, int worker)
{
    (void)worker;
    const job *j = context;
    sb_optimiser *o = j->o;
    const sb_table *t = o->table;
    size_t spans = own_spans(o), at, rows;
    double *square;
    if (task < spans) {
        const sb_span *s = own_span(o, task, &at);
        o->square[s - o->layout->span] = sb_sum_squares(o->grad + at, s->n);
        return SB_OK;
    }
    at = own_block(o, task - spans, &rows, &square);
    if (j->a->train_table)
        square[0] = sb_sum_squares(t->grad + at * t->dim, rows * t->dim);
    square[1] = sb_sum_squares(t->bias_grad + at, rows);
    return SB_OK;
}

/* ---- update -------------------------------------------------------------- */

/* Spans begin at multiples of SB_LAYOUT_ALIGN or SB_LAYOUT_SPAN floats of their
 * parameter, for any number of ranks. */
static sb_status update_span(void *context, size_t task, int worker)
{
    (void)worker;
    const job *j = context;
    sb_optimiser *o = j->o;
    sb_adamw step = j->step;
    size_t at;
    const sb_span *s = own_span(o, task, &at);
    step.decay = o->layout->param[s->param].decay ? j->a->decay : 0;
    sb_adamw_step(j->w + s->at, o->m + at, o->v + at, o->grad + at, &step,
                  s->n);
    o->square[s - o->layout->span] = sb_sum_squares(j->w + s->at, s->n);
    return SB_OK;
}

/* Part by part, so that the sum finds the part in the cache. */
static double update_rows(const job *j, size_t at, size_t n)
{
    const sb_table *t = j->o->table;
    sb_adamw step = j->step;
    double sum = 0;
    step.decay = j->a->decay;
    for (size_t i = 0, k; i < n; i += k, at += k) {
        k = n - i < SB_LAYOUT_SPAN ? n - i : SB_LAYOUT_SPAN;
        if (j->a->train_table)
            sb_adamw_step(t->rows + at, t->m + at, t->v + at, t->grad + at,
                          &step, k);
        sum += sb_sum_squares(t->rows + at, k);
    }
    return sum;
}

static sb_status update_block(void *context, size_t task, int worker)
{
    (void)worker;
    const job *j = context;
    const sb_table *t = j->o->table;
    sb_adamw step = j->step;
    size_t rows, at;
    double *square;
    at = own_block(j->o, task, &rows, &square);
    step.decay = 0;
    sb_adamw_step(t->bias + at, t->bias_m + at, t->bias_v + at,
                  t->bias_grad + at, &step, rows);
    square[0] = update_rows(j, at * t->dim, rows * t->dim);
    square[1] = sb_sum_squares(t->bias + at, rows);
    return SB_OK;
}

/* Own weights to all ranks, all weights here; sb_optimiser_settle ends it. */
static void begin_gather(sb_optimiser *o, float *w)
{
    int size = sb_comm_size(o->comm);
    for (size_t s = 0; s < o->layout->stages; s++) {
        for (int r = 0; r <= size; r++)
            o->cut[r] = sb_layout_cut(o->layout, s, r, size) * sizeof *w;
        sb_flight_gather(o->weights, w, o->cut);
    }
}

sb_status sb_optimiser_step(sb_optimiser *o, const sb_adam_options *a,
                            double lr, uint64_t step, sb_pool *pool, float *w,
                            double *norm_out)
{
    job j = {.o = o, .a = a, .w = w};
    size_t spans = own_spans(o), blocks = own_blocks(o);
    size_t bytes = squares(o) * sizeof *o->square;
    memset(o->square, 0, bytes);
    SB_TRY(sb_pool_run(pool, spans + blocks, norm_task, &j));
    double length = sqrt(sum_squares(o, 1));
    SB_REQUIRE(isfinite(length), SB_ENAN,
               "the gradient's norm is not a finite number at step %llu",
               (unsigned long long)step);
    /* torch.nn.utils.clip_grad_norm_: min(1, clip / (norm + 1e-6)) */
    double clip = a->clip > 0 ? a->clip / (length + 1e-6) : 1;
    j.step = (sb_adamw){.lr = (float)lr,
                        .beta1 = a->beta1,
                        .beta2 = a->beta2,
                        .eps = a->eps,
                        .clip = (float)(clip < 1 ? clip : 1),
                        .t = step};
    memset(o->square, 0, bytes);
    SB_TRY(sb_pool_run(pool, spans, update_span, &j));
    begin_gather(o, w);
    SB_TRY(sb_pool_run(pool, blocks, update_block, &j));
    sum_squares(o, 0);
    *norm_out = length;
    return SB_OK;
}
