/* SPDX-License-Identifier: MIT
 * json_record.c - the document in one line of JSON, by json-c.
 *
 * Invariants:
 *   1. The text given out points into r->root, the last line as json-c read
 *      it, or is r->text, if it had to be put together.
 *   2. A line costs at most about 60 times its bytes of memory. json-c takes
 *      780 bytes for "{}" and 350 for "[]", so their number is bounded.
 *
 * json-c is lenient in places that do not matter here: NaN, Infinity and 1.
 * are numbers, keys may stand in single quotes, strings may hold control
 * characters, the last of two equal keys counts. It also makes U+FFFD of a
 * surrogate without partner; that matters, so it is looked for in the line. */
#include "dataset/json_record.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "comm/base/mem.h"
#include "dataset/json_parts.h"

enum {
    DEPTH_MAX = 64,
    OPEN_MAX = 65536, /* brackets that any line may have, */
    OPEN_BYTES = 32 /* and one more for so many bytes; papers have one in 34 */
};

/* ---- verdicts ------------------------------------------------------------ */

sb_status sb_json_skip(sb_record *rec, const char *why)
{
    rec->verdict = SB_SKIPPED;
    rec->why = why;
    return SB_OK;
}

sb_status sb_json_bad(sb_record *rec, const char *why)
{
    rec->verdict = SB_BAD;
    rec->why = why;
    return SB_OK;
}

sb_span sb_json_trim(sb_span t)
{
    while (t.n && !sb_is_ink(t.s[t.n - 1])) t.n--;
    for (; t.n && !sb_is_ink(*t.s); t.n--) t.s++;
    return t;
}

int sb_json_is_blank(sb_span t)
{
    return sb_json_trim(t).n == 0;
}

sb_status sb_json_give(sb_record *rec, sb_span text)
{
    if (sb_json_is_blank(text)) return sb_json_skip(rec, "no text");
    rec->verdict = SB_GOOD;
    rec->text = text.s;
    rec->bytes = text.n;
    return SB_OK;
}

sb_status sb_json_give_lines(const sb_json_reader *r, sb_record *rec)
{
    return sb_json_give(rec, (sb_span){r->text.data, r->text.n});
}

sb_status sb_json_add_line(sb_json_reader *r, sb_span line)
{
    line = sb_json_trim(line);
    if (!line.n) return SB_OK;
    if (r->text.n) SB_TRY(sb_buffer_add(&r->text, "\n", 1));
    SB_TRY(sb_buffer_add(&r->text, line.s, line.n));
    char *c = r->text.data + r->text.n - line.n, *end = c + line.n;
    while ((c = memchr(c, '\n', (size_t)(end - c)))) *c++ = ' ';
    return SB_OK;
}

/* ---- from bytes to objects ----------------------------------------------- */

/* Counting short ones is not worth it, they cannot have more than OPEN_MAX. */
int sb_json_is_bomb(const char *s, size_t n)
{
    size_t open = 0;
    if (n <= OPEN_MAX) return 0;
    for (size_t i = 0; i < n; i++) open += s[i] == '{' || s[i] == '[';
    return open > OPEN_MAX + n / OPEN_BYTES;
}

/* 'h' or 'l' if s begins with the escape of a high or low surrogate. */
static int surrogate(const char *s, const char *end)
{
    if (end - s < 6 || s[0] != '\\' || s[1] != 'u') return 0;
    if ((s[2] != 'd' && s[2] != 'D') || s[3] < '8') return 0;
    return s[3] == '8' || s[3] == '9' || (s[3] | 32) < 'c' ? 'h' : 'l';
}

/* In valid JSON, where each '\\' begins an escape. */
static int has_lone_surrogate(const char *s, size_t n)
{
    const char *end = s + n;
    while ((s = memchr(s, '\\', (size_t)(end - s)))) {
        int kind = surrogate(s, end);
        if (kind == 'l') return 1;
        if (kind == 'h' && surrogate(s + 6, end) != 'l') return 1;
        s += kind ? 12 : 2;
    }
    return 0;
}

/* Without memory json-c gives no object and no reason, or only loses a key;
 * then errno tells, unless a number came later. */
sb_status sb_json_run(json_tokener *tokener, const char *s, size_t n,
                      const char *what, json_object **value_out)
{
    errno = 0;
    json_object *o = json_tokener_parse_ex(tokener, s, (int)n);
    int lacked = errno == ENOMEM;
    enum json_tokener_error e = json_tokener_get_error(tokener);
    /* newer ones have a code, behind all others */
    if (!o && (e == json_tokener_success || e > json_tokener_error_size))
        lacked = 1;
    if (lacked) {
        json_object_put(o);
        json_tokener_reset(tokener);
        SB_FAIL(SB_ENOMEM, "out of memory: %s", what);
    }
    *value_out = o;
    return SB_OK;
}

