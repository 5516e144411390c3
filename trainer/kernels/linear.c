/* SPDX-License-Identifier: MIT
 * linear.c - the matrix product with bias, by BLAS.
 *
 * Matrices are never cleared by a scaling with 0, which would hide a NaN in
 * some BLAS kernels: beta is 1 over defined values, or 0 into what BLAS then
 * only writes. */
#include "trainer/kernels/kernels.h"

#include <cblas.h>
#undef I /* complex.h's, which cblas.h drags in */

#include "trainer/kernels/vec.h"

void sb_kernels_start(void)
{
    openblas_set_num_threads(1);
}

const char *sb_kernels_core(void)
{
    return openblas_get_corename();
}

const char *sb_kernels_set(void)
{
#if defined(SB_HAS_AVX2)
    if (SB_HAS_AVX512) return "AVX-512";
    if (SB_HAS_AVX2) return "AVX2";
#endif
    return "baseline";
}

void sb_linear_forward(float *y, const float *x, const float *w, const float *b,
                       size_t N, size_t I, size_t O)
{
    if (N == 0 || O == 0) return;
    for (size_t i = 0; b && i < N; i++) memcpy(y + i * O, b, O * sizeof *y);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)N, (int)O, (int)I,
                1.0f, x, (int)I, w, (int)I, b ? 1.0f : 0.0f, y, (int)O);
}

enum { COLUMNS = 64 };

/* The sums of the columns of dy, each over the rows in order: written to db, or
 * added once. */
SB_INLINE void column_sums_body(float *db, int add, const float *dy, size_t N,
                                size_t O)
{
    for (size_t o = 0; o < O; o += COLUMNS) {
        float sum[COLUMNS] = {0};
        size_t n = O - o < COLUMNS ? O - o : COLUMNS;
        if (n == COLUMNS) {
            for (size_t i = 0; i < N; i++)
                for (size_t c = 0; c < COLUMNS; c++)
                    sum[c] += dy[i * O + o + c];
        } else {
            for (size_t i = 0; i < N; i++)
                for (size_t c = 0; c < n; c++) sum[c] += dy[i * O + o + c];
        }
        for (size_t c = 0; c < n; c++)
            db[o + c] = add ? db[o + c] + sum[c] : sum[c];
    }
}

static void column_sums(float *db, int add, const float *dy, size_t N,
                        size_t O);
SB_KERNEL(column_sums, column_sums_body,
          (float *db, int add, const float *dy, size_t N, size_t O),
          (db, add, dy, N, O))

void sb_linear_backward(float *dx, float *dw, float *db, int add,
                        const float *dy, const float *x, const float *w,
                        size_t N, size_t I, size_t O)
{
    if (O == 0) return;
    if (N == 0) {
        if (dw && !add) memset(dw, 0, O * I * sizeof *dw);
        if (db && !add) memset(db, 0, O * sizeof *db);
        return;
    }
    if (dx)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)N, (int)I,
                    (int)O, 1.0f, dy, (int)O, w, (int)I, 0.0f, dx, (int)I);
    if (dw)
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)O, (int)I,
                    (int)N, 1.0f, dy, (int)O, x, (int)I, add ? 1.0f : 0.0f, dw,
                    (int)I);
    if (db) column_sums(db, add, dy, N, O);
}
