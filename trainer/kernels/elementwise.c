/* SPDX-License-Identifier: MIT
 * elementwise.c - one element in, one element out; and two checks of arrays.
 *
 * GELU needs Phi(x) = erfc(-x / sqrt 2) / 2. With a = |x| the tail is
 * Q(a) = exp(-a^2 / 2) M(a), M (Mills' ratio / sqrt(2 pi)) smooth: 1/2 - a p /
 * q with positive coefficients, fitted for this file to 6e-9 of M on [0, 15].
 * Phi is 1 - Q or Q, and the exponential is also the density that the backward
 * wants. */
#include "trainer/kernels/kernels.h"

#include "trainer/kernels/vec.h"

/* Phi(x) = P(X <= x), and its density times sqrt(2 pi). */
SB_INLINE float normal(float x, float *e)
{
    float a = fabsf(x);
    *e = exp_lane(-0.5f * (a * a));
    a = a > 16.0f ? 16.0f : a; /* there e is 0 */
    float p = 0.0052051586015f;
    p = p * a + 0.0470863973705f;
    p = p * a + 0.194822553919f;
    p = p * a + 0.41880449925f;
    p = p * a + 0.39894250278f;
    float q = 0.010410317203f;
    q = q * a + 0.10247911519f;
    q = q * a + 0.47140673195f;
    q = q * a + 1.2055458386f;
    q = q * a + 1.6764505981f;
    q = q * a + 1.0f;
    float tail = *e * (0.5f - a * (p / q));
    return x < 0.0f ? tail : 1.0f - tail;
}

SB_INLINE void gelu_block(float *y, const float *x)
{
    EACH_LANE(l)
    {
        float e, a = x[l];
        y[l] = a * normal(a, &e);
    }
}

SB_INLINE void gelu_forward(float *y, const float *x, size_t n)
{
    size_t i = 0;
    for (; n - i >= LANES; i += LANES) gelu_block(y + i, x + i);
    if (i < n) {
        float a[LANES];
        lanes_load(a, x + i, n - i, 0.0f);
        gelu_block(a, a);
        lanes_store(y + i, a, n - i);
    }
}

SB_KERNEL(sb_gelu_forward, gelu_forward, (float *y, const float *x, size_t n),
          (y, x, n))

SB_INLINE void gelu_back_block(float *dx, float *y, const float *dy,
                               const float *x)
{
    EACH_LANE(l)
    {
        float e, a = x[l], phi = normal(a, &e);
        y[l] = a * phi;
        dx[l] = dy[l] * (phi + a * (e * 0.398942280f)); /* 1 / sqrt(2 pi) */
    }
}

SB_INLINE void gelu_backward(float *dx, float *y, const float *dy,
                             const float *x, size_t n)
{
    size_t i = 0;
    for (; n - i >= LANES; i += LANES)
        gelu_back_block(dx + i, y + i, dy + i, x + i);
    if (i < n) {
        float a[LANES], d[LANES], value[LANES];
        lanes_load(a, x + i, n - i, 0.0f);
        lanes_load(d, dy + i, n - i, 0.0f);
        gelu_back_block(d, value, d, a);
        lanes_store(dx + i, d, n - i);
        lanes_store(y + i, value, n - i);
    }
}

SB_KERNEL(sb_gelu_backward, gelu_backward,
          (float *dx, float *y, const float *dy, const float *x, size_t n),
          (dx, y, dy, x, n))

SB_INLINE void dropout(float *restrict x, const uint8_t *restrict keep,
                       float scale, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = keep[i] ? x[i] * scale : 0.0f;
}

SB_KERNEL(sb_dropout, dropout,
          (float *x, const uint8_t *keep, float scale, size_t n),
          (x, keep, scale, n))

SB_INLINE void add(float *restrict y, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

SB_KERNEL(sb_add, add, (float *y, const float *x, size_t n), (y, x, n))

SB_INLINE double sum_squares(const float *x, size_t n)
{
    double sum[LANES] = {0};
    size_t i = 0;
    for (; n - i >= LANES; i += LANES) EACH_LANE(l)
        {
            sum[l] += (double)x[i + l] * (double)x[i + l];
        }
    for (size_t l = 0; l < n - i; l++)
        sum[l] += (double)x[i + l] * (double)x[i + l];
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++) sum[l] += sum[l + half];
    return sum[0];
}

SB_KERNEL_OF(double, sb_sum_squares, sum_squares, (const float *x, size_t n),
             (x, n))
