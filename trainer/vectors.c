/* SPDX-License-Identifier: MIT
 * vectors.c - one buffer moves over the file; a row is looked at only when it
 * lies there as a whole. */
#include "trainer/vectors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/life.h"
#include "comm/base/mem.h"
#include "dataset/stream.h"
#include "trainer/fields.h"

enum {
    READ_BYTES = 1 << 20,
    NUMBER_MAX = 64, /* bytes of a number in text */
    HEAD_MAX = 64,   /* bytes of the first line */
    RATIO_MAX = 200  /* of a compressed file */
};

typedef struct reader {
    const char *path;
    sb_stream *stream;
    char *data; /* [at, n) is what was not looked at yet */
    size_t at, n, cap;
    int ended;
    uint64_t words; /* announced */
    size_t dim;
    uint64_t row;  /* rows read */
    float *values; /* [dim] of the row that is being read */
    const sb_vectors_sink *sink;
} reader;

/* ---- bytes --------------------------------------------------------------- */

static size_t have(const reader *r)
{
    return r->n - r->at;
}

/* Have `need` bytes at r->data + r->at, or all that are left. */
static sb_status fill(reader *r, size_t need)
{
    while (have(r) < need && !r->ended) {
        size_t got;
        if (r->at) memmove(r->data, r->data + r->at, have(r));
        r->n -= r->at;
        r->at = 0;
        SB_TRY(sb_grow(&r->data, &r->cap, r->n + READ_BYTES, 1, "vectors"));
        SB_TRY(sb_stream_read(r->stream, r->data + r->n, READ_BYTES, &got));
        r->n += got;
        r->ended = got == 0;
    }
    return SB_OK;
}

/* How far it is to the next line feed, at most `most`; to the end of the file
 * if that comes first. */
static sb_status line_length(reader *r, size_t most, size_t *n_out)
{
    SB_TRY(fill(r, most + 1));
    size_t n = have(r) < most + 1 ? have(r) : most + 1;
    const char *end = n ? memchr(r->data + r->at, '\n', n) : NULL;
    if (end) n = (size_t)(end - (r->data + r->at));
    SB_REQUIRE(n <= most, SB_EFORMAT,
               "'%s': line %" PRIu64 " is longer than %zu bytes", r->path,
               r->row + 2, most);
    *n_out = n;
    return SB_OK;
}

/* ---- rows ---------------------------------------------------------------- */

static int shown(size_t n)
{
    return n < 40 ? (int)n : 40;
}

/* The row that was read, with its word. */
static sb_status give(reader *r, const char *word, size_t n)
{
    SB_REQUIRE(n > 0, SB_EFORMAT, "'%s': row %" PRIu64 " has no word", r->path,
               r->row + 1);
    SB_REQUIRE(n <= SB_VECTORS_WORD_MAX, SB_EFORMAT,
               "'%s': the word of row %" PRIu64 " is longer than %d bytes",
               r->path, r->row + 1, SB_VECTORS_WORD_MAX);
    r->row++;
    sb_life_beat();
    return r->sink->row(r->sink->context, word, n, r->values);
}

/* How many numbers stand in `line`; those that fit go to row [dim]. -1: one of
 * them is none. */
static long read_numbers(sb_fields line, float *row, size_t dim)
{
    long found = 0;
    for (;;) {
        const char *p;
        double x;
        size_t bytes = sb_fields_next(&line, &p);
        if (bytes == 0) return found;
        if (!sb_field_number(p, bytes, &x)) return -1;
        if ((size_t)found < dim) row[found] = (float)x;
        found++;
    }
}

static size_t text_row_max(const reader *r)
{
    return SB_VECTORS_WORD_MAX + r->dim * (NUMBER_MAX + 1) + 2;
}

