/* SPDX-License-Identifier: MIT
 * stream.h - the bytes of a file, whatever it was compressed with.
 *
 * The compression is known by the file's first bytes, never by its name: gzip
 * (RFC 1952), bzip2, xz (.xz container), Zstandard (RFC 8878), or none. A file
 * may be several of one kind one behind the other (gzip members, bzip2
 * streams, xz streams with their padding, zstd frames, skippable ones too).
 *
 * Nothing is trusted: every checksum of the format is checked; a stream that
 * is cut off, damaged, or followed by something else is SB_EFORMAT, with the
 * place in the file; one that unpacks to more than `max_ratio` times its size
 * (and more than 1 GiB) is a bomb. Memory is bounded: 128 MiB of window at
 * most.
 *
 * bzip2 and xz are slow enough that a thread unpacks ahead of the reader.
 */
#ifndef SB_DATASET_STREAM_H
#define SB_DATASET_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

typedef enum sb_compression {
    SB_PLAIN,
    SB_GZIP,
    SB_BZIP2,
    SB_XZ,
    SB_ZSTD
} sb_compression;

enum { SB_STREAM_HEAD = 6 }; /* bytes that tell the compression */

/* By the first n <= SB_STREAM_HEAD bytes of a file. */
sb_compression sb_compression_of(const unsigned char *head, size_t n);
const char *sb_compression_name(sb_compression c); /* "gzip", "plain", ... */

typedef struct sb_stream sb_stream;

/* Read `path` from byte `first` (not 0: the file is taken as plain) up to
 * `size`, the bytes it had when it was listed: fewer on disk is SB_EIO ("ends
 * at byte ..., it had ..."), more are not looked at. */
SB_MUST_USE sb_status sb_stream_open(const char *path, uint64_t first,
                                     uint64_t size, double max_ratio,
                                     sb_stream **stream_out);
void sb_stream_close(sb_stream *s); /* NULL is fine; any time */

/* At most `room` bytes (room > 0) to `to`; *got_out = 0 at the end, which is
 * reached only by a stream that is whole. */
SB_MUST_USE sb_status sb_stream_read(sb_stream *s, void *to, size_t room,
                                     size_t *got_out);

/* Bytes of the file behind us, for progress; grows from first to size. */
uint64_t sb_stream_taken(const sb_stream *s);

#endif
