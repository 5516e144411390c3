/* SPDX-License-Identifier: MIT
 * s2orc.c - papers of S2ORC (Lo et al. 2020), as files of 2020 and as the API
 * gives them.
 *
 * Texts are put together in r->text, a line for each title, heading and
 * paragraph; only a paper without annotations is given out as it is. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "comm/base/mem.h"
#include "dataset/json_parts.h"

enum { DIGITS_MAX = 18 };

static json_object *get(json_object *o, const char *key)
{
    return json_object_object_get(o, key);
}

static int has(json_object *o, const char *key)
{
    return json_object_object_get_ex(o, key, NULL);
}

/* ---- S2ORC of 2020, and abstracts of both -------------------------------- */

static sb_status read_abstract(sb_json_reader *r, sb_record *rec)
{
    sb_span title, text;
    json_object *o = r->root;
    if (json_object_get_boolean(get(o, "has_pdf_parsed_abstract")))
        return sb_json_skip(rec, "its abstract stands in pdf_parses");
    if (!sb_json_titled(o, "abstract", &title, &text, rec)) return SB_OK;
    if (sb_json_is_blank(text)) return sb_json_skip(rec, "no text");
    SB_TRY(sb_json_add_line(r, title));
    SB_TRY(sb_json_add_line(r, text));
    return sb_json_give_lines(r, rec);
}

static int is_equal(sb_span a, sb_span b)
{
    return a.n == b.n && (!a.n || !memcmp(a.s, b.s, a.n));
}

/* A paragraph under its heading, unless that is the last one or says no more
 * than `list`, the name of the list it is in. */
static sb_status add_paragraph(sb_json_reader *r, json_object *o,
                               const char *list, sb_span *last, sb_record *rec)
{
    sb_span heading, text;
    if (!json_object_is_type(o, json_type_object))
        return sb_json_bad(rec, "a paragraph is no object");
    if (!sb_json_string(get(o, "section"), &heading))
        return sb_json_bad(rec, "a heading is no string");
    if (!sb_json_string(get(o, "text"), &text))
        return sb_json_bad(rec, "text is no string");
    if (sb_json_is_blank(text)) return SB_OK;
    heading = sb_json_trim(heading);
    if (heading.n && !is_equal(heading, *last)) {
        int told = heading.n == strlen(list) &&
                   !strncasecmp(heading.s, list, heading.n);
        if (!told) SB_TRY(sb_json_add_line(r, heading));
        *last = heading;
    }
    return sb_json_add_line(r, text);
}

static sb_status read_pdf_parse(sb_json_reader *r, sb_record *rec)
{
    static const char *const names[] = {"abstract", "body_text"};
    sb_span last = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_object *list = get(r->root, names[i]);
        if (!list) continue;
        if (!json_object_is_type(list, json_type_array))
            return sb_json_bad(rec, "paragraphs are no list");
        size_t n = json_object_array_length(list);
        for (size_t j = 0; j < n && !rec->why; j++)
            SB_TRY(add_paragraph(r, json_object_array_get_idx(list, j),
                                 names[i], &last, rec));
    }
    return rec->why ? SB_OK : sb_json_give_lines(r, rec);
}

/* ---- S2ORC by the API ---------------------------------------------------- */

static const char damaged[] = "annotations are damaged";

/* A number, or a string of digits; 0: neither. */
static int to_offset(json_object *o, uint64_t *out)
{
    sb_span digits;
    *out = 0;
    if (json_object_is_type(o, json_type_int)) {
        *out = json_object_get_uint64(o);
        return json_object_get_int64(o) >= 0;
    }
    if (!sb_json_string(o, &digits) || !digits.n || digits.n > DIGITS_MAX)
        return 0;
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.s[i] < '0' || digits.s[i] > '9') return 0;
        *out = *out * 10 + (uint64_t)(digits.s[i] - '0');
    }
    return 1;
}

