/* SPDX-License-Identifier: MIT
 * Groups of ranks of one host: who is in which, also where the hosts' ranks
 * alternate, and that a group is a communicator like any other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "comm/group.h"
#include "comm/queue.h"
#include "comm/reduce.h"
#include "tests/mpi/check.h"

static int rank, size;

/* What this rank's group must be: rank r lies on host r % hosts. */
typedef struct expected {
    int first, node_rank, node_size; /* first: its rank 0, a rank of comm */
    int groups, leader_rank;         /* of all hosts; -1 */
} expected;

static expected expect(int hosts, int at_most)
{
    expected e = {.leader_rank = -1};
    int on_host = (size - 1 - rank % hosts) / hosts + 1;
    int place = rank / hosts, run = at_most ? at_most : on_host;
    e.node_rank = place % run;
    e.first = rank - e.node_rank * hosts;
    int left = on_host - (place - e.node_rank);
    e.node_size = left < run ? left : run;
    for (int r = 0; r < size; r++) { /* every leader, in the order of comm */
        int all = (size - 1 - r % hosts) / hosts + 1;
        if (r / hosts % (at_most ? at_most : all) != 0) continue;
        if (r == rank) e.leader_rank = e.groups;
        e.groups++;
    }
    return e;
}

static void groups_are_runs_of_a_hosts_ranks(int hosts, int at_most)
{
    expected e = expect(hosts, at_most);
    sb_comm *node, *leaders;
    OK(sb_comm_split_nodes(comm, at_most, &node, &leaders));
    CHECK(sb_comm_rank(node) == e.node_rank);
    CHECK(sb_comm_size(node) == e.node_size);
    CHECK((leaders != NULL) == (e.node_rank == 0));
    int members[64], heads[64];
    sb_comm_gather(node, &rank, sizeof rank, members);
    for (int i = 0; i < e.node_size; i++)
        CHECK(members[i] == e.first + i * hosts);
    if (leaders) {
        CHECK(sb_comm_rank(leaders) == e.leader_rank);
        CHECK(sb_comm_size(leaders) == e.groups);
        sb_comm_gather(leaders, &rank, sizeof rank, heads);
        for (int i = 1; i < e.groups; i++) CHECK(heads[i - 1] < heads[i]);
        CHECK(heads[e.leader_rank] == rank);
    }
    sb_comm_free(leaders);
    sb_comm_free(node);
}

static void a_groups_calls_stay_in_it(sb_comm *node, int first)
{
    int n = sb_comm_size(node), me = sb_comm_rank(node);
    uint64_t sum = (uint64_t)first + 1, most = (uint64_t)rank;
    sb_comm_sum_u64(node, &sum, 1);
    CHECK(sum == (uint64_t)n * (uint64_t)(first + 1));
    sb_comm_max_u64(node, &most, 1);
    int last = rank;
    sb_comm_bcast(node, &last, sizeof last, n - 1);
    CHECK(last == (int)most);
    size_t send_n[64], recv_n[64];
    int send[64], recv[64];
    for (int i = 0; i < n; i++) {
        send_n[i] = 1;
        send[i] = rank * 100 + i;
    }
    sb_comm_exchange_counts(node, send_n, recv_n);
    sb_comm_exchange(node, sizeof *send, send, send_n, recv, recv_n);
    for (int i = 0; i < n; i++) CHECK(recv[i] % 100 == me);
    CHECK(recv[n - 1] / 100 == (int)most);
}

