/* SPDX-License-Identifier: MIT
 * Collectives, agreement and exact sums at this np, impatient and patient,
 * also with messages cut into very small pieces. */
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <string.h>

#include "comm/base/mem.h"
#include "comm/base/rng.h"
#include "comm/flight.h"
#include "comm/reduce.h"
#include "tests/mpi/check.h"

static int rank, size;

static void shares_cover_everything_once(void)
{
    for (uint64_t n = 0; n < 50; n++) {
        CHECK(sb_share(n, 0, size) == 0 && sb_share(n, size, size) == n);
        for (int r = 0; r < size; r++)
            CHECK(sb_share(n, r, size) <= sb_share(n, r + 1, size));
    }
    CHECK(sb_share((uint64_t)1 << 52, 1, 1) == (uint64_t)1 << 52);
}

static void broadcast_and_sums(void)
{
    uint64_t x[1000];
    for (int i = 0; i < 1000; i++)
        x[i] = rank == size - 1 ? (uint64_t)i * 7919 : 0;
    sb_comm_bcast(comm, x, sizeof x, size - 1);
    for (int i = 0; i < 1000; i++) CHECK(x[i] == (uint64_t)i * 7919);
    sb_comm_sum_u64(comm, x, 1000);
    for (int i = 0; i < 1000; i++)
        CHECK(x[i] == (uint64_t)i * 7919 * (unsigned)size);
    uint64_t most = (uint64_t)rank;
    sb_comm_max_u64(comm, &most, 1);
    CHECK(most == (uint64_t)size - 1);
    double d = 0.5 * rank;
    sb_comm_sum_f64(comm, &d, 1);
    CHECK(d == 0.25 * size * (size - 1));
}

/* Rank r sends r + d items to d, or, in the second round, rank 0 none at all
 * and nobody anything to rank 0. */
static void exchange_delivers_in_rank_order(void)
{
    for (int round = 0; round < 2; round++) {
        size_t send_n[64] = {0}, recv_n[64];
        static uint32_t send[4096], recv[4096];
        size_t n = 0, m = 0;
        for (int d = 0; d < size; d++) {
            int idle = round && (rank == 0 || d == 0);
            send_n[d] = idle ? 0 : (size_t)(rank + d);
            for (size_t i = 0; i < send_n[d]; i++)
                send[n++] = (uint32_t)(rank * 10000 + d * 100 + (int)i);
        }
        sb_comm_exchange_counts(comm, send_n, recv_n);
        sb_comm_exchange(comm, sizeof *send, send, send_n, recv, recv_n);
        for (int s = 0; s < size; s++) {
            int idle = round && (rank == 0 || s == 0);
            CHECK(recv_n[s] == (idle ? 0 : (size_t)(rank + s)));
            for (size_t i = 0; i < recv_n[s]; i++)
                CHECK(recv[m++] == (uint32_t)(s * 10000 + rank * 100 + (int)i));
        }
    }
}

static void gathers_put_everything_everywhere(void)
{
    char part[3] = {(char)('a' + rank), (char)('A' + rank), '.'}, all[200];
    sb_comm_gather(comm, part, 3, all);
    for (int r = 0; r < size; r++)
        CHECK(all[3 * r] == 'a' + r && all[3 * r + 1] == 'A' + r);
    size_t cut[65] = {0}; /* rank 1 has nothing */
    for (int r = 0; r < size; r++)
        cut[r + 1] = cut[r] + (r == 1 ? 0 : (size_t)(5 + r));
    memset(all, 0, sizeof all);
    memset(all + cut[rank], 'a' + rank, cut[rank + 1] - cut[rank]);
    sb_comm_gather_cut(comm, all, cut);
    for (int r = 0; r < size; r++)
        for (size_t i = cut[r]; i < cut[r + 1]; i++) CHECK(all[i] == 'a' + r);
}

static void a_failure_of_one_rank_is_known_to_all(void)
{
    CHECK(sb_agree(comm, SB_OK) == SB_OK);
    int bad = size - 1;
    sb_status st = SB_OK;
    if (rank == bad)
        st = sb_fail(SB_EFORMAT, "here.c", 12, "shard %d is damaged", 7);
    CHECK(sb_agree(comm, st) == SB_EFORMAT);
    CHECK(strcmp(sb_error_last()->text, "shard 7 is damaged") == 0);
    CHECK(sb_error_last()->rank == bad && sb_error_last()->line == 12);
    /* several: the lowest speaks */
    st = sb_fail(rank ? SB_EIO : SB_ENOMEM, "x.c", rank, "rank %d", rank);
    CHECK(sb_agree(comm, st) == SB_ENOMEM && sb_error_last()->rank == 0);
}

static float leaf_value(uint64_t leaf, size_t i)
{
    sb_rng_key key = sb_rng_key_make(2, SB_RNG_TEST);
    float v = sb_rng_unit(sb_rng_at(key, leaf, (uint32_t)i, 1).v[0]);
    return leaf % 4 == 1 ? v * -1e5f : v;
}

static float tree_sum(uint64_t n, unsigned level, uint64_t index, size_t i)
{
    if (level == 0) return leaf_value(index, i);
    float left = tree_sum(n, level - 1, 2 * index, i);
    if ((2 * index + 1) << (level - 1) >= n) return left;
    return left + tree_sum(n, level - 1, 2 * index + 1, i);
}

