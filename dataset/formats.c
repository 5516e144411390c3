/* SPDX-License-Identifier: MIT
 * formats.c - how each form of file is cut into records.
 *
 * Invariant: where a record begins is decided by bytes near it alone, never by
 * the cutting: a line after '\n' or at the start of the file, a paragraph at a
 * line with ink whose predecessor has none, an article at a line "<doc ...".
 * So ranges of any size give the same documents; and the same bad records, but
 * for lines between articles, which a range cannot tell from an article's
 * before it has seen one begin.
 *
 * A line is blank if it has no ink and at most SB_LINE_MAX bytes. */
#include "dataset/formats.h"

#include <string.h>

/* ---- parts --------------------------------------------------------------- */

static int is_blank(const sb_line *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (sb_is_ink(l->text[i])) return 0;
    return !l->too_long;
}

static int begins(const sb_line *l, const char *what)
{
    size_t n = strlen(what);
    return l->n >= n && memcmp(l->text, what, n) == 0;
}

static sb_record bad(uint64_t offset, const char *why)
{
    return (sb_record){.verdict = SB_BAD, .why = why, .offset = offset};
}

static sb_record good(uint64_t offset, const char *text, size_t n)
{
    return (sb_record){.text = text, .bytes = n, .offset = offset};
}

static const char too_long[] = "longer than 16 MiB";

/* The next line with ink that begins before `last`. */
static sb_status next_ink(sb_reader *r, sb_line *line_out, int *more_out)
{
    for (;;) {
        SB_TRY(sb_lines_next(r->lines, line_out, more_out));
        if (line_out->offset >= r->last) *more_out = 0;
        if (!*more_out || !is_blank(line_out)) return SB_OK;
    }
}

/* Add a line to the document, as far as there is room. */
static sb_status keep(sb_reader *r, const sb_line *l)
{
    size_t room = SB_DOCUMENT_MAX + 1 - r->text.n;
    if (r->text.n && room) {
        SB_TRY(sb_buffer_add(&r->text, "\n", 1));
        room--;
    }
    r->text_all += l->n + 1;
    if (l->too_long) r->text_all += SB_LINE_MAX;
    return sb_buffer_add(&r->text, l->text, l->n < room ? l->n : room);
}

static void begin(sb_reader *r)
{
    r->text.n = r->text_all = 0;
}

static sb_record kept(const sb_reader *r, uint64_t offset)
{
    if (r->text_all > SB_DOCUMENT_MAX + 1) return bad(offset, too_long);
    return good(offset, r->text.data, r->text.n);
}

/* ---- a record a line ----------------------------------------------------- */

sb_status sb_next_line(sb_reader *r, sb_record *record_out, int *more_out)
{
    sb_line l;
    SB_TRY(next_ink(r, &l, more_out));
    *record_out =
        l.too_long ? bad(l.offset, too_long) : good(l.offset, l.text, l.n);
    return SB_OK;
}

sb_status sb_next_json(sb_reader *r, sb_record *record_out, int *more_out)
{
    SB_TRY(sb_next_line(r, record_out, more_out));
    if (!*more_out || record_out->verdict != SB_GOOD) return SB_OK;
    uint64_t offset = record_out->offset;
    SB_TRY(sb_json_parse(r->json, record_out->text, record_out->bytes,
                         record_out));
    record_out->offset = offset;
    return SB_OK;
}

sb_status sb_next_tsv(sb_reader *r, sb_record *record_out, int *more_out)
{
    SB_TRY(sb_next_line(r, record_out, more_out));
    if (!*more_out || record_out->verdict != SB_GOOD) return SB_OK;
    const char *at = record_out->text, *end = at + record_out->bytes;
    const char *text = NULL;
    uint32_t column = 1;
    for (;; column++) {
        const char *tab = memchr(at, '\t', (size_t)(end - at));
        if (column == r->column) {
            text = at;
            record_out->bytes = (size_t)((tab ? tab : end) - at);
            if (!r->columns) break;
        }
        if (!tab) break;
        at = tab + 1;
    }
    record_out->text = text;
    if (!text || (r->columns && column != r->columns)) {
        record_out->verdict = SB_BAD;
        record_out->why = "wrong number of columns";
    } else if (record_out->bytes == 0) {
        record_out->verdict = SB_SKIPPED;
        record_out->why = "no text";
    }
    return SB_OK;
}

