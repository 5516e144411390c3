/* SPDX-License-Identifier: MIT
 * sgns.c - skip-gram with negative sampling: one input, n outputs. */
#include "trainer/kernels/kernels.h"

#include "trainer/kernels/vec.h"

/* din += step * out row; out row += step * in. */
SB_INLINE void update(float *restrict din, float *restrict o,
                      const float *restrict in, float step, size_t D)
{
    for (size_t i = 0; i < D; i++) {
        float was = o[i];
        din[i] += step * was;
        o[i] = was + step * in[i];
    }
}

/* Rows are far apart: ask for the next one while this one is worked on. */
SB_INLINE void fetch(const float *o, size_t D)
{
    for (size_t i = 0; i < D; i += LANES) __builtin_prefetch(o + i, 1);
}

/* The loss is the sum of log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), its second
 * part taken as the logarithm of one product. */
SB_INLINE float sgns_step(float *din, const float *in, float *out,
                          const uint32_t *row, size_t n, float lr, size_t D)
{
    double loss = 0.0, product = 1.0;
    for (size_t j = 0; j < n; j++) {
        float *o = out + (size_t)row[j] * D;
        if (j + 1 < n) fetch(out + (size_t)row[j + 1] * D, D);
        float dot = dot_row(in, o, D);
        float z = j == 0 ? -dot : dot;
        float e = exp_lane(-fabsf(z));
        loss += z > 0.0f ? (double)z : 0.0;
        product *= 1.0 + (double)e;
        if (product > 0x1p900) {
            loss += log(product);
            product = 1.0;
        }
        float wrong = (z > 0.0f ? 1.0f : e) / (1.0f + e); /* sigmoid(z) */
        update(din, o, in, j == 0 ? lr * wrong : -lr * wrong, D);
    }
    return (float)(loss + log(product));
}

SB_KERNEL_OF(float, sb_sgns_step, sgns_step,
             (float *din, const float *in, float *out, const uint32_t *row,
              size_t n, float lr, size_t D),
             (din, in, out, row, n, lr, D))
