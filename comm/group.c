/* SPDX-License-Identifier: MIT
 * group.c - groups of ranks that lie on one host. */
#include "comm/group.h"

#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/host_memory.h"
#include "comm/base/life.h"
#include "comm/base/mem.h"
#include "comm/internal.h"

/* The ranks of c with the same color, in the order of c. */
static MPI_Comm split(sb_comm *c, MPI_Comm all, int color)
{
    MPI_Comm part;
    sb_mpi_check(c, MPI_Comm_split(all, color, c->rank, &part),
                 "MPI_Comm_split");
    return part;
}

static MPI_Comm split_and_free(sb_comm *c, MPI_Comm all, int color)
{
    MPI_Comm part = split(c, all, color);
    sb_mpi_check(c, MPI_Comm_free(&all), "MPI_Comm_free");
    return part;
}

/* Tests deal the ranks out to several hosts that are one: SB_COMM_HOSTS. */
static MPI_Comm ranks_of_host(sb_comm *c)
{
    MPI_Comm host;
    sb_mpi_check(c,
                 MPI_Comm_split_type(c->all, MPI_COMM_TYPE_SHARED, c->rank,
                                     MPI_INFO_NULL, &host),
                 "MPI_Comm_split_type");
    const char *hosts = getenv("SB_COMM_HOSTS");
    if (!hosts || atoi(hosts) < 2) return host;
    return split_and_free(c, host, c->rank % atoi(hosts));
}

static void set_up(sb_comm *group, const sb_comm *c, MPI_Comm all)
{
    group->all = all;
    group->flight.comm = group;
    group->world_rank = c->world_rank;
    group->world_size = c->world_size;
    memcpy(group->host, c->host, sizeof group->host);
    MPI_Comm_set_errhandler(all, MPI_ERRORS_RETURN);
    MPI_Comm_rank(all, &group->rank);
    MPI_Comm_size(all, &group->size);
}

sb_status sb_comm_split_nodes(sb_comm *c, int at_most, sb_comm **node_out,
                              sb_comm **leaders_out)
{
    sb_comm *node = NULL, *leaders = NULL;
    sb_status st = SB_OK;
    if (at_most < 0)
        st = sb_fail(SB_EINVAL, __FILE__, __LINE__,
                     "a group of at most %d ranks", at_most);
    if (st == SB_OK) st = sb_alloc(1, sizeof *node, "communicator", &node);
    if (st == SB_OK)
        st = sb_alloc(1, sizeof *leaders, "communicator", &leaders);
    SB_GOTO(st, sb_agree(c, st), out);

    sb_life_wait(1);
    MPI_Comm all = ranks_of_host(c);
    int rank = 0;
    MPI_Comm_rank(all, &rank);
    if (at_most > 0) all = split_and_free(c, all, rank / at_most);
    set_up(node, c, all);
    all = split(c, c->all, node->rank == 0 ? 0 : MPI_UNDEFINED);
    if (node->rank == 0) set_up(leaders, c, all);
    sb_life_wait(0);
    *node_out = node;
    *leaders_out = node->rank == 0 ? leaders : NULL;
    if (node->rank != 0) sb_free(leaders);
    return SB_OK;
out:
    sb_free(leaders);
    sb_free(node);
    return st;
}

void sb_comm_free(sb_comm *group)
{
    if (!group) return;
    sb_life_wait(1);
    sb_mpi_check(group, MPI_Comm_free(&group->all), "MPI_Comm_free");
    sb_life_wait(0);
    free(group->flight.request);
    sb_free(group);
}

sb_status sb_comm_memory_share(sb_comm *c, uint64_t *bytes_out)
{
    sb_comm *node, *leaders;
    SB_TRY(sb_comm_split_nodes(c, 0, &node, &leaders));
    uint64_t bytes = sb_memory_free();
    sb_comm_bcast(node, &bytes, sizeof bytes, 0);
    *bytes_out = bytes / (uint64_t)sb_comm_size(node);
    sb_comm_free(leaders);
    sb_comm_free(node);
    return SB_OK;
}
