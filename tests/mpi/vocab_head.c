/* SPDX-License-Identifier: MIT
 * The output layer at this np: loss and gradients against the plain softmax
 * in double, and the same bits as a hash of np 1 says; blocks that ranks lack,
 * a rank without a position, positions in groups; in fp32 and with rounded
 * operands. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "comm/base/rng.h"
#include "comm/reduce.h"
#include "tests/mpi/check.h"
#include "trainer/kernels/kernels.h"
#include "trainer/mlm/vocab_head.h"

enum { V = 53, D = 16, M = 11 };
static int rank, size;
static float E[V][D], bias[V], z[M][D];
static uint32_t target[M];

static void fill(void)
{
    sb_rng_key key = sb_rng_key_make(1, SB_RNG_TEST);
    sb_rng_normal(key, 1, 0, &E[0][0], V * D, 0.5f);
    sb_rng_normal(key, 2, 0, bias, V, 1.0f);
    sb_rng_normal(key, 3, 0, &z[0][0], M * D, 1.0f);
    for (uint32_t m = 0; m < M; m++)
        target[m] = m == 0 ? 0 : m == 1 ? V - 1 : (m * 29) % V;
    for (int k = 0; k < D; k++) {
        z[0][k] = 3 * E[0][k];          /* position 0 is right      */
        z[1][k] = 1;                    /* 1 as likely as piece 7:  */
        E[7][k] = E[V - 1][k] = 0.5f;   /* exact in any order       */
        z[2][k] = -2 * E[target[2]][k]; /* 2 is wrong               */
    }
    bias[7] = bias[V - 1] = 0.25f;
}

/* p[v] of position m, and the loss. */
static double softmax(uint32_t m, double *p)
{
    double sum = 0;
    for (int v = 0; v < V; v++) {
        double x = (double)bias[v];
        for (int k = 0; k < D; k++) x += (double)E[v][k] * (double)z[m][k];
        p[v] = exp(x);
        sum += p[v];
    }
    for (int v = 0; v < V; v++) p[v] /= sum;
    return -log(p[target[m]]);
}

static double tolerance;

static int close_to(double a, double b)
{
    return fabs(a - b) <= tolerance * (1 + fabs(b));
}

static void check_gradients(const sb_table *t, const float *dz)
{
    static double dE[V][D], db[V], dx[M][D], p[V];
    memset(dE, 0, sizeof dE);
    memset(db, 0, sizeof db);
    memset(dx, 0, sizeof dx);
    for (uint32_t m = 0; m < M; m++) {
        softmax(m, p);
        for (uint32_t v = 0; v < V; v++) {
            double g = (p[v] - (v == target[m])) / M;
            db[v] += g;
            for (int k = 0; k < D; k++) {
                dE[v][k] += g * (double)z[m][k];
                dx[m][k] += g * (double)E[v][k];
            }
        }
    }
    for (int m = 0; m < M; m++)
        for (int k = 0; k < D; k++)
            CHECK(close_to((double)dz[m * D + k], dx[m][k]));
    for (uint64_t v = t->first; v < t->last; v++) {
        CHECK(close_to((double)t->bias_grad[v - t->first], db[v]));
        for (size_t k = 0; k < D; k++)
            CHECK(close_to((double)t->grad[(v - t->first) * D + k], dE[v][k]));
    }
}

/* Returns a hash of loss, dz, and the table's gradient, equal on all ranks. */
static uint64_t run(uint64_t block, size_t group, int workers,
                    sb_precision precision)
{
    sb_pool *pool;
    sb_table *t;
    sb_head *h;
    double loss, want = 0, p[V];
    OK(sb_pool_open(workers, &pool));
    OK(sb_table_open(comm, V, block, D, 1, &t));
    const sb_head_options o = {group, 1, 1, SB_REDUCE_EXACT, precision};
    tolerance = precision == SB_FP32 ? 2e-6 : 1e-2;
    OK(sb_head_open(t, pool, &o, &h));
    OK(sb_head_run(h, &z[0][0], target, M, NULL, &loss)); /* of rows of 0 */
    CHECK(close_to(loss, M * log(V)));
    memcpy(t->rows, E[t->first], (size_t)(t->last - t->first) * sizeof E[0]);
    memcpy(t->bias, bias + t->first,
           (size_t)(t->last - t->first) * sizeof *bias);
    size_t cut[65], bytes[65]; /* rank 0 has no position when there are more */
    for (int r = 0; r <= size; r++)
        cut[r] = size == 1 ? (size_t)r * M
                 : r == 0  ? 0
                           : (size_t)sb_share(M, r - 1, size - 1);
    struct {
        float dz[M * D], grad[V * D];
        double loss;
    } all = {0};
    double alone;
    const sb_head_gradient g = {1.0f / M, cut, all.dz + cut[rank] * D};
    OK(sb_head_run(h, &z[0][0], target, M, NULL, &alone));
    OK(sb_head_run(h, &z[0][0], target, M, &g, &loss));
    CHECK(loss == alone);
    for (int r = 0; r <= size; r++) bytes[r] = cut[r] * D * sizeof(float);
    sb_comm_gather_cut(comm, all.dz, bytes);
    for (uint32_t m = 0; m < M; m++) {
        double one = softmax(m, p), most = 0;
        for (int v = 0; v < V; v++) most = fmax(most, p[v]);
        CHECK(close_to(sb_head_loss(h)[m], one));
        if (precision == SB_FP32)
            CHECK(sb_head_correct(h)[m] == (p[target[m]] == most));
        want += one;
    }
    const uint8_t *correct = sb_head_correct(h);
    CHECK(correct[0] && correct[1] && !correct[2]);
    CHECK(close_to(loss, want));
    check_gradients(t, all.dz);
    memcpy(all.grad + t->first * D, t->grad,
           (size_t)(t->last - t->first) * D * sizeof(float));
    for (int r = 0; r <= size; r++) {
        uint64_t row = sb_share(t->blocks, r, size) * block;
        bytes[r] = (size_t)(row < V ? row : V) * D * sizeof(float);
    }
    sb_comm_gather_cut(comm, all.grad, bytes);
    all.loss = loss;
    sb_head_close(h);
    sb_table_close(t);
    sb_pool_close(pool);
    return sb_hash64(&all, sizeof all);
}

int main(int argc, char **argv)
{
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    rank = sb_comm_rank(comm);
    size = sb_comm_size(comm);
    sb_kernels_start();
    fill();
    const sb_precision fp32 = SB_FP32, bf16 = SB_BF16_EMULATED;
    uint64_t one = run(10, M, 1, fp32), three = run(10, 4, 1, fp32);
    CHECK(run(10, M, 3, fp32) == one);
    CHECK(run(10, 4, 3, fp32) == three);
    CHECK(run(10, 3, 3, fp32) == run(10, 3, 1, fp32));
    CHECK(one != three && run(30, M, 1, fp32) != one); /* other order */
    CHECK(run(10, 4, 3, bf16) == run(10, 4, 1, bf16));
    CHECK(run(10, 4, 1, bf16) != three);
    /* tests/cli/exact.sh compares whole runs over np; here the hash is shown. */
    if (rank == 0) printf("np %d: %016" PRIx64 "\n", size, one);
    sb_comm_close(comm);
    return 0;
}
