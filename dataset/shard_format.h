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
#define SB_COUNTS_MAGIC  "SBC2"
#define SB_SUMMARY_MAGIC "SBS2"

enum {
    SB_SHARD_PAGE_HEAD = 16, /* of LMDB, before a value */
    SB_SHARD_CRC_AT = 8,     /* the checksum covers everything from here on */
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

typedef struct sb_counts_head {
    char magic[4];
    uint32_t crc;
    uint64_t pieces; /* that occur */
} sb_counts_head;
_Static_assert(sizeof(sb_counts_head) == 16, "no padding on disk");

/* Bytes of a value of which `used` are used; page: a power of two. */
static inline size_t sb_shard_pad(size_t used, size_t page)
{
    return ((used + SB_SHARD_PAGE_HEAD + page - 1) & ~(page - 1)) -
           SB_SHARD_PAGE_HEAD;
}

/* Used bytes of a block's value. Each count <= SB_BLOCK_TOKENS_MAX. */
static inline size_t sb_block_used(sb_block_index n)
{
    size_t ends = n.documents == n.sentences
                      ? n.sentences
                      : (size_t)n.sentences + n.documents;
    return sizeof(sb_block_head) + 4 * (n.tokens + ends);
}

/* Used bytes of a summary; blocks <= SB_SHARD_BLOCKS_MAX. */
static inline size_t sb_summary_used(uint64_t blocks)
{
    return sizeof(sb_summary_head) + sizeof(sb_block_index) * (size_t)blocks;
}

/* LEB128: seven bits a byte, lowest first; the last byte has no 0x80. */
static inline size_t sb_leb_bytes(uint64_t v)
{
    size_t n = 1;
    while (v >>= 7) n++;
    return n;
}
static inline unsigned char *sb_leb_put(unsigned char *at, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) *at++ = (unsigned char)(v | 0x80);
    *at++ = (unsigned char)v;
    return at;
}
/* Behind the number at `at`, which goes to *v_out; NULL if it does not end
 * before `end` or has more than nine bytes. */
static inline const unsigned char *sb_leb_get(const unsigned char *at,
                                              const unsigned char *end,
                                              uint64_t *v_out)
{
    uint64_t v = 0;
    for (int shift = 0; at < end && shift < 63; shift += 7) {
        v |= (uint64_t)(*at & 0x7f) << shift;
        if (*at++ < 0x80) {
            *v_out = v;
            return at;
        }
    }
    return NULL;
}

/* Keys are big-endian, so that LMDB's byte order is the numbers' order. */
static inline void sb_shard_key(uint64_t number, unsigned char key[8])
{
    for (int i = 0; i < 8; i++)
        key[i] = (unsigned char)(number >> (56 - 8 * i));
}
#define SB_SUMMARY_KEY UINT64_MAX
#define SB_COUNTS_KEY  (UINT64_MAX - 1)

#endif