static sb_status text_row(reader *r)
{
    size_t n, bytes = 0;
    SB_TRY(line_length(r, text_row_max(r), &n));
    const char *line = r->data + r->at;
    while (bytes < n && line[bytes] != ' ' && line[bytes] != '\t') bytes++;
    long found =
        read_numbers((sb_fields){line + bytes, line + n}, r->values, r->dim);
    SB_REQUIRE(found >= 0, SB_EFORMAT,
               "'%s': a value of '%.*s' in line %" PRIu64
               " is not a finite number",
               r->path, shown(bytes), line, r->row + 2);
    SB_REQUIRE((size_t)found == r->dim, SB_EFORMAT,
               "'%s': '%.*s' in line %" PRIu64 " has %ld values, not %zu",
               r->path, shown(bytes), line, r->row + 2, found, r->dim);
    SB_TRY(give(r, line, bytes));
    r->at += n + (have(r) > n);
    return SB_OK;
}

/* Little-endian whatever we are; 1 if all are finite. */
static int take_floats(float *to, const char *from, size_t n)
{
    int finite = 1;
    for (size_t i = 0; i < n; i++) {
        const unsigned char *p = (const unsigned char *)from + 4 * i;
        uint32_t bits = (uint32_t)p[0] | (uint32_t)p[1] << 8 |
                        (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        memcpy(&to[i], &bits, sizeof bits);
        finite &= (bits & 0x7f800000) != 0x7f800000;
    }
    return finite;
}

static sb_status binary_row(reader *r)
{
    size_t most = SB_VECTORS_WORD_MAX + 1, values = 4 * r->dim;
    SB_TRY(fill(r, most + 1 + values));
    if (have(r) && r->data[r->at] == '\n') r->at++;
    const char *word = r->data + r->at;
    size_t n = have(r) < most ? have(r) : most, bytes = 0;
    while (bytes < n && word[bytes] != ' ' && word[bytes] != '\n') bytes++;
    SB_REQUIRE(bytes <= SB_VECTORS_WORD_MAX, SB_EFORMAT,
               "'%s': the word of row %" PRIu64 " is longer than %d bytes",
               r->path, r->row + 1, SB_VECTORS_WORD_MAX);
    SB_REQUIRE(have(r) >= bytes + 1 + values, SB_EFORMAT,
               "'%s' is cut off: row %" PRIu64 " of %" PRIu64
               " is not there as a whole",
               r->path, r->row + 1, r->words);
    SB_REQUIRE(word[bytes] == ' ', SB_EFORMAT,
               "'%s': row %" PRIu64 " has a line feed in its word", r->path,
               r->row + 1);
    SB_REQUIRE(take_floats(r->values, word + bytes + 1, r->dim), SB_EFORMAT,
               "'%s': a value of '%.*s' in row %" PRIu64
               " is not a finite number",
               r->path, shown(bytes), word, r->row + 1);
    SB_TRY(give(r, word, bytes));
    r->at += bytes + 1 + values;
    return SB_OK;
}

/* ---- the file ------------------------------------------------------------ */

static int read_count(const char *text, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    if (n == 0 || n > 18) return 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') return 0;
        v = v * 10 + (uint64_t)(text[i] - '0');
    }
    *out = v;
    return 1;
}

static sb_status read_head(reader *r)
{
    uint64_t dim = 0;
    size_t bytes[3];
    const char *part[3];
    SB_TRY(fill(r, HEAD_MAX));
    size_t n = have(r) < HEAD_MAX ? have(r) : HEAD_MAX;
    const char *line = r->data + r->at,
               *feed = n ? memchr(line, '\n', n) : NULL;
    sb_fields left = {line, feed};
    for (int i = 0; feed && i < 3; i++)
        bytes[i] = sb_fields_next(&left, &part[i]);
    int good = feed && bytes[2] == 0 &&
               read_count(part[0], bytes[0], &r->words) &&
               read_count(part[1], bytes[1], &dim);
    SB_REQUIRE(good, SB_EFORMAT,
               "'%s' does not begin with a line of two numbers, those of words "
               "and of values: it is no file of word vectors",
               r->path);
    SB_REQUIRE(r->words > 0 && r->words < SB_NO_WORD - 1 && dim > 0 &&
                   dim <= SB_VECTORS_DIM_MAX,
               SB_EFORMAT,
               "'%s': %" PRIu64 " words of %" PRIu64
               " values are none, or more than can be",
               r->path, r->words, dim);
    r->dim = (size_t)dim;
    r->at += (size_t)(feed - line) + 1;
    return SB_OK;
}

