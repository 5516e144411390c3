/* SPDX-License-Identifier: MIT
 * unpack.c - gzip, bzip2, xz and zstd, a member at a time.
 *
 * The libraries are asked for one member each and not for their own ways of
 * going on to the next: those differ in what they let pass between two. */
#include "dataset/unpack.h"

#include <bzlib.h>
#include <lzma.h>
#ifdef SB_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif
#include <zstd.h>
#include <zstd_errors.h>

#include "comm/base/mem.h"

typedef struct method {
    int (*begin)(sb_unpack *u); /* 0: out of memory */
    sb_unpacked (*step)(sb_unpack *u, sb_flow *f);
    void (*end)(sb_unpack *u);
} method;

struct sb_unpack {
    sb_compression kind;
    const method *method;
    int begun; /* the library's state is there */
    union {
#ifdef SB_ISAL
        struct inflate_state gzip;
#else
        z_stream gzip;
#endif
        bz_stream bzip2;
        lzma_stream xz;
        ZSTD_DCtx *zstd;
    } as;
};

static const char wrong[] = "a checksum or the data itself is wrong";

static sb_unpacked damaged(sb_flow *f, const char *why)
{
    f->why = why;
    return SB_UNPACKED_DAMAGED;
}

/* ---- gzip ---------------------------------------------------------------- */

/* ISA-L unpacks in less than half of zlib's time; zlib is there everywhere. */
#ifdef SB_ISAL

static int gzip_begin(sb_unpack *u)
{
    if (u->begun)
        isal_inflate_reset(&u->as.gzip);
    else
        isal_inflate_init(&u->as.gzip);
    u->as.gzip.crc_flag = ISAL_GZIP;
    return 1;
}

static sb_unpacked gzip_step(sb_unpack *u, sb_flow *f)
{
    struct inflate_state *z = &u->as.gzip;
    z->next_in = f->in;
    z->avail_in = (uint32_t)f->in_left;
    z->next_out = f->out;
    z->avail_out = (uint32_t)f->out_left;
    int rc = isal_inflate(z);
    f->in = z->next_in;
    f->in_left = z->avail_in;
    f->out = z->next_out;
    f->out_left = z->avail_out;
    if (rc < 0 || rc == ISAL_NEED_DICT) return damaged(f, wrong);
    return z->block_state == ISAL_BLOCK_FINISH ? SB_UNPACKED_MEMBER
                                               : SB_UNPACKED_SOME;
}

static void gzip_end(sb_unpack *u)
{
    (void)u;
}

#else

static int gzip_begin(sb_unpack *u)
{
    enum { GZIP_ALONE = 16 }; /* neither zlib's own header nor none */
    if (u->begun) return inflateReset(&u->as.gzip) == Z_OK;
    return inflateInit2(&u->as.gzip, GZIP_ALONE + MAX_WBITS) == Z_OK;
}

static sb_unpacked gzip_step(sb_unpack *u, sb_flow *f)
{
    z_stream *z = &u->as.gzip;
    z->next_in = f->in;
    z->avail_in = (uInt)f->in_left;
    z->next_out = f->out;
    z->avail_out = (uInt)f->out_left;
    int rc = inflate(z, Z_NO_FLUSH);
    f->in = z->next_in;
    f->in_left = z->avail_in;
    f->out = z->next_out;
    f->out_left = z->avail_out;
    switch (rc) {
    case Z_OK:
    case Z_BUF_ERROR: /* nothing moved */
        return SB_UNPACKED_SOME;
    case Z_STREAM_END:
        return SB_UNPACKED_MEMBER;
    case Z_MEM_ERROR:
        return SB_UNPACKED_NO_MEMORY;
    default:
        return damaged(f, z->msg ? z->msg : wrong);
    }
}

static void gzip_end(sb_unpack *u)
{
    inflateEnd(&u->as.gzip);
}

#endif

/* ---- bzip2 --------------------------------------------------------------- */

static int bzip2_begin(sb_unpack *u)
{
    bz_stream *b = &u->as.bzip2;
    if (u->begun) BZ2_bzDecompressEnd(b); /* it has no reset */
    u->begun = 0;
    return BZ2_bzDecompressInit(b, 0, 0) == BZ_OK;
}

static sb_unpacked bzip2_step(sb_unpack *u, sb_flow *f)
{
    bz_stream *b = &u->as.bzip2;
    b->next_in = (char *)f->in;
    b->avail_in = (unsigned)f->in_left;
    b->next_out = (char *)f->out;
    b->avail_out = (unsigned)f->out_left;
    int rc = BZ2_bzDecompress(b);
    f->in = (unsigned char *)b->next_in;
    f->in_left = b->avail_in;
    f->out = (unsigned char *)b->next_out;
    f->out_left = b->avail_out;
    switch (rc) {
    case BZ_OK:
        return SB_UNPACKED_SOME;
    case BZ_STREAM_END:
        return SB_UNPACKED_MEMBER;
    case BZ_MEM_ERROR:
        return SB_UNPACKED_NO_MEMORY;
    default:
        return damaged(f, wrong);
    }
}

