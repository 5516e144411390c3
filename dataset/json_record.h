/* SPDX-License-Identifier: MIT
 * json_record.h - the document in one line of JSON.
 *
 * A line is bad if it is not one JSON object, if values are nested deeper than
 * 64, if it has more brackets than a text has, or if it holds a \uXXXX escape
 * of half a surrogate pair; so is one whose text is of another type than its
 * form says. Numbers and control characters are not checked to the letter; of
 * equal keys the last counts. Skipped are a blank line and a text that is
 * missing, null or white space.
 *
 *   SB_JSON_FIELD  the string at a path of keys, unchanged: {"text": ...} (C4),
 *                  a.b.c
 *   SB_JSON_TITLED {"title", "text"}: CC-News, WikiExtractor --json. Title as
 *                  the first line, unless there is none or the text begins
 *                  with that line; the text unchanged
 *   SB_JSON_S2ORC  by its keys, any record of S2ORC. A title, a heading or a
 *                  paragraph is a line: white space around it goes, '\n' in it
 *                  becomes ' '
 *                  2020 pdf_parses {"paper_id","abstract":[],"body_text":[]}
 *                    texts under their section headings, abstract first. A
 *                    heading is told where it changes; a paragraph without one
 *                    does not change it. The abstract's "Abstract" is not
 *                    told. The papers' titles stand in metadata only
 *                  2020 metadata {"paper_id","title","abstract":"..."}: title
 *                    and abstract; skipped without abstract, and where
 *                    "has_pdf_parsed_abstract": it stands in pdf_parses
 *                  API s2orc {"corpusid","content":{"text","annotations"}}:
 *                    title, abstract, section headers and paragraphs in their
 *                    order. Annotations are strings that hold JSON lists of
 *                    {"start","end"}, offsets in code points (numbers, or
 *                    strings with digits: both occur). Without any of these
 *                    annotations the whole text, unchanged. One that lies
 *                    outside the text makes the record bad; where ranges
 *                    overlap, the text counts once and each edge ends a line
 *                  API abstracts {"corpusid","abstract":"..."}
 */
#ifndef SB_DATASET_JSON_RECORD_H
#define SB_DATASET_JSON_RECORD_H

#include "comm/base/status.h"
#include "dataset/record.h"

typedef enum sb_json_form {
    SB_JSON_FIELD,
    SB_JSON_TITLED,
    SB_JSON_S2ORC
} sb_json_form;

typedef struct sb_json_reader sb_json_reader;

/* field: "a.b.c" for SB_JSON_FIELD, else NULL. SB_EINVAL: an empty key. */
SB_MUST_USE sb_status sb_json_open(sb_json_form form, const char *field,
                                   sb_json_reader **reader_out);
void sb_json_close(sb_json_reader *r); /* NULL is fine */

/* What line[0..n) is, with or without its line end. record_out->offset is left
 * alone, its text lives until the next call. Fails only for want of memory. */
SB_MUST_USE sb_status sb_json_parse(sb_json_reader *r, const char *line,
                                    size_t n, sb_record *record_out);

#endif
