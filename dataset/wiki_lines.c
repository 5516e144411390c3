/* SPDX-License-Identifier: MIT
 * wiki_lines.c - the lines of an article.
 *
 * Invariant: one pass, in place. A line is never written longer than it was
 * read, so what is written never overtakes what is read. */
#include "dataset/wiki_lines.h"

#include <string.h>

#include "dataset/wiki_words.h"

enum { LEVELS = 6, RULE = 4 };

typedef struct lines {
    char *text;
    size_t n;     /* written */
    size_t leave; /* level of the closing section we are in; 0: none */
    /* Headings at the end of what is written, behind which nothing stands
     * yet; their levels rise. */
    struct {
        size_t at, level;
    } heading[LEVELS];
    size_t headings;
} lines;

/* ---- one line's text ----------------------------------------------------- */

static const unsigned char needs_care[256] = {
    [SB_WIKI_AS_IS] = 1, ['\t'] = 1, [' '] = 1, ['('] = 1,
    [')'] = 1,           [','] = 1,  ['.'] = 1, [';'] = 1,
};

static int is_pause(char c)
{
    return c == ',' || c == ';';
}

/* Behind "( ; " and in front of " ; )" stood something that is gone. Returns
 * the new end of [base..to), which ends in front of a ')'; *done_out: the
 * parentheses were empty and are gone too. */
static char *close_parenthesis(char *base, char *to, int space, int *done_out)
{
    if (space)
        while (to > base && (is_pause(to[-1]) || to[-1] == ' ')) to--;
    *done_out = to > base && to[-1] == '(' && (to - 1 == base || to[-2] == ' ');
    return *done_out ? to - 1 : to;
}

/* to <- from[0..n) with one space where were several, none in front of a comma
 * or full stop, and without empty parentheses. to <= from. Returns its bytes. */
static size_t tidy(const char *from, size_t n, char *base)
{
    const char *end = from + n;
    char *to = base;
    int space = 0, done;
    while (from < end) {
        char c = *from++;
        int care = needs_care[(unsigned char)c];
        if (care && c == SB_WIKI_AS_IS) continue;
        if (care && (c == ' ' || c == '\t')) {
            space = 1;
            continue;
        }
        if (care && c == ')') {
            to = close_parenthesis(base, to, space, &done);
            space = done && to > base;
            if (space) to--;
            if (done) continue;
        } else if (care && c != '(') {
            if (is_pause(c) && to > base && to[-1] == '(') continue;
            if (space && (from == end || *from == ' ' || *from == ')')) {
                space = 0;
                if (is_pause(c) && to > base && is_pause(to[-1])) continue;
            }
        }
        if (space && to > base && to[-1] != '(') *to++ = ' ';
        space = 0;
        *to++ = c;
        while (from < end && !needs_care[(unsigned char)*from]) *to++ = *from++;
    }
    return (size_t)(to - base);
}

/* A letter, a digit, or anything that is not ASCII. */
static int has_word(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80 || (c >= '0' && c <= '9') ||
            ((c | 32) >= 'a' && (c | 32) <= 'z'))
            return 1;
    }
    return 0;
}

/* ---- lines --------------------------------------------------------------- */

/* Write line[0..n) behind the lines that are there; returns its bytes. */
static size_t put_line(lines *l, const char *line, size_t n)
{
    char *to = l->text + l->n + (l->n > 0);
    size_t k = tidy(line, n, to);
    if (!has_word(to, k)) return 0;
    if (l->n) to[-1] = '\n';
    l->n += k + (l->n > 0);
    return k;
}

/* A heading is kept only if something comes before the next of its level. */
static void put_heading(lines *l, const char *line, size_t n, size_t level)
{
    if (l->leave && level > l->leave) return;
    l->leave = 0;
    while (l->headings && l->heading[l->headings - 1].level >= level)
        l->n = l->heading[--l->headings].at;
    size_t at = l->n, k = put_line(l, line, n);
    if (!k) return;
    if (sb_wiki_is_closing(l->text + l->n - k, k)) {
        l->n = at;
        l->leave = level;
        return;
    }
    l->heading[l->headings].at = at;
    l->heading[l->headings++].level = level;
}

/* The level of a heading "== text ==", 0 if it is none. */
static size_t heading_level(const char *line, size_t n)
{
    size_t left = 0, right = 0;
    while (left < n && line[left] == '=') left++;
    while (right < n && line[n - 1 - right] == '=') right++;
    size_t level = left < right ? left : right;
    if (left == n) return 0;
    return level < LEVELS ? level : LEVELS;
}

static void take_line(lines *l, const char *line, size_t n)
{
    while (n && (*line == ' ' || *line == '\t')) line++, n--;
    while (n && (line[n - 1] == ' ' || line[n - 1] == '\t')) n--;
    /* '|': a row or an argument of what was never closed */
    if (!n || *line == '|') return;
    size_t level = *line == '=' ? heading_level(line, n) : 0;
    if (level) {
        put_heading(l, line + level, n - 2 * level, level);
        return;
    }
    if (l->leave) return;
    size_t dashes = 0;
    while (dashes < n && line[dashes] == '-') dashes++;
    if (dashes >= RULE) line += dashes, n -= dashes;
    while (n && strchr("*#:; ", *line)) line++, n--;
    if (put_line(l, line, n)) l->headings = 0;
}

size_t sb_wiki_lines(char *text, size_t n)
{
    lines l = {.text = text};
    for (size_t i = 0; i < n;) {
        const char *end = memchr(text + i, '\n', n - i);
        size_t k = end ? (size_t)(end - text) - i : n - i;
        take_line(&l, text + i, k);
        i += k + 1;
    }
    return l.headings ? l.heading[0].at : l.n;
}
