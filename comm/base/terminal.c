/* SPDX-License-Identifier: MIT
 * terminal.c - what a terminal on standard error can show. */
#include "comm/base/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { USUAL = 80, MOST = 1000 };

static int asked(void)
{
    struct winsize w;
    if (!isatty(STDERR_FILENO)) return 0;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0)
        return USUAL;
    return w.ws_col;
}

int sb_terminal_columns(void)
{
    const char *told = getenv("SB_TERMINAL"), *kind = getenv("TERM");
    if (kind && strcmp(kind, "dumb") == 0) return 0;
    long columns = told && *told ? strtol(told, NULL, 10) : asked();
    return columns < 0 ? 0 : columns > MOST ? MOST : (int)columns;
}

int sb_terminal_colours(void)
{
    const char *no = getenv("NO_COLOR");
    return !(no && *no) && sb_terminal_columns() > 0;
}

static int has_utf8(void)
{
    static const char *const name[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; i++) {
        const char *v = getenv(name[i]);
        if (!v || !*v) continue;
        const char *dot = strchr(v, '.');
        return dot && (strncasecmp(dot, ".utf-8", 6) == 0 ||
                       strncasecmp(dot, ".utf8", 5) == 0);
    }
    return 0;
}

void sb_terminal_bar(double share, int columns, char bar[4 * SB_BAR_MAX + 16])
{
    int utf8 = has_utf8(), colours = sb_terminal_colours();
    const char *full = utf8 ? "\u2501" : "#";
    const char *rest = utf8 ? colours ? "\u2501" : "\u2500" : "-";
    if (columns > SB_BAR_MAX) columns = SB_BAR_MAX;
    int done = share >= 1 ? columns : share > 0 ? (int)(share * columns) : 0;
    char *p = bar;
    p += sprintf(p, "%s", colours ? "\033[32m" : "");
    for (int i = 0; i < columns; i++) {
        if (i == done && colours) p += sprintf(p, "\033[2m");
        p += sprintf(p, "%s", i < done ? full : rest);
    }
    sprintf(p, "%s", colours ? "\033[0m" : "");
}

void sb_terminal_cut(char *text, int columns)
{
    for (; *text; text++)
        if (((unsigned char)*text & 0xc0) != 0x80 && columns-- <= 0) break;
    *text = 0;
}
