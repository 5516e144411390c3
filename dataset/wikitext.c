/* SPDX-License-Identifier: MIT
 * wikitext.c - MediaWiki markup reduced to its text: tags, entities, quotes.
 *
 * What nests is wiki_nest.c's; headings, lists and spaces are wiki_lines.c's,
 * in a second pass. Both passes take time linear in the text: an element's end
 * is looked for at most once per place, since a hidden element (<ref>) ends in
 * front of the next of its kind, or has no end and only its tag is dropped;
 * and once no end of another (<nowiki>, <!--) was found, none is looked for. */
#include "dataset/wikitext.h"

#include <string.h>

#include "dataset/wiki_lines.h"
#include "dataset/wiki_reader.h"
#include "dataset/wiki_words.h"

enum { TAG_BYTES = 2048, COMMENT = SB_TAGS_MAX };

typedef sb_wiki_reader reader;

static const char as_is[] = {SB_WIKI_AS_IS, 0};

/* ---- tags ---------------------------------------------------------------- */

static size_t name_bytes(const reader *r, size_t k)
{
    size_t n = 0;
    for (;; n++) {
        char c = sb_wiki_at(r, k + n);
        int letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        if (!letter && !(n && c >= '0' && c <= '9')) return n;
    }
}

/* p[i..n) is the name of an element's tag and not the start of a longer one. */
static int is_name(const reader *r, size_t i, const char *name, size_t n)
{
    if (r->n - i < n) return 0;
    for (size_t k = 0; k < n; k++)
        if ((r->p[i + k] | 32) != (name[k] | 32)) return 0;
    return i + n == r->n || strchr(" \t\n/>", r->p[i + n]) != NULL;
}

/* The place of the next </name>, n if there is none. With `alone`, the element
 * cannot hold its like: if <name> comes first there is none. */
static size_t find_end(const reader *r, size_t i, const char *name, size_t n,
                       int alone)
{
    const char *lt;
    while (i < r->n && (lt = memchr(r->p + i, '<', r->n - i)) != NULL) {
        i = (size_t)(lt - r->p) + 1;
        if (i < r->n && r->p[i] == '/' && is_name(r, i + 1, name, n))
            return i - 1;
        if (alone && is_name(r, i, name, n)) break;
    }
    return r->n;
}

static sb_status entity(reader *r, const char *guard)
{
    char to[8];
    size_t k = sb_wiki_entity(r->p + r->i, r->n - r->i, to);
    if (!k) return sb_wiki_copy(r, 1);
    r->i += k;
    SB_TRY(sb_wiki_put(r, guard));
    return sb_wiki_put(r, to);
}

/* What stands up to `end` is no markup, but for entities. */
static sb_status literal(reader *r, size_t end)
{
    SB_TRY(sb_wiki_put(r, as_is));
    while (r->i < end) {
        size_t k = 0;
        while (r->i + k < end && !strchr("&\n", sb_wiki_at(r, k))) k++;
        SB_TRY(sb_wiki_copy(r, k));
        if (r->i == end) break;
        if (sb_wiki_at(r, 0) == '&') {
            SB_TRY(entity(r, ""));
        } else {
            SB_TRY(sb_wiki_copy(r, 1));
            SB_TRY(sb_wiki_put(r, as_is));
        }
    }
    return SB_OK;
}

static sb_status comment(reader *r)
{
    r->i += 4;
    const char *from = r->p + r->i, *p = from, *end = r->p + r->n;
    while (!r->endless[COMMENT] && (p = memchr(p, '>', (size_t)(end - p)))) {
        p++;
        if (p - from < 3 || p[-2] != '-' || p[-3] != '-') continue;
        r->i = (size_t)(p - r->p);
        return SB_OK;
    }
    r->endless[COMMENT] = 1;
    return SB_OK;
}

/* The element whose start tag's name is given; r->i is behind the tag. */
static sb_status element(reader *r, sb_wiki_tag tag, unsigned id,
                         const char *name, size_t n)
{
    if (r->endless[id]) return SB_OK;
    size_t end = find_end(r, r->i, name, n, tag == SB_TAG_HIDDEN);
    if (end == r->n) {
        if (tag == SB_TAG_LITERAL) r->endless[id] = 1;
        return SB_OK;
    }
    if (tag == SB_TAG_LITERAL) SB_TRY(literal(r, end));
    r->i = sb_wiki_behind(r, end, '>');
    return SB_OK;
}

/* The bytes of the tag "<..>" whose name ends in front of byte k; 0: it does
 * not end. */
static size_t tag_bytes(const reader *r, size_t k)
{
    for (; k < TAG_BYTES && sb_wiki_at(r, k) && sb_wiki_at(r, k) != '<'; k++)
        if (sb_wiki_at(r, k) == '>') return k + 1;
    return 0;
}

