/* SPDX-License-Identifier: MIT
 * wiki_nest.c - what nests in wikitext: templates, tables, links. What is kept
 * of them, and what becomes of those that never close, is said in
 * dataset/wiki_reader.h. */
#include "dataset/wiki_reader.h"

#include <string.h>

#include "dataset/wiki_words.h"

enum { TRICK_BYTES = 256, PREFIX_BYTES = 16, NAME_BYTES = 32 };

typedef sb_wiki_reader reader;
typedef sb_wiki_piece piece;

/* ---- what is open -------------------------------------------------------- */

static piece *top(reader *r)
{
    return r->n_open ? &r->open[r->n_open - 1] : NULL;
}

static int top_is(reader *r, sb_wiki_kind kind)
{
    return r->n_open && top(r)->kind == kind;
}

static piece *push(reader *r, sb_wiki_kind kind)
{
    if (r->n_open == SB_WIKI_DEPTH) return NULL;
    piece *t = &r->open[r->n_open++];
    *t = (piece){.kind = kind, .mark = r->out->n};
    return t;
}

/* Close open[j] and all in it; its content goes. */
static void drop_from(reader *r, size_t j)
{
    r->out->n = r->open[j].mark;
    r->n_open = j;
}

/* A table's end closes what is open in it, too. */
static int close_table(reader *r, sb_wiki_kind kind)
{
    size_t j = r->n_open;
    while (j && r->open[j - 1].kind != kind) j--;
    if (j) drop_from(r, j - 1);
    return j > 0;
}

/* Forget what is open down to open[j]; its content stays. */
static void give_up(reader *r, size_t j)
{
    while (r->n_open > j) {
        piece *t = &r->open[--r->n_open];
        if (t->kind == SB_OPEN_FILE) r->out->n = t->mark;
    }
}

static int is_link(sb_wiki_kind kind)
{
    return kind == SB_OPEN_LINK || kind == SB_OPEN_FILE || kind == SB_OPEN_URL;
}

/* open[j] has the links above it: the topmost that is none; -1: none. */
static int below_links(const reader *r)
{
    int j = (int)r->n_open - 1;
    while (j >= 0 && is_link(r->open[j].kind)) j--;
    return j;
}

/* Has the line nothing yet but white space and a list's prefix? A longer one
 * than this is no prefix. */
static int at_line_start(const reader *r, const char *prefix)
{
    size_t n = r->out->n;
    for (int k = 0; k < PREFIX_BYTES; k++, n--) {
        if (!n || r->out->data[n - 1] == '\n') return 1;
        if (!strchr(prefix, r->out->data[n - 1])) return 0;
    }
    return 0;
}

/* ---- templates ----------------------------------------------------------- */

sb_status sb_wiki_open_brace(reader *r)
{
    size_t k = sb_wiki_run(r, '{', r->n);
    if (k == 1 && sb_wiki_at(r, 1) == '|' && at_line_start(r, " \t:*#;")) {
        r->i += 2;
        (void)push(r, SB_OPEN_TABLE);
        return sb_wiki_put(r, "|"); /* its attributes are a row's */
    }
    if (k == 1) return sb_wiki_copy(r, 1);
    r->i += k;
    piece *t = push(r, SB_OPEN_TEMPLATE);
    if (!t) return SB_OK;
    t->braces = k;
    t->how = sb_wiki_template_of(r->p + r->i, r->n - r->i);
    if (t->how) {
        t->mask = t->how->mask;
        SB_TRY(sb_wiki_put(r, t->how->before));
    }
    t->from = r->out->n;
    return SB_OK;
}

/* {{convert|5|km}}, {{convert|5|to|10|km}}: argument 2 or 4 is the unit. */
static sb_status end_unit(reader *r, piece *t)
{
    const char *unit = r->out->data + t->from;
    size_t n = r->out->n - t->from;
    while (n && *unit == ' ') unit++, n--;
    if (t->arg == 2 && sb_wiki_is_range(unit, n)) t->mask |= 3u << 3;
    const char *name = sb_wiki_unit(unit, n);
    if (!name) return SB_OK;
    r->out->n = t->from;
    SB_TRY(sb_wiki_put(r, " "));
    return sb_wiki_put(r, name);
}

