/* SPDX-License-Identifier: MIT
 * kernels.c - how fast the kernels are, beside this run's own sgemm and memcpy.
 *
 * Prints medians over repeats on one thread. Nothing checks the numbers: they
 * are for a person who compares two builds on one quiet machine. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "trainer/kernels/kernels.h"

enum {
    REPEATS = 11,
    N = 512, /* a slot of four sequences */
    D = 768,
    F = 3072,
    T = 128,
    H = 12,
    W = 8000,
    M = 77,
    BIG = 1 << 21,
    ROWS = 12500,
    INPUTS = 48, /* eight windows of six */
    OUTPUTS = 6,
    TABLE = 128, /* rows: two tables of them are 0.8 MiB */
    STRIDE = D + 16,
    STEPS = 200
};

static float *x, *y, *z, *w, *u, *v;
static uint8_t *keep;
static int32_t *target;
static uint32_t *row;
static double sgemm_rate, memcpy_rate;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

/* Numbers in [-1, 1) that any run repeats. */
static void fill(float *a, size_t n, float scale)
{
    uint32_t s = 12345;
    for (size_t i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        a[i] = scale * ((float)(s >> 8) * (2.0f / 16777216.0f) - 1.0f);
    }
}

static double median_s(void (*work)(void))
{
    double s[REPEATS];
    work();
    for (int r = 0; r < REPEATS; r++) {
        double start = now_s();
        work();
        s[r] = now_s() - start;
    }
    qsort(s, REPEATS, sizeof *s, by_value);
    return s[REPEATS / 2];
}

static double flops(const char *name, void (*work)(void), double count)
{
    double s = median_s(work), rate = count / s * 1e-9;
    printf("%-26s %9.3f ms %8.1f GFLOP/s", name, s * 1e3, rate);
    if (sgemm_rate > 0) printf("  %5.2f of sgemm", rate / sgemm_rate);
    printf("\n");
    return rate;
}

static double bytes(const char *name, void (*work)(void), double count)
{
    double s = median_s(work), rate = count / s * 1e-9;
    printf("%-26s %9.3f ms %8.1f GB/s   ", name, s * 1e3, rate);
    if (memcpy_rate > 0) printf("  %5.2f of memcpy", rate / memcpy_rate);
    printf("\n");
    return rate;
}

static void do_gemm(void)
{
    sb_linear_forward(y, x, w, NULL, N, D, F);
}

static void do_linear(void)
{
    sb_linear_forward(y, x, w, z, N, D, F);
}

static void do_linear_back(void)
{
    sb_linear_backward(u, v, z, 0, y, x, w, N, D, F);
}

static void do_memcpy(void)
{
    memcpy(y, x, (size_t)BIG * sizeof *y);
}

static void do_round(void)
{
    sb_round(y, x, BIG, SB_BF16);
}

static void do_round_weights(void)
{
    sb_round(y, w, (size_t)D * F, SB_BF16);
}

static void do_gelu(void)
{
    sb_gelu_forward(y, x, (size_t)N * F);
}

static void do_gelu_back(void)
{
    sb_gelu_backward(y, v, z, x, (size_t)N * F);
}

static void do_dropout(void)
{
    sb_dropout(y, keep, 1.0f, (size_t)N * F);
}

static void do_add(void)
{
    sb_add(y, x, BIG);
}

static void do_squares(void)
{
    y[0] = (float)sb_sum_squares(x, BIG);
}

static void do_norm(void)
{
    sb_layernorm_forward(y, u, v, x, z, z, 1e-12f, N, D);
}

static void do_norm_back(void)
{
    sb_layernorm_backward(y, w, w + D, z, x, z, u, v, N, D);
}

static void do_attention(void)
{
    for (size_t b = 0; b < N / T; b++)
        sb_attention_forward(y, x + b * T * 3 * D, keep, 1.0f, u, T, H, D / H);
}

static void do_attention_back(void)
{
    for (size_t b = 0; b < N / T; b++)
        sb_attention_backward(v, y, x + b * T * 3 * D, keep, 1.0f, u, T, H,
                              D / H);
}

static void do_block(void)
{
    sb_xent_block(u, v, x, M, W);
}

static void do_merge(void)
{
    sb_xent_merge(z, NULL, u, v, M, 4, M);
}

static void do_grad(void)
{
    memcpy(y, x, sizeof *y * M * W);
    sb_xent_grad(y, z, target, 0.1f, M, W);
}

static void do_get(void)
{
    sb_rows_get(y, w, row, N, D);
}

static void do_rows_add(void)
{
    sb_rows_add(v, x, row, N, D);
}

static void do_dot(void)
{
    float s = 0;
    for (size_t i = 0; i < N; i++) s += sb_dot(x + i * D, z, D);
    y[0] = s;
}

