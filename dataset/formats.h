/* SPDX-License-Identifier: MIT
 * formats.h - how each form of file is cut into records. Private to reader.c
 * and formats.c. */
#ifndef SB_DATASET_FORMATS_H
#define SB_DATASET_FORMATS_H

#include "dataset/json_record.h"
#include "dataset/lines.h"
#include "dataset/reader.h"
#include "dataset/text.h"
#include "dataset/wiki_dump.h"

struct sb_reader {
    const char *path;
    const sb_source_options *o;
    uint64_t first, last; /* records begin in here; last: of the text */
    uint64_t size;        /* of the file */
    sb_stream *stream;
    sb_lines *lines;
    sb_json_reader *json;
    sb_wiki_dump *dump;
    uint32_t column, columns; /* of tsv; columns 0: any number */
    sb_buffer text;           /* a document of several lines */
    size_t text_all;          /* its bytes, kept or not */
    int inside;               /* of a record that began before `first` */
    sb_line ahead;            /* a line read too far, if has_ahead */
    int has_ahead;
    sb_status (*next)(sb_reader *r, sb_record *record_out, int *more_out);
};

sb_status sb_next_line(sb_reader *r, sb_record *record_out, int *more_out);
sb_status sb_next_json(sb_reader *r, sb_record *record_out, int *more_out);
sb_status sb_next_tsv(sb_reader *r, sb_record *record_out, int *more_out);
sb_status sb_next_paragraph(sb_reader *r, sb_record *record_out, int *more_out);
sb_status sb_next_file(sb_reader *r, sb_record *record_out, int *more_out);
/* WikiExtractor's <doc>; the raw dump's <page>. */
sb_status sb_next_article(sb_reader *r, sb_record *record_out, int *more_out);
sb_status sb_next_page(sb_reader *r, sb_record *record_out, int *more_out);

#endif
