/* SPDX-License-Identifier: MIT
 * counts.c - counts.pb, written and read. Nothing is taken from a file before
 * its length, checksum, format, vocabulary and sum are right. */
#include "proto/counts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/base/mem.h"
#include "proto/codec.h"

enum { VARINT_MAX = 10, OTHER_FIELDS = 64 };

/* Bytes of the largest message with n counts. */
static size_t message_max(size_t n)
{
    return n * VARINT_MAX + OTHER_FIELDS;
}

static int add_up(const uint64_t *count, size_t n, uint64_t *total_out)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++)
        if (__builtin_add_overflow(total, count[i], &total)) return 0;
    *total_out = total;
    return 1;
}

/* ---- writing ------------------------------------------------------------- */

static sb_status write_message(const char *path, const ProtobufCMessage *m,
                               size_t n)
{
    sb_out *o;
    sb_frame f;
    SB_TRY(sb_dir_remove(path)); /* of a killed writer */
    SB_TRY(sb_out_open(path, &o));
    sb_status st = sb_frame_put(o, m, message_max(n), &f);
    if (st == SB_OK) return sb_out_close(o);
    sb_out_abandon(o);
    return st;
}

static sb_status sync_folder(const char *path)
{
    const char *name = strrchr(path, '/');
    if (!name) return sb_dir_sync(".");
    char *folder = sb_format("%.*s", (int)(name - path) + 1, path);
    SB_REQUIRE(folder, SB_ENOMEM, "out of memory: a path");
    sb_status st = sb_dir_sync(folder);
    sb_free(folder);
    return st;
}

sb_status sb_counts_write(const char *path, uint64_t vocab_hash,
                          const uint64_t *counts, size_t n)
{
    Shardbert__Counts m = SHARDBERT__COUNTS__INIT;
    SB_REQUIRE(add_up(counts, n, &m.total), SB_ELIMIT,
               "the counts of %zu pieces are too many to add up", n);
    m.format = SB_COUNTS_FORMAT;
    m.vocab_hash = vocab_hash;
    m.n_count = n;
    m.count = (uint64_t *)counts; /* protobuf-c only reads them */
    char *staging = sb_format("%s.tmp", path);
    SB_REQUIRE(staging, SB_ENOMEM, "out of memory: a path");
    sb_status st = write_message(staging, &m.base, n);
    if (st == SB_OK) st = sb_rename(staging, path);
    if (st == SB_OK) st = sync_folder(path);
    sb_free(staging);
    return st;
}

/* ---- reading ------------------------------------------------------------- */

/* The one frame of the file into m. */
static sb_status read_frame(const char *path, size_t n, sb_message *m)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    SB_REQUIRE(fd >= 0, errno == ENOENT ? SB_ENOENT : SB_EIO,
               "cannot open '%s': %s", path, strerror(errno));
    struct stat s;
    sb_status st = SB_OK;
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode))
        st = sb_fail(SB_EIO, __FILE__, __LINE__, "'%s' is not a file", path);
    uint64_t bytes = st == SB_OK ? (uint64_t)s.st_size : 0;
    if (st == SB_OK) st = sb_frame_get(fd, path, 0, bytes, message_max(n), m);
    close(fd);
    SB_TRY(st);
    SB_REQUIRE(bytes == SB_FRAME_HEAD + (uint64_t)m->frame.bytes, SB_EFORMAT,
               "'%s' has bytes behind its frame", path);
    return SB_OK;
}

static sb_status take(const Shardbert__Counts *m, const char *path,
                      uint64_t vocab_hash, uint64_t *counts_out, size_t n)
{
    uint64_t total;
    SB_REQUIRE(m->format == SB_COUNTS_FORMAT, SB_EVERSION,
               "'%s' is of format %u, this program reads %d", path, m->format,
               SB_COUNTS_FORMAT);
    SB_REQUIRE(m->vocab_hash == vocab_hash, SB_EINVAL,
               "'%s' was made with another vocabulary", path);
    SB_REQUIRE(m->n_count == n, SB_EFORMAT,
               "'%s' has counts of %zu pieces, not of %zu", path, m->n_count,
               n);
    SB_REQUIRE(add_up(m->count, n, &total) && total == m->total, SB_EFORMAT,
               "'%s': the counts do not add up to their total %" PRIu64, path,
               m->total);
    if (n) memcpy(counts_out, m->count, n * sizeof *counts_out);
    return SB_OK;
}

sb_status sb_counts_read(const char *path, uint64_t vocab_hash,
                         uint64_t *counts_out, size_t n)
{
    sb_message message = {0};
    sb_status st = read_frame(path, n, &message);
    if (st == SB_OK) {
        ProtobufCMessage *m = NULL;
        st = sb_unpack(&shardbert__counts__descriptor, message.data,
                       message.frame.bytes, "a message of counts", SB_EFORMAT,
                       &m);
        if (st == SB_EFORMAT)
            st = sb_fail(st, __FILE__, __LINE__, "'%s' is not a file of counts",
                         path);
        if (st == SB_OK)
            st = take((Shardbert__Counts *)m, path, vocab_hash, counts_out, n);
        if (m) protobuf_c_message_free_unpacked(m, NULL);
    }
    sb_free(message.data);
    return st;
}
