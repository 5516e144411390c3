/* SPDX-License-Identifier: MIT
 * norm.c - layer normalisation, two passes for the moments; with the residual
 * sum before it, row by row. */
#include "trainer/kernels/kernels.h"

#include "trainer/kernels/vec.h"

SB_INLINE float row_mean(const float *x, size_t D)
{
    float sum[LANES];
    size_t i = 0;
    lanes_set(sum, 0.0f);
    for (; D - i >= LANES; i += LANES) EACH_LANE(l)
        {
            sum[l] += x[i + l];
        }
    for (size_t l = 0; l < D - i; l++) sum[l] += x[i + l];
    return lanes_sum(sum) / (float)D;
}

SB_INLINE void variance_block(float *sum, const float *x, float mean)
{
    EACH_LANE(l)
    {
        float d = x[l] - mean;
        sum[l] += d * d;
    }
}

SB_INLINE float row_variance(const float *x, float mean, size_t D)
{
    float sum[LANES];
    size_t i = 0;
    lanes_set(sum, 0.0f);
    for (; D - i >= LANES; i += LANES) variance_block(sum, x + i, mean);
    if (i < D) {
        float a[LANES];
        lanes_load(a, x + i, D - i, mean);
        variance_block(sum, a, mean);
    }
    return lanes_sum(sum) / (float)D;
}

SB_INLINE void norm_block(float *y, const float *x, const float *g,
                          const float *b, float mean, float rstd)
{
    EACH_LANE(l)
    {
        y[l] = (x[l] - mean) * rstd * g[l] + b[l];
    }
}

SB_INLINE void norm_row(float *y, const float *x, const float *g,
                        const float *b, float mean, float rstd, size_t D)
{
    size_t i = 0;
    for (; D - i >= LANES; i += LANES)
        norm_block(y + i, x + i, g + i, b + i, mean, rstd);
    if (i < D) {
        float a[LANES], gain[LANES], bias[LANES];
        lanes_load(a, x + i, D - i, 0.0f);
        lanes_load(gain, g + i, D - i, 0.0f);
        lanes_load(bias, b + i, D - i, 0.0f);
        norm_block(a, a, gain, bias, mean, rstd);
        lanes_store(y + i, a, D - i);
    }
}

/* y <- x + (keep ? y * scale : 0), or x + y without a mask. */
SB_INLINE void residual_row(float *restrict y, const float *restrict x,
                            const uint8_t *restrict keep, float scale, size_t D)
{
    if (keep)
        for (size_t i = 0; i < D; i++)
            y[i] = x[i] + (keep[i] ? y[i] * scale : 0.0f);
    else
        for (size_t i = 0; i < D; i++) y[i] = x[i] + y[i];
}

SB_INLINE void normalise(float *y, float *mean, float *rstd, const float *x,
                         const float *g, const float *b, float eps, size_t D)
{
    float mu = row_mean(x, D);
    float rs = 1.0f / sqrtf(row_variance(x, mu, D) + eps);
    norm_row(y, x, g, b, mu, rs, D);
    *mean = mu;
    *rstd = rs;
}

SB_INLINE void layernorm_forward(float *y, float *mean, float *rstd,
                                 const float *x, const float *g, const float *b,
                                 float eps, size_t N, size_t D)
{
    for (size_t n = 0; n < N; n++, x += D, y += D)
        normalise(y, mean + n, rstd + n, x, g, b, eps, D);
}

SB_KERNEL(sb_layernorm_forward, layernorm_forward,
          (float *y, float *mean, float *rstd, const float *x, const float *g,
           const float *b, float eps, size_t N, size_t D),
          (y, mean, rstd, x, g, b, eps, N, D))

SB_INLINE void layernorm_again(float *y, const float *x, const float *g,
                               const float *b, const float *mean,
                               const float *rstd, size_t N, size_t D)
{
    for (size_t n = 0; n < N; n++, x += D, y += D)
        norm_row(y, x, g, b, mean[n], rstd[n], D);
}

SB_KERNEL(sb_layernorm_again, layernorm_again,
          (float *y, const float *x, const float *g, const float *b,
           const float *mean, const float *rstd, size_t N, size_t D),
          (y, x, g, b, mean, rstd, N, D))

SB_INLINE void residual_norm(float *out, float *mean, float *rstd, float *y,
                             const float *x, const uint8_t *keep, float scale,
                             const float *g, const float *b, float eps,
                             size_t N, size_t D)
{
    for (size_t n = 0; n < N; n++, x += D, y += D, out += D) {
        residual_row(y, x, keep ? keep + n * D : NULL, scale, D);
        normalise(out, mean + n, rstd + n, y, g, b, eps, D);
    }
}

