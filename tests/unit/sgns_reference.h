/* SPDX-License-Identifier: MIT
 * sgns_reference.h - one step of negative sampling in double, number by
 * number. Shared by the tests of the kernel and of what calls it. */
#ifndef SB_TESTS_SGNS_REFERENCE_H
#define SB_TESTS_SGNS_REFERENCE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "trainer/kernels/kernels.h"

enum { REFERENCE_D = 784 };

static inline double softplus(double z)
{
    return fmax(z, 0) + log1p(exp(-fabs(z)));
}

static inline double sigmoid(double z)
{
    return z > 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
}

typedef struct sgns_problem {
    double *in[SB_SGNS_INPUTS], *out[SB_SGNS_OUTPUTS];
    uint8_t label[SB_SGNS_INPUTS];
    size_t n, m, D;
} sgns_problem;

static inline double sgns_loss(const sgns_problem *p, size_t i, size_t j,
                               double *step_out)
{
    double z = 0, truth = p->label[i] == j ? 1 : 0;
    for (size_t c = 0; c < p->D; c++) z += p->in[i][c] * p->out[j][c];
    *step_out = truth - sigmoid(z);
    return softplus(truth > 0 ? -z : z);
}

/* Dots and the inputs' steps are of the values before. So are the outputs'
 * steps with more than a tile of outputs; with fewer, the inputs go by one
 * after the other, and a row that comes again is met as it was left. */
static inline double sgns_reference(const sgns_problem *p, double lr)
{
    static double g[SB_SGNS_OUTPUTS], all[SB_SGNS_INPUTS][SB_SGNS_OUTPUTS];
    static double d[SB_SGNS_OUTPUTS][REFERENCE_D];
    double loss = 0;
    for (size_t i = 0; i < p->n; i++)
        for (size_t j = 0; j < p->m; j++) {
            loss += sgns_loss(p, i, j, &g[j]);
            all[i][j] = lr * g[j];
        }
    memset(d, 0, sizeof d);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < p->n; i++) {
            for (size_t j = 0; j < p->m && pass == 0; j++)
                for (size_t c = 0; c < p->D; c++)
                    d[j][c] += all[i][j] * p->in[i][c];
            if (pass != (p->m > SB_SGNS_TILE)) continue;
            for (size_t j = 0; j < p->m; j++)
                for (size_t c = 0; c < p->D; c++)
                    p->in[i][c] += all[i][j] * p->out[j][c];
        }
    for (size_t j = 0; j < p->m; j++)
        for (size_t c = 0; c < p->D; c++) p->out[j][c] += d[j][c];
    return loss;
}

#endif
