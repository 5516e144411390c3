/* SPDX-License-Identifier: MIT
 * json_record.h - the document in one line of JSON.
 *
 * A line that is not one JSON object, is nested deeper than 64, or holds a
 * lone surrogate is bad; so is one whose text is of another type than its
 * form says. A text that is missing, null or empty is skipped.
 *
 *   SB_JSON_FIELD  the string at a path of keys: {"text": ...} (C4), a.b.c
 *   SB_JSON_TITLED {"title", "text"}: CC-News, WikiExtractor --json. Title as
 *                  the first line, if there is one
 *   SB_JSON_S2ORC  by its keys, any record of S2ORC:
 *                  2020 pdf_parses {"paper_id","abstract":[..],"body_text":[..]}
 *                    section headings (where they change) and texts, a line
 *                    each, abstract first
 *                  2020 metadata {"paper_id","title","abstract":"..."}: title
 *                    and abstract; skipped where "has_pdf_parsed_abstract":
 *                    the abstract stands in pdf_parses
 *                  API s2orc {"corpusid","content":{"text","annotations"}}:
 *                    title, abstract, section headers and paragraphs in their
 *                    order. Annotations are strings that hold JSON lists of
 *                    {"start","end"}, offsets in code points (numbers, or
 *                    strings with digits: both occur). Without any of these
 *                    annotations the whole text. One that lies outside the
 *                    text makes the record bad; nested or doubled ranges count
 *                    once
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

/* What line[0..n) is; record_out->offset is left alone, its text lives until
 * the next call. Fails only for want of memory. */
SB_MUST_USE sb_status sb_json_parse(sb_json_reader *r, const char *line,
                                    size_t n, sb_record *record_out);

#endif
