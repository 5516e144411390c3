/* SPDX-License-Identifier: MIT
 * corpus.h - a folder of sealed shards and the manifest that names them.
 *
 *   <dir>/corpus.json            written last: a folder without it is not a
 *                                corpus yet (dataset/manifest.h)
 *   <dir>/counts                 dataset/piece_counts.h
 *   <dir>/train-00000.mdb ...    shard of unit 0, 1, ... (none if empty)
 *   <dir>/heldout-00000.mdb ...
 *
 * Shards, blocks, documents and sentences are numbered through in manifest
 * order, so that "document 17" or "block 3" of a split is the same for
 * everybody. That order is by source: a source is a range of each.
 */
#ifndef SB_DATASET_CORPUS_H
#define SB_DATASET_CORPUS_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/manifest.h"
#include "dataset/mix.h"
#include "dataset/shard.h"

typedef struct sb_corpus sb_corpus;

/* What a split has of one source. */
typedef struct sb_corpus_source {
    char name[SB_SOURCE_NAME_MAX]; /* sb_manifest_source_name */
    double weight;
    uint64_t first_document, documents;
    uint64_t first_block, blocks;
    uint64_t tokens;
} sb_corpus_source;

/* Open all shards of a split. Local. One thread at a time per sb_corpus.
 * SB_EINVAL if the split holds no document, or none to train with whose
 * source has a weight above 0. */
SB_MUST_USE sb_status sb_corpus_open(const char *dir, sb_split split,
                                     sb_corpus **corpus_out);
void sb_corpus_close(sb_corpus *c);

uint64_t sb_corpus_vocab_size(const sb_corpus *c);
uint64_t sb_corpus_vocab_hash(const sb_corpus *c);
uint64_t sb_corpus_tokens(const sb_corpus *c);
uint64_t sb_corpus_documents(const sb_corpus *c);
uint64_t sb_corpus_blocks(const sb_corpus *c);
size_t sb_corpus_sources(const sb_corpus *c);
const sb_corpus_source *sb_corpus_source_at(const sb_corpus *c, size_t i);

/* What training asks for; borrowed, NULL for the held-out split.
 * Counts: how often an epoch has each id, [vocab size]: the sum over the
 * sources of round(weight x its count), at least 1 unless one of them is 0.
 * Mixes: an epoch of documents, one of blocks. */
const uint64_t *sb_corpus_counts(const sb_corpus *c);
const sb_mix *sb_corpus_document_mix(const sb_corpus *c);
const sb_mix *sb_corpus_block_mix(const sb_corpus *c);

/* Block i of the split; borrowed until close. */
SB_MUST_USE sb_status sb_corpus_block(sb_corpus *c, uint64_t i,
                                      sb_block *block_out);
uint32_t sb_corpus_block_tokens(const sb_corpus *c, uint64_t i);
uint32_t sb_corpus_block_documents(const sb_corpus *c, uint64_t i);

/* Document i of the split: its ids, borrowed until close. O(log blocks). */
SB_MUST_USE sb_status sb_corpus_document(sb_corpus *c, uint64_t i,
                                         const uint32_t **ids_out,
                                         uint32_t *n_out);

#endif
