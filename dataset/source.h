/* SPDX-License-Identifier: MIT
 * source.h - raw files cut into documents.
 *
 * A source is "KIND:GLOB[:WEIGHT]":
 *
 *   text       plain text: a document per line, per paragraph (parted by lines
 *              without ink), or per file, as `documents` says
 *   c4         JSON lines {"text", ...}
 *   msmarco    collection.tsv: pid TAB passage
 *   news       WMT News Crawl (a document a line), or CC-News JSON lines
 *              {"title", "text", ...}
 *   wikipedia  WikiExtractor's <doc> output, its --json output, or the raw
 *              pages-articles XML dump
 *   s2orc      JSON lines of the 2020 release (metadata, pdf_parses) and of the
 *              API release (s2orc, abstracts): dataset/json_record.h
 *   jsonl      JSON lines, the text at `text_field`
 *   tsv        the text in column `column`
 *
 * What a file is compressed with, and which of a kind's forms it has, is read
 * from its bytes, not from its name.
 *
 * Work is dealt out in units, which hold files of one source: one compressed
 * file, or a range of a plain one, or several small files. A unit of a range
 * has the documents that begin in it, so the documents of a file are the same
 * however it is cut; and units depend on the files alone, so they are the same
 * for any number of ranks.
 *
 * A document that is not valid UTF-8, holds a NUL byte, or is longer than
 * SB_DOCUMENT_MAX bytes is bad, like a record that is not of its format: it is
 * passed over, and counted with its place. A file that cannot be read to its
 * end is an error.
 */
#ifndef SB_DATASET_SOURCE_H
#define SB_DATASET_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

enum { SB_DOCUMENT_MAX = 16 << 20 };

typedef enum sb_documents {
    SB_DOC_LINE,
    SB_DOC_PARAGRAPH,
    SB_DOC_FILE
} sb_documents;

typedef struct sb_source_options {
    sb_documents documents; /* of plain text */
    const char *text_field; /* of jsonl: "a.b.c" */
    uint32_t column;        /* of tsv, from 1 */
    double max_ratio;    /* bytes out of a compressed one, dataset/stream.h */
    uint64_t unit_bytes; /* 0: a 64th of all, within 4 and 64 MiB */
} sb_source_options;

typedef struct sb_sources sb_sources;

/* Expand the globs of `specs`, in order, files sorted by name; cut them into
 * units. SB_EINVAL: unknown kind, a weight that is none. SB_ENOENT: a glob that
 * matches nothing. SB_EIO: a file or folder that cannot be read. Messages name
 * it. Local, and equal on all ranks that see the same files. The options'
 * texts are borrowed. */
SB_MUST_USE sb_status sb_sources_open(const char *const *specs, size_t n,
                                      const sb_source_options *options,
                                      sb_sources **sources_out);
void sb_sources_close(sb_sources *s);

size_t sb_sources_count(const sb_sources *s);
const char *sb_sources_spec(const sb_sources *s, size_t i); /* no weight */
double sb_sources_weight(const sb_sources *s, size_t i);    /* 1 if not said */
uint64_t sb_sources_bytes(const sb_sources *s); /* of all files, as they lie */
double sb_sources_max_ratio(const sb_sources *s);

typedef struct sb_unit {
    uint32_t source;
    size_t file, files;   /* a range only if it is one file */
    uint64_t first, last; /* byte range of that file */
    uint64_t bytes;       /* of all its files, as they lie */
    int packed;           /* (the first of them) is compressed */
} sb_unit;

size_t sb_sources_units(const sb_sources *s);
sb_unit sb_sources_unit(const sb_sources *s, size_t i);
/* Units by falling work, so that the last to be done are small. order_out:
 * [units] */
SB_MUST_USE sb_status sb_sources_order(const sb_sources *s, size_t *order_out);

/* XXH3 over how things are read and the paths, sizes and modification times:
 * names what was read, so that a later run can tell whether its input is still
 * the same. Of everything; of one unit. Weights do not count. */
uint64_t sb_sources_identity(const sb_sources *s);
uint64_t sb_unit_identity(const sb_sources *s, size_t i);

/* ---- reading a unit ------------------------------------------------------ */

typedef struct sb_document {
    const char *text; /* borrowed until the next call; UTF-8, no NUL inside */
    size_t bytes;
} sb_document;

/* Start zeroed. */
typedef struct sb_tally {
    uint64_t documents; /* good */
    uint64_t skipped;   /* no document in it: a redirect, an empty field */
    uint64_t bad;
    uint64_t
        first_unit; /* the lowest with a bad record, whoever read it when */
    char first_bad[256]; /* "file:offset: why" of the first in it, or "" */
} sb_tally;

typedef struct sb_source sb_source;
SB_MUST_USE sb_status sb_source_open(const sb_sources *s, size_t unit,
                                     sb_source **source_out);
/* *more_out = 0 at the end. What is no document is passed over; *tally counts.
 * Where much has to be passed over, doc_out->text is NULL now and then: there
 * is none yet, the caller may look at other things and call again. SB_EFORMAT:
 * a damaged stream, or a file of another kind; also when the first thousand
 * records of a file are all bad. */
SB_MUST_USE sb_status sb_source_next(sb_source *s, sb_document *doc_out,
                                     sb_tally *tally, int *more_out);
uint64_t sb_source_done(const sb_source *s); /* of the unit's bytes */
void sb_source_close(sb_source *s);

#endif
