/* SPDX-License-Identifier: MIT
 * sgns.c - negative sampling on a small dense problem: n inputs, m outputs.
 *
 * Three steps, each a matrix product or cheap beside one:
 *   z = in out'         dots, two inputs against up to TILE outputs at a time
 *   g = lr (t - s(z))   once over n x m numbers
 *   in += g out, out += g' in
 * The last two in one pass: a few columns of the outputs stay in registers
 * while those of all inputs go by, so each number is loaded and stored once
 * for 4 TILE operations. In place, on rows that lie anywhere: nothing is
 * gathered or packed, which is what a call of BLAS would need. More than TILE
 * outputs go tile by tile, and the inputs' steps are added up aside. */
#include "trainer/kernels/kernels.h"

#include "trainer/kernels/vec.h"

enum { TILE = 6 };

/* Keeps gcc from loading a value again for each use. */
#if defined(__x86_64__) && !defined(__clang__)
#define IN_REGISTER(v) __asm__("" : "+x"(v))
#else
#define IN_REGISTER(v) (void)(v)
#endif

#define W       16
#define NAME(x) x##_16
#include "trainer/kernels/sgns_body.h"
#define W       8
#define NAME(x) x##_8
#include "trainer/kernels/sgns_body.h"
#define W       4
#define NAME(x) x##_4
#include "trainer/kernels/sgns_body.h"

SB_INLINE void dots_pair(float *z, size_t m, float *const *in, size_t Q,
                         float *const *out, size_t M, float *const *next,
                         size_t D, int width)
{
    if (width == 16)
        dots_16(z, m, in, Q, out, M, next, D);
    else if (width == 8)
        dots_8(z, m, in, Q, out, M, next, D);
    else
        dots_4(z, m, in, Q, out, M, next, D);
}

SB_INLINE void dots(float *z, const sb_sgns *b, size_t j, size_t M, int width)
{
    size_t n = b->n, m = b->m, i = 0;
    for (; i + 2 <= n; i += 2) {
        float *const *next = i + 2 <= b->soon_n ? b->soon + i : b->in + i;
        dots_pair(z + i * m + j, m, b->in + i, 2, b->out + j, M, next, b->D,
                  width);
    }
    if (i < n)
        dots_pair(z + i * m + j, m, b->in + i, 1, b->out + j, M, b->in + i,
                  b->D, width);
}

SB_INLINE void update(float *const *to, const sb_sgns *b, const float *g,
                      size_t j, size_t M, int width)
{
    if (width == 16)
        update_16(to, b->in, b->n, b->out + j, M, g + j, b->m, b->D);
    else if (width == 8)
        update_8(to, b->in, b->n, b->out + j, M, g + j, b->m, b->D);
    else
        update_4(to, b->in, b->n, b->out + j, M, g + j, b->m, b->D);
}

/* z <- lr (t - sigmoid(z)); returns the sum of log(1 + e^z) = max(z, 0) +
 * log(1 + e^-|z|), its second part as the logarithm of a few products. */
SB_INLINE double factors(float *z, size_t n, float lr)
{
    enum { FLUSH = 60 * LANES }; /* products of 61 stay below 2^62 */
    double loss = 0.0;
    for (size_t first = 0; first < n; first += FLUSH) {
        size_t last = n - first > FLUSH ? first + FLUSH : n, i = first;
        float positive[LANES];
        double product[LANES], all = 1.0;
        lanes_set(positive, 0.0f);
        for (size_t l = 0; l < LANES; l++) product[l] = 1.0;
        for (; last - i >= LANES; i += LANES) EACH_LANE(l)
            {
                float x = z[i + l], e = exp_lane(x > 0.0f ? -x : x);
                positive[l] += x > 0.0f ? x : 0.0f;
                product[l] *= 1.0 + (double)e;
                z[i + l] = -lr * (x > 0.0f ? 1.0f : e) / (1.0f + e);
            }
        for (size_t l = 0; i < last; i++, l++) {
            float x = z[i], e = exp_lane(x > 0.0f ? -x : x);
            positive[l] += x > 0.0f ? x : 0.0f;
            product[l] *= 1.0 + (double)e;
            z[i] = -lr * (x > 0.0f ? 1.0f : e) / (1.0f + e);
        }
        for (size_t l = 0; l < LANES; l++) {
            loss += (double)positive[l];
            all *= product[l];
        }
        loss += log(all); /* below 2^992 */
    }
    return loss;
}

/* fn for tiles of outputs; M must be known when compiled. */
#define EACH_TILE(fn, ...)                                                     \
    for (size_t j = 0; j < b->m; j += TILE) switch (b->m - j) {                \
        default:                                                               \
            fn(__VA_ARGS__, j, 6, width);                                      \
            break;                                                             \
        case 5:                                                                \
            fn(__VA_ARGS__, j, 5, width);                                      \
            break;                                                             \
        case 4:                                                                \
            fn(__VA_ARGS__, j, 4, width);                                      \
            break;                                                             \
        case 3:                                                                \
            fn(__VA_ARGS__, j, 3, width);                                      \
            break;                                                             \
        case 2:                                                                \
            fn(__VA_ARGS__, j, 2, width);                                      \
            break;                                                             \
        case 1:                                                                \
            fn(__VA_ARGS__, j, 1, width);                                      \
            break;                                                             \
        }

SB_INLINE double step(const sb_sgns *b, float lr, float *g, float **aside,
                      int width)
{
    size_t n = b->n, m = b->m, D = b->D;
    EACH_TILE(dots, g, b)
    for (size_t i = n; i < b->soon_n; i++)
        for (size_t c = 0; c < D; c += LANES)
            __builtin_prefetch(b->soon[i] + c, 0, 2);
    double truth = 0.0;
    for (size_t i = 0; i < n; i++) truth += (double)g[i * m + b->label[i]];
    double loss = factors(g, n * m, lr) - truth;
    for (size_t i = 0; i < n; i++) g[i * m + b->label[i]] += lr;
    if (m <= TILE) {
        EACH_TILE(update, b->in, b, g)
        return loss;
    }
    for (size_t i = 0; i < n; i++) memset(aside[i], 0, D * sizeof *aside[i]);
    EACH_TILE(update, aside, b, g)
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < D; c++) b->in[i][c] += aside[i][c];
    return loss;
}

SB_KERNEL_WIDE_OF(double, sb_sgns_step, step,
                  (const sb_sgns *b, float lr, float *g, float **aside), b, lr,
                  g, aside)
