/* SPDX-License-Identifier: MIT
 * filter.c - standard input to standard output, line by line. */
#include "launch/filter.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/mem.h"
#include "comm/base/stop.h"
#include "launch/output.h"

enum { READ_BYTES = 1 << 18, WRITE_BYTES = 1 << 18 };

typedef struct filter {
    sb_buffer in, out;
    size_t from;     /* where the next line begins in `in` */
    uint64_t number; /* lines so far */
    int ended;       /* no more to read */
    int unread;      /* nobody wants our output */
} filter;

/* ---- writing ------------------------------------------------------------- */

static sb_status flush(filter *f)
{
    SB_TRY(sb_output(f->out.data, f->out.n, &f->unread));
    f->out.n = 0;
    return SB_OK;
}

/* ---- reading ------------------------------------------------------------- */

/* SA_RESTART holds for read, not for poll: here a signal is noticed. */
static sb_status wait_for_input(void)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    do {
        if (sb_stop_asked()) SB_FAIL(SB_ESTOP, "asked to stop");
    } while (poll(&p, 1, -1) < 0 && errno == EINTR);
    return SB_OK;
}

/* More of standard input behind what is there, one byte of room kept. */
static sb_status read_more(filter *f)
{
    sb_buffer *b = &f->in;
    if (f->from) memmove(b->data, b->data + f->from, b->n - f->from);
    b->n -= f->from;
    f->from = 0;
    SB_REQUIRE(b->n <= SB_FILTER_LINE_MAX, SB_EFORMAT,
               "line %" PRIu64 " is longer than %s", f->number + 1,
               sb_bytes_text(SB_FILTER_LINE_MAX));
    SB_TRY(sb_grow(&b->data, &b->cap, b->n + READ_BYTES + 1, 1, "a line"));
    SB_TRY(flush(f));
    SB_TRY(wait_for_input());
    ssize_t k = read(STDIN_FILENO, b->data + b->n, READ_BYTES);
    SB_REQUIRE(k >= 0 || errno == EINTR, SB_EIO,
               "cannot read standard input: %s", strerror(errno));
    if (k > 0) b->n += (size_t)k;
    f->ended = k == 0;
    return SB_OK;
}

/* The next line, or text NULL behind the last one. */
static sb_status next_line(filter *f, sb_filter_line *line_out)
{
    char *end = NULL;
    size_t seen = 0; /* bytes of this line searched so far */
    line_out->text = NULL;
    for (;;) {
        size_t have = f->in.n - f->from - seen;
        if (have) end = memchr(f->in.data + f->from + seen, '\n', have);
        if (end || f->ended) break;
        seen += have;
        SB_TRY(read_more(f));
    }
    char *text = f->in.data + f->from;
    size_t n = (end ? (size_t)(end - f->in.data) : f->in.n) - f->from;
    if (!end && !n) return SB_OK;
    f->number++;
    SB_REQUIRE(n <= SB_FILTER_LINE_MAX, SB_EFORMAT,
               "line %" PRIu64 " is longer than %s", f->number,
               sb_bytes_text(SB_FILTER_LINE_MAX));
    text[n] = 0;
    f->from += n + (end != NULL);
    *line_out = (sb_filter_line){text, n, f->number};
    return SB_OK;
}

static sb_status each_line(filter *f, sb_filter_fn fn, void *context)
{
    sb_filter_line line;
    while (!f->unread) {
        SB_TRY(next_line(f, &line));
        if (!line.text) break;
        size_t before = f->out.n;
        sb_status st = fn(context, &line, &f->out);
        if (st != SB_OK) {
            f->out.n = before;
            return st;
        }
        SB_TRY(sb_buffer_add(&f->out, "\n", 1));
        if (f->out.n >= WRITE_BYTES) SB_TRY(flush(f));
    }
    return SB_OK;
}

sb_status sb_filter(sb_filter_fn fn, void *context)
{
    filter f = {0};
    sb_output_start();
    sb_status st = each_line(&f, fn, context);
    if (st == SB_OK) {
        st = flush(&f);
    } else {
        sb_error first = *sb_error_last();
        if (flush(&f) != SB_OK) st = sb_error_set(&first);
    }
    free(f.in.data);
    free(f.out.data);
    return st;
}
