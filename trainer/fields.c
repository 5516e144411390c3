/* SPDX-License-Identifier: MIT
 * fields.c - lines, fields, and numbers. */
#include "trainer/fields.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int sb_fields_line(sb_fields *text, sb_fields *line_out)
{
    if (text->at == text->end) return 0;
    size_t n = (size_t)(text->end - text->at);
    const char *feed = memchr(text->at, '\n', n);
    *line_out = (sb_fields){text->at, feed ? feed : text->end};
    text->at = feed ? feed + 1 : text->end;
    return 1;
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

size_t sb_fields_next(sb_fields *line, const char **field_out)
{
    const char *p = line->at;
    while (p < line->end && is_blank(*p)) p++;
    *field_out = p;
    while (p < line->end && !is_blank(*p)) p++;
    line->at = p;
    return (size_t)(p - *field_out);
}

/* By the C library, for what sb_field_number does not do itself. */
static int any_number(const char *text, size_t n, double *out)
{
    enum { NUMBER_MAX = 64 };
    static const char allowed[] = "0123456789+-.eE"; /* no "nan", no "0x" */
    char copy[NUMBER_MAX + 1], *end;
    if (n == 0 || n > NUMBER_MAX) return 0;
    for (size_t i = 0; i < n; i++)
        if (!memchr(allowed, text[i], sizeof allowed - 1)) return 0;
    memcpy(copy, text, n);
    copy[n] = 0;
    *out = strtod(copy, &end);
    return end == copy + n && fabs(*out) <= (double)FLT_MAX;
}

/* [-]digits[.digits] of at most 15 digits: a quotient of two exact doubles is
 * the double nearest to it (Clinger 1990). All else takes the long way. */
int sb_field_number(const char *text, size_t n, double *out)
{
    enum { EXACT = 15 };
    static const double power_of_10[EXACT + 1] = {
        1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
        1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    int negative = n > 0 && text[0] == '-';
    size_t digits = 0, behind = 0, point = 0;
    uint64_t m = 0;
    for (size_t i = (size_t)negative; i < n; i++) {
        unsigned d = (unsigned)(unsigned char)text[i] - '0';
        if (d <= 9 && digits < EXACT) {
            m = m * 10 + d;
            behind += point;
            digits++;
        } else if (text[i] == '.' && !point) {
            point = 1;
        } else {
            return any_number(text, n, out);
        }
    }
    double v = (double)m / power_of_10[behind];
    *out = negative ? -v : v;
    return digits > 0;
}