static sb_status add_marks(sb_json_reader *r, json_object *list, sb_record *rec)
{
    size_t n = json_object_array_length(list);
    SB_TRY(sb_grow(&r->marks, &r->marks_cap, r->n_marks + 2 * n,
                   sizeof *r->marks, "annotations"));
    for (size_t i = 0; i < n; i++) {
        json_object *o = json_object_array_get_idx(list, i);
        uint64_t start, end;
        if (!json_object_is_type(o, json_type_object) ||
            !to_offset(get(o, "start"), &start) ||
            !to_offset(get(o, "end"), &end) || start > end)
            return sb_json_bad(rec, damaged);
        r->marks[r->n_marks++] = (sb_mark){start, 1};
        r->marks[r->n_marks++] = (sb_mark){end, -1};
    }
    return SB_OK;
}

/* The annotations of one kind: a string that holds JSON. */
static sb_status read_marks(sb_json_reader *r, json_object *o, sb_record *rec)
{
    sb_span text;
    json_object *list;
    const char *why;
    if (!sb_json_string(o, &text)) return sb_json_bad(rec, damaged);
    if (!text.n) return SB_OK;
    SB_TRY(sb_json_value(r->tokener, text.s, text.n, '[', &list, &why));
    if (!list) return sb_json_bad(rec, damaged);
    sb_status st = add_marks(r, list, rec);
    json_object_put(list);
    return st;
}

static int by_place(const void *a, const void *b)
{
    uint64_t x = ((const sb_mark *)a)->at, y = ((const sb_mark *)b)->at;
    return (x > y) - (x < y);
}

static size_t char_bytes(char first)
{
    unsigned char c = (unsigned char)first;
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Move *at over `count` code points of valid UTF-8; 0: there are fewer. */
static int walk(sb_span text, size_t *at, uint64_t count)
{
    size_t i = *at;
    for (; count && i < text.n; count--) i += char_bytes(text.s[i]);
    *at = i;
    return count == 0;
}

/* What lies in any range, a line from each mark to the next. */
static sb_status cut(sb_json_reader *r, sb_span text, sb_record *rec)
{
    size_t byte = 0;
    uint64_t at = 0;
    int64_t open = 0;
    qsort(r->marks, r->n_marks, sizeof *r->marks, by_place);
    for (const sb_mark *m = r->marks; m < r->marks + r->n_marks; m++) {
        size_t from = byte;
        if (!walk(text, &byte, m->at - at))
            return sb_json_bad(rec, "an annotation lies outside the text");
        if (open > 0)
            SB_TRY(sb_json_add_line(r, (sb_span){text.s + from, byte - from}));
        at = m->at;
        open += m->step;
    }
    return sb_json_give_lines(r, rec);
}

static sb_status read_content(sb_json_reader *r, sb_record *rec)
{
    static const char *const kinds[] = {"title", "abstract", "sectionheader",
                                        "paragraph"};
    json_object *content = get(r->root, "content"), *notes;
    sb_span text;
    if (!content) return sb_json_skip(rec, "no text");
    if (!json_object_is_type(content, json_type_object))
        return sb_json_bad(rec, "content is no object");
    if (!sb_json_string(get(content, "text"), &text))
        return sb_json_bad(rec, "text is no string");
    notes = get(content, "annotations");
    if (sb_json_is_blank(text) || !notes) return sb_json_give(rec, text);
    if (!json_object_is_type(notes, json_type_object))
        return sb_json_bad(rec, damaged);
    r->n_marks = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !rec->why; i++)
        SB_TRY(read_marks(r, get(notes, kinds[i]), rec));
    if (rec->why) return SB_OK;
    if (!r->n_marks) return sb_json_give(rec, text);
    if (sb_utf8_valid(text.s, text.n) < text.n)
        return sb_json_bad(rec, "not UTF-8"); /* what is a code point? */
    return cut(r, text, rec);
}

sb_status sb_s2orc_read(sb_json_reader *r, sb_record *rec)
{
    json_object *o = r->root;
    if (has(o, "content")) return read_content(r, rec);
    if (has(o, "body_text") ||
        json_object_is_type(get(o, "abstract"), json_type_array))
        return read_pdf_parse(r, rec);
    if (has(o, "abstract")) return read_abstract(r, rec);
    return sb_json_bad(rec, "no record of S2ORC");
}
