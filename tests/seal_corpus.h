/* SPDX-License-Identifier: MIT
 * seal_corpus.h - counts and manifest of a made-up corpus, whose shards are
 * there. The counts are read from the blocks, so that they check those that
 * the library keeps. */
#ifndef SB_TESTS_SEAL_CORPUS_H
#define SB_TESTS_SEAL_CORPUS_H

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/manifest.h"
#include "dataset/piece_counts.h"
#include "dataset/shard.h"

/* counts[id] += how often the shard has id. */
static inline sb_status count_shard(const char *path, uint64_t *counts)
{
    sb_shard_reader *r;
    SB_TRY(sb_shard_open(path, 0, &r));
    sb_status st = SB_OK;
    for (uint64_t i = 0; i < sb_shard_get_info(r)->blocks && st == SB_OK; i++) {
        sb_block b = {0};
        st = sb_shard_read(r, i, &b);
        for (uint32_t t = 0; t < b.tokens; t++) counts[b.ids[t]]++;
    }
    sb_shard_close(r);
    return st;
}

static inline sb_status seal_corpus(const char *dir, const sb_manifest *m)
{
    uint64_t *counts, V = m->vocab_size;
    SB_TRY(
        sb_alloc((size_t)(m->sources * V), sizeof *counts, "counts", &counts));
    sb_status st = SB_OK;
    for (size_t i = 0; i < m->shards && st == SB_OK; i++) {
        const sb_shard_entry *e = &m->shard[i];
        if (e->split != SB_TRAIN) continue;
        char *path = sb_path_join(dir, e->name);
        st = count_shard(path, counts + e->source * V);
        sb_free(path);
    }
    if (st == SB_OK) st = sb_piece_counts_write(dir, m, counts);
    if (st == SB_OK) st = sb_manifest_write(dir, m);
    sb_free(counts);
    return st;
}

#endif
