/* SPDX-License-Identifier: MIT
 * mixed.c - linear layers whose products take rounded operands.
 *
 * Bias and its gradient never are operands of a product: they stay fp32. The
 * bias is added behind the product, as oneDNN itself would do. */
#include "trainer/kernels/kernels.h"

#include <cblas.h>
#undef I /* complex.h's, which cblas.h drags in */

#include "trainer/kernels/onednn.h"
#include "trainer/kernels/vec.h"

const char *sb_precision_lacks(sb_precision p)
{
    return p == SB_BF16 ? sb_onednn_lacks(SB_ONEDNN_BF16) : NULL;
}

int sb_mixed_open(sb_mixed *g, sb_precision p)
{
    g->precision = p;
    g->failed = 0;
    g->onednn = p == SB_BF16 ? sb_onednn_open(SB_ONEDNN_BF16) : NULL;
    return p != SB_BF16 || g->onednn;
}

void sb_mixed_close(sb_mixed *g)
{
    sb_onednn_close(g->onednn);
    g->onednn = NULL;
}

size_t sb_mixed_hidden(sb_precision p)
{
    return p == SB_BF16 ? SB_ONEDNN_HIDDEN : 0;
}

sb_weights sb_weights_at(sb_weights w, sb_precision p, size_t at)
{
    const char *rounded = w.rounded;
    return (sb_weights){w.full + at,
                        rounded ? rounded + at * sb_rounded_size(p) : NULL};
}

void sb_mixed_product(sb_mixed *g, float *c, int add, const void *a, int ta,
                      const void *b, int tb, size_t m, size_t n, size_t k)
{
    if (g->precision == SB_BF16) {
        g->failed |=
            !sb_onednn_product(g->onednn, c, add, a, ta, b, tb, m, n, k);
        return;
    }
    cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans,
                tb ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, 1.0f, a,
                ta ? (int)m : (int)k, b, tb ? (int)k : (int)n,
                add ? 1.0f : 0.0f, c, (int)n);
}

SB_INLINE void add_rows_body(float *restrict y, const float *restrict b,
                             size_t N, size_t O)
{
    for (size_t i = 0; i < N; i++, y += O)
        for (size_t o = 0; o < O; o++) y[o] += b[o];
}

static void add_rows(float *y, const float *b, size_t N, size_t O);
SB_KERNEL(add_rows, add_rows_body,
          (float *y, const float *b, size_t N, size_t O), (y, b, N, O))

void sb_mixed_forward(sb_mixed *g, float *y, const float *x, sb_weights w,
                      const float *b, size_t N, size_t I, size_t O)
{
    if (g->precision == SB_FP32) {
        sb_linear_forward(y, x, w.full, b, N, I, O);
        return;
    }
    if (N == 0 || O == 0) return;
    sb_round(g->x, x, N * I, g->precision);
    sb_mixed_product(g, y, 0, g->x, 0, w.rounded, 1, N, O, I);
    if (b) add_rows(y, b, N, O);
}

void sb_mixed_backward(sb_mixed *g, float *dx, float *dw, float *db, int add,
                       const float *dy, const float *x, sb_weights w, size_t N,
                       size_t I, size_t O)
{
    if (g->precision == SB_FP32 || N == 0 || O == 0) {
        sb_linear_backward(dx, dw, db, add, dy, x, w.full, N, I, O);
        return;
    }
    sb_round(g->dy, dy, N * O, g->precision);
    if (dx) sb_mixed_product(g, dx, 0, g->dy, 0, w.rounded, 0, N, I, O);
    if (dw) {
        sb_round(g->x, x, N * I, g->precision);
        sb_mixed_product(g, dw, add, g->dy, 1, g->x, 0, O, I, N);
    }
    sb_linear_backward(NULL, NULL, db, add, dy, NULL, NULL, N, I, O);
}