static sb_status open_tag(reader *r)
{
    if (sb_wiki_at(r, 1) == '!' && sb_wiki_at(r, 2) == '-' &&
        sb_wiki_at(r, 3) == '-')
        return comment(r);
    unsigned id = 0;
    size_t ends = sb_wiki_at(r, 1) == '/', n = name_bytes(r, 1 + ends);
    const char *name = r->p + r->i + 1 + ends;
    sb_wiki_tag tag = n ? sb_wiki_tag_of(name, n, &id) : SB_TAG_NONE;
    size_t k = tag == SB_TAG_NONE ? 0 : tag_bytes(r, 1 + ends + n);
    if (!k) return sb_wiki_copy(r, 1);
    int whole = sb_wiki_at(r, k - 2) == '/';
    r->i += k;
    switch (tag) {
    case SB_TAG_BLOCK:
        return sb_wiki_put(r, "\n");
    case SB_TAG_TABLE:
        sb_wiki_html_table(r, ends != 0);
        return SB_OK;
    case SB_TAG_HIDDEN:
    case SB_TAG_LITERAL:
        return ends || whole ? SB_OK : element(r, tag, id, name, n);
    default:
        return SB_OK;
    }
}

/* ---- quotes, words ------------------------------------------------------- */

/* Where bold and italics are both left open on a line, one "'''" is an
 * apostrophe and "''": the first behind a word of one letter (l'''amour''),
 * else behind a longer one (''Enterprise'''s), else any. As MediaWiki's
 * Parser::doQuotes. */
static void count_quotes(reader *r)
{
    size_t bold = 0, italic = 0, found[3] = {r->n, r->n, r->n};
    size_t end = sb_wiki_behind(r, r->i, '\n');
    for (size_t i = r->i; i < end;) {
        size_t k = 0;
        while (i + k < end && r->p[i + k] == '\'') k++;
        if (k == 2 || k >= 5) italic++;
        if (k >= 3) bold++;
        if (k == 3) {
            int apart = i == 0 || r->p[i - 1] == ' ';
            int letter = !apart && (i == 1 || r->p[i - 2] == ' ');
            size_t *f = &found[letter ? 0 : apart ? 2 : 1];
            if (*f == r->n) *f = i;
        }
        i += k ? k : 1;
    }
    r->quotes_end = end;
    r->odd = r->n;
    if (bold % 2 == 0 || italic % 2 == 0) return;
    for (int c = 2; c >= 0; c--)
        if (found[c] != r->n) r->odd = found[c];
}

static sb_status quotes(reader *r)
{
    size_t k = sb_wiki_run(r, '\'', r->n);
    if (k == 1) return sb_wiki_copy(r, 1);
    if (r->i >= r->quotes_end) count_quotes(r);
    size_t text = k == 4 || r->i == r->odd ? 1 : k > 5 ? k - 5 : 0;
    r->i += k - text;
    return sb_wiki_copy(r, text);
}

/* __NOTOC__ and the like. */
static sb_status magic_word(reader *r)
{
    size_t line = sb_wiki_run(r, '_', r->n), k = line;
    while (sb_wiki_at(r, k) >= 'A' && sb_wiki_at(r, k) <= 'Z') k++;
    if (line != 2 || k < 5 || sb_wiki_at(r, k) != '_' ||
        sb_wiki_at(r, k + 1) != '_')
        return sb_wiki_copy(r, line);
    r->i += k + 2;
    return SB_OK;
}

/* ---- the whole ----------------------------------------------------------- */

static sb_status drop_byte(reader *r)
{
    r->i++;
    return SB_OK;
}

static sb_status text_entity(reader *r)
{
    return entity(r, as_is);
}

static sb_status (*const markup_at[256])(reader *) = {
    ['\n'] = sb_wiki_new_line,
    ['&'] = text_entity,
    ['\''] = quotes,
    ['<'] = open_tag,
    ['['] = sb_wiki_open_bracket,
    [']'] = sb_wiki_close_bracket,
    ['_'] = magic_word,
    ['{'] = sb_wiki_open_brace,
    ['|'] = sb_wiki_bar,
    ['}'] = sb_wiki_close_brace,
    [0] = drop_byte,
    [1] = drop_byte,
    ['\r'] = drop_byte,
    [127] = drop_byte,
};

sb_status sb_wikitext(const char *markup, size_t n, sb_buffer *out)
{
    reader r = {.p = markup, .n = n, .out = out, .odd = n};
    out->n = 0;
    while (r.i < n) {
        size_t k = 0;
        while (r.i + k < n && !markup_at[(unsigned char)markup[r.i + k]]) k++;
        SB_TRY(sb_wiki_copy(&r, k));
        if (r.i < n) SB_TRY(markup_at[(unsigned char)markup[r.i]](&r));
    }
    sb_wiki_end(&r);
    if (out->n) out->n = sb_wiki_lines(out->data, out->n);
    return SB_OK;
}
