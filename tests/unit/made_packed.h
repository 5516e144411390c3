/* SPDX-License-Identifier: MIT
 * made_packed.h - compressed files made on the spot, for the tests of
 * dataset/stream.h. Include behind cmocka.h. */
#ifndef SB_TESTS_MADE_PACKED_H
#define SB_TESTS_MADE_PACKED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/stream.h"
#include "dataset/text.h"

enum { MIB = 1 << 20, BIG = 3 * MIB + 17, SMALL = 2000 };

static const sb_compression packed[] = {SB_GZIP, SB_BZIP2, SB_XZ, SB_ZSTD};
enum { N_PACKED = 4 };

static const double no_cap = 1e18;
static char folder[] = "/tmp/sb-stream-XXXXXX";
static char path[64];
static char *text; /* [BIG] */

/* Words from a small set: it packs, and not to nothing. */
static void make_text(char *to, size_t n)
{
    static const char *const words[] = {"the ", "of ",     "stream ",
                                        "in\n", "window ", "a "};
    uint32_t x = 1;
    for (size_t i = 0; i < n;) {
        x = x * 1664525u + 1013904223u;
        const char *w = words[(x >> 16) % 6];
        for (; *w && i < n; w++) to[i++] = *w;
        if ((x >> 24) < 40 && i < n) to[i++] = (char)('a' + (x >> 8) % 26);
    }
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/file.txt", folder);
    text = malloc(BIG);
    if (!text) return -1;
    make_text(text, BIG);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(text);
    return sb_dir_remove(folder) == SB_OK ? 0 : -1;
}

static void add(sb_buffer *b, const void *data, size_t n)
{
    assert_int_equal(sb_buffer_add(b, data, n), SB_OK);
}

static size_t pack_gzip(const char *from, size_t n, char *to, size_t room)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, 0),
                     Z_OK);
    z.next_in = (Bytef *)(uintptr_t)from;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

static size_t pack_zstd(const char *from, size_t n, char *to, size_t room)
{
    ZSTD_CCtx *z = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
    size_t got = ZSTD_compress2(z, to, room, from, n);
    assert_false(ZSTD_isError(got));
    ZSTD_freeCCtx(z);
    return got;
}

/* One member behind what `file` holds. */
static void pack(sb_compression kind, const char *from, size_t n,
                 sb_buffer *file)
{
    size_t room = n + n / 50 + 2000, got = room;
    char *to = malloc(room);
    unsigned bz = (unsigned)room;
    assert_non_null(to);
    switch (kind) {
    case SB_GZIP:
        got = pack_gzip(from, n, to, room);
        break;
    case SB_BZIP2:
        assert_int_equal(BZ2_bzBuffToBuffCompress(to, &bz,
                                                  (char *)(uintptr_t)from,
                                                  (unsigned)n, 1, 0, 0),
                         BZ_OK);
        got = bz;
        break;
    case SB_XZ:
        got = 0;
        assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL,
                                                 (const uint8_t *)from, n,
                                                 (uint8_t *)to, &got, room),
                         LZMA_OK);
        break;
    case SB_ZSTD:
        got = pack_zstd(from, n, to, room);
        break;
    case SB_PLAIN:
        memcpy(to, from, n);
        got = n;
        break;
    }
    add(file, to, got);
    free(to);
}

static void put(const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(n ? fwrite(data, 1, n, f) : 0, n);
    assert_int_equal(fclose(f), 0);
}

/* Read all in pieces of at most `room`; what came before a failure is kept. */
static sb_status unpack(uint64_t first, uint64_t size, size_t room,
                        double max_ratio, sb_buffer *out)
{
    sb_stream *s;
    size_t got = 1;
    out->n = 0;
    SB_TRY(sb_stream_open(path, first, size, max_ratio, &s));
    uint64_t before = sb_stream_taken(s);
    assert_int_equal(before, first);
    char *piece = malloc(room);
    sb_status st = SB_OK;
    for (size_t turn = 0; st == SB_OK && got; turn++) {
        size_t want = room > 1 ? 1 + (room - 1) * (turn % 7 + 1) / 7 : 1;
        st = sb_stream_read(s, piece, want, &got);
        if (st != SB_OK) break;
        assert_true(got <= want);
        add(out, piece, got);
        uint64_t now = sb_stream_taken(s);
        assert_true(now >= before && now <= size);
        before = now;
    }
    if (st == SB_OK) {
        assert_int_equal(before, size);
        assert_int_equal(sb_stream_read(s, piece, room, &got), SB_OK);
        assert_int_equal(got, 0);
    } else { /* it does not get better by asking again */
        assert_int_equal(sb_stream_read(s, piece, room, &got), st);
    }
    sb_stream_close(s);
    free(piece);
    return st;
}

static void expect_text(const sb_buffer *got, size_t n)
{
    assert_int_equal(got->n, n);
    if (n) assert_memory_equal(got->data, text, n);
}

#endif
