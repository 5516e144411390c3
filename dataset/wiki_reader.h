/* SPDX-License-Identifier: MIT
 * wiki_reader.h - the state in which wikitext is read. Private to
 * dataset/wikitext.c (text) and wiki_nest.c (what nests in it).
 *
 * Text goes to the output as it is read; what is open (a template, a link, a
 * table) remembers where the output was when it began, and goes back there
 * when it closes and is to be dropped. So each byte is looked at a bounded
 * number of times, whatever is nested in what.
 *
 * What never closes must not take the article with it:
 *   - at most SB_WIKI_DEPTH things are open; the marks of more are dropped,
 *     their content stays;
 *   - a blank line ends links, a line's end [url text], and a heading all that
 *     is open, as does the end. Marks are dropped and content stays, but for
 *     lines that begin with '|' (rows, arguments) and what a file's link holds;
 *   - }} does not reach through a table, ]] not through a template or table,
 *     |} at the start of a line closes a table whatever is open in it. */
#ifndef SB_DATASET_WIKI_READER_H
#define SB_DATASET_WIKI_READER_H

#include <string.h>

#include "dataset/text.h"
#include "dataset/wiki_words.h"

enum { SB_WIKI_DEPTH = 64 };

typedef enum sb_wiki_kind {
    SB_OPEN_TEMPLATE,
    SB_OPEN_TABLE,
    SB_OPEN_HTML_TABLE,
    SB_OPEN_LINK,
    SB_OPEN_FILE, /* or a category, a language */
    SB_OPEN_URL
} sb_wiki_kind;

typedef struct sb_wiki_piece {
    sb_wiki_kind kind;
    int piped;   /* LINK: its '|' was seen */
    int named;   /* LINK: hidden without a text of its own */
    size_t mark; /* output when it began */
    /* TEMPLATE */
    const sb_wiki_template *how; /* NULL: dropped */
    size_t braces;               /* not yet closed */
    unsigned arg, mask;
    int wanted;  /* the argument that is being read */
    size_t from; /* output when it began */
} sb_wiki_piece;

typedef struct sb_wiki_reader {
    const char *p;
    size_t i, n; /* unread: p[i..n) */
    sb_buffer *out;
    sb_wiki_piece open[SB_WIKI_DEPTH];
    size_t n_open;
    /* No end of this element stands behind i (the last: no "-->"). */
    unsigned char endless[SB_TAGS_MAX + 1];
    /* Quotes are counted up to here; the "'''" at `odd` is an apostrophe. */
    size_t quotes_end, odd;
} sb_wiki_reader;

/* ---- reading and writing ------------------------------------------------- */

/* The byte k behind the next, 0 behind the end. */
static inline char sb_wiki_at(const sb_wiki_reader *r, size_t k)
{
    return k < r->n - r->i ? r->p[r->i + k] : 0;
}

/* How often c comes next, at most `most` times. */
static inline size_t sb_wiki_run(const sb_wiki_reader *r, char c, size_t most)
{
    size_t k = 0;
    while (k < most && sb_wiki_at(r, k) == c) k++;
    return k;
}

/* The place behind the next c from i on, n if there is none. */
static inline size_t sb_wiki_behind(const sb_wiki_reader *r, size_t i, char c)
{
    const char *end = i < r->n ? memchr(r->p + i, c, r->n - i) : NULL;
    return end ? (size_t)(end - r->p) + 1 : r->n;
}

SB_MUST_USE static inline sb_status sb_wiki_put(sb_wiki_reader *r,
                                                const char *text)
{
    return sb_buffer_add(r->out, text, strlen(text));
}

SB_MUST_USE static inline sb_status sb_wiki_copy(sb_wiki_reader *r, size_t k)
{
    size_t from = r->i;
    r->i += k;
    return sb_buffer_add(r->out, r->p + from, k);
}

/* ---- what nests (wiki_nest.c) -------------------------------------------- */

/* Each takes what stands at i, which it is named for, and goes behind it. */
SB_MUST_USE sb_status sb_wiki_open_brace(sb_wiki_reader *r);    /* { */
SB_MUST_USE sb_status sb_wiki_close_brace(sb_wiki_reader *r);   /* } */
SB_MUST_USE sb_status sb_wiki_open_bracket(sb_wiki_reader *r);  /* [ */
SB_MUST_USE sb_status sb_wiki_close_bracket(sb_wiki_reader *r); /* ] */
SB_MUST_USE sb_status sb_wiki_bar(sb_wiki_reader *r);           /* | */
SB_MUST_USE sb_status sb_wiki_new_line(sb_wiki_reader *r);
/* The tags <table> and </table>; i is behind them already. */
void sb_wiki_html_table(sb_wiki_reader *r, int is_end);
/* The text ends. */
void sb_wiki_end(sb_wiki_reader *r);

#endif
