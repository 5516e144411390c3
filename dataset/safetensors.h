/* SPDX-License-Identifier: MIT
 * safetensors.h - Hugging Face's file of named tensors, written and read.
 *
 *   u64 length of the header, little-endian | header, JSON | data
 *   header: {"__metadata__": {"format": "pt"}, "NAME": {"dtype": "F32",
 *            "shape": [2, 3], "data_offsets": [0, 24]}, ...}
 *
 * Offsets are bytes of the data; tensors are row-major, little-endian and fill
 * the data without gaps. The format has no checksum: a damaged value is a
 * value. What can be seen is refused when the file is opened: a header that is
 * no such JSON, not UTF-8, or longer than the file; names that come twice; a
 * shape, element type and range that do not belong together; ranges that
 * overlap or leave gaps; bytes behind the last. And when values are read: what
 * is no finite float.
 *
 * Stricter than the format: names of tensors have no escapes, and a tensor no
 * keys but the three. Local.
 */
#ifndef SB_DATASET_SAFETENSORS_H
#define SB_DATASET_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

enum {
    SB_SAFETENSORS_HEADER_MAX = 100000000, /* as the format's own reader */
    SB_SAFETENSORS_DIMS_MAX = 8,
    SB_SAFETENSORS_MAX = 65536 /* tensors */
};

typedef enum sb_element {
    SB_ELEMENT_F32,
    SB_ELEMENT_F16,
    SB_ELEMENT_BF16,
    SB_ELEMENT_OTHER /* known, but no float that is read here */
} sb_element;

typedef struct sb_stored {
    const char *name; /* borrowed until close */
    sb_element element;
    char dtype[12]; /* as the file calls it */
    uint32_t ndim;  /* 0 .. SB_SAFETENSORS_DIMS_MAX */
    uint64_t dim[SB_SAFETENSORS_DIMS_MAX];
    uint64_t elements;
    uint64_t first, last; /* bytes [first, last) of the data */
} sb_stored;

/* ---- reading ------------------------------------------------------------- */

typedef struct sb_safetensors sb_safetensors;

/* SB_ENOENT, SB_EIO; SB_EFORMAT and SB_ELIMIT say what is wrong, and where. */
SB_MUST_USE sb_status sb_safetensors_open(const char *path,
                                          sb_safetensors **file_out);
void sb_safetensors_close(sb_safetensors *f); /* NULL is fine */

size_t sb_safetensors_count(const sb_safetensors *f);
/* In the order of their data. */
const sb_stored *sb_safetensors_at(const sb_safetensors *f, size_t i);
/* By name, or NULL. */
const sb_stored *sb_safetensors_find(const sb_safetensors *f, const char *name);

/* Elements [first, first + n) of t as floats to data; F16 and BF16 are
 * converted, which is exact. SB_EFORMAT: another element type, a value that is
 * not finite, or the file became shorter. SB_EINVAL: t has not so many. */
SB_MUST_USE sb_status sb_safetensors_get(const sb_safetensors *f,
                                         const sb_stored *t, uint64_t first,
                                         uint64_t n, float *data);

/* ---- writing ------------------------------------------------------------- */

typedef struct sb_to_store {
    const char *name; /* printable ASCII without " and \ */
    uint32_t ndim;
    uint64_t dim[SB_SAFETENSORS_DIMS_MAX];
} sb_to_store;

typedef struct sb_safetensors_out sb_safetensors_out;

/* A new file of F32 tensors, which must not be there yet, and its header. The
 * same tensors are the same bytes; sorted by name they are those of the
 * format's own writer. */
SB_MUST_USE sb_status sb_safetensors_create(const char *path,
                                            const sb_to_store *t, size_t n,
                                            sb_safetensors_out **out);
/* The next n elements, through all tensors in their order. */
void sb_safetensors_put(sb_safetensors_out *o, const float *data, size_t n);
/* Sync, close, free. SB_EBUG unless all elements were put. */
SB_MUST_USE sb_status sb_safetensors_finish(sb_safetensors_out *o);
/* Close and delete the file. NULL is fine. */
void sb_safetensors_abandon(sb_safetensors_out *o);

#endif
