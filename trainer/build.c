/* SPDX-License-Identifier: MIT
 * build.c - version, compiler, BLAS and instruction set in a line. */
#include "trainer/build.h"

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

void sb_build_name(int onednn, char build_out[128])
{
#ifdef __clang__
    static const char compiler[] = "";
#else
    static const char compiler[] = "gcc ";
#endif
    snprintf(build_out, 128, "shardbert %s, %s%.60s, OpenBLAS %.24s, %s",
             SB_VERSION, compiler, __VERSION__, sb_kernels_core(),
             sb_kernels_set());
    char version[16];
    size_t n = strlen(build_out);
    if (onednn && sb_kernels_onednn(version))
        snprintf(build_out + n, 128 - n, ", oneDNN %s %s", version,
                 sb_kernels_onednn_set());
}

void sb_build_version(char version_out[256])
{
    char build[128], onednn[16];
    sb_build_name(1, build);
    snprintf(version_out, 256, "%s, %s%s", build,
             sb_kernels_onednn(onednn) ? "" : "no oneDNN, ",
             sb_precision_lacks(SB_BF16) ? "no bf16 here" : "bf16");
}

void sb_build_compare(sb_comm *c, int onednn, const sb_ckpt_meta *then)
{
    char now[128];
    sb_build_name(onednn, now);
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
