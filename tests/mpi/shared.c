/* SPDX-License-Identifier: MIT
 * Memory of a group: what one rank stores all others read, it begins with
 * zeros, and what does not fit is refused. */
#include <stdlib.h>
#include <string.h>

#include "comm/group.h"
#include "comm/shared.h"
#include "tests/mpi/check.h"

static int rank;

static uint64_t value(uint64_t i, int round)
{
    return (i + 1) * 0x9e3779b97f4a7c15u + (unsigned)round;
}

/* Bytes that are no multiple of anything are fine too: the tail is left. */
static void all_ranks_see_all_parts(sb_comm *node, size_t bytes)
{
    int n = sb_comm_size(node), me = sb_comm_rank(node);
    sb_shared *s;
    OK(sb_shared_open(node, bytes, "test", &s));
    uint64_t *x = sb_shared_at(s);
    CHECK((uintptr_t)x % 4096 == 0);
    for (size_t i = 0; i < bytes; i++) CHECK(((const char *)x)[i] == 0);
    sb_shared_sync(s);
    size_t words = bytes / sizeof *x;
    for (int round = 0; round < 3; round++) {
        int part = (me + round) % n; /* another rank's in every round */
        for (uint64_t i = sb_share(words, part, n);
             i < sb_share(words, part + 1, n); i++)
            x[i] = value(i, round);
        sb_shared_sync(s);
        for (uint64_t i = 0; i < words; i++) CHECK(x[i] == value(i, round));
        sb_shared_sync(s);
    }
    sb_shared_close(s);
}

static void two_at_a_time(sb_comm *node)
{
    sb_shared *a, *b;
    OK(sb_shared_open(node, 10000, "first", &a));
    OK(sb_shared_open(node, 10000, "second", &b));
    if (sb_comm_rank(node) == 0) {
        memset(sb_shared_at(a), 1, 10000);
        memset(sb_shared_at(b), 2, 10000);
    }
    sb_shared_sync(b);
    for (int i = 0; i < 10000; i++) {
        CHECK(((const char *)sb_shared_at(a))[i] == 1);
        CHECK(((const char *)sb_shared_at(b))[i] == 2);
    }
    sb_shared_sync(b);
    sb_shared_close(a);
    CHECK(((const char *)sb_shared_at(b))[9999] == 2);
    sb_shared_close(b);
}

static void groups_do_not_share(sb_comm *node)
{
    uint64_t leader = (uint64_t)rank;
    sb_comm_bcast(node, &leader, sizeof leader, 0);
    sb_shared *s;
    OK(sb_shared_open(node, sizeof leader, "test", &s));
    uint64_t *x = sb_shared_at(s);
    if (sb_comm_rank(node) == 0) *x = leader;
    sb_shared_sync(s);
    sb_comm_barrier(comm);
    CHECK(*x == leader);
    sb_shared_sync(s);
    sb_shared_close(s);
}

static void too_much_is_refused(sb_comm *node)
{
    sb_shared *s = NULL;
    sb_status st = sb_shared_open(node, SIZE_MAX - 5, "table", &s);
    CHECK(st == SB_ELIMIT);
    st = sb_shared_open(node, (size_t)PTRDIFF_MAX, "table", &s);
    CHECK(st == SB_ELIMIT);
    st = sb_shared_open(node, (size_t)1 << 50, "table", &s); /* a petabyte */
    CHECK(st == SB_ENOMEM);
    CHECK(strstr(sb_error_last()->text, "table needs 1.0 PiB"));
    CHECK(sb_comm_size(node) == 1 ||
          strstr(sb_error_last()->hint, "--ranks-per-replica 1"));
    CHECK(s == NULL);
    if (sb_comm_size(node) == 1) return;
    st = sb_shared_open(node, 5 + (size_t)sb_comm_rank(node), "table", &s);
    CHECK(st == SB_EBUG);
}

int main(int argc, char **argv)
{
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    rank = sb_comm_rank(comm);
    setenv("SB_COMM_HOSTS", "2", 1); /* ranks of a group are no neighbours */
    for (int at_most = 0; at_most <= 2; at_most++) {
        sb_comm *node, *leaders;
        OK(sb_comm_split_nodes(comm, at_most, &node, &leaders));
        if (at_most == 0) setenv("SB_COMM_HOSTS", "1", 1);
        sb_comm_patient(node, at_most == 2);
        all_ranks_see_all_parts(node, 0);
        all_ranks_see_all_parts(node, 1);
        all_ranks_see_all_parts(node, 100003);
        if (at_most != 1) all_ranks_see_all_parts(node, (size_t)64 << 20);
        two_at_a_time(node);
        groups_do_not_share(node);
        too_much_is_refused(node);
        sb_comm_free(node);
        sb_comm_free(leaders);
    }
    sb_comm_close(comm);
    return 0;
}
