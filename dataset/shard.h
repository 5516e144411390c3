/* SPDX-License-Identifier: MIT
 * shard.h - sealed LMDB shards of token ids (the only door to LMDB).
 *
 * A shard is one LMDB file (MDB_NOSUBDIR) with one unnamed database:
 *
 *   key    u64 big-endian block number, 0 .. nblocks-1, no gaps
 *   value  block, little-endian:
 *            char magic[4] "SBK2"; u32 crc32c of all that follows;
 *            u32 ntokens, nsents, ndocs, nlengths;
 *            u64 block number (a swapped record shows)
 *            u32 ids[ntokens]       each < vocabulary size
 *            u8 lengths[nlengths]   of each sentence in order, LEB128:
 *                                   tokens << 1 | ends a document
 *   key    2^64 - 1
 *   value  summary: magic "SBS2", crc32c, then sb_shard_info's numbers and the
 *          per-block index (ntokens, nsents, ndocs: u32 each)
 *
 * Every value ends in zeros up to 16 bytes before the end of a page (which
 * the checksum covers), so that LMDB gives it pages of its own: it starts 16
 * bytes into one, and ids are read in place.
 *
 * Every document ends a sentence; documents do not cross blocks.
 *
 * Life of a shard: one process writes <path>.tmp, appends blocks in key order
 * (MDB_APPEND), seals it (sync, rename to <path>), and nobody writes to it
 * again. Readers open it MDB_RDONLY | MDB_NOLOCK: no lock file, no stale
 * reader, no dependence on the file system's locks. Before LMDB sees the file,
 * its size and LMDB's own pages are checked (dataset/shard_tree.h): it trusts
 * them, and would crash on damaged ones.
 *
 * Knows nothing of ranks, batches, or training.
 */
#ifndef SB_DATASET_SHARD_H
#define SB_DATASET_SHARD_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

enum { SB_BLOCK_TOKENS_MAX = 1 << 20 };

typedef struct sb_shard_info {
    uint64_t blocks, tokens, sentences, documents;
    uint64_t vocab_size, vocab_hash;
} sb_shard_info;

typedef struct sb_block_index {
    uint32_t tokens, sentences, documents;
} sb_block_index;

/* One block, borrowed from the memory map. */
typedef struct sb_block {
    const uint32_t *ids;    /* [tokens] */
    const uint8_t *lengths; /* [sentences] numbers: sb_sentence_next reads */
    uint32_t tokens, sentences, documents;
} sb_block;

/* Tokens [begin, end) of a block. */
typedef struct sb_sentence {
    uint32_t begin, end;
    int last;          /* of its document */
    const uint8_t *at; /* the next one's length */
} sb_sentence;

/* Before the first: b->sentences calls of sb_sentence_next are good. */
static inline sb_sentence sb_sentence_start(const sb_block *b)
{
    return (sb_sentence){.at = b->lengths};
}
static inline void sb_sentence_next(sb_sentence *s)
{
    uint32_t v = *s->at & 0x7f;
    for (int shift = 7; *s->at++ & 0x80; shift += 7)
        v |= (uint32_t)(*s->at & 0x7f) << shift;
    s->begin = s->end;
    s->end += v >> 1;
    s->last = v & 1;
}

/* The lengths of a block being made. Start zeroed, free .data with sb_free. */
typedef struct sb_lengths {
    uint8_t *data;
    size_t n, cap;
    size_t last; /* where the newest number begins */
    uint32_t sentences, documents, tokens;
} sb_lengths;
/* The tokens up to `end` that are not in a sentence yet become one. */
SB_MUST_USE sb_status sb_lengths_sentence(sb_lengths *l, uint32_t end);
/* The newest sentence ends a document. */
void sb_lengths_document(sb_lengths *l);

typedef struct sb_shard_writer sb_shard_writer;
typedef struct sb_shard_reader sb_shard_reader;

/* Begin a shard at <path>.tmp (one left by a killed run is replaced).
 * map_bytes: the most the file may grow to; address space, not disk. */
SB_MUST_USE sb_status sb_shard_create(const char *path, uint64_t map_bytes,
                                      uint32_t vocab_size, uint64_t vocab_hash,
                                      sb_shard_writer **writer_out);
/* Append one block. SB_EINVAL: lengths that do not fit, an id out of range,
 * more than SB_BLOCK_TOKENS_MAX tokens. SB_EIO / SB_ELIMIT (map full): say what
 * to do. */
SB_MUST_USE sb_status sb_shard_append(sb_shard_writer *w,
                                      const sb_block *block);
/* Make the shard durable and visible, or drop it. Both free w. */
SB_MUST_USE sb_status sb_shard_seal(sb_shard_writer *w,
                                    sb_shard_info *info_out);
void sb_shard_abandon(sb_shard_writer *w); /* NULL is fine */

/* Open a sealed shard; reads and checks its summary. `bytes_expected`: the
 * size in the manifest (0: unknown). A process opens a given shard once. One
 * thread at a time. */
SB_MUST_USE sb_status sb_shard_open(const char *path, uint64_t bytes_expected,
                                    sb_shard_reader **reader_out);
void sb_shard_close(sb_shard_reader *r); /* NULL is fine */
const sb_shard_info *sb_shard_get_info(const sb_shard_reader *r);
const sb_block_index *sb_shard_index(const sb_shard_reader *r); /* [blocks] */

/* Bytes of padding that a block gets on disk. */
size_t sb_shard_waste(size_t tokens, size_t length_bytes);

/* Block i < blocks; valid until close. Its checksum is verified at the first
 * read, with all its invariants. SB_EFORMAT names shard and block. */
SB_MUST_USE sb_status sb_shard_read(sb_shard_reader *r, uint64_t i,
                                    sb_block *block_out);

#endif
