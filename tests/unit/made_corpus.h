/* SPDX-License-Identifier: MIT
 * made_corpus.h - small shards and corpora for the tests of dataset/. */
#ifndef SB_TESTS_MADE_CORPUS_H
#define SB_TESTS_MADE_CORPUS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "dataset/corpus.h"
#include "dataset/shard.h"
#include "tests/seal_corpus.h"

enum { MADE_VOCAB = 50, MADE_HASH = 77, MADE_MAP = 64 << 20 };

static char made_dir[64];

static int made_dir_up(void **state)
{
    (void)state;
    strcpy(made_dir, "/tmp/sb-test-XXXXXX");
    return mkdtemp(made_dir) ? 0 : -1;
}

static int made_dir_down(void **state)
{
    (void)state;
    return sb_dir_remove(made_dir) == SB_OK ? 0 : -1;
}

/* Document d of a made corpus has made_length(d) tokens; token t is an
 * ordinary id (5 and up) that only (d, t) decide. */
static inline uint32_t made_length(uint64_t d)
{
    return d % 7 == 3 ? 1 : d % 7 == 5 ? 300 : (uint32_t)(3 + d * 5 % 23);
}

static inline uint32_t made_id(uint64_t d, uint32_t t)
{
    return (uint32_t)(5 + (d * 31 + t * 7 + d * t) % (MADE_VOCAB - 5));
}

static inline sb_block made_block(const uint32_t *ids, const sb_lengths *l)
{
    return (sb_block){ids, l->data, l->tokens, l->sentences, l->documents};
}

/* Append documents [first, first + n) as one block, two sentences each where
 * there are tokens for two. */
static inline sb_status made_append(sb_shard_writer *w, uint64_t first,
                                    uint32_t n)
{
    static uint32_t ids[1 << 16];
    sb_lengths l = {0};
    sb_status st = SB_OK;
    for (uint64_t d = first; d < first + n && st == SB_OK; d++) {
        uint32_t at = l.tokens, len = made_length(d);
        for (uint32_t t = 0; t < len; t++) ids[at + t] = made_id(d, t);
        if (len > 1) st = sb_lengths_sentence(&l, at + len / 2);
        if (st == SB_OK) st = sb_lengths_sentence(&l, at + len);
        if (st == SB_OK) sb_lengths_document(&l);
    }
    sb_block b = made_block(ids, &l);
    if (st == SB_OK) st = sb_shard_append(w, &b);
    sb_free(l.data);
    return st;
}

/* A shard of `blocks` blocks of `per` documents each, the first is `first`. */
static inline sb_status made_shard(const char *path, uint64_t first,
                                   unsigned blocks, uint32_t per,
                                   sb_shard_info *info)
{
    sb_shard_writer *w;
    SB_TRY(sb_shard_create(path, MADE_MAP, MADE_VOCAB, MADE_HASH, &w));
    for (unsigned b = 0; b < blocks; b++) {
        sb_status st = made_append(w, first + (uint64_t)b * per, per);
        if (st != SB_OK) {
            sb_shard_abandon(w);
            return st;
        }
    }
    return sb_shard_seal(w, info);
}

/* Give a manifest's text the checksum it needs, as someone would who means to
 * deceive. */
static inline void made_checksum(char *text)
{
    char *at = strstr(text, " \"crc32c\": \"");
    if (!at || strlen(at) < 24) return;
    char digits[9];
    snprintf(digits, sizeof digits, "%08x",
             sb_crc32c(0, text, (size_t)(at - text)));
    memcpy(at + strlen(" \"crc32c\": \""), digits, 8);
}

static double made_weight[2] = {1, 1};

/* Two training shards (documents 0 .. 4 n - 1: n = `per` a block, 3 blocks of
 * source 0 and 1 block of source 1) and a held-out one of documents 1000 ..
 * 1000 + per - 1. */
static inline sb_status made_corpus(const char *dir, uint32_t per)
{
    static const struct {
        sb_split split;
        unsigned unit, first, blocks;
    } plan[] = {
        {SB_TRAIN, 0, 0, 3}, {SB_HELDOUT, 0, 0, 1}, {SB_TRAIN, 4, 3, 1}};
    static sb_manifest m;
    static sb_source_entry source[2];
    sb_shard_entry entry[3];
    memset(&m, 0, sizeof m);
    memset(entry, 0, sizeof entry);
    for (int i = 0; i < 2; i++) {
        snprintf(source[i].spec, sizeof source[i].spec, "made:%d", i);
        source[i].weight = made_weight[i];
        source[i].stats = (sb_source_stats){
            .documents = (uint64_t)(5 - i) * per, .text_bytes = 12345};
    }
    for (int i = 0; i < 3; i++) {
        sb_shard_entry *e = &entry[i];
        sb_shard_name(plan[i].split, plan[i].unit, e->name);
        e->split = plan[i].split;
        e->source = i == 2;
        char *path = sb_path_join(dir, e->name);
        uint64_t first =
            e->split == SB_HELDOUT ? 1000 : (uint64_t)plan[i].first * per;
        SB_TRY(made_shard(path, first, plan[i].blocks, per, &e->info));
        SB_TRY(sb_file_size(path, &e->bytes));
        sb_free(path);
    }
    m.vocab_size = MADE_VOCAB;
    m.vocab_hash = MADE_HASH;
    m.input_identity = UINT64_MAX - 5;
    strcpy(m.config, "max_length = 64\n\"quoted\" \\ and more\n");
    m.source = source;
    m.sources = 2;
    m.shard = entry;
    m.shards = 3;
    return seal_corpus(dir, &m);
}

#endif
