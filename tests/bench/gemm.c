/* SPDX-License-Identifier: MIT
 * gemm.c - what BLAS reaches on this machine now: `bench_gemm THREADS [D F W]`.
 *
 * Products in the shapes of a training step, single-threaded calls on 1 and on
 * THREADS threads at once, each on arrays of its own, as the trainer computes
 * slots and blocks of the vocabulary. A line is: shape, threads, GFLOP/s
 * together (the median of some repeats). The last lines are of a step: the
 * products of 64 sequences of 128 tokens and 256,000 rows, each for its share
 * of the FLOP. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

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
    pthread_t thread;
    const shape *s;
    float *x, *y, *w, *dx, *dw;
    int calls;
    pthread_barrier_t *start;
} worker;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

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

static void call(const worker *k)
{
    const shape *s = k->s;
    if (s->backward)
        sb_linear_backward(k->dx, k->dw, NULL, 0, k->y, k->x, k->w, s->n, s->in,
                           s->out);
    else
        sb_linear_forward(k->y, k->x, k->w, NULL, s->n, s->in, s->out);
}

static void *work(void *context)
{
    worker *k = context;
    call(k);
    for (int r = 0; r < REPEATS; r++) {
        pthread_barrier_wait(k->start);
        for (int i = 0; i < k->calls; i++) call(k);
        pthread_barrier_wait(k->start);
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

static double median_rate(const shape *s, int threads)
{
    worker k[THREADS_MAX];
    pthread_barrier_t start;
    double rate[REPEATS];
    int calls = (int)(6e9 / flop(s)) + 1;
    pthread_barrier_init(&start, NULL, (unsigned)threads + 1);
    for (int t = 0; t < threads; t++) {
        k[t] = (worker){.s = s,
                        .x = numbers(s->n * s->in),
                        .y = numbers(s->n * s->out),
                        .w = numbers(s->in * s->out),
                        .dx = numbers(s->n * s->in),
                        .dw = numbers(s->in * s->out),
                        .calls = calls,
                        .start = &start};
        if (pthread_create(&k[t].thread, NULL, work, &k[t]) != 0) abort();
    }
    for (int r = 0; r < REPEATS; r++) {
        pthread_barrier_wait(&start);
        double from = now_s();
        pthread_barrier_wait(&start);
        rate[r] = threads * calls * flop(s) / (now_s() - from) * 1e-9;
    }
    for (int t = 0; t < threads; t++) {
        pthread_join(k[t].thread, NULL);
        free(k[t].x);
        free(k[t].y);
        free(k[t].w);
        free(k[t].dx);
        free(k[t].dw);
    }
    pthread_barrier_destroy(&start);
    qsort(rate, REPEATS, sizeof *rate, by_value);
    return rate[REPEATS / 2];
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 2;
    if (threads < 1 || threads > THREADS_MAX || (argc > 2 && argc != 5)) {
        fprintf(stderr, "usage: bench_gemm THREADS [D F W]\n");
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
    sb_kernels_start();
    for (int t = 1; t <= threads; t += threads > 1 ? threads - 1 : 1) {
        double seconds = 0;
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            const shape *h = &shapes[i];
            double rate = median_rate(h, t);
            seconds += h->share / rate;
            printf("%s %zux%zux%zu: %d threads %.1f GFLOP/s\n", h->name, h->n,
                   h->in, h->out, t, rate);
        }
        printf("step: %d threads %.1f GFLOP/s\n", t, 1 / seconds);
    }
    return 0;
}
