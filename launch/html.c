/* SPDX-License-Identifier: MIT
 * html.c - markup, text, and numbers. */
#include "launch/html.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "dataset/text.h"

static void put(sb_html *h, const char *bytes, size_t n)
{
    if (h->failed != SB_OK) return;
    h->failed = sb_grow(&h->text, &h->cap, h->n + n + 1, 1, "a page");
    if (h->failed != SB_OK) return;
    memcpy(h->text + h->n, bytes, n);
    h->n += n;
    h->text[h->n] = 0;
}

void sb_html_put(sb_html *h, const char *markup)
{
    put(h, markup, strlen(markup));
}

void sb_html_printf(sb_html *h, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof text)
        h->failed = sb_fail(SB_EBUG, __FILE__, __LINE__, "markup is too long");
    else
        put(h, text, (size_t)n);
}

/* What stands for byte c of valid UTF-8; NULL: itself. */
static const char *reference(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\t':
    case '\n':
        return NULL;
    default:
        return (unsigned char)c < ' ' || c == 127 ? "\ufffd" : NULL;
    }
}

void sb_html_text(sb_html *h, const char *text)
{
    size_t left = strlen(text), valid = 0, same = 0;
    while (left) {
        if (!valid) valid = sb_utf8_valid(text, left);
        const char *instead = valid ? reference(text[same]) : "\ufffd";
        if (!instead && same + 1 < valid) {
            same++;
            continue;
        }
        /* `same` bytes as they are, and what ends them */
        put(h, text, same + (instead == NULL));
        if (instead) sb_html_put(h, instead);
        text += same + 1;
        left -= same + 1;
        valid -= valid ? same + 1 : 0;
        same = 0;
    }
}

sb_status sb_html_status(const sb_html *h)
{
    return h->failed;
}

void sb_html_close(sb_html *h)
{
    free(h->text);
    memset(h, 0, sizeof *h);
}

void sb_number_text(double v, char text[24])
{
    static const char unit[] = "kMGTPE";
    double a = fabs(v);
    if (a >= 9999.5 && a < 9.995e20) {
        int k = -1;
        for (; a >= 999.95; k++) {
            a /= 1000;
            v /= 1000;
        }
        snprintf(text, 24, "%.*f%c",
                 a < 9.995   ? 2
                 : a < 99.95 ? 1
                             : 0,
                 v, unit[k]);
    } else
        snprintf(text, 24, a > 0 && a < 1e-3 ? "%.2e" : "%.4g", v);
}
