/* SPDX-License-Identifier: MIT
 * safetensors_header.c - a reader of this one kind of JSON, written because a
 * general one keeps the last of two equal keys and rounds large numbers. It
 * goes through the text once, without recursion.
 *
 * Invariant: p->at <= p->n; at p->n nothing is looked at. */
#include "dataset/safetensors_header.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "dataset/text.h"

typedef struct parser {
    const char *path;
    char *text;
    size_t n, at;
} parser;

/* A string as it stands between its quotes. */
typedef struct quoted {
    char *s;
    size_t n;
    int escapes;
} quoted;

/* ---- JSON ---------------------------------------------------------------- */

static sb_status wrong(const parser *p, const char *what)
{
    SB_FAIL(SB_EFORMAT, "safetensors '%s', byte %zu of the header: %s", p->path,
            p->at, what);
}

static char look(parser *p)
{
    while (p->at < p->n && p->text[p->at] && strchr(" \t\r\n", p->text[p->at]))
        p->at++;
    return p->at < p->n ? p->text[p->at] : 0;
}

static sb_status expect(parser *p, char c)
{
    char what[] = "' ' is missing";
    what[1] = c;
    if (look(p) != c) return wrong(p, what);
    p->at++;
    return SB_OK;
}

/* Behind a member of an object or list: is there another one? */
static sb_status comma_or(parser *p, char end, int *more_out)
{
    char c = look(p);
    if (c != ',' && c != end) return wrong(p, "neither ',' nor the end");
    p->at++;
    *more_out = c == ',';
    return SB_OK;
}

static int is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
           (c >= 'A' && c <= 'F');
}

/* Bytes of the escape at text[0..n), 0: it is none. */
static size_t escape(const char *text, size_t n)
{
    if (n >= 2 && text[1] && strchr("\"\\/bfnrt", text[1])) return 2;
    if (n < 6 || text[1] != 'u') return 0;
    for (int i = 2; i < 6; i++)
        if (!is_hex(text[i])) return 0;
    return 6;
}

static sb_status string(parser *p, quoted *out)
{
    SB_TRY(expect(p, '"'));
    quoted q = {.s = p->text + p->at};
    for (;;) {
        unsigned char c = p->at < p->n ? (unsigned char)p->text[p->at] : 0;
        size_t step = 1;
        if (c < 0x20) return wrong(p, "a string that does not end");
        if (c == '"') break;
        if (c == '\\') {
            step = escape(p->text + p->at, p->n - p->at);
            q.escapes = 1;
        }
        if (!step) return wrong(p, "an escape that is none");
        p->at += step;
    }
    q.n = (size_t)(p->text + p->at - q.s);
    p->at++;
    *out = q;
    return SB_OK;
}

static sb_status number(parser *p, uint64_t *out)
{
    char c = look(p);
    uint64_t v = 0;
    size_t from = p->at;
    if (c < '0' || c > '9') return wrong(p, "not a whole number from 0 on");
    while (p->at < p->n && p->text[p->at] >= '0' && p->text[p->at] <= '9') {
        uint64_t digit = (uint64_t)(p->text[p->at] - '0');
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, digit, &v))
            return wrong(p, "a number beyond 2^64");
        p->at++;
    }
    if (c == '0' && p->at > from + 1) return wrong(p, "a number with zeros");
    *out = v;
    return SB_OK;
}

/* Between min and max numbers. */
static sb_status numbers(parser *p, uint32_t min, uint32_t max, uint64_t *out,
                         uint32_t *n_out)
{
    uint32_t n = 0;
    SB_TRY(expect(p, '['));
    int more = look(p) != ']';
    if (!more) p->at++;
    while (more) {
        if (n == max) return wrong(p, "a list that is too long");
        SB_TRY(number(p, &out[n++]));
        SB_TRY(comma_or(p, ']', &more));
    }
    if (n < min) return wrong(p, "a list that is too short");
    *n_out = n;
    return SB_OK;
}

static int is(const quoted *q, const char *text)
{
    return q->n == strlen(text) && memcmp(q->s, text, q->n) == 0;
}

/* ---- a tensor ------------------------------------------------------------ */

