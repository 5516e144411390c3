/* SPDX-License-Identifier: MIT
 * checkpoint.h - named tensors, named numbers, and one commit point.
 *
 *   <dir>/ckpt-000012000/
 *     manifest.pb       one framed Manifest: phase, step, cursor, effective
 *                       configuration, every tensor with its shape, and which
 *                       elements lie where
 *     part-00000.pb     framed TensorChunk messages of at most 16 MiB, one
 *     part-00001.pb     file per writer
 *   frame: u32 length, u32 CRC-32C of the encoded message, both little-endian;
 *   the CRC is checked before anything is unpacked (protobuf itself accepts
 *   most flipped bits).
 *
 * Sharding is by element ranges of the row-major tensor, so any number of
 * readers may load what any number of writers saved. Chunks are packed through
 * a ProtobufCBuffer that streams to the file: the payload is not copied.
 *
 * The folder is built as <dir>/.tmp-ckpt-<step> and renamed last: a folder
 * called ckpt-* is complete, anything else is debris that sb_ckpt_begin
 * removes.
 *
 * Knows neither MPI nor training. A "writer" is a number. Who passes the part
 * descriptions to the one that commits is the caller's business
 * (trainer/saver.h). The schema: proto/shardbert.proto, docs/formats.md.
 */
#ifndef SB_PROTO_CHECKPOINT_H
#define SB_PROTO_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

enum {
    SB_CKPT_FORMAT = 1,
    SB_NAME_MAX = 96,
    SB_DIMS_MAX = 4,
    SB_CKPT_PARTS_MAX = 65536
};

typedef enum sb_dtype { SB_F32 = 1, SB_U64 = 2 } sb_dtype;

typedef struct sb_tensor {
    char name[SB_NAME_MAX]; /* Hugging Face's names where there is one */
    sb_dtype dtype;
    uint32_t ndim; /* 1 .. SB_DIMS_MAX */
    uint64_t dim[SB_DIMS_MAX];
} sb_tensor;
uint64_t sb_tensor_elements(const sb_tensor *t); /* saturates */
size_t sb_dtype_bytes(sb_dtype t);

/* What is not a tensor. */
typedef struct sb_ckpt_meta {
    char phase[16];  /* "word2vec", "mlm"                               */
    uint64_t step;   /* steps (mlm) or blocks (word2vec) done           */
    uint64_t total;  /* of how many: step == total is a finished phase  */
    uint64_t cursor; /* next global sample or block                     */
    uint64_t seed;
    uint64_t vocab_hash;
    char build[128]; /* version, compiler, BLAS core                    */
    char *config;    /* effective configuration; read: sb_free          */
} sb_ckpt_meta;

/* ---- writing: begin, parts, commit --------------------------------------- */

/* One caller, nobody writing: remove what killed writers left in `dir`. A
 * missing folder is fine. */
SB_MUST_USE sb_status sb_ckpt_sweep(const char *dir);
/* One caller: remove debris and make the staging folder. */
SB_MUST_USE sb_status sb_ckpt_begin(const char *dir, uint64_t step);

/* All writers put the same tensors in the same table; a part names them by
 * index. */
typedef struct sb_ckpt_part sb_ckpt_part;
SB_MUST_USE sb_status sb_ckpt_part_open(const char *dir, uint64_t step,
                                        uint32_t writer, const sb_tensor *table,
                                        size_t tensors,
                                        sb_ckpt_part **part_out);
/* Elements [first, first + n) of tensor `index`. */
SB_MUST_USE sb_status sb_ckpt_put(sb_ckpt_part *p, size_t index, uint64_t first,
                                  uint64_t n, const void *data);
/* Nothing more is put: sync the file. */
SB_MUST_USE sb_status sb_ckpt_part_sync(sb_ckpt_part *p);
/* Then: read it back, from the disk where the system lets us, and compare every
 * frame with what was put. SB_EIO, SB_EFORMAT. */
SB_MUST_USE sb_status sb_ckpt_part_verify(sb_ckpt_part *p);
/* Sync, if that was not done; free p (also on failure); the part's description
 * as packed bytes (sb_free), for sb_ckpt_commit. */
SB_MUST_USE sb_status sb_ckpt_part_close(sb_ckpt_part *p, void **desc_out,
                                         size_t *bytes_out);
void sb_ckpt_part_abandon(sb_ckpt_part *p); /* NULL is fine */

/* One caller: check that the parts cover every element of every tensor
 * exactly once (SB_EBUG names the first that is missing or doubled), write the
 * manifest, sync, open it all as a reader would, rename. */
SB_MUST_USE sb_status sb_ckpt_commit(const char *dir, const sb_ckpt_meta *meta,
                                     const sb_tensor *table, size_t tensors,
                                     const void *const *desc,
                                     const size_t *desc_bytes, size_t parts);

/* One caller, after a failure: remove the staging folder. Local errors of the
 * removal are not reported. */
