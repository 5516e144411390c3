/* SPDX-License-Identifier: MIT
 * chunk.c - frames of chunks, read piece by piece: each is summed up while it
 * is in the cache, and elements come straight to where they are wanted. */
#include <inttypes.h>
#include <string.h>

#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "proto/codec.h"

enum { PIECE = 256 << 10, PREFIX_ROOM = 64 };

/* `n` bytes of the file, into `to` or, if that is NULL, nowhere. */
static sb_status sum_up(int fd, const char *name, uint64_t at, uint64_t n,
                        uint8_t *to, uint8_t *piece, uint32_t *crc)
{
    while (n) {
        size_t k = n < PIECE ? (size_t)n : PIECE;
        uint8_t *here = to ? to : piece;
        SB_TRY(sb_read_at(fd, name, at, here, k));
        *crc = sb_crc32c(*crc, here, k);
        if (to) to += k;
        at += k;
        n -= k;
    }
    return SB_OK;
}

static sb_status check_sum(const char *name, const sb_range *r, uint32_t crc)
{
    SB_REQUIRE(crc == r->frame.crc, SB_EFORMAT,
               "'%s' is damaged: wrong checksum of the frame at byte %" PRIu64,
               name, r->offset);
    return SB_OK;
}

/* The frame's two words, and `bytes` behind them. */
static sb_status begin(int fd, const char *name, const sb_range *r,
                       uint8_t *prefix, size_t bytes, sb_message *m)
{
    uint8_t start[SB_FRAME_HEAD + PREFIX_ROOM];
    SB_TRY(sb_grow(&m->data, &m->cap, PIECE, 1, "a message"));
    SB_TRY(sb_read_at(fd, name, r->offset, start, SB_FRAME_HEAD + bytes));
    SB_REQUIRE(sb_get_u32(start) == r->frame.bytes &&
                   sb_get_u32(start + 4) == r->frame.crc,
               SB_EFORMAT,
               "'%s': the frame at byte %" PRIu64 " is not the one the "
               "manifest describes",
               name, r->offset);
    memcpy(prefix, start + SB_FRAME_HEAD, bytes);
    return SB_OK;
}

sb_status sb_chunk_check(int fd, const char *name, const sb_range *r,
                         sb_message *m)
{
    uint8_t nothing[1];
    uint32_t crc = 0;
    SB_TRY(begin(fd, name, r, nothing, 0, m));
    SB_TRY(sum_up(fd, name, r->offset + SB_FRAME_HEAD, r->frame.bytes, NULL,
                  m->data, &crc));
    return check_sum(name, r, crc);
}

/* The bytes before a chunk's data, as our writer makes them: fields in their
 * order. */
static size_t make_prefix(const sb_range *r, uint64_t data_bytes,
                          uint8_t prefix[PREFIX_ROOM])
{
    enum { DATA_FIELD = 4 << 3 | 2 };
    Shardbert__TensorChunk chunk = SHARDBERT__TENSOR_CHUNK__INIT;
    chunk.tensor = r->tensor;
    chunk.first = r->first;
    chunk.n = r->n;
    size_t n = shardbert__tensor_chunk__pack(&chunk, prefix);
    prefix[n++] = DATA_FIELD;
    for (; data_bytes > 127; data_bytes >>= 7)
        prefix[n++] = (uint8_t)(data_bytes | 128);
    prefix[n++] = (uint8_t)data_bytes;
    return n;
}

sb_status sb_chunk_get(int fd, const char *name, const sb_range *r, size_t item,
                       uint64_t first, uint64_t n, void *to, sb_message *m,
                       int *ours_out)
{
    uint8_t want[PREFIX_ROOM], is[PREFIX_ROOM];
    uint64_t all = r->n * item, skip = first * item, take = n * item;
    size_t prefix = make_prefix(r, all, want);
    *ours_out = 0;
    if (prefix + all != r->frame.bytes) return SB_OK;
    SB_TRY(begin(fd, name, r, is, prefix, m));
    if (memcmp(want, is, prefix) != 0) return SB_OK;
    uint32_t crc = sb_crc32c(0, is, prefix);
    uint64_t at = r->offset + SB_FRAME_HEAD + prefix;
    SB_TRY(sum_up(fd, name, at, skip, NULL, m->data, &crc));
    SB_TRY(sum_up(fd, name, at + skip, take, to, m->data, &crc));
    SB_TRY(sum_up(fd, name, at + skip + take, all - skip - take, NULL, m->data,
                  &crc));
    *ours_out = 1;
    return check_sum(name, r, crc);
}