static sb_status end_argument(reader *r, piece *t)
{
    if (!t->wanted) {
        r->out->n = t->from;
        return SB_OK;
    }
    while (r->out->n > t->from && strchr(" \n", r->out->data[r->out->n - 1]))
        r->out->n--;
    if (t->how->args == SB_UNIT_ARGS && t->arg % 2 == 0) SB_TRY(end_unit(r, t));
    return SB_OK;
}

/* "name=" at the start of an argument: its bytes, and the number it is or 0.
 * 0 bytes: a positional argument. */
static size_t argument_name(const reader *r, unsigned *number_out)
{
    size_t k = 0;
    *number_out = 0;
    while (k < NAME_BYTES && sb_wiki_at(r, k) &&
           !strchr("=|{}[]<&\n\"'", sb_wiki_at(r, k)))
        k++;
    if (sb_wiki_at(r, k) != '=') return 0;
    char c = sb_wiki_at(r, 0);
    if (c >= '1' && c <= '9' && k == 1) *number_out = (unsigned)(c - '0');
    if (k == 4 && !memcmp(r->p + r->i, "text", 4)) *number_out = 1;
    return k + 1;
}

/* At a '|' of a template whose text is kept. */
static sb_status next_argument(reader *r, piece *t)
{
    unsigned number;
    SB_TRY(end_argument(r, t));
    int any = t->arg > 0 && r->out->n > t->mark;
    r->i++;
    while (sb_wiki_at(r, 0) == ' ' || sb_wiki_at(r, 0) == '\n') r->i++;
    size_t name = argument_name(r, &number);
    r->i += name;
    if (!name) number = t->arg + 1;
    if (number) t->arg = number;
    t->wanted = number && number < 16 && (t->mask >> number & 1);
    if (!name && t->how->args == SB_LAST_ARG && t->arg > 1) {
        r->out->n = t->mark;
        t->wanted = 1;
    }
    t->from = r->out->n;
    return t->wanted && any ? sb_wiki_put(r, t->how->between) : SB_OK;
}

sb_status sb_wiki_close_brace(reader *r)
{
    size_t k = sb_wiki_run(r, '}', 3);
    if (k == 1) return sb_wiki_copy(r, 1);
    int j = below_links(r);
    if (j < 0 || r->open[j].kind != SB_OPEN_TEMPLATE) {
        r->i += k;
        return SB_OK;
    }
    piece *t = &r->open[j];
    r->n_open = (size_t)j + 1;
    size_t most = t->braces < 3 ? t->braces : 3; /* {{{parameter}}} */
    if (k > most) k = most;
    r->i += k;
    t->braces -= k;
    if (!t->how || k == 3)
        r->out->n = t->mark;
    else
        SB_TRY(end_argument(r, t));
    t->how = NULL; /* {{{{a}} b}}: what has a computed name is dropped */
    if (t->braces < 2) r->n_open--;
    return SB_OK;
}

/* ---- links --------------------------------------------------------------- */

sb_status sb_wiki_open_bracket(reader *r)
{
    int two = sb_wiki_at(r, 1) == '[';
    size_t k = two ? 2 : 1;
    if (sb_wiki_is_url(r->p + r->i + k, r->n - r->i - k)) {
        if (two) SB_TRY(sb_wiki_put(r, "["));
        r->i += k;
        while (r->i < r->n && !strchr(" \t\n]<[{|", sb_wiki_at(r, 0))) r->i++;
        while (sb_wiki_at(r, 0) == ' ') r->i++;
        (void)push(r, SB_OPEN_URL);
        return SB_OK;
    }
    if (!two) return sb_wiki_copy(r, 1);
    r->i += 2;
    while (sb_wiki_at(r, 0) == ' ') r->i++;
    sb_wiki_link link = sb_wiki_link_of(r->p + r->i, r->n - r->i);
    piece *t = push(r, link == SB_LINK_HIDDEN ? SB_OPEN_FILE : SB_OPEN_LINK);
    if (t) t->named = link == SB_LINK_NAMED;
    if (sb_wiki_at(r, 0) == ':' || sb_wiki_at(r, 0) == '#') r->i++;
    return SB_OK;
}

