/* SPDX-License-Identifier: MIT
 * word2vec.c - how near word2vec comes to what this machine can do.
 * usage: bench_word2vec CORPUS VOCAB DIM THREADS [ROUNDS [skip-gram|cbow]]
 *
 * Each round measures three rates by turns, on all threads at once:
 *   sgemm    512 x 768 x 3072, single-threaded BLAS in every thread
 *   memory   rows of DIM floats at random places of the tables, read and
 *            written, the next ones asked for ahead
 *   training a stretch of the corpus a thread, as `shardbert word2vec` does it
 * and prints medians. The roof: a word costs so many FLOPs, and so many bytes
 * if none of its rows is in a cache; training can be no faster than sgemm's
 * rate allows for the first. Where rows do stay in caches the second is no
 * bound, so it is given beside it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/pool.h"
#include "trainer/kernels/kernels.h"
#include "trainer/word2vec/crew.h"

enum { N = 512, I = 768, O = 3072, GEMMS = 4, ROWS = 40000, MOST = 101 };

typedef struct bench {
    sb_comm *comm;
    sb_corpus *corpus;
    sb_vocab *vocab;
    sb_sampler sampler;
    sb_w2v_plan plan;
    sb_w2v_crew *crew;
    sb_pool *pool;
    sb_w2v_crew_options o;
    float *x, *w, *y, *updates;
} bench;

static int by_value(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

static double median(double *s, int n)
{
    qsort(s, (size_t)n, sizeof *s, by_value);
    return s[n / 2];
}

static sb_status gemm(void *context, size_t task, int worker)
{
    (void)worker;
    bench *b = context;
    for (int i = 0; i < GEMMS; i++)
        sb_linear_forward(b->y + task * N * O, b->x, b->w, NULL, N, I, O);
    return SB_OK;
}

static sb_status rows(void *context, size_t task, int worker)
{
    (void)worker;
    bench *b = context;
    const sb_w2v_tables *t = sb_replica_tables(sb_w2v_crew_replica(b->crew));
    sb_fast_rng g = sb_fast_rng_start(sb_rng_key_make(1, SB_RNG_TEST), 0, task);
    float *soon[4] = {t->in, t->in, t->in, t->in};
    for (int i = 0; i < ROWS; i++) {
        float *row = soon[i % 4];
        uint64_t r = sb_fast_rng_next(&g);
        uint32_t id = sb_rng_below((uint32_t)(r >> 32), t->V);
        float *next = (r & 1 ? t->in : t->out) + id * t->stride;
        soon[i % 4] = next;
        for (size_t c = 0; c < t->D; c += 16) {
            __builtin_prefetch(next + c, 1, 2);
            for (size_t k = 0; k < 16; k++) row[c + k] *= 1.0000001f;
        }
    }
    return SB_OK;
}

static sb_status open_all(bench *b, char **argv)
{
    SB_TRY(sb_vocab_load(argv[2], &b->vocab));
    SB_TRY(sb_corpus_open(argv[1], SB_TRAIN, &b->corpus));
    uint32_t V = sb_vocab_size(b->vocab), threads = (uint32_t)b->o.threads;
    const uint64_t *counts = sb_corpus_counts(b->corpus);
    SB_TRY(sb_sampler_open(counts, V, sb_vocab_special(b->vocab), 1e-4, 0.75,
                           &b->sampler));
    SB_TRY(sb_w2v_plan_open(&b->plan, b->corpus, 1, 1000, threads));
    b->plan.rate.alpha = b->plan.rate.min_alpha = 0.025;
    b->o.replica.V = V;
    SB_TRY(sb_w2v_crew_open(b->comm, &b->plan, &b->sampler, &b->o, &b->crew));
    SB_TRY(sb_alloc(2 * (size_t)V, 4, "updates", &b->updates));
    sb_replica_init(sb_w2v_crew_replica(b->crew), 1);
    SB_TRY(sb_replica_begin(sb_w2v_crew_replica(b->crew), b->updates,
                            b->updates + V));
    SB_TRY(sb_pool_open(b->o.threads, &b->pool));
    SB_TRY(sb_alloc((size_t)N * I, 4, "x", &b->x));
    SB_TRY(sb_alloc((size_t)I * O, 4, "w", &b->w));
    return sb_alloc(threads * (size_t)N * O, 4, "y", &b->y);
}

static sb_status timed(bench *b, sb_task fn, double *seconds)
{
    double start = sb_now();
    SB_TRY(sb_pool_run(b->pool, (size_t)b->o.threads, fn, b));
    *seconds = sb_now() - start;
    return SB_OK;
}

static sb_status measure(bench *b, int rounds)
{
    double gemm_s[MOST], row_s[MOST], rate[MOST], words = 0, s;
    double threads = b->o.threads, D = b->o.replica.D;
    sb_w2v_sum all = {0}, sum;
    uint64_t cursor = 0, done = 0;
    for (int r = -1; r < rounds; r++) { /* the first warms up */
        int i = r < 0 ? 0 : r;
        uint64_t last = sb_w2v_plan_next(&b->plan, cursor);
        uint64_t n = sb_w2v_plan_words(&b->plan, cursor, last);
        SB_TRY(timed(b, gemm, &s));
        gemm_s[i] = threads * GEMMS * 2.0 * N * I * O / s;
        SB_TRY(timed(b, rows, &s));
        row_s[i] = threads * ROWS * 8.0 * D / s;
        double start = sb_now();
        SB_TRY(sb_w2v_crew_round(b->crew, cursor, last, done, &sum));
        rate[i] = (double)n / (sb_now() - start);
        cursor = last;
        done += n;
        if (r < 0) continue;
        all.pairs += sum.pairs;
        all.rows += sum.rows;
        words += (double)n;
    }
    double g = median(gemm_s, rounds), m = median(row_s, rounds);
    double w = median(rate, rounds), outs = b->o.negative + 1;
    double flops = 6 * D * outs * all.pairs / words;
    double bytes = 8 * D * all.rows / words;
    printf("%s, D %.0f, %u rows, %.0f threads, medians of %d rounds\n",
           b->o.cbow ? "CBOW" : "skip-gram", D, b->o.replica.V, threads,
           rounds);
    printf("  sgemm %.1f GFLOP/s   random rows, read and written %.1f GB/s\n",
           g / 1e9, m / 1e9);
    printf("  a word: %.2f pairs, %.2f rows, %.1f kFLOP, %.1f kB without "
           "caches\n",
           all.pairs / words, all.rows / words, flops / 1e3, bytes / 1e3);
    printf("  training %.0f words/s: %.1f GFLOP/s, %.2f of sgemm;  %.1f GB/s, "
           "%.2f of random rows\n",
           w, w * flops / 1e9, w * flops / g, w * bytes / 1e9, w * bytes / m);
    printf("  roof %.0f words/s by FLOPs, %.0f if every row misses; reached "
           "%.2f of the lower\n",
           g / flops, m / bytes,
           w / (g / flops < m / bytes ? g / flops : m / bytes));
    return SB_OK;
}