/* Is the first row one of text? Its line is a word and dim numbers; or it is
 * damaged, but looks like numbers for long enough that no floats would. */
static sb_status is_text(reader *r, int *text_out)
{
    enum { LONG_ENOUGH = 8, LOOK_AT = 64 };
    static const char likely[] = "0123456789+-.eEnNaAiIfF \t\r";
    SB_TRY(fill(r, text_row_max(r)));
    const char *line = r->data + r->at;
    size_t n = have(r) < text_row_max(r) ? have(r) : text_row_max(r), at = 0;
    const char *end = n ? memchr(line, '\n', n) : NULL;
    if (end) n = (size_t)(end - line);
    while (at < n && line[at] != ' ' && line[at] != '\t') at++;
    *text_out = read_numbers((sb_fields){line + at, line + n}, r->values,
                             r->dim) == (long)r->dim;
    if (*text_out) return SB_OK;
    size_t from = at;
    while (at < n && at < from + LOOK_AT &&
           memchr(likely, line[at], sizeof likely - 1))
        at++;
    *text_out = at >= from + LONG_ENOUGH && (at == n || at == from + LOOK_AT);
    return SB_OK;
}

static sb_status read_all(reader *r)
{
    int text;
    SB_TRY(read_head(r));
    SB_TRY(sb_alloc(r->dim, sizeof *r->values, "a vector", &r->values));
    SB_TRY(r->sink->begin(r->sink->context, r->words, r->dim));
    SB_TRY(is_text(r, &text));
    while (r->row < r->words) {
        SB_TRY(fill(r, 2));
        int ended = have(r) == 0 || (have(r) == 1 && r->data[r->at] == '\n');
        SB_REQUIRE(!ended, SB_EFORMAT,
                   "'%s' is cut off: it has %" PRIu64 " of %" PRIu64 " words",
                   r->path, r->row, r->words);
        SB_TRY(text ? text_row(r) : binary_row(r));
    }
    SB_TRY(fill(r, 2));
    SB_REQUIRE(have(r) == 0 || (have(r) == 1 && r->data[r->at] == '\n'),
               SB_EFORMAT,
               "'%s' holds more than the %" PRIu64 " words it names", r->path,
               r->words);
    return SB_OK;
}

sb_status sb_vectors_each(const char *path, const sb_vectors_sink *sink)
{
    reader r = {.path = path, .sink = sink};
    uint64_t size;
    SB_TRY(sb_file_size(path, &size));
    SB_TRY(sb_stream_open(path, 0, size, RATIO_MAX, &r.stream));
    sb_status st = read_all(&r);
    sb_stream_close(r.stream);
    sb_free(r.values);
    free(r.data);
    return st;
}

/* ---- all of it in memory ------------------------------------------------- */

static sb_status keep_dim(void *context, uint64_t words, size_t dim)
{
    sb_vectors *v = context;
    (void)words; /* memory follows what is there */
    v->dim = dim;
    return sb_word_index_open(&v->words);
}

/* A word seen before loses its row. */
static sb_status keep_row(void *context, const char *word, size_t n,
                          const float *row)
{
    sb_vectors *v = context;
    uint32_t id;
    SB_TRY(sb_grow(&v->table, &v->table_cap, (v->n + 1) * v->dim,
                   sizeof *v->table, "vectors"));
    SB_TRY(sb_word_index_add(v->words, word, n, &id));
    if (id != v->n) {
        v->doubled++;
        return SB_OK;
    }
    memcpy(v->table + v->n * v->dim, row, v->dim * sizeof *row);
    v->n++;
    return SB_OK;
}

sb_status sb_vectors_read(const char *path, sb_vectors *v_out)
{
    sb_vectors v = {0};
    sb_status st =
        sb_vectors_each(path, &(sb_vectors_sink){&v, keep_dim, keep_row});
    if (st == SB_OK)
        *v_out = v;
    else
        sb_vectors_free(&v);
    return st;
}

void sb_vectors_free(sb_vectors *v)
{
    sb_word_index_close(v->words);
    free(v->table);
    *v = (sb_vectors){0};
}
