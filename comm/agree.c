/* SPDX-License-Identifier: MIT
 * agree.c - common failures. */
#include "comm/agree.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/log.h"
#include "comm/internal.h"

sb_status sb_agree(sb_comm *c, sb_status local)
{
    /* The lowest failing rank wins: compare size - rank, 0 when all is well. */
    uint64_t who = local == SB_OK ? 0 : (uint64_t)(c->size - c->rank);
    sb_comm_max_u64(c, &who, 1);
    if (who == 0) return SB_OK;
    int rank = c->size - (int)who;
    sb_error e = *sb_error_last();
    if (e.rank < 0 || e.code != local) { /* else a group has filled it in */
        e.code = local;
        e.rank = c->world_rank;
        memcpy(e.host, c->host, sizeof e.host);
    }
    sb_comm_bcast(c, &e, sizeof e, rank);
    return sb_error_set(&e);
}

void sb_error_print(const sb_comm *c, const sb_error *e)
{
    char who[96] = ""; /* a wrong option is wrong on every rank */
    if (c && c->world_size > 1 && e->code != SB_EINVAL)
        snprintf(who, sizeof who,
                 "rank %d (%s): ", e->rank >= 0 ? e->rank : c->world_rank,
                 e->host[0] ? e->host : c->host);
    sb_log_line_end();
    fprintf(stderr, "shardbert: error: %s%s (%s, %s:%d)\n", who, e->text,
            sb_status_name(e->code), e->file, e->line);
    if (e->hint[0]) fprintf(stderr, "shardbert: try: %s\n", e->hint);
    fflush(stderr);
}

void sb_fatal(sb_comm *c)
{
    const sb_error *e = sb_error_last();
    int code = sb_status_exit(e->code);
    if (!c) {
        sb_error_print(NULL, e);
        _exit(code);
    }
    int turn = c->world_rank < 50 ? c->world_rank : 50;
    usleep((useconds_t)turn * 20000);
    sb_error_print(c, e);
    MPI_Abort(MPI_COMM_WORLD, code);
    _exit(code);
}