static void check_sum(const float *x, uint64_t leaves, size_t len)
{
    unsigned height = 0;
    while ((uint64_t)1 << height < leaves) height++;
    size_t step = len > 3000 ? 997 : 1;
    for (size_t i = 0; i < len; i += step)
        CHECK(x[i] == tree_sum(leaves, height, 0, i));
    CHECK(x[len - 1] == tree_sum(leaves, height, 0, len - 1));
}

/* Against the definition, so also the same for every np. */
static void exact_sum(uint64_t leaves, size_t len)
{
    uint64_t first = sb_share(leaves, rank, size);
    uint64_t last = sb_share(leaves, rank + 1, size);
    sb_tree *t;
    OK(sb_tree_open(leaves, first, last, len, &t));
    for (uint64_t k = first; k < last; k++) {
        float *v;
        OK(sb_tree_leaf(t, &v));
        for (size_t i = 0; i < len; i++) v[i] = leaf_value(k, i);
        sb_tree_add(t, k, v);
    }
    size_t cut[65]; /* the last rank's segment is empty */
    for (int r = 0; r <= size; r++)
        cut[r] = r >= size - 1 && size > 1
                     ? len
                     : (size_t)sb_share(len, r, size > 1 ? size - 1 : 1);
    float *x;
    OK(sb_alloc(len, sizeof *x, "test", &x));
    sb_reduction *sum;
    OK(sb_reduction_open(comm, leaves, len, len, SB_REDUCE_EXACT, 1, &sum));
    for (int way = 0; way < 2; way++) { /* wait, or look again and again */
        memset(x, 0, len * sizeof *x);
        sb_reduction_begin(sum, t, cut, x + cut[rank]);
        while (way && sb_reduction_poll(sum)) sched_yield();
        sb_reduction_end(sum);
        sb_flight *flight;
        size_t bytes[65];
        OK(sb_flight_open(comm, 2, &flight));
        for (int r = 0; r <= size; r++) bytes[r] = cut[r] * sizeof *x;
        sb_flight_gather(flight, x, bytes);
        while (way && !sb_flight_done(flight)) sched_yield();
        sb_flight_wait(flight);
        sb_flight_close(flight);
        check_sum(x, leaves, len);
    }
    sb_reduction_close(sum);
    sb_free(x);
    sb_tree_close(t);
}

/* MPI's own sum: of small whole numbers, so that every order gives it. */
static void fast_sum(uint64_t leaves, size_t len)
{
    uint64_t first = sb_share(leaves, rank, size);
    uint64_t last = sb_share(leaves, rank + 1, size);
    sb_tree *t;
    sb_reduction *sum;
    size_t cut[65];
    float *x;
    OK(sb_tree_open(leaves, first, last, len, &t));
    for (uint64_t k = first; k < last; k++) {
        float *v;
        OK(sb_tree_leaf(t, &v));
        for (size_t i = 0; i < len; i++) v[i] = (float)((k + 1) * (i % 7));
        sb_tree_add(t, k, v);
    }
    for (int r = 0; r <= size; r++) cut[r] = (size_t)sb_share(len, r, size);
    OK(sb_alloc(len, sizeof *x, "test", &x));
    OK(sb_reduction_open(comm, leaves, len, len, SB_REDUCE_FAST, 1, &sum));
    for (int way = 0; way < 2; way++) {
        memset(x, 0, len * sizeof *x);
        sb_reduction_begin(sum, t, cut, x);
        while (way && sb_reduction_poll(sum)) sched_yield();
        sb_reduction_end(sum);
        for (size_t i = 0; i < cut[rank + 1] - cut[rank]; i++)
            CHECK(x[i] ==
                  (float)(leaves * (leaves + 1) / 2 * ((cut[rank] + i) % 7)));
    }
    sb_reduction_close(sum);
    sb_free(x);
    sb_tree_close(t);
}

static void fast_sums_are_sums(void)
{
    for (uint64_t leaves = 1; leaves <= 9; leaves++) fast_sum(leaves, 41);
}

static void exact_sums_follow_the_definition(void)
{
    for (uint64_t leaves = 1; leaves <= 17; leaves++) exact_sum(leaves, 40);
    exact_sum(6, 1300000); /* more than one bucket */
}

int main(int argc, char **argv)
{
    /* Once with pieces of 64 bytes: the paths of huge messages. */
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--small-pieces") == 0)
            setenv("SB_COMM_PIECE", "64", 1);
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    rank = sb_comm_rank(comm);
    size = sb_comm_size(comm);
    shares_cover_everything_once();
    for (int patient = 0; patient < 2; patient++) {
        sb_comm_patient(comm, patient);
        broadcast_and_sums();
        exchange_delivers_in_rank_order();
        gathers_put_everything_everywhere();
        a_failure_of_one_rank_is_known_to_all();
        if (getenv("SB_COMM_PIECE"))
            exact_sum(5, 300);
        else
            exact_sums_follow_the_definition();
        fast_sums_are_sums();
    }
    sb_comm_close(comm);
    return 0;
}
