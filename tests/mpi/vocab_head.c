/* SPDX-License-Identifier: MIT
 * The output layer at this np: loss, who is right, and gradients against the
 * plain softmax in double, and the same bits as a hash of np 1 says; blocks that ranks lack,
 * a rank without a position, logits kept and computed again. */
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

static int close_to(double a, double b)
{
    return fabs(a - b) <= 2e-6 * (1 + fabs(b));
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

static void check_positions(const sb_head *h, double loss)
{
    double p[V], sum = 0;
    const uint8_t *correct = sb_head_correct(h);
    for (uint32_t m = 0; m < M; m++) {
        int best = 1;
        CHECK(close_to(sb_head_loss(h)[m], softmax(m, p)));
        for (uint32_t v = 0; v < V; v++) best &= p[target[m]] >= p[v];
        CHECK(correct[m] == best);
        sum += sb_head_loss(h)[m];
    }
    CHECK(sum == loss);
    softmax(1, p);
    CHECK(p[7] == p[V - 1]);
    CHECK(correct[0] && correct[1] && !correct[2]);
}

/* Returns a hash of loss, dz, and the table's gradient, equal on all ranks. */
static uint64_t run(uint64_t block, size_t keep_bytes, int workers)
{
    sb_pool *pool;
    sb_table *t;
    sb_head *h;
    double loss, want = 0, p[V];
    OK(sb_pool_open(workers, &pool));
    OK(sb_table_open(comm, V, block, D, 1, &t));
    OK(sb_head_open(t, pool, keep_bytes, 1, &h));
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
    OK(sb_head_forward(h, &z[0][0], target, M, &loss));
    OK(sb_head_backward(h, 1.0f / M, cut, all.dz + cut[rank] * D));
    for (int r = 0; r <= size; r++) bytes[r] = cut[r] * D * sizeof(float);
    sb_comm_gather_cut(comm, all.dz, bytes);
    for (uint32_t m = 0; m < M; m++) want += softmax(m, p);
    CHECK(close_to(loss, want));
    check_positions(h, loss);
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
    uint64_t kept = run(10, 1 << 20, 1);
    CHECK(run(10, 0, 1) == kept);
    CHECK(run(10, 0, 3) == kept);
    CHECK(run(10, 1 << 20, 3) == kept);
    CHECK(run(30, 1 << 20, 1) != kept); /* other blocks, other order */
    /* tests/cli/exact.sh compares whole runs over np; here the hash is shown. */
    if (rank == 0) printf("np %d: %016" PRIx64 "\n", size, kept);
    sb_comm_close(comm);
    return 0;
}
