/* SPDX-License-Identifier: MIT
 * attention.c - self-attention of one sequence, one head after the other.
 *
 * Heads are strided slices of qkv and y: BLAS walks them with a leading
 * dimension of 3 H K and H K, nothing is copied. */
#include "trainer/kernels/kernels.h"

#include <cblas.h>
#undef I /* complex.h's, which cblas.h drags in */

#include "trainer/kernels/vec.h"

SB_INLINE void exp_block(float *sum, float *p, float max)
{
    EACH_LANE(l)
    {
        float e = exp_lane(p[l] - max);
        p[l] = e;
        sum[l] += e;
    }
}

/* Rows of T scores become probabilities, in place, and with a mask `dropped`
 * those that are kept, scaled. A NaN is not seen by the maximum but by the sum,
 * and so reaches the whole row. */
SB_INLINE void softmax_rows_body(float *restrict p, float *restrict dropped,
                                 const uint8_t *restrict keep, float scale,
                                 size_t rows, size_t T)
{
    for (size_t r = 0; r < rows; r++, p += T) {
        float sum[LANES], max = max_row(p, T);
        size_t i = 0;
        lanes_set(sum, 0.0f);
        for (; T - i >= LANES; i += LANES) exp_block(sum, p + i, max);
        if (i < T) {
            float a[LANES];
            lanes_load(a, p + i, T - i, -INFINITY);
            exp_block(sum, a, max);
            lanes_store(p + i, a, T - i);
        }
        float inverse = 1.0f / lanes_sum(sum);
        if (!keep) {
            for (i = 0; i < T; i++) p[i] *= inverse;
            continue;
        }
        const uint8_t *k = keep + r * T;
        float *d = dropped + r * T;
        for (i = 0; i < T; i++) {
            float x = p[i] * inverse;
            p[i] = x;
            d[i] = k[i] ? x * scale : 0.0f;
        }
    }
}

static void softmax_rows(float *p, float *dropped, const uint8_t *keep,
                         float scale, size_t rows, size_t T);
SB_KERNEL(softmax_rows, softmax_rows_body,
          (float *p, float *dropped, const uint8_t *keep, float scale,
           size_t rows, size_t T),
          (p, dropped, keep, scale, rows, T))

/* dp, the gradient of what was kept, becomes that of the scores:
 * p (dp - sum(p dp)), row by row. */
SB_INLINE void softmax_rows_backward_body(float *restrict dp,
                                          const float *restrict p,
                                          const uint8_t *restrict keep,
                                          float scale, size_t rows, size_t T)
{
    for (size_t r = 0; r < rows; r++, p += T, dp += T) {
        const uint8_t *k = keep ? keep + r * T : NULL;
        for (size_t i = 0; k && i < T; i++) dp[i] = k[i] ? dp[i] * scale : 0.0f;
        float s = dot_row(p, dp, T);
        for (size_t i = 0; i < T; i++) dp[i] = p[i] * (dp[i] - s);
    }
}

static void softmax_rows_backward(float *dp, const float *p,
                                  const uint8_t *keep, float scale, size_t rows,
                                  size_t T);
SB_KERNEL(softmax_rows_backward, softmax_rows_backward_body,
          (float *dp, const float *p, const uint8_t *keep, float scale,
           size_t rows, size_t T),
          (dp, p, keep, scale, rows, T))

/* c[m, n] = alpha a b, with a [m, k] and b [k, n] after the transpositions. */
static void product(float *c, size_t ldc, const float *a, size_t lda,
                    CBLAS_TRANSPOSE ta, const float *b, size_t ldb,
                    CBLAS_TRANSPOSE tb, float alpha, size_t m, size_t n,
                    size_t k)
{
    cblas_sgemm(CblasRowMajor, ta, tb, (int)m, (int)n, (int)k, alpha, a,
                (int)lda, b, (int)ldb, 0.0f, c, (int)ldc);
}

/* p [T, T] <- the scores of one head. */
static void scores(float *p, const float *q, const float *k, size_t T, size_t K,
                   size_t ld)
{
    product(p, T, q, ld, CblasNoTrans, k, ld, CblasTrans,
            1.0f / sqrtf((float)K), T, T, K);
}

void sb_attention_forward(float *y, const float *qkv, const uint8_t *keep,
                          float keep_scale, float *scratch, size_t T, size_t H,
                          size_t K)
{
    const size_t D = H * K, ld = 3 * D;
    float *p = scratch, *dropped = scratch + T * T;
    if (T == 0) return;
    for (size_t h = 0; h < H; h++) {
        const float *q = qkv + h * K, *k = q + D, *v = k + D;
        const uint8_t *mask = keep ? keep + h * T * T : NULL;
        scores(p, q, k, T, K, ld);
        softmax_rows(p, dropped, mask, keep_scale, T, T);
        product(y + h * K, D, keep ? dropped : p, T, CblasNoTrans, v, ld,
                CblasNoTrans, 1.0f, T, K, T);
    }
}

void sb_attention_backward(float *dqkv, const float *dy, const float *qkv,
                           const uint8_t *keep, float keep_scale,
                           float *scratch, size_t T, size_t H, size_t K)
{
    const size_t D = H * K, ld = 3 * D;
    const float scale = 1.0f / sqrtf((float)K);
    float *p = scratch, *dropped = p + T * T, *ds = dropped + T * T;
    if (T == 0) return;
    for (size_t h = 0; h < H; h++) {
        const float *q = qkv + h * K, *k = q + D, *v = k + D, *d = dy + h * K;
        const uint8_t *mask = keep ? keep + h * T * T : NULL;
        float *dq = dqkv + h * K, *dk = dq + D, *dv = dk + D;
        scores(p, q, k, T, K, ld);
        softmax_rows(p, dropped, mask, keep_scale, T, T);
        product(ds, T, d, D, CblasNoTrans, v, ld, CblasTrans, 1.0f, T, T, K);
        softmax_rows_backward(ds, p, mask, keep_scale, T, T);
        product(dv, ld, keep ? dropped : p, T, CblasTrans, d, D, CblasNoTrans,
                1.0f, T, K, T);
        product(dq, ld, ds, T, CblasNoTrans, k, ld, CblasNoTrans, scale, T, K,
                T);
        product(dk, ld, ds, T, CblasTrans, q, ld, CblasNoTrans, scale, T, K, T);
    }
}
