/* SPDX-License-Identifier: MIT
 * shard_format.h - the bytes of a shard, shared by its writer and its reader
 * and by nobody else. The picture is in dataset/shard.h.
 *
 * Both kinds of value are padded with zeros to SB_SHARD_VALUE_MIN, so that
 * LMDB gives them pages of their own: they start 16 bytes into a page and can
 * be used in place. The summary's counts start at the next multiple of 8.
 */
#ifndef SB_DATASET_SHARD_FORMAT_H
#define SB_DATASET_SHARD_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "dataset/shard.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "shards are little-endian and used in place");
_Static_assert(sizeof(sb_block_index) == 12, "three u32 on disk");
_Static_assert(sizeof(sb_shard_info) == 48, "six u64 on disk");

#define SB_BLOCK_MAGIC   "SBK1"
#define SB_SUMMARY_MAGIC "SBS1"

enum {
    SB_SHARD_VALUE_MIN = 64 << 10,
    SB_SHARD_CRC_AT = 8, /* the checksum covers everything from here on */
    SB_SHARD_VOCAB_MAX = 1 << 24,
    SB_SHARD_BLOCKS_MAX = 1 << 26
};

typedef struct sb_block_head {
    char magic[4];
    uint32_t crc, tokens, sentences, documents, zero;
    uint64_t number;
} sb_block_head;
_Static_assert(sizeof(sb_block_head) == 32, "no padding on disk");

typedef struct sb_summary_head {
    char magic[4];
    uint32_t crc;
    sb_shard_info info;
} sb_summary_head;
_Static_assert(sizeof(sb_summary_head) == 56, "no padding on disk");

static inline size_t sb_shard_pad(size_t bytes)
{
    return bytes < SB_SHARD_VALUE_MIN ? (size_t)SB_SHARD_VALUE_MIN : bytes;
}

/* Bytes of a block's value. Each count <= SB_BLOCK_TOKENS_MAX. */
static inline size_t sb_block_used(uint32_t tokens, uint32_t sentences,
                                   uint32_t documents)
{
    return sizeof(sb_block_head) + 4 * ((size_t)tokens + sentences + documents);
}

/* Where a summary's counts start, and its bytes; blocks <= SB_SHARD_BLOCKS_MAX,
 * vocab_size <= SB_SHARD_VOCAB_MAX. */
static inline size_t sb_summary_counts_at(uint64_t blocks)
{
    size_t end = sizeof(sb_summary_head) + sizeof(sb_block_index) * blocks;
    return (end + 7) / 8 * 8;
}
static inline size_t sb_summary_used(uint64_t blocks, uint64_t vocab_size)
{
    return sb_summary_counts_at(blocks) + 8 * (size_t)vocab_size;
}

/* Keys are big-endian, so that LMDB's byte order is the numbers' order. */
static inline void sb_shard_key(uint64_t number, unsigned char key[8])
{
    for (int i = 0; i < 8; i++)
        key[i] = (unsigned char)(number >> (56 - 8 * i));
}
#define SB_SUMMARY_KEY UINT64_MAX

#endif
