/* SPDX-License-Identifier: MIT
 * gemm.c - what BLAS reaches on this machine now, and oneDNN in bf16:
 * `bench_gemm THREADS [D F W] [fp32|bf16]`. Without the last, both, if bf16 can
 * be had here.
 *
 * Products in the shapes of a training step, single-threaded calls on 1 and on
 * THREADS threads at once, each on arrays of its own, as the trainer computes
 * slots and blocks of the vocabulary. A line is: shape, threads, GFLOP/s
 * together (the median of some repeats). The last lines are of a step: the
 * products of 64 sequences of 128 tokens and 256,000 rows, each for its share
 * of the FLOP. Lines of bf16 begin so; rounding the operands is not in them. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/log.h"
#include "comm/base/pool.h"
#include "trainer/kernels/kernels.h"

enum { REPEATS = 5, THREADS_MAX = 64 };

/* y [n, out] = x [n, in] w [out, in]^T, or, backward, dx and dw from y. */
typedef struct shape {
    const char *name;
    size_t n, in, out;
    int backward;
    double share; /* of a step's FLOP */
} shape;

typedef struct worker {
    const shape *s;
    float *x, *y, *w, *dx, *dw;
    sb_mixed mixed;
    void *rounded[3]; /* x, y, w */
    int calls;
} worker;

static float *numbers(size_t n)
{
    float *a = malloc(n * sizeof *a);
    uint32_t s = 12345;
    if (!a) abort();
    for (size_t i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        a[i] = (float)(s >> 8) * (2.0f / 16777216.0f) - 1.0f;
    }
    return a;
}

static double flop(const shape *s)
{
    return 2.0 * (double)s->n * (double)s->in * (double)s->out *
           (s->backward ? 2 : 1);
}

static void *round_all(const float *x, size_t n, sb_precision p)
{
    void *to = malloc(n * sb_rounded_size(p) + 1);
    if (!to) abort();
    sb_round(to, x, n, p);
    return to;
}

static void call_bf16(worker *k)
{
    const shape *s = k->s;
    sb_mixed *g = &k->mixed;
    const void *x = k->rounded[0], *y = k->rounded[1], *w = k->rounded[2];
    if (s->backward) {
        sb_mixed_product(g, k->dx, 0, y, 0, w, 0, s->n, s->in, s->out);
        sb_mixed_product(g, k->dw, 0, y, 1, x, 0, s->out, s->in, s->n);
    } else {
        sb_mixed_product(g, k->y, 0, x, 0, w, 1, s->n, s->out, s->in);
    }
    if (g->failed) abort();
}

static void call(worker *k)
{
    const shape *s = k->s;
    if (k->mixed.precision == SB_BF16)
        call_bf16(k);
    else if (s->backward)
        sb_linear_backward(k->dx, k->dw, NULL, 0, k->y, k->x, k->w, s->n, s->in,
                           s->out);
    else
        sb_linear_forward(k->y, k->x, k->w, NULL, s->n, s->in, s->out);
}

/* A task of each worker. */
static sb_status work(void *context, size_t task, int who)
{
    struct worker *k = (struct worker *)context + task;
    (void)who;
    for (int i = 0; i < k->calls; i++) call(k);
    return SB_OK;
}

static int by_value(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

static void open_worker(worker *k, const shape *s, sb_precision p)
{
    k->s = s;
    k->x = numbers(s->n * s->in);
    k->y = numbers(s->n * s->out);
    k->w = numbers(s->in * s->out);
    k->dx = numbers(s->n * s->in);
    k->dw = numbers(s->in * s->out);
    k->rounded[0] = round_all(k->x, s->n * s->in, p);
    k->rounded[1] = round_all(k->y, s->n * s->out, p);
    k->rounded[2] = round_all(k->w, s->in * s->out, p);
    if (!sb_mixed_open(&k->mixed, p)) abort();
}

static void close_worker(worker *k)
{
    void *owned[] = {k->x,  k->y,          k->w,          k->dx,
                     k->dw, k->rounded[0], k->rounded[1], k->rounded[2]};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) free(owned[i]);
    sb_mixed_close(&k->mixed);
}

static double median_rate(const shape *s, int threads, sb_precision p)
{
    worker k[THREADS_MAX];
    double rate[REPEATS];
    int calls = (int)(6e9 / flop(s)) + 1;
    size_t n = (size_t)threads;
    sb_pool *pool;
    if (sb_pool_open(threads, &pool) != SB_OK) abort();
    for (size_t t = 0; t < n; t++) {
        k[t] = (worker){.calls = calls};
        open_worker(&k[t], s, p);
        call(&k[t]);
    }
    for (int r = 0; r < REPEATS; r++) {
        double from = sb_now();
        if (sb_pool_run(pool, n, work, k) != SB_OK) abort();
        rate[r] = threads * calls * flop(s) / (sb_now() - from) * 1e-9;
    }
    for (size_t t = 0; t < n; t++) close_worker(&k[t]);
    sb_pool_close(pool);
    qsort(rate, REPEATS, sizeof *rate, by_value);
    return rate[REPEATS / 2];
}

static void print_rates(const shape *shapes, size_t n, int threads,
                        sb_precision p)
{
    const char *name = p == SB_BF16 ? "bf16 " : "";
    double seconds = 0;
    for (size_t i = 0; i < n; i++) {
        const shape *h = &shapes[i];
        double rate = median_rate(h, threads, p);
        seconds += h->share / rate;
        printf("%s%s %zux%zux%zu: %d threads %.1f GFLOP/s\n", name, h->name,
               h->n, h->in, h->out, threads, rate);
    }
    printf("%sstep: %d threads %.1f GFLOP/s\n", name, threads, 1 / seconds);
}

int main(int argc, char **argv)
{
    const char *lacks = sb_precision_lacks(SB_BF16), *only = NULL;
    if (argc > 2 && strchr("fb", *argv[argc - 1])) only = argv[--argc];
    int fp32 = !only || strcmp(only, "fp32") == 0;
    int bf16 = only ? strcmp(only, "bf16") == 0 : !lacks;
    int threads = argc > 1 ? atoi(argv[1]) : 2;
    if (threads < 1 || threads > THREADS_MAX || (argc > 2 && argc != 5) ||
        !(fp32 || bf16)) {
        fprintf(stderr, "usage: bench_gemm THREADS [D F W] [fp32|bf16]\n");
        return 2;
    }
    size_t D = 768, F = 3072, W = 8000;
    if (argc == 5) {
        D = (size_t)atoi(argv[2]);
        F = (size_t)atoi(argv[3]);
        W = (size_t)atoi(argv[4]);
    }
    const shape shapes[] = {{"slot x lin1", 512, D, F, 0, 0.066},
                            {"slot x lin2", 512, F, D, 0, 0.066},
                            {"slot x lin1, back", 512, D, F, 1, 0.398},
                            {"slot x query", 512, D, D, 0, 0.066},
                            {"masked x block", 410, D, W, 0, 0.134},
                            {"masked x block, back", 410, D, W, 1, 0.27}};
    const size_t n = sizeof shapes / sizeof *shapes;
    sb_kernels_start();
    if (bf16 && lacks) {
        fprintf(stderr, "bf16: %s\n", lacks);
        return 77;
    }
    for (int t = 1; t <= threads; t += threads > 1 ? threads - 1 : 1) {
        if (fp32) print_rates(shapes, n, t, SB_FP32);
        if (bf16) print_rates(shapes, n, t, SB_BF16);
    }
    return 0;
}
