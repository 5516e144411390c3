/* SPDX-License-Identifier: MIT
 * open_latest.h - the newest checkpoint of a folder, for tests that look at
 * it. */
#ifndef SB_TESTS_OPEN_LATEST_H
#define SB_TESTS_OPEN_LATEST_H

#include "comm/agree.h"
#include "comm/base/mem.h"
#include "proto/checkpoint.h"

/* NULL: there is none. Collective. */
static inline sb_status open_latest(sb_comm *c, const char *dir,
                                    sb_ckpt **ckpt_out)
{
    char *path = NULL;
    *ckpt_out = NULL;
    sb_status st = sb_ckpt_latest(dir, &path);
    if (st == SB_OK)
        st = sb_ckpt_open(path, ckpt_out);
    else if (st == SB_ENOENT)
        st = SB_OK;
    sb_free(path);
    return sb_agree(c, st);
}

#endif
