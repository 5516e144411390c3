/* SPDX-License-Identifier: MIT
 * rows.c - rows of a table, and the two vector products. */
#include "trainer/kernels/kernels.h"

#include "trainer/kernels/vec.h"

void sb_rows_get(float *out, const float *table, const uint32_t *row, size_t n,
                 size_t D)
{
    for (size_t i = 0; D && i < n; i++)
        memcpy(out + i * D, table + (size_t)row[i] * D, D * sizeof *out);
}

void sb_rows_add(float *table, const float *in, const uint32_t *row, size_t n,
                 size_t D)
{
    for (size_t i = 0; i < n; i++)
        sb_add(table + (size_t)row[i] * D, in + i * D, D);
}

SB_INLINE float dot(const float *a, const float *b, size_t D)
{
    return dot_row(a, b, D);
}

SB_KERNEL_OF(float, sb_dot, dot, (const float *a, const float *b, size_t D),
             (a, b, D))

SB_INLINE void axpy(float *restrict y, float a, const float *restrict x,
                    size_t D)
{
    for (size_t i = 0; i < D; i++) y[i] += a * x[i];
}

SB_KERNEL(sb_axpy, axpy, (float *y, float a, const float *x, size_t D),
          (y, a, x, D))
