/* SPDX-License-Identifier: MIT
 * combine.c - several changes of a row made one. */
#include "trainer/word2vec/combine.h"

#include <math.h>
#include <string.h>

#include "trainer/kernels/kernels.h"

static double weight(sb_combine how, size_t n, double c)
{
    double q = (double)n;
    if (how == SB_COMBINE_AVERAGE) return 1 / q;
    if (how == SB_COMBINE_WEIGHTED && c > 1e-9)
        return expm1(-q * c) / (q * expm1(-c));
    return 1;
}

/* m <- m_n, as combine.h has it. */
static void project(float *m, const float *const *change, size_t n,
                    double share, size_t D)
{
    memcpy(m, change[0], D * sizeof *m);
    for (size_t k = 1; k < n; k++) {
        double length = (double)sb_dot(m, m, D);
        double along = (double)sb_dot(m, change[k], D);
        float keep = length > 0 ? (float)(1 - share * along / length) : 1.0f;
        for (size_t i = 0; i < D; i++) m[i] = keep * m[i] + change[k][i];
    }
}

void sb_combine_changes(sb_combine how, float *row, const float *const *change,
                        size_t n, double c, float *scratch, size_t D)
{
    if (n > 1 && (how == SB_COMBINE_PROJECT || how == SB_COMBINE_DAMPED)) {
        double share = how == SB_COMBINE_PROJECT ? 1 : -expm1(-c);
        project(scratch, change, n, share, D);
        sb_add(row, scratch, D);
        return;
    }
    float w = (float)weight(how, n, c);
    for (size_t k = 0; k < n; k++) sb_axpy(row, w, change[k], D);
}
