/* SPDX-License-Identifier: MIT
 * kernels.h - arithmetic and nothing else.
 *
 * Every function here is a pure map from input arrays to output arrays. It
 * does not allocate, lock, log, read the clock, draw random numbers, or fail:
 * shapes were checked by the caller. Arrays are fp32, row-major, and do not
 * overlap unless a comment says so.
 *
 * Letters mean the same everywhere:
 *   D model width   H heads   K = D/H   F feed-forward width
 *   N rows (tokens of a slot, packed without padding)   T tokens of a sequence
 *   V vocabulary rows   W rows of a vocabulary block   M masked positions
 *
 * A forward and its backward sit next to each other. Gradients are WRITTEN; a
 * slot's parameter gradients are summed outside (comm/tree.h).
 *
 * Same bits: results depend on the arguments alone, not on alignment, thread
 * count or position in memory. BLAS is called single-threaded (see
 * sb_kernels_start); reductions inside a row have a fixed lane order.
 */
#ifndef SB_KERNELS_H
#define SB_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Once per process, before any other: make BLAS single-threaded. */
void sb_kernels_start(void);
/* The BLAS kernel chosen for this processor ("Zen", "SkylakeX"), static. */
const char *sb_kernels_core(void);
/* The instruction set our own kernels take: "AVX-512", "AVX2", "baseline". */
const char *sb_kernels_set(void);
/* The version of oneDNN, "2.6.3", and 1; "" and 0: built without. */
int sb_kernels_onednn(char version_out[16]);
/* The instruction set that oneDNN may use here: "avx512_core_bf16". */
const char *sb_kernels_onednn_set(void);

/* ---- linear.c ------------------------------------------------------------ */

/* y[N,O] = x[N,I] w[O,I]^T + b[O].  b may be NULL. */
void sb_linear_forward(float *y, const float *x, const float *w, const float *b,
                       size_t N, size_t I, size_t O);
/* dx[N,I] = dy w; dw = dy^T x; db = column sums of dy; with `add` the last two
 * are added to dw and db. dx, dw and db may each be NULL: not wanted. */
void sb_linear_backward(float *dx, float *dw, float *db, int add,
                        const float *dy, const float *x, const float *w,
                        size_t N, size_t I, size_t O);

/* ---- bf16.c -------------------------------------------------------------- */

/* What the operands of a linear layer's products are. SB_FP32: as they are.
 * Else mixed precision (Micikevicius et al. 2018): both are rounded to bf16,
 * the upper half of an fp32, to nearest with ties to even; the products are
 * added in fp32 and come out in fp32. SB_BF16 multiplies by oneDNN,
 * SB_BF16_EMULATED the rounded numbers by the fp32 BLAS: the same arithmetic
 * but for the order of the sums, and for numbers below 1.2e-38, which a
 * processor's bf16 instructions take for 0. */
typedef enum sb_precision { SB_FP32, SB_BF16, SB_BF16_EMULATED } sb_precision;

/* Bytes of a rounded number: 0, 2, 4. */
size_t sb_rounded_size(sb_precision p);
/* to[n] <- x[n], rounded. A NaN stays one, what is larger than the largest bf16
 * and nearer to 2^128 becomes infinite. Nothing for SB_FP32. */
void sb_round(void *to, const float *x, size_t n, sb_precision p);

/* ---- mixed.c ------------------------------------------------------------- */

/* NULL: this build can compute so on this processor. Else why not; static. */
const char *sb_precision_lacks(sb_precision p);

/* What a thread computes mixed linear layers with. `dy` and `x` are the
 * caller's: room for the rounded [N, O] and [N, I] of the largest call; unused
 * by SB_FP32. `failed` stays 1 once oneDNN has had no memory: what was computed
 * since is undefined. */
typedef struct sb_mixed {
    sb_precision precision;
    void *dy, *x;
    struct sb_onednn *onednn;
    int failed;
} sb_mixed;
/* Sets all but dy and x. 0: no memory, or sb_precision_lacks(p). */
int sb_mixed_open(sb_mixed *g, sb_precision p);
void sb_mixed_close(sb_mixed *g); /* zeroed is fine */
/* Bytes that oneDNN takes inside a product, at most. */
size_t sb_mixed_hidden(sb_precision p);

