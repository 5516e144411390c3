/* SPDX-License-Identifier: MIT
 * status.c - the per-thread error record. */
#include "comm/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local sb_error last = {.code = SB_OK, .rank = -1};

static void clean(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f) *s = '?';
}

sb_status sb_fail(sb_status code, const char *file, int line, const char *fmt,
                  ...)
{
    /* Format first: an argument may point into the record being replaced. */
    char text[SB_ERROR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    clean(text);

    size_t n = strlen(file);
    size_t skip = n >= sizeof last.file ? n - sizeof last.file + 1 : 0;
    memset(&last, 0, sizeof last);
    last.code = code;
    last.rank = -1;
    last.line = line;
    memcpy(last.file, file + skip, n - skip + 1);
    memcpy(last.text, text, sizeof text);
    return code;
}

sb_status sb_hint(const char *fmt, ...)
{
    char hint[SB_ERROR_HINT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(hint, sizeof hint, fmt, ap);
    va_end(ap);
    clean(hint);
    memcpy(last.hint, hint, sizeof hint);
    return last.code;
}

const sb_error *sb_error_last(void)
{
    return &last;
}

sb_status sb_error_set(const sb_error *from)
{
    if (from != &last) last = *from;
    return last.code;
}

static const struct {
    const char *name;
    int exit;
} facts[] = {
    [SB_OK] = {"ok", 0},          [SB_EINVAL] = {"option", 2},
    [SB_EIO] = {"i/o", 3},        [SB_ENOENT] = {"not found", 3},
    [SB_EFORMAT] = {"format", 3}, [SB_EVERSION] = {"format version", 3},
    [SB_ENOMEM] = {"memory", 4},  [SB_ELIMIT] = {"limit", 4},
    [SB_ENAN] = {"numeric", 5},   [SB_EMPI] = {"mpi", 6},
    [SB_ESTOP] = {"stopped", 75}, [SB_EBUG] = {"bug", 1},
};

const char *sb_status_name(sb_status s)
{
    return (size_t)s < sizeof facts / sizeof facts[0] ? facts[s].name : "bug";
}

int sb_status_exit(sb_status s)
{
    return (size_t)s < sizeof facts / sizeof facts[0] ? facts[s].exit : 1;
}
