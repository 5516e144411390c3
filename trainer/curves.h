/* SPDX-License-Identifier: MIT
 * curves.h - metrics.jsonl read back: each name is a curve over the steps.
 * Reads lines as metrics.c writes them and nothing else of JSON. Local. */
#ifndef SB_TRAINER_CURVES_H
#define SB_TRAINER_CURVES_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

enum { SB_CURVE_NAME = 96, SB_CURVES_MAX = 4096 };

typedef struct sb_point {
    double x, y; /* finite */
} sb_point;

typedef struct sb_curve {
    char name[SB_CURVE_NAME];
    sb_point *point; /* [n] in the order of the file, x the step */
    size_t n, cap;
} sb_curve;

typedef struct sb_curves {
    sb_curve *curve; /* [n] in the order of their first values */
    size_t n, cap;
    uint64_t lines, unreadable; /* a last line without its end is neither */
} sb_curves;

/* Read <dir>/metrics.jsonl. A null, or a value that is no number below 1e100,
 * is no point; a line that is not of our form, or of a step from 2^53
 * on, is counted and passed over.
 * Names beyond SB_CURVES_MAX are left out. SB_ENOENT: there is no such file. */
SB_MUST_USE sb_status sb_curves_read(const char *dir, sb_curves *curves_out);
void sb_curves_close(sb_curves *c); /* zeroed is fine */

/* The curve of that name that has a point, or NULL. */
const sb_curve *sb_curves_find(const sb_curves *c, const char *name);

#endif
