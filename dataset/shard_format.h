/* SPDX-License-Identifier: MIT
 * shard_format.h - the bytes of a shard, shared by its writer and its reader
 * and by nobody else. The picture is in dataset/shard.h.
 *
 * Every value is padded with zeros so that it fills whole pages of LMDB: it
 * starts 16 bytes into the first and can be used in place.
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

#define SB_BLOCK_MAGIC   "SBK2"
#define SB_SUMMARY_MAGIC "SBS2"

enum {
    SB_SHARD_PAGE_HEAD = 16, /* of LMDB, before a value */
    SB_LENGTH_BYTES = 4,     /* tokens << 1 | 1 in sevens of bits */
    SB_SHARD_CRC_AT = 8,     /* the checksum covers everything from here on */
    SB_SHARD_VOCAB_MAX = 1 << 24,
    SB_SHARD_BLOCKS_MAX = 1 << 26
};

typedef struct sb_block_head {
    char magic[4];
    uint32_t crc, tokens, sentences, documents, lengths;
    uint64_t number;
} sb_block_head;
_Static_assert(sizeof(sb_block_head) == 32, "no padding on disk");

typedef struct sb_summary_head {
    char magic[4];
    uint32_t crc;
    sb_shard_info info;
} sb_summary_head;
_Static_assert(sizeof(sb_summary_head) == 56, "no padding on disk");

/* Bytes of a value of which `used` are used; page: a power of two. */
static inline size_t sb_shard_pad(size_t used, size_t page)
{
    return ((used + SB_SHARD_PAGE_HEAD + page - 1) & ~(page - 1)) -
           SB_SHARD_PAGE_HEAD;
}

/* Used bytes of a block's value; tokens <= SB_BLOCK_TOKENS_MAX, lengths at most
 * SB_LENGTH_BYTES for each. */
static inline size_t sb_block_used(size_t tokens, size_t lengths)
{
    return sizeof(sb_block_head) + 4 * tokens + lengths;
}

/* Does a number end within the `room` bytes at `at`, and is it short enough? */
static inline int sb_length_ends(const uint8_t *at, size_t room)
{
    for (size_t n = 0; n < room && n < SB_LENGTH_BYTES; n++)
        if (!(at[n] & 0x80)) return 1;
    return 0;
}

/* Bytes of b's lengths, at most `room`; 0: they do not fit it. They are read
 * with care here, so that sb_sentence_next need not. */
static inline size_t sb_lengths_fit(const sb_block *b, size_t room)
{
    sb_sentence s = sb_sentence_start(b);
    uint32_t documents = 0;
    for (uint32_t i = 0; i < b->sentences; i++) {
        if (!sb_length_ends(s.at, room - (size_t)(s.at - b->lengths))) return 0;
        sb_sentence_next(&s);
        if (s.end == s.begin || s.end > b->tokens) return 0;
        documents += (uint32_t)s.last;
    }
    if (s.end != b->tokens || !s.last || documents != b->documents) return 0;
    return (size_t)(s.at - b->lengths);
}

/* Used bytes of a summary; blocks <= SB_SHARD_BLOCKS_MAX. */
static inline size_t sb_summary_used(uint64_t blocks)
{
    return sizeof(sb_summary_head) + sizeof(sb_block_index) * (size_t)blocks;
}

/* Keys are big-endian, so that LMDB's byte order is the numbers' order. */
static inline void sb_shard_key(uint64_t number, unsigned char key[8])
{
    for (int i = 0; i < 8; i++)
        key[i] = (unsigned char)(number >> (56 - 8 * i));
}
#define SB_SUMMARY_KEY UINT64_MAX

#endif
