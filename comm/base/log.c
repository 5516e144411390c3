/* SPDX-License-Identifier: MIT
 * log.c - messages and the progress line. */
#include "comm/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comm/base/terminal.h"

static int me;
static sb_log_level limit = SB_LOG_INFO;
static int line_open; /* a progress line without its newline is on screen */

void sb_log_open(int rank, sb_log_level level)
{
    me = rank;
    limit = level;
}

void sb_log_line_end(void)
{
    if (__atomic_exchange_n(&line_open, 0, __ATOMIC_RELAXED))
        fputc('\n', stderr);
}

void sb_log(sb_log_level level, const char *fmt, ...)
{
    static const char *const tag[] = {"error: ", "warning: ", "", "debug: "};
    if (level > limit || (me != 0 && level != SB_LOG_ERROR)) return;
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    for (char *s = text; *s; s++) /* of names, which others chose */
        if ((unsigned char)*s < ' ' || *s == 0x7f) *s = '?';
    sb_log_line_end();
    int warn = level == SB_LOG_WARN && sb_terminal_colours();
    fprintf(stderr, "shardbert: %s%s%s%s\n", warn ? "\033[33m" : "", tag[level],
            warn ? "\033[0m" : "", text);
}

double sb_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

const char *sb_seconds_text(double s)
{
    static _Thread_local char text[2][24];
    static _Thread_local unsigned turn;
    char *t = text[turn++ % 2];
    if (!(s >= 0) || s > 1e9) s = 0;
    long n = (long)(s + 0.5);
    if (n >= 3600)
        snprintf(t, sizeof text[0], "%ldh%02ldm", n / 3600, n / 60 % 60);
    else if (n >= 60)
        snprintf(t, sizeof text[0], "%ldm%02lds", n / 60, n % 60);
    else
        snprintf(t, sizeof text[0], "%lds", n);
    return t;
}

static double interval(void)
{
    if (sb_terminal_columns()) return 0.5;
    const char *v = getenv("SB_PROGRESS_S");
    double s = v ? atof(v) : 10;
    return s > 0 ? s : 10;
}

void sb_progress_begin(sb_progress *p, const char *phase, double first_share)
{
    p->phase = phase;
    p->start = p->shown = sb_now();
    p->first = first_share;
    p->open = me == 0 && limit >= SB_LOG_INFO;
}

int sb_progress_due(const sb_progress *p)
{
    return p->open && sb_now() - p->shown >= interval();
}

static const char line_clear[] = "\r\033[K";

/* One line that the next takes the place of: a bar, and what still fits. */
static void show_bar(const sb_progress *p, double share, const char *eta,
                     const char *text, int columns)
{
    char bar[4 * SB_BAR_MAX + 16] = "", rest[320];
    int wide = (columns - 32) / 5, left = columns - 10; /* behind the phase */
    if (wide > SB_BAR_MAX) wide = SB_BAR_MAX;
    if (wide >= 8) {
        sb_terminal_bar(share, wide, bar);
        left -= wide + 2;
    }
    snprintf(rest, sizeof rest, "%5.1f %%  %-10s  %s", 100 * share, eta, text);
    sb_terminal_cut(rest, left);
    fprintf(stderr, "%s%-8s %s%s%s", line_clear, p->phase, bar,
            *bar ? "  " : "", rest);
    __atomic_store_n(&line_open, 1, __ATOMIC_RELAXED);
}

void sb_progress_show(sb_progress *p, double share, const char *fmt, ...)
{
    if (!sb_progress_due(p)) return;
    char text[200], eta[48];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    double now = sb_now(), done = share - p->first;
    if (done > 0)
        snprintf(eta, sizeof eta, "ETA %s",
                 sb_seconds_text((now - p->start) * (1 - share) / done));
    else
        snprintf(eta, sizeof eta, "ETA -");
    int columns = sb_terminal_columns();
    if (columns)
        show_bar(p, share, eta, text, columns);
    else
        fprintf(stderr, "%-8s %5.1f %%  %s  %s\n", p->phase, 100 * share, text,
                eta);
    fflush(stderr);
    p->shown = now;
}

void sb_progress_end(sb_progress *p, const char *fmt, ...)
{
    if (!p->open) return;
    char text[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "%s%-8s done     %s  in %s\n",
            __atomic_exchange_n(&line_open, 0, __ATOMIC_RELAXED) ? line_clear
                                                                 : "",
            p->phase, text, sb_seconds_text(sb_now() - p->start));
    fflush(stderr);
    p->open = 0;
}
