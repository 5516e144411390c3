/* SPDX-License-Identifier: MIT
 * corpus.h - a folder of sealed shards and the manifest that names them.
 *
 *   <dir>/corpus.json            written last: a folder without it is not a
 *                                corpus yet
 *   <dir>/train-00000.mdb ...    shard of unit 0, 1, ... (none if empty)
 *   <dir>/heldout-00000.mdb ...
 *
 * Shards, blocks, documents and sentences are numbered through in manifest
 * order, so that "document 17" or "block 3" of a split is the same for
 * everybody.
 */
#ifndef SB_DATASET_CORPUS_H
#define SB_DATASET_CORPUS_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/shard.h"

typedef enum sb_split { SB_TRAIN = 0, SB_HELDOUT = 1 } sb_split;

/* What the manifest says of one shard. */
typedef struct sb_shard_entry {
    char name[32]; /* "train-00000.mdb": plain, no '/' */
    sb_split split;
    uint64_t bytes; /* exact file size */
    sb_shard_info info;
} sb_shard_entry;

typedef struct sb_manifest {
    uint64_t vocab_size, vocab_hash;
    uint64_t input_identity; /* sb_sources_identity */
    uint64_t text_bytes;     /* of the documents kept */
    uint64_t bad_documents;
    char config[4096]; /* effective configuration of the ingest */
    sb_shard_entry *shard;
    size_t shards;
} sb_manifest;

/* The file name of a unit's shard into entry->name. */
void sb_shard_name(sb_split split, size_t unit, char name_out[32]);

SB_MUST_USE sb_status sb_manifest_write(const char *dir, const sb_manifest *m);
/* SB_ENOENT if there is none. Free m_out->shard with sb_free. */
SB_MUST_USE sb_status sb_manifest_read(const char *dir, sb_manifest *m_out);

typedef struct sb_corpus sb_corpus;

/* Open all shards of a split. Local. One thread at a time per sb_corpus.
 * SB_EINVAL if the split holds no document. */
SB_MUST_USE sb_status sb_corpus_open(const char *dir, sb_split split,
                                     sb_corpus **corpus_out);
void sb_corpus_close(sb_corpus *c);

uint64_t sb_corpus_vocab_size(const sb_corpus *c);
uint64_t sb_corpus_vocab_hash(const sb_corpus *c);
uint64_t sb_corpus_tokens(const sb_corpus *c);
uint64_t sb_corpus_documents(const sb_corpus *c);
uint64_t sb_corpus_blocks(const sb_corpus *c);
/* How often each id occurs, [vocab size], borrowed. */
const uint64_t *sb_corpus_counts(const sb_corpus *c);

/* Block i of the split; borrowed until close. */
SB_MUST_USE sb_status sb_corpus_block(sb_corpus *c, uint64_t i,
                                      sb_block *block_out);
uint32_t sb_corpus_block_tokens(const sb_corpus *c, uint64_t i);

/* Document i of the split: its ids, borrowed until close. O(log blocks). */
SB_MUST_USE sb_status sb_corpus_document(sb_corpus *c, uint64_t i,
                                         const uint32_t **ids_out,
                                         uint32_t *n_out);

#endif
