/* SPDX-License-Identifier: MIT
 * lines.h - the lines of a stream. Private to the readers of dataset/.
 *
 * Memory: one buffer, and one line of at most SB_LINE_MAX bytes if it does not
 * lie in the buffer as a whole. A longer line is read and forgotten.
 */
#ifndef SB_DATASET_LINES_H
#define SB_DATASET_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/stream.h"

enum { SB_LINE_MAX = 16 << 20, SB_LINES_PEEK = 512 };

typedef struct sb_line {
    const char *text; /* borrowed until the next line; without "\n", "\r\n" */
    size_t n;
    uint64_t offset; /* of its first byte in the decompressed file */
    uint64_t next;   /* of the next line's */
    int too_long;    /* more than SB_LINE_MAX: only its beginning is here */
} sb_line;

typedef struct sb_lines sb_lines;

/* Lines of `stream` (borrowed), whose first byte is byte `offset` of the file.
 * At offset 0 a byte order mark is passed over. */
SB_MUST_USE sb_status sb_lines_open(sb_stream *stream, uint64_t offset,
                                    sb_lines **lines_out);
void sb_lines_close(sb_lines *l); /* NULL is fine */

/* What comes next, without taking it: SB_LINES_PEEK bytes at least, if there
 * are as many and nothing has been taken yet. */
SB_MUST_USE sb_status sb_lines_peek(sb_lines *l, const char **text_out,
                                    size_t *n_out);

/* *more_out = 0 at the end. */
SB_MUST_USE sb_status sb_lines_next(sb_lines *l, sb_line *line_out,
                                    int *more_out);

#endif