void sb_ckpt_abandon(const char *dir, uint64_t step);
/* True if dir holds a complete checkpoint of that step. */
int sb_ckpt_exists(const char *dir, uint64_t step);
/* Remove all complete checkpoints but the newest `keep` (>= 1) and those whose
 * step is a multiple of `every` (0: none is kept for that). Each is first
 * renamed to debris, so that a half-removed one is never taken for complete. */
SB_MUST_USE sb_status sb_ckpt_prune(const char *dir, unsigned keep,
                                    uint64_t every);

/* ---- shares: what one writer has, where the others' cannot be seen --------
 *
 *   <dir of writer 3>/ckpt-000012000/
 *     part-00003.pb     as above; none if the writer owns nothing
 *     share-00003.pb    a Manifest with this part only
 *
 * Shares are no checkpoints for readers. Together they are one again. */

/* The one caller for `dir`, in the place of sb_ckpt_commit. desc_bytes 0: the
 * writer has no part. */
SB_MUST_USE sb_status sb_ckpt_commit_share(const char *dir, uint32_t writer,
                                           const sb_ckpt_meta *meta,
                                           const sb_tensor *table,
                                           size_t tensors, const void *desc,
                                           size_t desc_bytes);
/* Copy a share into the staging folder of dir. One caller for each writer. */
SB_MUST_USE sb_status sb_ckpt_share_copy(const char *share_dir, uint64_t step,
                                         uint32_t writer, const char *dir);
/* One caller, when the shares of writers 0 to writers - 1 are in the staging
 * folder of dir: make them a checkpoint, open it as a reader would, and rename.
 * SB_EFORMAT: they are damaged, or do not fit together. */
SB_MUST_USE sb_status sb_ckpt_join(const char *dir, uint64_t step,
                                   uint32_t writers);

/* ---- reading ------------------------------------------------------------- */

/* The steps of the complete checkpoints in dir, newest first (sb_free); none,
 * or no folder: *n_out = 0. */
SB_MUST_USE sb_status sb_ckpt_steps(const char *dir, uint64_t **steps_out,
                                    size_t *n_out);
/* <dir>/ckpt-<step> in new memory (sb_free), or NULL. */
char *sb_ckpt_path(const char *dir, uint64_t step);
/* The path of the newest complete checkpoint in dir (sb_free); SB_ENOENT. */
SB_MUST_USE sb_status sb_ckpt_latest(const char *dir, char **path_out);

/* What opening and reading say. SB_EFORMAT: it is damaged. SB_ENOENT: a file
 * of it is missing. SB_EIO: it cannot be read. SB_EVERSION, SB_EINVAL: it is
 * whole, and not what was asked for. */
static inline int sb_ckpt_is_damage(sb_status st)
{
    return st == SB_EFORMAT || st == SB_ENOENT || st == SB_EIO;
}
/* One caller, nobody reading: rename a damaged checkpoint to
 * ckpt-<step>.damaged, so that it is neither counted nor in the way of another
 * one of its step. */
SB_MUST_USE sb_status sb_ckpt_set_aside(const char *dir, uint64_t step);

typedef struct sb_ckpt sb_ckpt;
SB_MUST_USE sb_status sb_ckpt_open(const char *path, sb_ckpt **ckpt_out);
void sb_ckpt_close(sb_ckpt *c);                         /* NULL is fine */
const sb_ckpt_meta *sb_ckpt_get_meta(const sb_ckpt *c); /* borrowed */
size_t sb_ckpt_tensors(const sb_ckpt *c);
const sb_tensor *sb_ckpt_tensor(const sb_ckpt *c, size_t i);
size_t sb_ckpt_parts(const sb_ckpt *c);
/* Index of a tensor by name. SB_EINVAL: there is none. */
SB_MUST_USE sb_status sb_ckpt_find(const sb_ckpt *c, const char *name,
                                   size_t *index_out);
/* Elements [first, first + n) of tensor `name` into data. `want` is what the
 * caller expects: another dtype or shape is SB_EINVAL with both in the
 * message. Checksums of the chunks touched are verified; on failure data is
 * undefined. */
SB_MUST_USE sb_status sb_ckpt_get(sb_ckpt *c, const sb_tensor *want,
                                  uint64_t first, uint64_t n, void *data);
/* Hand all elements of tensor i to `each`, in order, a chunk at a time, each
 * chunk verified. data is borrowed for the call. */
typedef void (*sb_ckpt_each)(void *arg, const void *data, size_t bytes);
SB_MUST_USE sb_status sb_ckpt_scan(sb_ckpt *c, size_t i, sb_ckpt_each each,
                                   void *arg);
/* Read everything, and say the first thing that is wrong. */
SB_MUST_USE sb_status sb_ckpt_verify(sb_ckpt *c);
/* One hash over all tensors, in the order of their names: name, dtype, shape,
 * then elements; the same for the same contents however they were sharded.
 * Reads (and so verifies) everything. */
SB_MUST_USE sb_status sb_ckpt_hash(sb_ckpt *c, uint64_t *hash_out);

#endif
