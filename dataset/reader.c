/* SPDX-License-Identifier: MIT
 * reader.c - the records of one file: what kind of file it is, and where a
 * range of it begins.
 *
 * Memory per open file: a stream, a line, a document. */
#include "dataset/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/mem.h"
#include "dataset/formats.h"

const char *const sb_kind_name[SB_KINDS] = {
    "text", "c4", "msmarco", "news", "wikipedia", "s2orc", "jsonl", "tsv"};

enum { BACK_BYTES = 4096, BOM_BYTES = 3 };

/* ---- what it is ---------------------------------------------------------- */

static int has_bom(const char *head, size_t n)
{
    return n >= BOM_BYTES && memcmp(head, "\xef\xbb\xbf", BOM_BYTES) == 0;
}

/* Behind a byte order mark and white space. */
static const char *ink_of(const char *head, size_t n, size_t *left_out)
{
    size_t i = has_bom(head, n) ? BOM_BYTES : 0;
    while (i < n && !sb_is_ink(head[i])) i++;
    *left_out = n - i;
    return head + i;
}

static int has_prefix(const char *text, size_t n, const char *what)
{
    return n >= strlen(what) && memcmp(text, what, strlen(what)) == 0;
}

static int is_extracted(const char *ink, size_t n)
{
    return has_prefix(ink, n, "<doc ") || has_prefix(ink, n, "<doc>");
}

int sb_reader_cuts(sb_kind kind, const sb_source_options *o, const char *head,
                   size_t n)
{
    const char *ink = ink_of(head, n, &n);
    if (kind == SB_KIND_TEXT) return o->documents != SB_DOC_FILE;
    if (kind != SB_KIND_WIKIPEDIA) return 1;
    return has_prefix(ink, n, "{") || is_extracted(ink, n);
}

static sb_status begin_json(sb_reader *r, sb_json_form form, const char *field)
{
    r->next = sb_next_json;
    return sb_json_open(form, field, &r->json);
}

static sb_status begin_wikipedia(sb_reader *r, const char *ink, size_t n)
{
    const char *head;
    if (has_prefix(ink, n, "{")) return begin_json(r, SB_JSON_TITLED, NULL);
    if (is_extracted(ink, n) || n == 0) {
        r->next = sb_next_article;
        r->inside = r->first > 0;
        return SB_OK;
    }
    if (has_prefix(ink, n, "<mediawiki") || has_prefix(ink, n, "<?xml")) {
        r->next = sb_next_page;
        SB_TRY(sb_lines_peek(r->lines, &head, &n));
        return sb_wiki_dump_open(r->stream, r->path, head, n, &r->dump);
    }
    sb_fail(SB_EFORMAT, __FILE__, __LINE__,
            "'%s' is neither WikiExtractor's output nor an XML dump", r->path);
    return sb_hint("it should begin with <doc, <mediawiki, or {; other text is "
                   "read as text:, jsonl: or tsv:");
}

static sb_status begin_kind(sb_reader *r, sb_kind kind, const char *ink,
                            size_t n)
{
    switch (kind) {
    case SB_KIND_C4:
        return begin_json(r, SB_JSON_FIELD, "text");
    case SB_KIND_JSONL:
        return begin_json(r, SB_JSON_FIELD, r->o->text_field);
    case SB_KIND_S2ORC:
        return begin_json(r, SB_JSON_S2ORC, NULL);
    case SB_KIND_WIKIPEDIA:
        return begin_wikipedia(r, ink, n);
    case SB_KIND_NEWS:
        if (has_prefix(ink, n, "{\"") || has_prefix(ink, n, "{ "))
            return begin_json(r, SB_JSON_TITLED, NULL);
        r->next = sb_next_line;
        return SB_OK;
    case SB_KIND_MSMARCO:
    case SB_KIND_TSV:
        r->columns = kind == SB_KIND_MSMARCO ? 2 : 0;
        r->column = kind == SB_KIND_MSMARCO ? 2 : r->o->column;
        r->next = sb_next_tsv;
        return SB_OK;
    default:
        r->next = r->o->documents == SB_DOC_LINE        ? sb_next_line
                  : r->o->documents == SB_DOC_PARAGRAPH ? sb_next_paragraph
                                                        : sb_next_file;
        return SB_OK;
    }
}

/* ---- the beginning of a range -------------------------------------------- */

static sb_status read_at(const sb_reader *r, int fd, uint64_t at, char *to,
                         size_t n)
{
    for (size_t have = 0; have < n;) {
        ssize_t k = pread(fd, to + have, n - have, (off_t)(at + have));
        if (k < 0 && errno == EINTR) continue;
        SB_REQUIRE(k >= 0, SB_EIO, "cannot read '%s': %s", r->path,
                   strerror(errno));
        SB_REQUIRE(k > 0, SB_EIO, "'%s' became shorter while it was read",
                   r->path);
        have += (size_t)k;
    }
    return SB_OK;
}