/* Weights, and beside them, unless in SB_FP32, what sb_round makes of them:
 * they are rounded once and multiplied many times. */
typedef struct sb_weights {
    const float *full;
    const void *rounded;
} sb_weights;
/* Those from element `at` on. */
sb_weights sb_weights_at(sb_weights w, sb_precision p, size_t at);

/* As sb_linear_forward and sb_linear_backward. Bias and db are fp32. */
void sb_mixed_forward(sb_mixed *g, float *y, const float *x, sb_weights w,
                      const float *b, size_t N, size_t I, size_t O);
void sb_mixed_backward(sb_mixed *g, float *dx, float *dw, float *db, int add,
                       const float *dy, const float *x, sb_weights w, size_t N,
                       size_t I, size_t O);
/* c[m,n] = a b of rounded operands, or c += with `add`; a is [m,k], or [k,m]
 * if ta, b is [k,n], or [n,k] if tb. Not for SB_FP32. */
void sb_mixed_product(sb_mixed *g, float *c, int add, const void *a, int ta,
                      const void *b, int tb, size_t m, size_t n, size_t k);

/* ---- elementwise.c ------------------------------------------------------- */

/* Exact GELU: y = x Phi(x), not the tanh form (Hendrycks & Gimpel 2016). */
void sb_gelu_forward(float *y, const float *x, size_t n);
/* dx = dy * gelu'(x), and the forward's y again; dx may be dy. */
void sb_gelu_backward(float *dx, float *y, const float *dy, const float *x,
                      size_t n);
/* x = keep ? x * scale : 0, in place; forward and backward alike. */
void sb_dropout(float *x, const uint8_t *keep, float scale, size_t n);
void sb_add(float *y, const float *x, size_t n); /* y += x */
/* Sum of squares in double, fixed order. */
double sb_sum_squares(const float *x, size_t n);

/* ---- norm.c -------------------------------------------------------------- */

/* y = (x - mean) * rstd * g + b over rows of D (Ba et al. 2016); mean, rstd:
 * [N], kept for backward. eps is added to the (biased) variance. y may be x. */
void sb_layernorm_forward(float *y, float *mean, float *rstd, const float *x,
                          const float *g, const float *b, float eps, size_t N,
                          size_t D);
/* The forward's y again, from its mean and rstd. */
void sb_layernorm_again(float *y, const float *x, const float *g,
                        const float *b, const float *mean, const float *rstd,
                        size_t N, size_t D);
/* y <- x + dropout(y), out <- layernorm of that sum. keep: as sb_dropout's,
 * NULL: no dropout. */
void sb_residual_norm_forward(float *out, float *mean, float *rstd, float *y,
                              const float *x, const uint8_t *keep, float scale,
                              const float *g, const float *b, float eps,
                              size_t N, size_t D);
/* x is the forward's sum. dx <- the gradient of the sum (and so of its x),
 * branch <- that of what was dropped out; branch may be NULL, else keep is not.
 * dx may be dy. */
void sb_residual_norm_backward(float *dx, float *branch, float *dg, float *db,
                               const float *dy, const float *x, const float *g,
                               const float *mean, const float *rstd,
                               const uint8_t *keep, float scale, size_t N,
                               size_t D);
/* x is the forward input. dx may be dy. */
void sb_layernorm_backward(float *dx, float *dg, float *db, const float *dy,
                           const float *x, const float *g, const float *mean,
                           const float *rstd, size_t N, size_t D);

/* ---- attention.c --------------------------------------------------------- */

/* Bidirectional self-attention of one sequence (Vaswani et al. 2017, eq. 1).
 *   qkv   [T, 3, H, K] rows: q, then k, then v of all heads
 *   keep  [H, T, T] dropout mask of the softmax weights, or NULL: no dropout
 *   y     [T, H, K];  scores are scaled by 1/sqrt(K)
 *   scratch [2, T, T] */
