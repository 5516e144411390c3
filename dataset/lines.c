/* SPDX-License-Identifier: MIT
 * lines.c - the lines of a stream.
 *
 * Invariant: data[p..end) is read and not yet given out; data[p] is byte `at`
 * of the file. A line that ends inside the buffer is given out in place. */
#include "dataset/lines.h"

#include <string.h>

#include "comm/base/mem.h"
#include "dataset/text.h"

enum { BUFFER_BYTES = 256 << 10, BOM_BYTES = 3 };

struct sb_lines {
    sb_stream *stream;
    char *data;
    size_t p, end;
    uint64_t at;
    sb_buffer line; /* one that spans buffers */
};

sb_status sb_lines_open(sb_stream *stream, uint64_t offset,
                        sb_lines **lines_out)
{
    sb_lines *l;
    SB_TRY(sb_alloc(1, sizeof *l, "lines", &l));
    l->stream = stream;
    l->at = offset;
    sb_status st = sb_alloc(BUFFER_BYTES, 1, "read buffer", &l->data);
    const char *head;
    size_t n;
    if (st == SB_OK && offset == 0) st = sb_lines_peek(l, &head, &n);
    if (st != SB_OK) {
        sb_lines_close(l);
        return st;
    }
    if (offset == 0 && n >= BOM_BYTES &&
        memcmp(head, "\xef\xbb\xbf", BOM_BYTES) == 0) {
        l->p += BOM_BYTES;
        l->at += BOM_BYTES;
    }
    *lines_out = l;
    return SB_OK;
}

void sb_lines_close(sb_lines *l)
{
    if (!l) return;
    sb_free(l->data);
    sb_free(l->line.data);
    sb_free(l);
}

/* Something unread, if there is anything left. */
static sb_status fill(sb_lines *l)
{
    if (l->p < l->end) return SB_OK;
    l->p = l->end = 0;
    return sb_stream_read(l->stream, l->data, BUFFER_BYTES, &l->end);
}

sb_status sb_lines_peek(sb_lines *l, const char **text_out, size_t *n_out)
{
    size_t got = 1;
    SB_TRY(fill(l));
    while (l->end - l->p < SB_LINES_PEEK && l->end < BUFFER_BYTES && got) {
        SB_TRY(sb_stream_read(l->stream, l->data + l->end,
                              BUFFER_BYTES - l->end, &got));
        l->end += got;
    }
    *text_out = l->data + l->p;
    *n_out = l->end - l->p;
    return SB_OK;
}

/* Keep a line's part, as far as there is room. */
static sb_status keep(sb_lines *l, const char *text, size_t n, int *too_long)
{
    size_t room = SB_LINE_MAX + 1 - l->line.n; /* and a '\r' */
    if (n > room) {
        *too_long = 1;
        n = room;
    }
    return sb_buffer_add(&l->line, text, n);
}

sb_status sb_lines_next(sb_lines *l, sb_line *line_out, int *more_out)
{
    sb_line line = {.offset = l->at};
    SB_TRY(fill(l));
    *more_out = l->end > 0;
    l->line.n = 0;
    for (int ended = 0; !ended && l->end > 0;) {
        const char *from = l->data + l->p;
        size_t left = l->end - l->p;
        const char *nl = memchr(from, '\n', left);
        size_t n = nl ? (size_t)(nl - from) : left;
        ended = nl != NULL;
        l->p += n + (size_t)ended;
        l->at += n + (size_t)ended;
        if (ended && l->line.n == 0) {
            line.text = from;
            line.n = n;
            break;
        }
        SB_TRY(keep(l, from, n, &line.too_long));
        line.text = l->line.data;
        line.n = l->line.n;
        if (!ended) SB_TRY(fill(l));
    }
    if (line.n && line.text[line.n - 1] == '\r') line.n--;
    if (line.n > SB_LINE_MAX) line.too_long = 1;
    line.next = l->at;
    *line_out = line;
    return SB_OK;
}
