/* SPDX-License-Identifier: MIT
 * What the ranks did to their tables becomes one change: averaged for rows that
 * are updated often in a round, summed for rows that are not. Large enough for
 * several panels. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/hash.h"
#include "comm/comm.h"
#include "trainer/word2vec/replica.h"

enum { V = 1000, D = 4096, PAIRS = 1000 };
#define ALPHA 0.1

static sb_comm *comm;
static uint64_t failures;

#define EXPECT(cond)                                                           \
    do {                                                                       \
        if (!(cond)) {                                                         \
            failures++;                                                        \
            fprintf(stderr, "rank %d: %s:%d: %s\n", sb_comm_rank(comm),        \
                    __FILE__, __LINE__, #cond);                                \
        }                                                                      \
    } while (0)

/* Does rank r change row v in this round? */
static int changes(uint32_t v, int r, int round)
{
    if (v % 5 == 4) return 0; /* nobody's row */
    return (v + (uint32_t)(r + round)) % (uint32_t)(r + 1) == 0;
}

/* Even rows: all the same. Odd rows: every rank an element of its own. */
static void change(const sb_w2v_tables *t, uint32_t v, int r)
{
    float *in = t->in + (size_t)v * D, *out = t->out + (size_t)v * D;
    for (uint32_t i = 0; v % 2 == 0 && i < D; i++) in[i] += 0.5f;
    if (v % 2 == 1) in[r] += 2.0f;
    out[r] -= 1.0f;
    t->in_touched[v] = t->out_touched[v] = 1;
}

static void check_row(const float *x, const float *was, uint32_t v, int round,
                      int is_out)
{
    int size = sb_comm_size(comm), n = 0;
    for (int r = 0; r < size; r++) n += changes(v, r, round);
    int wrong = 0;
    for (int i = 0; i < D; i++) {
        double d = (double)x[i] - (double)was[i], want = 0;
        int mine = i < size && changes(v, i, round);
        if (is_out || v % 2 == 1)
            want = mine ? (is_out ? -1 : 2) : 0;
        else if (n > 0)
            want = 0.5;
        wrong += fabs(d - want) > 1e-5;
    }
    EXPECT(wrong == 0);
}

static void one_round(sb_replica *r, int round)
{
    static float in[V * D], out[V * D];
    const sb_w2v_tables *t = sb_replica_tables(r);
    memcpy(in, t->in, sizeof in);
    memcpy(out, t->out, sizeof out);
    int me = sb_comm_rank(comm);
    for (uint32_t v = 0; v < V && sb_comm_size(comm) > 1; v++)
        if (changes(v, me, round)) change(t, v, me);
    sb_replica_combine(comm, r, PAIRS, ALPHA);
    for (uint32_t v = 0; v < V && sb_comm_size(comm) > 1; v += 7) {
        check_row(t->in + v * D, in + v * D, v, round, 0);
        check_row(t->out + v * D, out + v * D, v, round, 1);
    }
    uint64_t h[2] = {sb_hash64(t->in, sizeof in),
                     sb_hash64(t->out, sizeof out)};
    uint64_t most[2] = {h[0], h[1]};
    sb_comm_max_u64(comm, most, 2);
    EXPECT(h[0] == most[0] && h[1] == most[1]);
}

int main(int argc, char **argv)
{
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    sb_replica *r;
    if (sb_replica_open(comm, V, D, &r) != SB_OK) sb_fatal(comm);
    /* Even input rows are updated often: averaged. All others seldom: summed. */
    static float often[V], seldom[V];
    for (uint32_t v = 0; v < V; v += 2) often[v] = 1;
    sb_replica_expect(r, often, seldom);
    sb_replica_init(r, 1);
    sb_replica_begin(r);
    for (int round = 0; round < 3; round++) one_round(r, round);
    sb_replica_combine(comm, r, PAIRS, ALPHA); /* nobody did anything */
    sb_replica_close(r);
    sb_comm_sum_u64(comm, &failures, 1);
    if (sb_comm_rank(comm) == 0)
        printf("%s\n", failures ? "FAILED" : "all tests passed");
    sb_comm_close(comm);
    return failures != 0;
}