sb_status sb_json_value(json_tokener *tokener, const char *s, size_t n,
                        char open, json_object **value_out,
                        const char **why_out)
{
    sb_span in = sb_json_trim((sb_span){s, n});
    *value_out = NULL;
    *why_out = open == '{' ? "no JSON object" : "no JSON list";
    if (!in.n || *in.s != open) return SB_OK;
    *why_out = "too many values";
    if (in.n > INT_MAX || sb_json_is_bomb(in.s, in.n)) return SB_OK;
    json_object *o;
    SB_TRY(sb_json_run(tokener, in.s, in.n, "a line of JSON", &o));
    enum json_tokener_error e = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    json_tokener_reset(tokener); /* frees what a damaged line left */
    *why_out = NULL;
    if (!o)
        *why_out =
            e == json_tokener_error_depth ? "nested too deeply" : "not JSON";
    else if (end < in.n)
        *why_out = "more than one value";
    else if (has_lone_surrogate(in.s, in.n))
        *why_out = "a lone surrogate";
    if (*why_out)
        json_object_put(o);
    else
        *value_out = o;
    return SB_OK;
}

int sb_json_string(json_object *o, sb_span *out)
{
    *out = (sb_span){0};
    if (!o) return 1;
    if (!json_object_is_type(o, json_type_string)) return 0;
    out->s = json_object_get_string(o);
    out->n = (size_t)json_object_get_string_len(o);
    return 1;
}

int sb_json_titled(json_object *o, const char *key, sb_span *title_out,
                   sb_span *text_out, sb_record *rec)
{
    const char *why = NULL;
    if (!sb_json_string(json_object_object_get(o, "title"), title_out))
        why = "title is no string";
    else if (!sb_json_string(json_object_object_get(o, key), text_out))
        why = "text is no string";
    if (why) sb_json_bad(rec, why);
    return !why;
}

/* ---- one field; title and text ------------------------------------------- */

static sb_status read_field(sb_json_reader *r, sb_record *rec)
{
    json_object *o = r->root;
    sb_span text;
    for (const char *key = r->path; o && *key; key += strlen(key) + 1) {
        if (!json_object_is_type(o, json_type_object))
            return sb_json_bad(rec, "text is no string");
        o = json_object_object_get(o, key);
    }
    if (!sb_json_string(o, &text)) return sb_json_bad(rec, "text is no string");
    return sb_json_give(rec, text);
}

/* Older WikiExtractors write the title into the text as well. */
static int begins_with_line(sb_span text, sb_span line)
{
    return text.n >= line.n && !memcmp(text.s, line.s, line.n) &&
           (text.n == line.n || text.s[line.n] == '\n');
}

static sb_status read_titled(sb_json_reader *r, sb_record *rec)
{
    sb_span title, text;
    if (!sb_json_titled(r->root, "text", &title, &text, rec)) return SB_OK;
    if (sb_json_is_blank(text) || sb_json_is_blank(title) ||
        begins_with_line(text, title))
        return sb_json_give(rec, text);
    SB_TRY(sb_json_add_line(r, title));
    SB_TRY(sb_buffer_add(&r->text, "\n", 1));
    SB_TRY(sb_buffer_add(&r->text, text.s, text.n));
    return sb_json_give_lines(r, rec);
}

/* ---- the reader ---------------------------------------------------------- */

/* "a.b" -> "a\0b\0\0" */
static sb_status split(const char *field, char **path_out)
{
    size_t n = strlen(field);
    char *path;
    int empty =
        n == 0 || field[0] == '.' || field[n - 1] == '.' || strstr(field, "..");
    SB_REQUIRE(!empty, SB_EINVAL, "an empty key in the field '%s'", field);
    SB_TRY(sb_alloc(n + 2, 1, "field", &path));
    for (size_t i = 0; i < n; i++) path[i] = field[i] == '.' ? '\0' : field[i];
    *path_out = path;
    return SB_OK;
}

sb_status sb_json_open(sb_json_form form, const char *field,
                       sb_json_reader **reader_out)
{
    sb_json_reader *r;
    sb_status st = SB_OK;
    SB_TRY(sb_alloc(1, sizeof *r, "reader of JSON", &r));
    r->form = form;
    if (form == SB_JSON_FIELD)
        SB_GOTO(st, split(field ? field : "", &r->path), out);
    r->tokener = json_tokener_new_ex(DEPTH_MAX);
    if (r->tokener)
        json_tokener_set_flags(r->tokener,
                               JSON_TOKENER_STRICT |
                                   JSON_TOKENER_ALLOW_TRAILING_CHARS);
    else
        st = sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                     "out of memory: reader of JSON");
out:
    if (st == SB_OK)
        *reader_out = r;
    else
        sb_json_close(r);
    return st;
}

void sb_json_close(sb_json_reader *r)
{
    if (!r) return;
    json_object_put(r->root);
    if (r->tokener) json_tokener_free(r->tokener);
    sb_free(r->path);
    sb_free(r->text.data);
    sb_free(r->marks);
    sb_free(r);
}

sb_status sb_json_parse(sb_json_reader *r, const char *line, size_t n,
                        sb_record *record_out)
{
    sb_record rec = {.offset = record_out->offset};
    sb_status st = SB_OK;
    json_object_put(r->root);
    r->root = NULL;
    r->text.n = 0;
    if (sb_json_is_blank((sb_span){line, n})) {
        st = sb_json_skip(&rec, "a blank line");
    } else {
        SB_TRY(sb_json_value(r->tokener, line, n, '{', &r->root, &rec.why));
        if (!r->root)
            st = sb_json_bad(&rec, rec.why);
        else if (r->form == SB_JSON_FIELD)
            st = read_field(r, &rec);
        else if (r->form == SB_JSON_TITLED)
            st = read_titled(r, &rec);
        else
            st = sb_s2orc_read(r, &rec);
    }
    if (st == SB_OK) *record_out = rec;
    return st;
}
