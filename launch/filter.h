/* SPDX-License-Identifier: MIT
 * filter.h - standard input to standard output, line by line. */
#ifndef SB_LAUNCH_FILTER_H
#define SB_LAUNCH_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/text.h"

enum { SB_FILTER_LINE_MAX = 16 << 20 };

typedef struct sb_filter_line {
    const char *text; /* without the line feed; text[n] is 0 */
    size_t n;
    uint64_t number; /* from 1 */
} sb_filter_line;

/* Append what becomes of a line to `out`; the line feed is added. A failure
 * should name the line. */
typedef sb_status (*sb_filter_fn)(void *context, const sb_filter_line *line,
                                  sb_buffer *out);

/* Call fn for each line. Output is buffered, but never kept back while we wait
 * for input, so that a program may talk with us line by line. A failure comes
 * behind the output of the lines before it. Nobody reading on is the end, not a
 * failure. SB_EFORMAT: a line of more than SB_FILTER_LINE_MAX; SB_EIO; SB_ESTOP.
 * Local. */
SB_MUST_USE sb_status sb_filter(sb_filter_fn fn, void *context);

#endif
