/* SPDX-License-Identifier: MIT
 * speed.c - FLOP counted, and BLAS timed. */
#include "trainer/mlm/speed.h"

#include "comm/agree.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "trainer/kernels/kernels.h"

/* Mean length that a token of the own slots sees. */
static double own_length(const sb_mlm *m)
{
    double tokens = 0, squares = 0;
    for (size_t i = 0; i < m->plan.slots; i++) {
        const sb_batch *b = &m->slot[i].batch;
        for (size_t k = 0; k < b->sequences; k++) {
            double t = b->seq_begin[k + 1] - b->seq_begin[k];
            tokens += t;
            squares += t * t;
        }
    }
    return tokens > 0 ? squares / tokens : 0;
}

double sb_mlm_flop(const sb_mlm *m, const sb_wave *w)
{
    const sb_mlm_shape *s = &m->o->shape;
    double D = s->dim, L = s->layers, F = s->ffn, V = s->vocab;
    double N = (double)w->tokens, M = (double)w->masked;
    double table = m->o->adam.train_table ? 6 : 4;
    return 6 * N * L * (4 * D * D + 2 * D * F) +
           12 * L * D * N * own_length(m) + M * D * (6 * D + table * V);
}

/* ---- BLAS ---------------------------------------------------------------- */

enum { ROWS = 256, CALLS = 3 };
static const double at_least_s = 0.05;

typedef struct worker {
    float *x, *y; /* [ROWS, D], [ROWS, F] */
    double flop_s;
} worker;

typedef struct measure {
    const sb_mlm *m;
    worker *worker; /* [tasks] */
} measure;

/* The weights are the first layer's: it does not matter what they are. */
static sb_status time_calls(void *context, size_t task, int id)
{
    const measure *b = context;
    worker *k = &b->worker[task];
    const sb_mlm *m = b->m;
    size_t D = m->o->shape.dim, F = m->o->shape.ffn;
    double flop = 2.0 * ROWS * (double)D * (double)F, start = sb_now();
    (void)id;
    for (int i = 0; i < CALLS || sb_now() - start < at_least_s; i++) {
        double then = sb_now();
        sb_linear_forward(k->y, k->x, m->w + m->layout.layer[0].ffn1_w, NULL,
                          ROWS, D, F);
        double s = sb_now() - then;
        if (s > 0 && flop / s > k->flop_s) k->flop_s = flop / s;
    }
    return SB_OK;
}

static sb_status take_room(measure *b, size_t tasks)
{
    size_t D = b->m->o->shape.dim, F = b->m->o->shape.ffn;
    SB_TRY(sb_alloc(tasks, sizeof *b->worker, "a measurement", &b->worker));
    for (size_t i = 0; i < tasks; i++) {
        worker *k = &b->worker[i];
        SB_TRY(sb_alloc(ROWS * D, sizeof *k->x, "a measurement", &k->x));
        SB_TRY(sb_alloc(ROWS * F, sizeof *k->y, "a measurement", &k->y));
    }
    return SB_OK;
}

sb_status sb_mlm_blas_speed(const sb_mlm *m, double *flop_s_out)
{
    measure b = {.m = m};
    size_t tasks = (size_t)m->o->threads;
    double sum = 0;
    sb_status st = sb_agree(m->comm, take_room(&b, tasks));
    if (st == SB_OK) st = sb_pool_run(m->pool, tasks, time_calls, &b);
    for (size_t i = 0; b.worker && i < tasks; i++) {
        sum += b.worker[i].flop_s;
        sb_free(b.worker[i].x);
        sb_free(b.worker[i].y);
    }
    sb_free(b.worker);
    SB_TRY(st);
    sb_comm_sum_f64(m->comm, &sum, 1);
    *flop_s_out = sum;
    return SB_OK;
}
