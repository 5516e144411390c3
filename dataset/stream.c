/* SPDX-License-Identifier: MIT
 * stream.c - from the bytes of a file to the bytes that were packed into it.
 *
 * Invariants:
 *   1. flow.in[0..in_left) are the file's bytes [at - in_left, at); at never
 *      passes size.
 *   2. The end of the file is the end of the stream between two members and
 *      nowhere else.
 *   3. With `ahead`, everything but `ahead` and `error` is its thread's. */
#include "dataset/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/life.h"
#include "comm/base/mem.h"
#include "dataset/ahead.h"
#include "dataset/unpack.h"

enum {
    IN_BYTES = 256 << 10,
    ROOM_MAX = 1 << 30, /* zlib counts in 32 bits */
    NO_BOMB = 1 << 30
};

typedef enum place { BETWEEN, INSIDE, BEHIND } place;

struct sb_stream {
    char *path;
    int fd;
    uint64_t at, size;
    sb_compression kind;
    place place; /* between members, inside one, behind the last */
    double max_ratio;
    uint64_t made, padding; /* unpacked bytes; zeros since the last member */
    unsigned char *buffer;  /* [IN_BYTES] */
    sb_flow flow;
    sb_unpack *unpack;
    sb_ahead *ahead;
    sb_error error; /* the first failure, said again at each later read */
};

/* ---- kinds --------------------------------------------------------------- */

static int begins(const unsigned char *head, size_t n, const char *magic,
                  size_t magic_n)
{
    return n >= magic_n && memcmp(head, magic, magic_n) == 0;
}

/* "BZh" and a digit may begin a text; then comes pi, or for an empty stream
 * its square root. */
static int is_bzip2(const unsigned char *head, size_t n)
{
    enum { DIGIT = 3, AFTER = 4 };
    if (!begins(head, n, "BZh", DIGIT) || n < AFTER) return 0;
    if (head[DIGIT] < '1' || head[DIGIT] > '9') return 0;
    size_t more = n - AFTER < 2 ? n - AFTER : 2;
    return memcmp(head + AFTER, "\x31\x41", more) == 0 ||
           memcmp(head + AFTER, "\x17\x72", more) == 0;
}

/* A frame, or one to skip: pzstd begins with such. */
static int is_zstd(const unsigned char *head, size_t n)
{
    return begins(head, n, "\x28\xb5\x2f\xfd", 4) ||
           (n >= 4 && head[0] >> 4 == 5 &&
            memcmp(head + 1, "\x2a\x4d\x18", 3) == 0);
}

sb_compression sb_compression_of(const unsigned char *head, size_t n)
{
    if (begins(head, n, "\x1f\x8b", 2)) return SB_GZIP;
    if (begins(head, n, "\xfd\x37zXZ\0", 6)) return SB_XZ;
    if (is_bzip2(head, n)) return SB_BZIP2;
    if (is_zstd(head, n)) return SB_ZSTD;
    return SB_PLAIN;
}

const char *sb_compression_name(sb_compression c)
{
    static const char *const names[] = {[SB_PLAIN] = "plain",
                                        [SB_GZIP] = "gzip",
                                        [SB_BZIP2] = "bzip2",
                                        [SB_XZ] = "xz",
                                        [SB_ZSTD] = "zstd"};
    return names[c];
}

/* Zeros may follow a member in multiples of this; 0: none may. gzip's RFC has
 * no word on them, but tapes pad, and gzip itself lets them pass. */
static unsigned padding_of(sb_compression c)
{
    return c == SB_GZIP ? 1 : c == SB_XZ ? 4 : 0;
}

static int is_slow(sb_compression c)
{
    return c == SB_BZIP2 || c == SB_XZ;
}

/* ---- the file ------------------------------------------------------------ */

static sb_status read_at(const sb_stream *s, uint64_t at, unsigned char *to,
                         size_t n)
{
    for (size_t have = 0; have < n;) {
        ssize_t k = pread(s->fd, to + have, n - have, (off_t)(at + have));
        sb_life_beat();
        if (k < 0 && errno == EINTR) continue;
        SB_REQUIRE(k >= 0, SB_EIO, "cannot read '%s': %s", s->path,
                   strerror(errno));
        SB_REQUIRE(k > 0, SB_EIO,
                   "'%s' ends at byte %" PRIu64 ", it had %" PRIu64
                   " when the run began",
                   s->path, at + have, s->size);
        have += (size_t)k;
    }
    return SB_OK;
}

