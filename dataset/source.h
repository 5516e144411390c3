/* SPDX-License-Identifier: MIT
 * source.h - raw text files cut into documents.
 *
 * A source is "KIND:GLOB". This version knows the kind "text": plain UTF-8
 * files, one document per line or per paragraph (paragraphs are separated by
 * lines that are empty or hold only white space).
 *
 * Work is dealt out in units: a byte range of a file. A unit's documents are
 * those that begin inside its range, so the documents of a file are the same
 * however it is cut, and units are the same for any number of ranks.
 *
 * A document that is not valid UTF-8 or holds a NUL byte, or is longer than
 * SB_DOCUMENT_MAX bytes, is bad: it is skipped, and counted with its place.
 */
#ifndef SB_DATASET_SOURCE_H
#define SB_DATASET_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

enum {
    SB_DOCUMENT_MAX = 16 << 20,
    SB_UNIT_BYTES = 8 << 20 /* the usual range of one unit */
};

typedef enum sb_documents { SB_DOC_LINE, SB_DOC_PARAGRAPH } sb_documents;

typedef struct sb_unit {
    const char *path;     /* borrowed from the sb_sources */
    uint64_t first, last; /* byte range */
} sb_unit;

typedef struct sb_sources sb_sources;

/* Expand the globs of `specs`, in order, files sorted by name; cut files into
 * units. SB_EINVAL: unknown kind. SB_ENOENT: a glob that matches nothing (the
 * message names it). SB_EIO: a file that cannot be read. Local, and equal on
 * all ranks that see the same files. */
SB_MUST_USE sb_status sb_sources_open(const char *const *specs, size_t n,
                                      sb_documents documents,
                                      uint64_t unit_bytes,
                                      sb_sources **sources_out);
void sb_sources_close(sb_sources *s);
size_t sb_sources_units(const sb_sources *s);
sb_unit sb_sources_unit(const sb_sources *s, size_t i);
uint64_t sb_sources_bytes(const sb_sources *s);
/* XXH3 over paths, sizes, modification times and the cutting: names what was
 * read, so that a later run can tell whether its input is still the same. */
uint64_t sb_sources_identity(const sb_sources *s);

/* The units of `rank`: dealt out largest first to whoever has least bytes;
 * deterministic. owner_out: [units] ranks. */
SB_MUST_USE sb_status sb_sources_deal(const sb_sources *s, int size,
                                      int *owner_out);

typedef struct sb_document {
    const char *text; /* borrowed until the next call; no NUL inside */
    size_t bytes;
    uint64_t offset; /* of its first byte in the file */
} sb_document;

typedef struct sb_bad {
    uint64_t count;  /* bad documents */
    char first[256]; /* "file:offset: why" of the first, or "" */
} sb_bad;

typedef struct sb_source sb_source;
SB_MUST_USE sb_status sb_source_open(const sb_sources *s, size_t unit,
                                     sb_source **source_out);
/* *more_out = 0 at the end. Bad documents are passed over and added to *bad. */
SB_MUST_USE sb_status sb_source_next(sb_source *s, sb_document *doc_out,
                                     sb_bad *bad, int *more_out);
uint64_t sb_source_done(const sb_source *s); /* bytes of the unit behind us */
void sb_source_close(sb_source *s);

#endif