SB_KERNEL(sb_residual_norm_forward, residual_norm,
          (float *out, float *mean, float *rstd, float *y, const float *x,
           const uint8_t *keep, float scale, const float *g, const float *b,
           float eps, size_t N, size_t D),
          (out, mean, rstd, y, x, keep, scale, g, b, eps, N, D))

/* With xhat = (x - mean) rstd and h = dy g:
 * dx = rstd (h - mean(h) - xhat mean(h xhat)).
 * First the two sums, and what the row adds to dg and db. */
SB_INLINE void sums_block(float *sum, float *dot, float *dg, float *db,
                          const float *dy, const float *x, const float *g,
                          float mean, float rstd)
{
    EACH_LANE(l)
    {
        float hat = (x[l] - mean) * rstd, d = dy[l], h = d * g[l];
        sum[l] += h;
        dot[l] += h * hat;
        dg[l] += d * hat;
        db[l] += d;
    }
}

SB_INLINE void sums_row(float *sum_out, float *dot_out, float *dg, float *db,
                        const float *dy, const float *x, const float *g,
                        float mean, float rstd, size_t D)
{
    float sum[LANES], dot[LANES];
    size_t i = 0;
    lanes_set(sum, 0.0f);
    lanes_set(dot, 0.0f);
    for (; D - i >= LANES; i += LANES)
        sums_block(sum, dot, dg + i, db + i, dy + i, x + i, g + i, mean, rstd);
    if (i < D) {
        float a[LANES], d[LANES], gain[LANES], dgain[LANES], dbias[LANES];
        lanes_load(a, x + i, D - i, mean);
        lanes_load(d, dy + i, D - i, 0.0f);
        lanes_load(gain, g + i, D - i, 0.0f);
        lanes_load(dgain, dg + i, D - i, 0.0f);
        lanes_load(dbias, db + i, D - i, 0.0f);
        sums_block(sum, dot, dgain, dbias, d, a, gain, mean, rstd);
        lanes_store(dg + i, dgain, D - i);
        lanes_store(db + i, dbias, D - i);
    }
    *sum_out = lanes_sum(sum);
    *dot_out = lanes_sum(dot);
}

SB_INLINE void dx_block(float *dx, const float *dy, const float *x,
                        const float *g, float mean, float rstd, float sum,
                        float dot)
{
    EACH_LANE(l)
    {
        float hat = (x[l] - mean) * rstd;
        float h = dy[l] * g[l] - sum;
        dx[l] = (h - hat * dot) * rstd;
    }
}

SB_INLINE void dx_row(float *dx, const float *dy, const float *x,
                      const float *g, float mean, float rstd, float sum,
                      float dot, size_t D)
{
    size_t i = 0;
    for (; D - i >= LANES; i += LANES)
        dx_block(dx + i, dy + i, x + i, g + i, mean, rstd, sum, dot);
    if (i < D) {
        float a[LANES], d[LANES], gain[LANES];
        lanes_load(a, x + i, D - i, 0.0f);
        lanes_load(d, dy + i, D - i, 0.0f);
        lanes_load(gain, g + i, D - i, 0.0f);
        dx_block(d, d, a, gain, mean, rstd, sum, dot);
        lanes_store(dx + i, d, D - i);
    }
}

/* branch: what the row gives to the branch that was dropped out, or NULL. */
SB_INLINE void norm_backward(float *dx, float *branch, float *dg, float *db,
                             const float *dy, const float *x, const float *g,
                             const float *mean, const float *rstd,
                             const uint8_t *keep, float scale, size_t N,
                             size_t D)
{
    memset(dg, 0, D * sizeof *dg);
    memset(db, 0, D * sizeof *db);
    for (size_t n = 0; n < N; n++, x += D, dx += D, dy += D) {
        float s, t, mu = mean[n], rs = rstd[n];
        sums_row(&s, &t, dg, db, dy, x, g, mu, rs, D);
        dx_row(dx, dy, x, g, mu, rs, s / (float)D, t / (float)D, D);
        if (!branch) continue;
        for (size_t i = 0; i < D; i++)
            branch[n * D + i] = keep[n * D + i] ? dx[i] * scale : 0.0f;
    }
}

SB_KERNEL(sb_residual_norm_backward, norm_backward,
          (float *dx, float *branch, float *dg, float *db, const float *dy,
           const float *x, const float *g, const float *mean, const float *rstd,
           const uint8_t *keep, float scale, size_t N, size_t D),
          (dx, branch, dg, db, dy, x, g, mean, rstd, keep, scale, N, D))

void sb_layernorm_backward(float *dx, float *dg, float *db, const float *dy,
                           const float *x, const float *g, const float *mean,
                           const float *rstd, size_t N, size_t D)
{
    sb_residual_norm_backward(dx, NULL, dg, db, dy, x, g, mean, rstd, NULL, 1,
                              N, D);
}
