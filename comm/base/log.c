/* SPDX-License-Identifier: MIT
 * log.c - messages and the progress line. */
#include "comm/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int me;
static sb_log_level limit = SB_LOG_INFO;
static int line_open; /* a progress line without its newline is on screen */

void sb_log_open(int rank, sb_log_level level)
{
    me = rank;
    limit = level;
}

static void line_close(void)
{
    if (line_open) fputc('\n', stderr);
    line_open = 0;
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
    line_close();
    fprintf(stderr, "shardbert: %s%s\n", tag[level], text);
}

double sb_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

const char *sb_seconds_text(double s)
{
    static char text[2][24];
    static unsigned turn;
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
    if (isatty(STDERR_FILENO)) return 0.5;
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

static void show(const char *phase, const char *share, const char *text,
                 const char *time)
{
    int tty = isatty(STDERR_FILENO);
    fprintf(stderr, "%s%-8s %s  %s  %s%s", tty ? "\r\033[K" : "", phase, share,
            text, time, tty ? "" : "\n");
    line_open = tty;
    fflush(stderr);
}

void sb_progress_show(sb_progress *p, double share, const char *fmt, ...)
{
    if (!sb_progress_due(p)) return;
    char text[200], percent[16], eta[48];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    double now = sb_now(), done = share - p->first;
    snprintf(percent, sizeof percent, "%5.1f %%", 100 * share);
    if (done > 0)
        snprintf(eta, sizeof eta, "ETA %s",
                 sb_seconds_text((now - p->start) * (1 - share) / done));
    else
        snprintf(eta, sizeof eta, "ETA -");
    show(p->phase, percent, text, eta);
    p->shown = now;
}

void sb_progress_end(sb_progress *p, const char *fmt, ...)
{
    if (!p->open) return;
    char text[200], took[48];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(took, sizeof took, "in %s", sb_seconds_text(sb_now() - p->start));
    show(p->phase, "done   ", text, took);
    line_close();
    p->open = 0;
}
