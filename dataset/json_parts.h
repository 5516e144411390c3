/* SPDX-License-Identifier: MIT
 * json_parts.h - what the readers of JSON share: json_record.c, s2orc.c,
 * tokenizer_read.c and manifest_read.c. Private to these. */
#ifndef SB_DATASET_JSON_PARTS_H
#define SB_DATASET_JSON_PARTS_H

#include <json-c/json.h>

#include "dataset/json_record.h"
#include "dataset/text.h"

/* Where a range of annotated text begins (step 1) or ends (-1). */
typedef struct sb_mark {
    uint64_t at; /* code points before it */
    int step;
} sb_mark;

struct sb_json_reader {
    sb_json_form form;
    char *path; /* keys, each with its NUL; an empty one ends them */
    json_tokener *tokener;
    json_object *root; /* the last line: texts point into it */
    sb_buffer text;    /* or lie here, if they had to be put together */
    sb_mark *marks;
    size_t n_marks, marks_cap;
};

typedef struct sb_span {
    const char *s; /* NULL: missing or null */
    size_t n;
} sb_span;

sb_span sb_json_trim(sb_span t); /* without ASCII white space at its ends */
int sb_json_is_blank(sb_span t);

/* The verdict; all return SB_OK. Good text that is blank is skipped. */
sb_status sb_json_skip(sb_record *rec, const char *why);
sb_status sb_json_bad(sb_record *rec, const char *why);
sb_status sb_json_give(sb_record *rec, sb_span text);

/* Put `line` under those that r->text has, trimmed, '\n' in it made ' '; a
 * blank one is none. */
SB_MUST_USE sb_status sb_json_add_line(sb_json_reader *r, sb_span line);
sb_status sb_json_give_lines(const sb_json_reader *r, sb_record *rec);

/* Is s[0..n) more brackets than content? json-c takes 780 bytes for "{}". */
int sb_json_is_bomb(const char *s, size_t n);

/* json-c on s[0..n), n <= INT_MAX, which begins with '{' or '['. NULL in
 * *value_out: it is none, json_tokener_get_error() says why. SB_ENOMEM: json-c
 * got no memory; `what` needs it. */
SB_MUST_USE sb_status sb_json_run(json_tokener *tokener, const char *s,
                                  size_t n, const char *what,
                                  json_object **value_out);

/* The one value in s[0..n), which must begin with `open`, '{' or '['. NULL and
 * *why_out if it is not so. */
SB_MUST_USE sb_status sb_json_value(json_tokener *tokener, const char *s,
                                    size_t n, char open,
                                    json_object **value_out,
                                    const char **why_out);
/* o's bytes; none where o is NULL. 0: o is something else than a string. */
int sb_json_string(json_object *o, sb_span *out);
/* o's title, and its text at `key`. 0: not strings, the record is bad. */
int sb_json_titled(json_object *o, const char *key, sb_span *title_out,
                   sb_span *text_out, sb_record *rec);

/* ---- s2orc.c ------------------------------------------------------------- */

SB_MUST_USE sb_status sb_s2orc_read(sb_json_reader *r, sb_record *rec);

#endif
