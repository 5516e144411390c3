/* SPDX-License-Identifier: MIT
 * piece_counts.c - <corpus>/counts:
 *
 *   char magic[4] "SBN1"; u32 crc32c of all that follows;
 *   u64 sources, vocabulary size, vocabulary hash;
 *   u64 counts[sources][vocabulary size]
 */
#include "dataset/piece_counts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/mem.h"

#define NAME  "counts"
#define MAGIC "SBN1"

typedef struct head {
    char magic[4];
    uint32_t crc;
    uint64_t sources, vocab_size, vocab_hash;
} head;
_Static_assert(sizeof(head) == 32, "no padding on disk");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "counts are little-endian and used in place");

enum { CRC_AT = 8 };

static sb_status file_bytes(const sb_manifest *m, size_t *bytes_out)
{
    size_t n;
    SB_REQUIRE(!__builtin_mul_overflow(m->sources, m->vocab_size, &n) &&
                   !__builtin_mul_overflow(n, sizeof(uint64_t), &n) &&
                   !__builtin_add_overflow(n, sizeof(head), bytes_out),
               SB_ELIMIT, "%zu sources of %" PRIu64 " pieces are too many",
               m->sources, m->vocab_size);
    return SB_OK;
}

static head head_of(const sb_manifest *m, uint32_t crc)
{
    return (head){MAGIC, crc, m->sources, m->vocab_size, m->vocab_hash};
}

sb_status sb_piece_counts_write(const char *dir, const sb_manifest *m,
                                const uint64_t *counts)
{
    size_t bytes;
    unsigned char *file;
    SB_TRY(file_bytes(m, &bytes));
    SB_TRY(sb_alloc(bytes, 1, "piece counts", &file));
    head h = head_of(m, 0);
    memcpy(file, &h, sizeof h);
    memcpy(file + sizeof h, counts, bytes - sizeof h);
    h.crc = sb_crc32c(0, file + CRC_AT, bytes - CRC_AT);
    memcpy(file, &h, sizeof h);
    char *path = sb_path_join(dir, NAME);
    sb_status st =
        path ? sb_file_write(path, file, bytes)
             : sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    sb_free(path);
    sb_free(file);
    return st;
}

/* Pieces of a source are counted as often as its training shards say. */
static sb_status check_sums(const sb_manifest *m, const uint64_t *counts)
{
    size_t shard = 0;
    for (size_t s = 0; s < m->sources; s++) {
        uint64_t left = 0;
        for (; shard < m->shards && m->shard[shard].source == s; shard++)
            if (m->shard[shard].split == SB_TRAIN)
                left += m->shard[shard].info.tokens;
        for (uint64_t i = 0; i < m->vocab_size; i++, counts++) {
            SB_REQUIRE(*counts <= left, SB_EFORMAT,
                       "source %zu has fewer tokens than are counted", s);
            left -= *counts;
        }
        SB_REQUIRE(left == 0, SB_EFORMAT,
                   "%" PRIu64 " tokens of source %zu are not counted", left, s);
    }
    return SB_OK;
}

static sb_status check(const char *path, const sb_manifest *m, const char *file,
                       size_t bytes)
{
    head h;
    memcpy(&h, file, sizeof h);
    SB_REQUIRE(memcmp(h.magic, MAGIC, 3) == 0, SB_EFORMAT,
               "'%s' is something else", path);
    SB_REQUIRE(h.magic[3] == MAGIC[3], SB_EVERSION,
               "'%s' is of version '%c', this program reads '%c'", path,
               h.magic[3], MAGIC[3]);
    head ours = head_of(m, h.crc);
    SB_REQUIRE(memcmp(&h, &ours, sizeof h) == 0, SB_EFORMAT,
               "'%s' was not made with this corpus", path);
    SB_REQUIRE(h.crc == sb_crc32c(0, file + CRC_AT, bytes - CRC_AT), SB_EFORMAT,
               "'%s' is damaged (checksum)", path);
    return SB_OK;
}

static sb_status read_file(const char *path, size_t want, char **file_out)
{
    uint64_t have;
    size_t bytes;
    SB_TRY(sb_file_size(path, &have));
    SB_REQUIRE(have == want, SB_EFORMAT,
               "'%s' has %" PRIu64 " bytes, not the %zu of this corpus", path,
               have, want);
    return sb_file_read(path, want, file_out, &bytes);
}

sb_status sb_piece_counts_read(const char *dir, const sb_manifest *m,
                               uint64_t **counts_out)
{
    char *path = sb_path_join(dir, NAME), *file = NULL;
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    size_t bytes;
    sb_status st;
    SB_GOTO(st, file_bytes(m, &bytes), out);
    SB_GOTO(st, read_file(path, bytes, &file), out);
    SB_GOTO(st, check(path, m, file, bytes), out);
    memmove(file, file + sizeof(head), bytes - sizeof(head));
    SB_GOTO(st, check_sums(m, (const uint64_t *)(const void *)file), out);
    *counts_out = (uint64_t *)(void *)file;
    file = NULL;
out:
    sb_free(file);
    sb_free(path);
    return st;
}

/* ---- order --------------------------------------------------------------- */

typedef struct counted {
    uint64_t count;
    uint32_t id;
} counted;

static int by_falling_count(const void *x, const void *y)
{
    const counted *a = x, *b = y;
    if (a->count != b->count) return a->count < b->count ? 1 : -1;
    return a->id < b->id ? -1 : a->id > b->id;
}

sb_status sb_piece_counts_sort(const uint64_t *counts, uint32_t *ids, size_t n)
{
    counted *order;
    SB_TRY(sb_alloc(n, sizeof *order, "pieces by count", &order));
    for (size_t i = 0; i < n; i++) order[i] = (counted){counts[ids[i]], ids[i]};
    qsort(order, n, sizeof *order, by_falling_count);
    for (size_t i = 0; i < n; i++) ids[i] = order[i].id;
    sb_free(order);
    return SB_OK;
}
