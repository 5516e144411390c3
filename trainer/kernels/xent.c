/* SPDX-License-Identifier: MIT
 * xent.c - softmax cross entropy over blocks of columns.
 *
 * A NaN in a row reaches the row's sum, never its maximum; so it reaches the
 * log of the sum as well. */
#include "trainer/kernels/kernels.h"

#include "trainer/kernels/vec.h"

/* Columns that one set of lanes adds up before it is put to the total. */
enum { CHUNK = 1024 };

SB_INLINE void sum_block(float *sum, const float *x, float max)
{
    EACH_LANE(l)
    {
        sum[l] += exp_lane(x[l] - max);
    }
}

SB_INLINE float row_sum(const float *x, float max, size_t W)
{
    float total = 0.0f;
    for (size_t c = 0; c < W; c += CHUNK) {
        size_t i = c, end = W - c < CHUNK ? W : c + CHUNK;
        float sum[LANES];
        lanes_set(sum, 0.0f);
        for (; end - i >= LANES; i += LANES) sum_block(sum, x + i, max);
        if (i < end) {
            float a[LANES];
            lanes_load(a, x + i, end - i, -INFINITY);
            sum_block(sum, a, max);
        }
        total += lanes_sum(sum);
    }
    return total;
}

SB_INLINE void xent_block(float *max, float *sum, const float *logits, size_t M,
                          size_t W)
{
    for (size_t m = 0; m < M; m++, logits += W) {
        float top = max_row(logits, W);
        max[m] = top;
        sum[m] = row_sum(logits, top, W);
    }
}

SB_KERNEL(sb_xent_block, xent_block,
          (float *max, float *sum, const float *logits, size_t M, size_t W),
          (max, sum, logits, M, W))

void sb_xent_merge(float *lse, float *top_out, const float *max,
                   const float *sum, size_t stride, size_t nblocks, size_t M)
{
    for (size_t m = 0; m < M; m++) {
        double top = -(double)INFINITY, total = 0.0;
        for (size_t b = 0; b < nblocks; b++)
            if ((double)max[b * stride + m] > top)
                top = (double)max[b * stride + m];
        for (size_t b = 0; b < nblocks; b++) {
            double s = (double)sum[b * stride + m];
            if (s == 0.0) continue; /* a block without columns */
            total += s * exp((double)max[b * stride + m] - top);
        }
        lse[m] = (float)(top + log(total));
        if (top_out) top_out[m] = (float)top;
    }
}

SB_INLINE void grad_block(float *x, float lse, float scale)
{
    EACH_LANE(l)
    {
        x[l] = exp_lane(x[l] - lse) * scale;
    }
}

SB_INLINE void xent_grad(float *row, const float *lse, const int32_t *target,
                         float scale, size_t M, size_t W)
{
    for (size_t m = 0; m < M; m++, row += W) {
        float z = lse[m];
        size_t i = 0;
        for (; W - i >= LANES; i += LANES) grad_block(row + i, z, scale);
        if (i < W) {
            float a[LANES];
            lanes_load(a, row + i, W - i, -INFINITY);
            grad_block(a, z, scale);
            lanes_store(row + i, a, W - i);
        }
        if (target[m] >= 0) row[target[m]] -= scale;
    }
}

SB_KERNEL(sb_xent_grad, xent_grad,
          (float *row, const float *lse, const int32_t *target, float scale,
           size_t M, size_t W),
          (row, lse, target, scale, M, W))
