/* SPDX-License-Identifier: MIT
 * fields.h - text in memory, cut into lines and fields. Text is not
 * NUL-terminated and may hold any bytes. */
#ifndef SB_TRAINER_FIELDS_H
#define SB_TRAINER_FIELDS_H

#include <stddef.h>

/* What is left of a text. */
typedef struct sb_fields {
    const char *at, *end;
} sb_fields;

/* Cut the next line, without its line feed, off `text`; 0 at the end. */
int sb_fields_line(sb_fields *text, sb_fields *line_out);

/* Cut the next field off `line`: its bytes, none of them a blank, tab or
 * carriage return, which stand between fields. 0: no more. */
size_t sb_fields_next(sb_fields *line, const char **field_out);

/* 1 if text[0..n) is a decimal number that a float can be. */
int sb_field_number(const char *text, size_t n, double *out);

#endif