static const struct {
    char name[12];
    uint8_t bytes;
    sb_element element;
} kinds[] = {{"F32", 4, SB_ELEMENT_F32},       {"F16", 2, SB_ELEMENT_F16},
             {"BF16", 2, SB_ELEMENT_BF16},     {"F64", 8, SB_ELEMENT_OTHER},
             {"C64", 8, SB_ELEMENT_OTHER},     {"I64", 8, SB_ELEMENT_OTHER},
             {"U64", 8, SB_ELEMENT_OTHER},     {"I32", 4, SB_ELEMENT_OTHER},
             {"U32", 4, SB_ELEMENT_OTHER},     {"I16", 2, SB_ELEMENT_OTHER},
             {"U16", 2, SB_ELEMENT_OTHER},     {"I8", 1, SB_ELEMENT_OTHER},
             {"U8", 1, SB_ELEMENT_OTHER},      {"BOOL", 1, SB_ELEMENT_OTHER},
             {"F8_E4M3", 1, SB_ELEMENT_OTHER}, {"F8_E5M2", 1, SB_ELEMENT_OTHER},
             {"F8_E8M0", 1, SB_ELEMENT_OTHER}};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static sb_status element_type(parser *p, sb_stored *t, uint8_t *bytes_out)
{
    quoted q;
    SB_TRY(string(p, &q));
    for (int i = 0; i < KINDS; i++) {
        if (!is(&q, kinds[i].name)) continue;
        memcpy(t->dtype, kinds[i].name, sizeof t->dtype);
        t->element = kinds[i].element;
        *bytes_out = kinds[i].bytes;
        return SB_OK;
    }
    return wrong(p, "a dtype that is not known");
}

/* Shape, type and range belong together. */
static sb_status check(const parser *p, sb_stored *t, uint64_t bytes,
                       uint64_t data)
{
    uint64_t n = 1;
    int huge = 0, none = 0;
    for (uint32_t d = 0; d < t->ndim; d++) none |= t->dim[d] == 0;
    for (uint32_t d = 0; d < t->ndim && !none; d++)
        huge |= __builtin_mul_overflow(n, t->dim[d], &n);
    t->elements = none ? 0 : n;
    huge |= __builtin_mul_overflow(t->elements, bytes, &bytes);
    SB_REQUIRE(!huge, SB_EFORMAT,
               "safetensors '%s': '%.100s' has more bytes than there can be",
               p->path, t->name);
    SB_REQUIRE(t->first <= t->last && t->last <= data, SB_EFORMAT,
               "safetensors '%s': '%.100s' is said to lie in bytes %" PRIu64
               " to %" PRIu64 " of %" PRIu64,
               p->path, t->name, t->first, t->last, data);
    SB_REQUIRE(t->last - t->first == bytes, SB_EFORMAT,
               "safetensors '%s': '%.100s' has %" PRIu64
               " bytes where its shape and dtype %s ask for %" PRIu64,
               p->path, t->name, t->last - t->first, t->dtype, bytes);
    return SB_OK;
}

static sb_status tensor(parser *p, const char *name, uint64_t data,
                        sb_stored *out)
{
    enum { DTYPE = 1, SHAPE = 2, OFFSETS = 4, ALL = 7 };
    sb_stored t = {.name = name};
    uint8_t bytes = 0;
    int seen = 0, more = 1;
    SB_TRY(expect(p, '{'));
    while (more) {
        quoted key;
        SB_TRY(string(p, &key));
        int part = is(&key, "dtype")          ? DTYPE
                   : is(&key, "shape")        ? SHAPE
                   : is(&key, "data_offsets") ? OFFSETS
                                              : ALL;
        if (part == ALL) return wrong(p, "a key that is not known");
        if (seen & part) return wrong(p, "a key that comes twice");
        seen |= part;
        uint64_t range[2];
        uint32_t two;
        SB_TRY(expect(p, ':'));
        if (part == DTYPE) SB_TRY(element_type(p, &t, &bytes));
        if (part == SHAPE)
            SB_TRY(numbers(p, 0, SB_SAFETENSORS_DIMS_MAX, t.dim, &t.ndim));
        if (part == OFFSETS) {
            SB_TRY(numbers(p, 2, 2, range, &two));
            t.first = range[0];
            t.last = range[1];
        }
        SB_TRY(comma_or(p, '}', &more));
    }
    if (seen != ALL)
        return wrong(p, "a tensor without dtype, shape or data_offsets");
    SB_TRY(check(p, &t, bytes, data));
    *out = t;
    return SB_OK;
}