/* The same tree over the group alone: leaf k is k + 0.25 everywhere. */
static void exact_sums_work_in_a_group(sb_comm *node)
{
    enum { LEAVES = 7, LEN = 20 };
    int n = sb_comm_size(node), me = sb_comm_rank(node);
    uint64_t first = sb_share(LEAVES, me, n),
             last = sb_share(LEAVES, me + 1, n);
    size_t cut[65];
    float x[LEN];
    sb_tree *t;
    for (int r = 0; r <= n; r++) cut[r] = (size_t)sb_share(LEN, r, n);
    OK(sb_tree_open(LEAVES, first, last, LEN, &t));
    for (uint64_t k = first; k < last; k++) {
        float *v;
        OK(sb_tree_leaf(t, &v));
        for (size_t i = 0; i < LEN; i++) v[i] = (float)k + 0.25f;
        sb_tree_add(t, k, v);
    }
    sb_reduction *sum;
    OK(sb_reduction_open(node, LEAVES, LEN, LEN, SB_REDUCE_EXACT, 1, &sum));
    sb_reduction_begin(sum, t, cut, x + cut[me]);
    sb_reduction_end(sum);
    sb_reduction_close(sum);
    for (int r = 0; r <= n; r++) cut[r] *= sizeof *x;
    sb_comm_gather_cut(node, x, cut);
    for (size_t i = 0; i < LEN; i++) CHECK(x[i] == 21.0f + 7 * 0.25f);
    sb_tree_close(t);
}

static void a_queue_works_in_a_group(sb_comm *node)
{
    enum { TASKS = 50 };
    uint64_t taken[TASKS] = {0};
    size_t task;
    sb_queue *q;
    OK(sb_queue_open(node, TASKS, &q));
    while (sb_queue_next(q, &task)) {
        taken[task]++;
        sb_queue_report(q, (sb_done){0});
    }
    sb_queue_finish(q, NULL, NULL);
    sb_queue_close(q);
    sb_comm_sum_u64(node, taken, TASKS);
    for (int i = 0; i < TASKS; i++) CHECK(taken[i] == 1);
}

/* The last rank fails; its group agrees, then everybody does. The message
 * names the rank in the job and not in the group. */
static void a_failure_names_the_rank_in_the_job(sb_comm *node)
{
    sb_status st = SB_OK;
    if (rank == size - 1)
        st = sb_fail(SB_EFORMAT, "x.c", 1, "rank %d is bad", rank);
    uint64_t mine = rank == size - 1;
    sb_comm_max_u64(node, &mine, 1);
    st = sb_agree(node, st);
    CHECK(st == (mine ? SB_EFORMAT : SB_OK));
    CHECK(sb_agree(comm, st) == SB_EFORMAT);
    CHECK(sb_error_last()->rank == size - 1);
}

static void what_a_group_sends_is_its_own(sb_comm *node)
{
    double seconds = sb_comm_seconds(comm);
    uint64_t sent = sb_comm_sent(comm), before = sb_comm_sent(node), x[8] = {0};
    sb_comm_sum_u64(node, x, 8);
    CHECK(sb_comm_sent(node) ==
          before + (sb_comm_size(node) > 1 ? sizeof x : 0));
    CHECK(sb_comm_sent(comm) == sent && sb_comm_seconds(comm) == seconds);
}

static void a_group_is_a_communicator(int hosts, int at_most, int patient)
{
    sb_comm *node, *leaders;
    OK(sb_comm_split_nodes(comm, at_most, &node, &leaders));
    sb_comm_patient(node, patient);
    a_groups_calls_stay_in_it(node, expect(hosts, at_most).first);
    exact_sums_work_in_a_group(node);
    a_queue_works_in_a_group(node);
    a_failure_names_the_rank_in_the_job(node);
    what_a_group_sends_is_its_own(node);
    sb_comm_free(node);
    sb_comm_free(leaders);
}

static void a_wrong_size_is_refused(void)
{
    sb_comm *node, *leaders;
    CHECK(sb_comm_split_nodes(comm, -1, &node, &leaders) == SB_EINVAL);
}

int main(int argc, char **argv)
{
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    rank = sb_comm_rank(comm);
    size = sb_comm_size(comm);
    for (int hosts = 1; hosts <= 3; hosts++) {
        char text[4];
        snprintf(text, sizeof text, "%d", hosts);
        setenv("SB_COMM_HOSTS", text, 1);
        for (int at_most = 0; at_most <= 3; at_most++) {
            groups_are_runs_of_a_hosts_ranks(hosts, at_most);
            a_group_is_a_communicator(hosts, at_most, at_most % 2);
        }
    }
    a_wrong_size_is_refused();
    sb_comm_barrier(comm); /* groups are gone, the job is not */
    sb_comm_close(comm);
    return 0;
}
