/* SPDX-License-Identifier: MIT
 * state.c - one checkpoint for all ranks, and what wrote it. */
#include "trainer/state.h"

#include <stdio.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/hash.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "trainer/kernels/kernels.h"

#ifndef SB_VERSION
#define SB_VERSION "0.1.0"
#endif

void sb_state_build(char build_out[128])
{
#ifdef __clang__
    static const char compiler[] = "";
#else
    static const char compiler[] = "gcc ";
#endif
    snprintf(build_out, 128, "shardbert %s, %s%.60s, OpenBLAS %.24s, %s",
             SB_VERSION, compiler, __VERSION__, sb_kernels_core(),
             sb_kernels_set());
}

void sb_state_compare_build(sb_comm *c, const sb_ckpt_meta *then)
{
    char now[128];
    sb_state_build(now);
    if (!sb_comm_same(c, sb_hash64(now, strlen(now))))
        sb_log(SB_LOG_WARN,
               "the ranks differ in build or processor (rank 0: "
               "%s): the run's bits depend on who computes what",
               now);
    if (then && strcmp(then->build, now) != 0)
        sb_log(SB_LOG_WARN,
               "the checkpoint was made by %s, this is %s: from "
               "here on bits differ from an uninterrupted run",
               then->build, now);
}

/* ---- opening ------------------------------------------------------------- */

/* Rank 0's newest path to all; NULL if there is none. */
static sb_status share_path(sb_comm *c, const char *dir, char **path_out)
{
    char *path = NULL;
    sb_status st = SB_OK;
    if (sb_comm_rank(c) == 0) {
        st = sb_ckpt_latest(dir, &path);
        if (st == SB_ENOENT) st = SB_OK;
    }
    uint64_t bytes = path ? strlen(path) + 1 : 0;
    SB_TRY(sb_agree(c, st)); /* path is NULL if rank 0 failed */
    sb_comm_bcast(c, &bytes, sizeof bytes, 0);
    if (bytes && !path) st = sb_alloc((size_t)bytes, 1, "a path", &path);
    st = sb_agree(c, st);
    if (st != SB_OK) {
        sb_free(path);
        return st;
    }
    if (bytes) sb_comm_bcast(c, path, (size_t)bytes, 0);
    *path_out = path;
    return SB_OK;
}

sb_status sb_state_latest(sb_comm *c, const char *dir, sb_ckpt **ckpt_out)
{
    char *path;
    SB_TRY(share_path(c, dir, &path));
    sb_ckpt *ckpt = NULL;
    sb_status st = SB_OK;
    if (path) st = sb_ckpt_open(path, &ckpt);
    sb_free(path);
    st = sb_agree(c, st);
    if (st != SB_OK) {
        sb_ckpt_close(ckpt);
        return st;
    }
    *ckpt_out = ckpt;
    return SB_OK;
}