/* ---- several lines ------------------------------------------------------- */

sb_status sb_next_paragraph(sb_reader *r, sb_record *record_out, int *more_out)
{
    sb_line l;
    int more;
    for (;;) { /* behind the one that began before us */
        SB_TRY(sb_lines_next(r->lines, &l, more_out));
        if (!*more_out || l.offset >= r->last) {
            *more_out = 0;
            return SB_OK;
        }
        int blank = is_blank(&l);
        if (!blank && !r->inside) break;
        r->inside = !blank;
    }
    uint64_t offset = l.offset;
    begin(r);
    do {
        SB_TRY(keep(r, &l));
        SB_TRY(sb_lines_next(r->lines, &l, &more));
        /* nothing that follows can matter to a range that is behind us */
        if (r->text_all > SB_DOCUMENT_MAX + 1 && l.offset >= r->last) break;
    } while (more && !is_blank(&l));
    *record_out = kept(r, offset);
    return SB_OK;
}

sb_status sb_next_file(sb_reader *r, sb_record *record_out, int *more_out)
{
    sb_line l;
    begin(r);
    SB_TRY(next_ink(r, &l, more_out));
    if (!*more_out) return SB_OK;
    uint64_t offset = l.offset;
    for (int more = 1; more;) {
        SB_TRY(keep(r, &l));
        SB_TRY(next_ink(r, &l, &more));
    }
    *record_out = kept(r, offset);
    return SB_OK;
}

/* WikiExtractor writes its text for HTML. */
static void unescape(sb_buffer *b)
{
    static const struct {
        const char *name;
        size_t n;
        char c;
    } known[] = {{"&amp;", 5, '&'},
                 {"&lt;", 4, '<'},
                 {"&gt;", 4, '>'},
                 {"&quot;", 6, '"'}};
    if (!b->n || !memchr(b->data, '&', b->n)) return;
    size_t to = 0;
    for (size_t i = 0; i < b->n;) {
        size_t k = 0;
        while (k < 4 && (b->n - i < known[k].n ||
                         memcmp(b->data + i, known[k].name, known[k].n) != 0))
            k++;
        b->data[to++] = k < 4 ? known[k].c : b->data[i];
        i += k < 4 ? known[k].n : 1;
    }
    b->n = to;
}

static int is_doc(const sb_line *l)
{
    return begins(l, "<doc ") || begins(l, "<doc>");
}

/* WikiExtractor's output: <doc id=... title="...">, the title, an empty line,
 * paragraphs, </doc>. */
sb_status sb_next_article(sb_reader *r, sb_record *record_out, int *more_out)
{
    sb_line l = r->ahead;
    *more_out = 1;
    if (!r->has_ahead) SB_TRY(next_ink(r, &l, more_out));
    while (*more_out && r->inside && !is_doc(&l))
        SB_TRY(next_ink(r, &l, more_out));
    r->has_ahead = r->inside = 0;
    if (!*more_out) return SB_OK;
    uint64_t offset = l.offset;
    if (!is_doc(&l)) {
        *record_out = bad(offset, "outside of <doc>");
        return SB_OK;
    }
    size_t lines = 0;
    int more;
    begin(r);
    for (;; lines++) {
        do SB_TRY(sb_lines_next(r->lines, &l, &more));
        while (more && is_blank(&l));
        r->has_ahead = more && is_doc(&l);
        if (!more || r->has_ahead || begins(&l, "</doc>")) break;
        SB_TRY(keep(r, &l));
    }
    unescape(&r->text);
    *record_out = kept(r, offset);
    if (!more || r->has_ahead) {
        r->ahead = l;
        if (l.offset >= r->last) r->has_ahead = 0;
        *record_out = bad(offset, "an article without </doc>");
    } else if (lines < 2) {
        record_out->verdict = SB_SKIPPED;
        record_out->why = "no text";
    }
    return SB_OK;
}

sb_status sb_next_page(sb_reader *r, sb_record *record_out, int *more_out)
{
    return sb_wiki_dump_next(r->dump, record_out, more_out);
}