int main(int argc, char **argv)
{
    bench b = {0};
    int rounds = argc > 5 ? atoi(argv[5]) : 7;
    if (argc < 5 || rounds < 1 || rounds > MOST) {
        fprintf(stderr, "usage: bench_word2vec CORPUS VOCAB DIM THREADS "
                        "[ROUNDS [skip-gram|cbow]]\n");
        return 2;
    }
    if (sb_comm_open(&argc, &argv, &b.comm) != SB_OK) return 1;
    sb_kernels_start();
    b.o = (sb_w2v_crew_options){
        .replica = {.D = (uint32_t)atoi(argv[3]), .cycle = 1},
        .threads = atoi(argv[4]),
        .cbow = argc > 6 && !strcmp(argv[6], "cbow"),
        .window = 5,
        .negative = 5,
        .sync_words = 1};
    sb_status st = open_all(&b, argv);
    if (st == SB_OK) st = measure(&b, rounds);
    if (st != SB_OK) fprintf(stderr, "%s\n", sb_error_last()->text);
    sb_w2v_crew_close(b.crew);
    sb_w2v_plan_close(&b.plan);
    sb_sampler_close(&b.sampler);
    sb_corpus_close(b.corpus);
    sb_vocab_close(b.vocab);
    sb_pool_close(b.pool);
    sb_free(b.x);
    sb_free(b.w);
    sb_free(b.y);
    sb_free(b.updates);
    sb_comm_close(b.comm);
    return st != SB_OK;
}
