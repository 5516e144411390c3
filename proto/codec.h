/* SPDX-License-Identifier: MIT
 * codec.h - inside proto/: frames around messages, and what must hold of the
 * tables of a checkpoint. Writer and reader share the same checks; they
 * differ in the status a violation has (`code`): ours to fix (SB_EBUG), or
 * bytes on disk that are wrong (SB_EFORMAT).
 */
#ifndef SB_PROTO_CODEC_H
#define SB_PROTO_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "comm/base/fsio.h"
#include "proto/checkpoint.h"
#include "proto/shardbert.pb-c.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "elements are little-endian on disk and not converted");

enum {
    SB_FRAME_HEAD = 8,
    SB_CHUNK_MAX = 16 << 20, /* bytes of an encoded TensorChunk */
    SB_CHUNK_OTHER = 64,     /* of which not data: 34 at most; keeps 8 | data */
    SB_MANIFEST_MAX = 64 << 20,
    SB_TENSORS_MAX = 1 << 16,
    SB_RANGES_MAX = 1 << 22
};

/* ---- frames -------------------------------------------------------------- */

typedef struct sb_frame {
    uint32_t bytes, crc;
} sb_frame;

/* Append `m` in its frame; a payload is not copied. SB_ELIMIT if it is longer
 * than `cap`; failures to write are reported by sb_out_close. */
SB_MUST_USE sb_status sb_frame_put(sb_out *o, const ProtobufCMessage *m,
                                   size_t cap, sb_frame *frame_out);

typedef struct sb_message {
    uint8_t *data; /* free() */
    size_t cap;
    sb_frame frame;
} sb_message;

/* Read the frame at `at` of a file of `file_bytes` bytes and verify it. `name`
 * is used in messages. */
SB_MUST_USE sb_status sb_frame_get(int fd, const char *name, uint64_t at,
                                   uint64_t file_bytes, size_t cap,
                                   sb_message *m);

/* The message of a verified frame; free with
 * protobuf_c_message_free_unpacked(m, NULL). `name` (of the file) and
 * `what` it should be are used in messages. SB_ENOMEM; `code` if it is none, or
 * would take more than SB_UNPACK_TIMES its length in memory (of empty messages
 * in a message). */
enum { SB_UNPACK_TIMES = 24 };
SB_MUST_USE sb_status sb_message_unpack(const ProtobufCMessageDescriptor *type,
                                        const void *data, size_t bytes,
                                        const char *name, const char *what,
                                        sb_status code,
                                        ProtobufCMessage **message_out);
uint32_t sb_get_u32(const uint8_t *p); /* little-endian */
/* SB_EIO; SB_EFORMAT: the file ends before. */
SB_MUST_USE sb_status sb_read_at(int fd, const char *name, uint64_t at,
                                 uint8_t *data, size_t bytes);

/* ---- names --------------------------------------------------------------- */

enum { SB_CKPT_NAME_ROOM = 40 };

void sb_ckpt_name(uint64_t step, char out[SB_CKPT_NAME_ROOM]);
/* True, with the step, if `name` is exactly what sb_ckpt_name makes. */
int sb_ckpt_name_step(const char *name, uint64_t *step_out);
/* The folder in `dir` in which it is built; sb_free, NULL: no memory. */
char *sb_ckpt_staging(const char *dir, uint64_t step);
void sb_part_name(uint32_t writer, char out[SB_CKPT_NAME_ROOM]);
void sb_share_name(uint32_t writer, char out[SB_CKPT_NAME_ROOM]);
#define SB_MANIFEST_NAME "manifest.pb"

/* ---- what is shown when it is done --------------------------------------- */

/* m as a file of this folder, synced. */
SB_MUST_USE sb_status sb_manifest_put(const char *folder, const char *name,
                                      const Shardbert__Manifest *m);
/* The file of a part as this process sees it: other nodes may have written it.
 * `code` if it is not there or has another length. */
SB_MUST_USE sb_status sb_part_check_file(const char *folder,
                                         const Shardbert__Part *p,
                                         sb_status code);
/* Sync the staging folder of `step` and rename it to what readers look for. */
SB_MUST_USE sb_status sb_ckpt_show(const char *dir, uint64_t step);

/* ---- tables -------------------------------------------------------------- */

/* Elements [first, first + n) of a tensor and where they lie. */
typedef struct sb_range {
    uint32_t tensor, part;
    uint64_t first, n, offset;
    sb_frame frame;
} sb_range;

/* ---- chunks (chunk.c) ---------------------------------------------------- */

/* Is the frame of `r` there and sound? m: scratch. */
SB_MUST_USE sb_status sb_chunk_check(int fd, const char *name,
                                     const sb_range *r, sb_message *m);
/* Elements [first, first + n) of the chunk of `r`, of `item` bytes each, to
 * `to`; all of its frame is verified. *ours_out = 0, and nothing else: its
 * message is laid out in a way that only protobuf-c can tell. m: scratch. */
SB_MUST_USE sb_status sb_chunk_get(int fd, const char *name, const sb_range *r,
                                   size_t item, uint64_t first, uint64_t n,
                                   void *to, sb_message *m, int *ours_out);

/* ---- tables, checked ----------------------------------------------------- */

/* Names that are set, short, printable and different; shapes that can be
 * addressed. */
SB_MUST_USE sb_status sb_table_check(const sb_tensor *table, size_t tensors,
                                     sb_status code);
/* Indices of the table in the order of the names; sb_free. */
SB_MUST_USE sb_status sb_table_by_name(const sb_tensor *table, size_t tensors,
                                       size_t **order_out);

/* Check one part's ranges and store them: range_out has room for
 * p->n_range. `part` is its index. */
SB_MUST_USE sb_status sb_part_take(const Shardbert__Part *p, uint32_t part,
                                   const sb_tensor *table, size_t tensors,
                                   sb_status code, sb_range *range_out);

/* Sort by tensor and first element, and check that each element of each
 * tensor is there exactly once. begin_out: [tensors + 1], the ranges of
 * tensor t are begin_out[t] .. begin_out[t + 1]. */
SB_MUST_USE sb_status sb_ranges_check(sb_range *range, size_t n,
                                      const sb_tensor *table, size_t tensors,
                                      sb_status code, size_t *begin_out);

#endif