/* [[Help:Pipe trick (wiki)|]] shows "Pipe trick". */
static void pipe_trick(reader *r, size_t mark)
{
    char *text = r->out->data + mark;
    size_t n = r->out->n - mark;
    if (!n || n > TRICK_BYTES) return; /* keeps deep nesting linear */
    char *colon = memchr(text, ':', n);
    if (colon) {
        n -= (size_t)(colon + 1 - text);
        memmove(text, colon + 1, n);
    }
    size_t end = n;
    char *comma = memchr(text, ',', n);
    if (n && text[n - 1] == ')') {
        while (end && text[end - 1] != '(') end--;
        if (end) end--;
    } else if (comma) {
        end = (size_t)(comma - text);
    }
    while (end && text[end - 1] == ' ') end--;
    r->out->n = mark + (end ? end : n);
}

sb_status sb_wiki_bar(reader *r)
{
    piece *t = top(r);
    /* "|}}" may be a template's; "|}}}" right in a table is not */
    if (sb_wiki_at(r, 1) == '}' &&
        (sb_wiki_at(r, 2) != '}' || top_is(r, SB_OPEN_TABLE)) &&
        at_line_start(r, " \t:") && close_table(r, SB_OPEN_TABLE)) {
        r->i += 2;
        return SB_OK;
    }
    if (t && t->kind == SB_OPEN_TEMPLATE && t->how) return next_argument(r, t);
    if (!t || t->kind != SB_OPEN_LINK || t->piped) return sb_wiki_copy(r, 1);
    t->piped = 1;
    r->i++;
    if (sb_wiki_at(r, 0) == ']' && sb_wiki_at(r, 1) == ']')
        pipe_trick(r, t->mark);
    else
        r->out->n = t->mark;
    return SB_OK;
}

sb_status sb_wiki_close_bracket(reader *r)
{
    if (top_is(r, SB_OPEN_URL)) {
        r->n_open--;
        r->i++;
        return SB_OK;
    }
    if (sb_wiki_at(r, 1) != ']') return sb_wiki_copy(r, 1);
    piece *t = top(r);
    r->i += 2;
    if (!t || !is_link(t->kind)) return SB_OK;
    r->n_open--;
    if (t->kind == SB_OPEN_FILE || (t->named && !t->piped)) r->out->n = t->mark;
    return SB_OK;
}

/* ---- lines, and tables of HTML ------------------------------------------- */

/* At the first byte of a line. */
static sb_status start_line(reader *r)
{
    size_t k = 0;
    if (!r->n_open) return SB_OK;
    if (top_is(r, SB_OPEN_TABLE) && sb_wiki_at(r, 0) == '!') {
        r->i++; /* a row like any other, should the table never end */
        return sb_wiki_put(r, "|");
    }
    while (sb_wiki_at(r, k) == ' ') k++;
    if (!sb_wiki_at(r, k) || sb_wiki_at(r, k) == '\n')
        give_up(r, (size_t)(below_links(r) + 1));
    if (sb_wiki_at(r, 0) != '=' || sb_wiki_at(r, 1) != '=') return SB_OK;
    size_t end = sb_wiki_behind(r, r->i, '\n') - r->i;
    while (end && strchr(" \t\r\n", sb_wiki_at(r, end - 1))) end--;
    if (end < 3 || sb_wiki_at(r, end - 1) != '=') return SB_OK;
    give_up(r, 0);
    return sb_wiki_put(r, "\n");
}

sb_status sb_wiki_new_line(reader *r)
{
    if (top_is(r, SB_OPEN_URL)) r->n_open--;
    SB_TRY(sb_wiki_copy(r, 1));
    return start_line(r);
}

void sb_wiki_html_table(reader *r, int is_end)
{
    if (is_end)
        (void)close_table(r, SB_OPEN_HTML_TABLE);
    else
        (void)push(r, SB_OPEN_HTML_TABLE);
}

void sb_wiki_end(reader *r)
{
    give_up(r, 0);
}