static size_t within(const sb_stream *s, size_t room)
{
    return s->size - s->at < room ? (size_t)(s->size - s->at) : room;
}

/* Have at least `need` bytes in sight, or all that are left. */
static sb_status fill(sb_stream *s, size_t need)
{
    sb_flow *f = &s->flow;
    if (f->in_left >= need) return SB_OK;
    if (f->in_left) memmove(s->buffer, f->in, f->in_left);
    f->in = s->buffer;
    size_t n = within(s, IN_BYTES - f->in_left);
    SB_TRY(read_at(s, s->at, f->in + f->in_left, n));
    f->in_left += n;
    s->at += n;
    return SB_OK;
}

static uint64_t taken(const sb_stream *s)
{
    return s->at - s->flow.in_left;
}

/* ---- members ------------------------------------------------------------- */

static sb_status fail_damaged(const sb_stream *s, const char *why)
{
    SB_FAIL(SB_EFORMAT, "'%s' is damaged near byte %" PRIu64 " (%s): %s",
            s->path, taken(s), sb_compression_name(s->kind), why);
}

static sb_status fail_wide(const sb_stream *s)
{
    sb_fail(SB_EFORMAT, __FILE__, __LINE__,
            "'%s' at byte %" PRIu64 ": unpacking it needs a window of more "
            "than %s",
            s->path, taken(s), sb_bytes_text(SB_UNPACK_WINDOW));
    return sb_hint("pack it again: xz -9 and zstd --long=27 stay below");
}

static sb_status check_ratio(const sb_stream *s)
{
    if (s->made <= NO_BOMB ||
        (double)s->made <= s->max_ratio * (double)taken(s))
        return SB_OK;
    sb_fail(SB_EFORMAT, __FILE__, __LINE__,
            "'%s' unpacks to more than %g times its size: %" PRIu64
            " bytes by byte %" PRIu64,
            s->path, s->max_ratio, s->made, taken(s));
    return sb_hint("if it is what it should be, raise --max-ratio");
}

/* Look at what follows a member: padding, the end, or another member. Stays
 * BETWEEN while there is padding in sight only. */
static sb_status go_on(sb_stream *s)
{
    sb_flow *f = &s->flow;
    unsigned pad = padding_of(s->kind);
    SB_TRY(fill(s, SB_STREAM_HEAD));
    for (; pad && f->in_left && !*f->in; f->in++, f->in_left--) s->padding++;
    if (f->in_left < SB_STREAM_HEAD && s->at < s->size) return SB_OK;
    if (pad) {
        SB_REQUIRE(s->padding % pad == 0, SB_EFORMAT,
                   "'%s' has %" PRIu64 " bytes of padding before byte %" PRIu64
                   ", not a multiple of %u",
                   s->path, s->padding, taken(s), pad);
        s->padding = 0;
    }
    if (!f->in_left) {
        s->place = BEHIND;
        return SB_OK;
    }
    size_t n = f->in_left < SB_STREAM_HEAD ? f->in_left : SB_STREAM_HEAD;
    SB_REQUIRE(sb_compression_of(f->in, n) == s->kind, SB_EFORMAT,
               "'%s' is %s up to byte %" PRIu64 " and something else behind it",
               s->path, sb_compression_name(s->kind), taken(s));
    s->place = INSIDE;
    return sb_unpack_begin(s->unpack);
}

static sb_status go_in(sb_stream *s, unsigned char *to, size_t room,
                       size_t *got_out)
{
    sb_flow *f = &s->flow;
    SB_TRY(fill(s, 1));
    size_t had = f->in_left;
    f->out = to;
    f->out_left = room;
    sb_unpacked what = sb_unpack_step(s->unpack, f);
    size_t got = room - f->out_left;
    if (what == SB_UNPACKED_DAMAGED) return fail_damaged(s, f->why);
    if (what == SB_UNPACKED_WIDE) return fail_wide(s);
    SB_REQUIRE(what != SB_UNPACKED_NO_MEMORY, SB_ENOMEM,
               "out of memory: unpacking '%s'", s->path);
    if (what == SB_UNPACKED_MEMBER) {
        s->place = BETWEEN;
    } else if (!got && f->in_left == had) {
        if (had) return fail_damaged(s, "it leads nowhere");
        SB_FAIL(SB_EFORMAT,
                "'%s' is cut off: its %s data does not end at byte %" PRIu64,
                s->path, sb_compression_name(s->kind), s->size);
    }
    s->made += got;
    SB_TRY(check_ratio(s));
    *got_out = got;
    return SB_OK;
}