/* Is the line [?, end) blank, which begins at byte `base` or behind a '\n'?
 * A line is blank if it has no ink and at most SB_LINE_MAX bytes: that bounds
 * how far back to look. */
static sb_status is_blank_before(const sb_reader *r, int fd, uint64_t base,
                                 uint64_t end, int *blank_out)
{
    int is_long = end - base > SB_LINE_MAX;
    uint64_t floor = is_long ? end - SB_LINE_MAX - 1 : base;
    char back[BACK_BYTES];
    while (end > floor) {
        uint64_t from = end - floor > sizeof back ? end - sizeof back : floor;
        SB_TRY(read_at(r, fd, from, back, (size_t)(end - from)));
        for (size_t i = (size_t)(end - from); i-- > 0;) {
            if (back[i] != '\n' && !sb_is_ink(back[i])) continue;
            *blank_out = back[i] == '\n';
            return SB_OK;
        }
        end = from;
    }
    *blank_out = !is_long;
    return SB_OK;
}

/* A range that does not begin the file: what the file begins with, and on to
 * the first line that begins in the range. */
static sb_status begin_range(sb_reader *r, int fd, char *head, size_t *n_out)
{
    sb_line l;
    int more, blank = 1;
    size_t n = r->size < SB_READER_HEAD ? (size_t)r->size : SB_READER_HEAD;
    SB_TRY(read_at(r, fd, 0, head, n));
    *n_out = n;
    uint64_t base = has_bom(head, n) ? BOM_BYTES : 0;
    uint64_t from = r->first <= base ? 0 : r->first - 1;
    SB_TRY(sb_stream_open(r->path, from, r->size, r->o->max_ratio, &r->stream));
    SB_TRY(sb_lines_open(r->stream, from, &r->lines));
    if (r->first <= base) return SB_OK;         /* inside of the mark */
    SB_TRY(sb_lines_next(r->lines, &l, &more)); /* holds byte first - 1 */
    if (more && l.next > base)
        SB_TRY(is_blank_before(r, fd, base, l.next - 1, &blank));
    r->inside = !blank;
    return SB_OK;
}

static sb_status begin_file(sb_reader *r, sb_kind kind)
{
    char copy[SB_READER_HEAD];
    const char *head = copy;
    size_t n;
    if (r->first == 0) {
        SB_TRY(
            sb_stream_open(r->path, 0, r->size, r->o->max_ratio, &r->stream));
        SB_TRY(sb_lines_open(r->stream, 0, &r->lines));
        SB_TRY(sb_lines_peek(r->lines, &head, &n));
    } else {
        int fd = open(r->path, O_RDONLY | O_CLOEXEC);
        SB_REQUIRE(fd >= 0, SB_EIO, "cannot read '%s': %s", r->path,
                   strerror(errno));
        sb_status st = begin_range(r, fd, copy, &n);
        close(fd);
        SB_TRY(st);
    }
    const char *ink = ink_of(head, n, &n);
    return begin_kind(r, kind, ink, n);
}

/* ---- open, close --------------------------------------------------------- */

sb_status sb_reader_open(sb_kind kind, const sb_source_options *o,
                         const char *path, uint64_t first, uint64_t last,
                         uint64_t size, sb_reader **reader_out)
{
    sb_reader *r;
    SB_TRY(sb_alloc(1, sizeof *r, "reader", &r));
    r->path = path;
    r->o = o;
    r->first = first;
    r->size = size;
    /* offsets are those of the decompressed text */
    r->last = first == 0 && last == size ? UINT64_MAX : last;
    sb_status st = begin_file(r, kind);
    if (st != SB_OK) {
        sb_reader_close(r);
        return st;
    }
    *reader_out = r;
    return SB_OK;
}

void sb_reader_close(sb_reader *r)
{
    if (!r) return;
    sb_wiki_dump_close(r->dump);
    sb_json_close(r->json);
    sb_lines_close(r->lines);
    sb_stream_close(r->stream);
    sb_free(r->text.data);
    sb_free(r);
}

sb_status sb_reader_next(sb_reader *r, sb_record *record_out, int *more_out)
{
    return r->next(r, record_out, more_out);
}

uint64_t sb_reader_done(const sb_reader *r)
{
    uint64_t at = sb_stream_taken(r->stream);
    uint64_t last = r->last < r->size ? r->last : r->size;
    return at <= r->first ? 0 : (at < last ? at : last) - r->first;
}
