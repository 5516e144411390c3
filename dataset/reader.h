/* SPDX-License-Identifier: MIT
 * reader.h - the records of one file, of whatever kind. Private to source.c
 * and source_list.c. */
#ifndef SB_DATASET_READER_H
#define SB_DATASET_READER_H

#include "comm/base/status.h"
#include "dataset/record.h"
#include "dataset/source.h"

typedef enum sb_kind {
    SB_KIND_TEXT,
    SB_KIND_C4,
    SB_KIND_MSMARCO,
    SB_KIND_NEWS,
    SB_KIND_WIKIPEDIA,
    SB_KIND_S2ORC,
    SB_KIND_JSONL,
    SB_KIND_TSV,
    SB_KINDS
} sb_kind;

extern const char *const sb_kind_name[SB_KINDS];

/* Bytes of a file's beginning that sb_reader_cuts wants to see. */
enum { SB_READER_HEAD = 64 };

/* May a file that begins with head[0..n) be read in ranges? */
int sb_reader_cuts(sb_kind kind, const sb_source_options *o, const char *head,
                   size_t n);

typedef struct sb_reader sb_reader;

/* The records that begin in [first, last) of a file of `size` bytes; a
 * compressed one is read as a whole. path, o: borrowed. */
SB_MUST_USE sb_status sb_reader_open(sb_kind kind, const sb_source_options *o,
                                     const char *path, uint64_t first,
                                     uint64_t last, uint64_t size,
                                     sb_reader **reader_out);
void sb_reader_close(sb_reader *r); /* NULL is fine */

/* *more_out = 0 at the end. */
SB_MUST_USE sb_status sb_reader_next(sb_reader *r, sb_record *record_out,
                                     int *more_out);

/* Bytes of [first, last), as they lie, behind us. */
uint64_t sb_reader_done(const sb_reader *r);

#endif