/* One step, so that a thread that does many can be stopped between two. */
static sb_status pull(void *from, void *to, size_t room, size_t *got_out,
                      uint64_t *taken_out, int *more_out)
{
    sb_stream *s = from;
    size_t got = 0;
    if (s->place == BETWEEN)
        SB_TRY(go_on(s));
    else if (s->place == INSIDE)
        SB_TRY(go_in(s, to, room, &got));
    *got_out = got;
    *taken_out = taken(s);
    *more_out = s->place != BEHIND;
    return SB_OK;
}

/* ---- the stream ---------------------------------------------------------- */

static sb_status start(sb_stream *s, uint64_t first)
{
    SB_REQUIRE(s->path, SB_ENOMEM, "out of memory: a path");
    SB_REQUIRE(first <= s->size, SB_EBUG,
               "'%s': from byte %" PRIu64 " of %" PRIu64, s->path, first,
               s->size);
    s->fd = open(s->path, O_RDONLY | O_CLOEXEC);
    SB_REQUIRE(s->fd >= 0, errno == ENOENT ? SB_ENOENT : SB_EIO,
               "cannot read '%s': %s", s->path, strerror(errno));
    (void)posix_fadvise(s->fd, (off_t)first, 0, POSIX_FADV_SEQUENTIAL);
    s->at = first;
    if (first) return SB_OK;
    unsigned char head[SB_STREAM_HEAD];
    size_t n = within(s, sizeof head);
    SB_TRY(read_at(s, 0, head, n));
    s->kind = sb_compression_of(head, n);
    if (s->kind == SB_PLAIN) return SB_OK;
    SB_TRY(sb_alloc(IN_BYTES, 1, "read buffer", &s->buffer));
    SB_TRY(sb_unpack_open(s->kind, &s->unpack));
    return is_slow(s->kind) ? sb_ahead_open(pull, s, &s->ahead) : SB_OK;
}

sb_status sb_stream_open(const char *path, uint64_t first, uint64_t size,
                         double max_ratio, sb_stream **stream_out)
{
    sb_stream *s;
    SB_TRY(sb_alloc(1, sizeof *s, "stream", &s));
    s->path = strdup(path);
    s->fd = -1;
    s->size = size;
    s->max_ratio = max_ratio;
    sb_status st = start(s, first);
    if (st == SB_OK)
        *stream_out = s;
    else
        sb_stream_close(s);
    return st;
}

void sb_stream_close(sb_stream *s)
{
    if (!s) return;
    sb_ahead_close(s->ahead);
    sb_unpack_close(s->unpack);
    if (s->fd >= 0) close(s->fd);
    sb_free(s->buffer);
    free(s->path);
    sb_free(s);
}

static sb_status read_plain(sb_stream *s, void *to, size_t room,
                            size_t *got_out)
{
    size_t n = within(s, room);
    SB_TRY(read_at(s, s->at, to, n));
    s->at += n;
    *got_out = n;
    return SB_OK;
}

static sb_status read_packed(sb_stream *s, void *to, size_t room,
                             size_t *got_out)
{
    size_t got = 0;
    uint64_t behind;
    for (int more = 1; more && !got;)
        SB_TRY(pull(s, to, room, &got, &behind, &more));
    *got_out = got;
    return SB_OK;
}

sb_status sb_stream_read(sb_stream *s, void *to, size_t room, size_t *got_out)
{
    if (s->ahead) return sb_ahead_read(s->ahead, to, room, got_out);
    if (s->error.code != SB_OK) return sb_error_set(&s->error);
    if (room > ROOM_MAX) room = ROOM_MAX;
    sb_status st = s->kind == SB_PLAIN ? read_plain(s, to, room, got_out)
                                       : read_packed(s, to, room, got_out);
    if (st != SB_OK) s->error = *sb_error_last();
    return st;
}

uint64_t sb_stream_taken(const sb_stream *s)
{
    return s->ahead ? sb_ahead_taken(s->ahead) : taken(s);
}