/* Inputs in u, outputs in v: other rows of TABLE for each step. */
static void do_sgns(void)
{
    static float *in[STEPS + 1][INPUTS], *out[STEPS][OUTPUTS],
        g[INPUTS * OUTPUTS];
    static uint8_t label[INPUTS];
    const size_t apart = 61; /* odd: OUTPUTS different rows */
    for (size_t s = 0; s <= STEPS; s++)
        for (size_t i = 0; i < INPUTS; i++)
            in[s][i] = u + row[s * INPUTS + i] % TABLE * STRIDE;
    for (size_t s = 0; s < STEPS; s++)
        for (size_t j = 0; j < OUTPUTS; j++)
            out[s][j] = v + (row[s] + j * apart) % TABLE * STRIDE;
    for (size_t i = 0; i < INPUTS; i++) label[i] = (uint8_t)(i % OUTPUTS);
    for (size_t s = 0; s < STEPS; s++) {
        sb_sgns b = {in[s],  label,   out[s], in[s + 1],
                     INPUTS, OUTPUTS, INPUTS, D};
        sb_sgns_step(&b, 1e-6f, g, NULL);
    }
}

static void do_adamw(void)
{
    sb_adamw o = {1e-4f, 0.9f, 0.999f, 1e-8f, 0.01f, 1.0f, 10};
    sb_adamw_step(y, u, v, x, &o, BIG);
}

int main(void)
{
    const size_t room = (size_t)ROWS * D; /* the largest of the arrays */
    x = malloc(room * sizeof *x);
    y = malloc(room * sizeof *y);
    z = malloc(room * sizeof *z);
    w = malloc(room * sizeof *w);
    u = malloc(room * sizeof *u);
    v = malloc(room * sizeof *v);
    keep = malloc(room);
    target = malloc(M * sizeof *target);
    row = malloc((size_t)(STEPS + 1) * INPUTS * sizeof *row);
    if (!x || !y || !z || !w || !u || !v || !keep || !target || !row) return 1;
    fill(x, room, 2.0f);
    fill(z, room, 1.0f);
    fill(w, room, 0.05f);
    memset(y, 0, room * sizeof *y);
    memset(u, 0, room * sizeof *u);
    memset(v, 0, room * sizeof *v);
    for (size_t i = 0; i < room; i++) keep[i] = i % 10 != 3;
    for (size_t i = 0; i < M; i++) target[i] = (int32_t)(i % W);
    for (size_t i = 0; i < (size_t)(STEPS + 1) * INPUTS; i++)
        row[i] = (uint32_t)(i * 2654435761u) % ROWS;

    const double fp = sizeof(float), nf = (double)N * F, nd = (double)N * D;
    sb_kernels_start();
    printf("BLAS core %s, medians of %d\n", sb_kernels_core(), REPEATS);
    const double gemm = 2.0 * N * D * F, att = 4.0 * N * T * D;
    sgemm_rate = flops("sgemm 512x768x3072", do_gemm, gemm);
    memcpy_rate = bytes("memcpy 8 MiB", do_memcpy, 2 * fp * BIG);
    flops("linear forward", do_linear, gemm);
    flops("attention forward", do_attention, att);
    flops("attention backward", do_attention_back, 2 * att);
    bytes("round to bf16", do_round, 1.5 * fp * BIG);
    bytes("round 768x3072 weights", do_round_weights, 1.5 * fp * D * F);
    bytes("gelu forward", do_gelu, 2 * fp * nf);
    bytes("gelu backward", do_gelu_back, 3 * fp * nf);
    bytes("dropout", do_dropout, (2 * fp + 1) * nf);
    bytes("add", do_add, 3 * fp * BIG);
    bytes("sum of squares", do_squares, fp * BIG);
    bytes("layernorm forward", do_norm, 2 * fp * nd);
    bytes("layernorm backward", do_norm_back, 3 * fp * nd);
    bytes("xent block", do_block, fp * M * W);
    bytes("xent merge", do_merge, 2 * fp * 4 * M);
    bytes("xent grad (and a copy)", do_grad, 4 * fp * M * W);
    bytes("rows get", do_get, 2 * fp * nd);
    bytes("rows add", do_rows_add, 3 * fp * nd);
    bytes("dot", do_dot, fp * nd);
    memcpy(u, w, room * sizeof *u);
    memcpy(v, w, room * sizeof *v);
    flops("sgns step 48x6x768", do_sgns, 6.0 * STEPS * INPUTS * OUTPUTS * D);
    memset(v, 0, room * sizeof *v);
    memset(u, 0, room * sizeof *u);
    bytes("adamw", do_adamw, 7 * fp * BIG);
    flops("linear backward", do_linear_back, 2 * gemm);
    free(x);
    free(y);
    free(z);
    free(w);
    free(u);
    free(v);
    free(keep);
    free(target);
    free(row);
    return 0;
}