void sb_attention_forward(float *y, const float *qkv, const uint8_t *keep,
                          float keep_scale, float *scratch, size_t T, size_t H,
                          size_t K);
/* dqkv is written. The weights are computed again: 2 % of a layer's work at 512
 * tokens, and the largest thing that forward would have to keep. scratch
 * [3, T, T]. */
void sb_attention_backward(float *dqkv, const float *dy, const float *qkv,
                           const uint8_t *keep, float keep_scale,
                           float *scratch, size_t T, size_t H, size_t K);

/* ---- xent.c -------------------------------------------------------------- */

/* Softmax cross entropy over a vocabulary cut into blocks of W columns.
 * Per block: max[m] of logits[m, :] and sum[m] of exp(logit - max[m]). */
void sb_xent_block(float *max, float *sum, const float *logits, size_t M,
                   size_t W);
/* Merge nblocks (max, sum) pairs, rows of M with `stride` floats between, in
 * block order, into lse[m] = log sum over all columns of exp(logit); in double
 * inside. top[m] <- the largest logit; may be NULL. */
void sb_xent_merge(float *lse, float *top, const float *max, const float *sum,
                   size_t stride, size_t nblocks, size_t M);
/* logits <- scale * (softmax - onehot), in place, where softmax =
 * exp(logit - lse[m]); target[m] is a column of this block, or -1. */
void sb_xent_grad(float *logits, const float *lse, const int32_t *target,
                  float scale, size_t M, size_t W);

/* ---- rows.c -------------------------------------------------------------- */

/* out[i, :] = table[row[i], :] and table[row[i], :] += in[i, :], in order. */
void sb_rows_get(float *out, const float *table, const uint32_t *row, size_t n,
                 size_t D);
void sb_rows_add(float *table, const float *in, const uint32_t *row, size_t n,
                 size_t D);
float sb_dot(const float *a, const float *b, size_t D);
void sb_axpy(float *y, float a, const float *x, size_t D); /* y += a x */

/* ---- sgns.c -------------------------------------------------------------- */

/* Negative sampling (Mikolov et al. 2013b, eq. 4) of n inputs against m
 * outputs, each with all of them: for input i, output label[i] is the true
 * word, the others are negatives. Rows lie anywhere and are updated in place;
 * all steps are taken from the values before. An input may come twice: its
 * steps add up, and with m <= SB_SGNS_TILE the outputs meet it the second time
 * as it then is. An output must not. `soon`: rows the next calls will need,
 * fetched into cache on the way. */
enum { SB_SGNS_INPUTS = 128, SB_SGNS_OUTPUTS = 64, SB_SGNS_TILE = 6 };
typedef struct sb_sgns {
    float *const *in;     /* [n] rows of D */
    const uint8_t *label; /* [n] < m       */
    float *const *out;    /* [m] rows of D */
    float *const *soon;   /* [soon_n] rows of D */
    size_t n, m, soon_n;
    size_t D; /* a multiple of 16 */
} sb_sgns;
/* Returns the loss in nats before the step, the sum over the n inputs. Exact
 * sigmoid.
 *   g      [n, m] scratch
 *   aside  [n] rows of D, scratch; used if m > SB_SGNS_TILE, else NULL is fine
 * May run on one shared table from several threads on purpose
 * (trainer/word2vec/hogwild.h). */
double sb_sgns_step(const sb_sgns *b, float lr, float *g, float **aside);

/* ---- adamw.c ------------------------------------------------------------- */

/* AdamW (Loshchilov & Hutter 2019) as PyTorch orders it, for n elements:
 *   g = clip * grad;  w *= 1 - lr * decay;  m, v moments with bias correction
 *   w -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps) */
typedef struct sb_adamw {
    float lr, eps, decay, clip;
    double beta1,
        beta2;  /* double: 1 - beta is taken of them, as PyTorch does */
    uint64_t t; /* this update's number, from 1 */
} sb_adamw;
void sb_adamw_step(float *w, float *m, float *v, const float *grad,
                   const sb_adamw *o, size_t n);

#endif
