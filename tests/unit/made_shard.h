/* SPDX-License-Identifier: MIT
 * made_shard.h - one shard in a folder of its own, for its tests. */
#ifndef SB_TESTS_MADE_SHARD_H
#define SB_TESTS_MADE_SHARD_H

#include "tests/unit/made_corpus.h"

static char path[128];

static int up(void **state)
{
    int bad = made_dir_up(state);
    snprintf(path, sizeof path, "%s/train-00000.mdb", made_dir);
    return bad;
}

static inline sb_status open_status(uint64_t bytes)
{
    sb_shard_reader *r = NULL;
    sb_status st = sb_shard_open(path, bytes, &r);
    if (st == SB_OK) sb_shard_close(r);
    return st;
}

/* Open, read everything, close; the first failure. */
static inline sb_status read_all(void)
{
    sb_shard_reader *r;
    SB_TRY(sb_shard_open(path, 0, &r));
    sb_status st = SB_OK;
    for (uint64_t i = 0; i < sb_shard_get_info(r)->blocks && st == SB_OK; i++) {
        sb_block b;
        st = sb_shard_read(r, i, &b);
    }
    sb_shard_close(r);
    return st;
}

#endif