/* ---- all of them --------------------------------------------------------- */

/* {"key": "value", ...}, which nobody reads. */
static sb_status metadata(parser *p)
{
    quoted q;
    SB_TRY(expect(p, '{'));
    int more = look(p) != '}';
    if (!more) p->at++;
    while (more) {
        SB_TRY(string(p, &q));
        SB_TRY(expect(p, ':'));
        SB_TRY(string(p, &q));
        SB_TRY(comma_or(p, '}', &more));
    }
    return SB_OK;
}

static sb_status member(parser *p, uint64_t data, sb_stored_list *list,
                        int *metadata_seen)
{
    quoted name;
    SB_TRY(string(p, &name));
    SB_TRY(expect(p, ':'));
    if (is(&name, "__metadata__")) {
        if ((*metadata_seen)++) return wrong(p, "a second __metadata__");
        return metadata(p);
    }
    if (name.escapes) return wrong(p, "an escape in the name of a tensor");
    SB_REQUIRE(list->n < SB_SAFETENSORS_MAX, SB_ELIMIT,
               "safetensors '%s' has more than %d tensors", p->path,
               SB_SAFETENSORS_MAX);
    SB_TRY(sb_grow(&list->tensor, &list->cap, list->n + 1, sizeof *list->tensor,
                   "tensors"));
    name.s[name.n] = 0; /* its closing quote */
    SB_TRY(tensor(p, name.s, data, &list->tensor[list->n]));
    list->n++;
    return SB_OK;
}

static int by_name(const void *x, const void *y)
{
    const sb_stored *a = x, *b = y;
    return strcmp(a->name, b->name);
}

static int by_place(const void *x, const void *y)
{
    const sb_stored *a = x, *b = y;
    if (a->first != b->first) return a->first < b->first ? -1 : 1;
    if (a->last != b->last) return a->last < b->last ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* No name twice; sorted by place; nothing twice and nothing left out. */
static sb_status check_all(const char *path, sb_stored_list *list,
                           uint64_t data)
{
    sb_stored *t = list->tensor;
    uint64_t at = 0;
    if (list->n) qsort(t, list->n, sizeof *t, by_name);
    for (size_t i = 1; i < list->n; i++)
        SB_REQUIRE(strcmp(t[i - 1].name, t[i].name) != 0, SB_EFORMAT,
                   "safetensors '%s' has two tensors called '%.100s'", path,
                   t[i].name);
    if (list->n) qsort(t, list->n, sizeof *t, by_place);
    for (size_t i = 0; i < list->n; i++) {
        SB_REQUIRE(t[i].first >= at, SB_EFORMAT,
                   "safetensors '%s': '%.100s' begins at byte %" PRIu64
                   " inside the tensor before it",
                   path, t[i].name, t[i].first);
        SB_REQUIRE(t[i].first == at, SB_EFORMAT,
                   "safetensors '%s': bytes %" PRIu64 " to %" PRIu64
                   " belong to no tensor",
                   path, at, t[i].first);
        at = t[i].last;
    }
    SB_REQUIRE(at == data, SB_EFORMAT,
               "safetensors '%s' has %" PRIu64 " bytes behind its last tensor",
               path, data - at);
    return SB_OK;
}

sb_status sb_safetensors_parse(const char *path, char *text, size_t n,
                               uint64_t data, sb_stored_list *list)
{
    parser p = {.path = path, .text = text, .n = n};
    int metadata_seen = 0;
    p.at = sb_utf8_valid(text, n);
    if (p.at < n) return wrong(&p, "not UTF-8");
    p.at = 0;
    if (n == 0 || text[0] != '{')
        return wrong(&p, "it does not begin with '{'");
    p.at++;
    int more = look(&p) != '}';
    if (!more) p.at++;
    while (more) {
        SB_TRY(member(&p, data, list, &metadata_seen));
        SB_TRY(comma_or(&p, '}', &more));
    }
    (void)look(&p);
    if (p.at < n) return wrong(&p, "something behind the end");
    return check_all(path, list, data);
}
