/* SPDX-License-Identifier: MIT
 * html.h - a page being written in memory. What comes from outside goes in
 * through sb_html_text alone. Local. */
#ifndef SB_LAUNCH_HTML_H
#define SB_LAUNCH_HTML_H

#include <stddef.h>

#include "comm/base/status.h"

/* Zeroed is an empty page. A failure is kept for sb_html_status, and nothing is
 * written after it, so that callers may write without looking. */
typedef struct sb_html {
    char *text; /* free with sb_html_close; NUL-terminated once written to */
    size_t n, cap;
    int figures; /* so far: names of parts of a page are numbered */
    sb_status failed;
} sb_html;

/* Markup, as it is. */
void sb_html_put(sb_html *h, const char *markup);
void sb_html_printf(sb_html *h, const char *fmt, ...) SB_PRINTF(2, 3);
/* Any bytes as text, also inside "": & < > " ' become references, bytes that
 * are not UTF-8 and control characters (but tab and line feed) U+FFFD. */
void sb_html_text(sb_html *h, const char *text);

SB_MUST_USE sb_status sb_html_status(const sb_html *h); /* SB_ENOMEM, ... */
void sb_html_close(sb_html *h);

/* A number for people, of about four digits: 0.03125, 4.653, 15.17M, 3.1e-05.
 */
void sb_number_text(double v, char text[24]);

#endif