static void bzip2_end(sb_unpack *u)
{
    BZ2_bzDecompressEnd(&u->as.bzip2);
}

/* ---- xz ------------------------------------------------------------------ */

static int xz_begin(sb_unpack *u)
{
    enum { BESIDE_WINDOW = 1 << 20 };
    static const lzma_stream fresh = LZMA_STREAM_INIT;
    if (!u->begun) u->as.xz = fresh;
    return lzma_stream_decoder(&u->as.xz, SB_UNPACK_WINDOW + BESIDE_WINDOW,
                               LZMA_TELL_UNSUPPORTED_CHECK) == LZMA_OK;
}

static sb_unpacked xz_step(sb_unpack *u, sb_flow *f)
{
    lzma_stream *x = &u->as.xz;
    x->next_in = f->in;
    x->avail_in = f->in_left;
    x->next_out = f->out;
    x->avail_out = f->out_left;
    lzma_ret rc = lzma_code(x, LZMA_RUN);
    f->in += f->in_left - x->avail_in;
    f->in_left = x->avail_in;
    f->out = x->next_out;
    f->out_left = x->avail_out;
    switch (rc) {
    case LZMA_OK:
    case LZMA_BUF_ERROR: /* nothing moved, twice */
        return SB_UNPACKED_SOME;
    case LZMA_STREAM_END:
        return SB_UNPACKED_MEMBER;
    case LZMA_MEM_ERROR:
        return SB_UNPACKED_NO_MEMORY;
    case LZMA_MEMLIMIT_ERROR:
        return SB_UNPACKED_WIDE;
    case LZMA_UNSUPPORTED_CHECK:
        return damaged(f, "its checksum is of an unknown kind");
    case LZMA_OPTIONS_ERROR:
        return damaged(f, "it asks for an unknown option");
    default:
        return damaged(f, wrong);
    }
}

static void xz_end(sb_unpack *u)
{
    lzma_end(&u->as.xz);
}

/* ---- zstd ---------------------------------------------------------------- */

static int zstd_begin(sb_unpack *u)
{
    if (u->begun) {
        ZSTD_DCtx_reset(u->as.zstd, ZSTD_reset_session_only);
        return 1;
    }
    u->as.zstd = ZSTD_createDCtx();
    if (!u->as.zstd) return 0;
    ZSTD_DCtx_setParameter(u->as.zstd, ZSTD_d_windowLogMax,
                           SB_UNPACK_WINDOW_LOG);
    return 1;
}

static sb_unpacked zstd_step(sb_unpack *u, sb_flow *f)
{
    ZSTD_inBuffer in = {f->in, f->in_left, 0};
    ZSTD_outBuffer out = {f->out, f->out_left, 0};
    size_t rc = ZSTD_decompressStream(u->as.zstd, &out, &in);
    f->in += in.pos;
    f->in_left -= in.pos;
    f->out += out.pos;
    f->out_left -= out.pos;
    if (rc == 0) return SB_UNPACKED_MEMBER;
    if (!ZSTD_isError(rc)) return SB_UNPACKED_SOME;
    switch (ZSTD_getErrorCode(rc)) {
    case ZSTD_error_memory_allocation:
        return SB_UNPACKED_NO_MEMORY;
    case ZSTD_error_frameParameter_windowTooLarge:
        return SB_UNPACKED_WIDE;
    case ZSTD_error_dictionary_wrong:
        return damaged(f, "it needs a dictionary, which is not in it");
    default:
        return damaged(f, wrong);
    }
}

static void zstd_end(sb_unpack *u)
{
    ZSTD_freeDCtx(u->as.zstd);
}

/* ---- all of them --------------------------------------------------------- */

sb_status sb_unpack_open(sb_compression kind, sb_unpack **u_out)
{
    static const method methods[] = {
        [SB_GZIP] = {gzip_begin, gzip_step, gzip_end},
        [SB_BZIP2] = {bzip2_begin, bzip2_step, bzip2_end},
        [SB_XZ] = {xz_begin, xz_step, xz_end},
        [SB_ZSTD] = {zstd_begin, zstd_step, zstd_end},
    };
    sb_unpack *u;
    SB_TRY(sb_alloc(1, sizeof *u, "unpacking", &u));
    u->kind = kind;
    u->method = &methods[kind];
    *u_out = u;
    return SB_OK;
}

sb_status sb_unpack_begin(sb_unpack *u)
{
    SB_REQUIRE(u->method->begin(u), SB_ENOMEM, "out of memory: unpacking %s",
               sb_compression_name(u->kind));
    u->begun = 1;
    return SB_OK;
}

sb_unpacked sb_unpack_step(sb_unpack *u, sb_flow *flow)
{
    return u->method->step(u, flow);
}

void sb_unpack_close(sb_unpack *u)
{
    if (!u) return;
    if (u->begun) u->method->end(u);
    sb_free(u);
}
