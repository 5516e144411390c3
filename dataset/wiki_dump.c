/* SPDX-License-Identifier: MIT
 * wiki_dump.c - the articles of a MediaWiki XML export.
 *
 * expat pushes, we are pulled: it is suspended behind every </page> and goes
 * on at the next call. Of a page with several revisions (a full history, old
 * ones first) the last one's text counts.
 *
 * Memory is bounded: a page's text by PAGE_MAX, its title by TITLE_MAX, what
 * expat must hold in one piece (a tag, a comment) by TOKEN_MAX, depth by
 * DEPTH_MAX. There are no entities but XML's own five, as there is no DTD. */
#include "dataset/wiki_dump.h"

#include <expat.h>
#include <limits.h>
#include <string.h>

#include "comm/base/mem.h"
#include "dataset/text.h"
#include "dataset/wikitext.h"

enum {
    CHUNK = 64 << 10,
    PAGE_MAX = 16 << 20, /* SB_DOCUMENT_MAX */
    TITLE_MAX = 4096,
    TOKEN_MAX = 1 << 20,
    DEPTH_MAX = 64
};

/* The text of an element: its first `most` bytes. */
typedef struct field {
    sb_buffer text;
    size_t most;
    int is_there, is_longer;
} field;

struct sb_wiki_dump {
    sb_stream *stream;
    const char *path;
    XML_Parser parser;
    sb_status failed; /* what a handler met */
    size_t head;      /* bytes in the parser's buffer already */
    uint64_t given;   /* bytes given to the parser */
    int suspended;    /* behind a page */
    int depth;        /* open elements */
    int in_page, in_revision, is_redirect;
    uint64_t offset; /* of the page */
    field title, space, text;
    field *into; /* what character data belongs to */
    int into_depth;
    sb_buffer body, document;
};

/* ---- what expat reports -------------------------------------------------- */

static void stop(sb_wiki_dump *d, sb_status st)
{
    d->failed = st;
    (void)XML_StopParser(d->parser, XML_FALSE);
}

static sb_status malformed(const sb_wiki_dump *d, const char *why)
{
    SB_FAIL(SB_EFORMAT, "'%s', line %lu: %s", d->path,
            (unsigned long)XML_GetCurrentLineNumber(d->parser), why);
}

static void start_field(sb_wiki_dump *d, field *f)
{
    f->text.n = 0;
    f->is_there = 1;
    f->is_longer = 0;
    d->into = f;
    d->into_depth = d->depth;
}

static void start_page(sb_wiki_dump *d)
{
    d->in_page = 1;
    d->is_redirect = d->in_revision = 0;
    d->offset = (uint64_t)XML_GetCurrentByteIndex(d->parser);
    field *const all[] = {&d->title, &d->space, &d->text};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        all[i]->text.n = 0;
        all[i]->is_there = all[i]->is_longer = 0;
    }
}

static void in_page(sb_wiki_dump *d, const char *name)
{
    if (d->depth == 3) {
        if (!strcmp(name, "title")) start_field(d, &d->title);
        if (!strcmp(name, "ns")) start_field(d, &d->space);
        if (!strcmp(name, "redirect")) d->is_redirect = 1;
        d->in_revision = !strcmp(name, "revision");
    } else if (d->depth == 4 && d->in_revision && !strcmp(name, "text")) {
        start_field(d, &d->text);
    }
}

static void XMLCALL on_start(void *data, const char *name, const char **unused)
{
    sb_wiki_dump *d = data;
    (void)unused;
    if (d->failed != SB_OK) return;
    if (++d->depth > DEPTH_MAX)
        stop(d, malformed(d, "elements are nested too deep"));
    else if (d->depth == 1 && strcmp(name, "mediawiki") != 0)
        stop(d, malformed(d, "not a MediaWiki export (no <mediawiki>)"));
    else if (d->depth == 2 && !strcmp(name, "page"))
        start_page(d);
    else if (d->in_page)
        in_page(d, name);
}

static void XMLCALL on_end(void *data, const char *name)
{
    sb_wiki_dump *d = data;
    (void)name;
    if (d->failed != SB_OK) return;
    if (d->into && d->depth == d->into_depth) d->into = NULL;
    if (--d->depth > 1 || !d->in_page) return;
    d->in_page = 0;
    d->suspended = 1;
    (void)XML_StopParser(d->parser, XML_TRUE);
}

static void XMLCALL on_text(void *data, const char *text, int n)
{
    sb_wiki_dump *d = data;
    field *f = d->into;
    if (d->failed != SB_OK || !f || d->depth != d->into_depth) return;
    size_t k = (size_t)n, room = f->most - f->text.n;
    if (k > room) {
        f->is_longer = 1;
        k = room;
    }
    sb_status st = sb_buffer_add(&f->text, text, k);
    if (st != SB_OK) stop(d, st);
}

static void XMLCALL on_doctype(void *data, const char *name, const char *system,
                               const char *public, int has_internal)
{
    sb_wiki_dump *d = data;
    (void)name, (void)system, (void)public, (void)has_internal;
    stop(d, malformed(d, "declares a DOCTYPE, which no export does"));
}

/* ---- opening ------------------------------------------------------------- */

static sb_status start(sb_wiki_dump *d, const char *head, size_t n)
{
    d->parser = XML_ParserCreate(NULL);
    SB_REQUIRE(d->parser, SB_ENOMEM, "out of memory: XML parser");
    XML_SetUserData(d->parser, d);
    XML_SetElementHandler(d->parser, on_start, on_end);
    XML_SetCharacterDataHandler(d->parser, on_text);
    XML_SetStartDoctypeDeclHandler(d->parser, on_doctype);
    d->title.most = TITLE_MAX;
    d->space.most = TITLE_MAX;
    d->text.most = PAGE_MAX;
    if (!n) return SB_OK;
    SB_REQUIRE(n <= INT_MAX, SB_EINVAL, "a head of %zu bytes", n);
    void *to = XML_GetBuffer(d->parser, (int)n);
    SB_REQUIRE(to, SB_ENOMEM, "out of memory: XML buffer");
    memcpy(to, head, n);
    d->head = n;
    return SB_OK;
}

sb_status sb_wiki_dump_open(sb_stream *stream, const char *path,
                            const char *head, size_t head_n,
                            sb_wiki_dump **dump_out)
{
    sb_wiki_dump *d;
    SB_TRY(sb_alloc(1, sizeof *d, "dump", &d));
    d->stream = stream;
    d->path = path;
    sb_status st = start(d, head, head_n);
    if (st == SB_OK)
        *dump_out = d;
    else
        sb_wiki_dump_close(d);
    return st;
}

void sb_wiki_dump_close(sb_wiki_dump *d)
{
    if (!d) return;
    if (d->parser) XML_ParserFree(d->parser);
    sb_free(d->title.text.data);
    sb_free(d->space.text.data);
    sb_free(d->text.text.data);
    sb_free(d->body.data);
    sb_free(d->document.data);
    sb_free(d);
}

/* ---- a page's record ----------------------------------------------------- */

static void trim(sb_buffer *b)
{
    size_t from = 0;
    while (b->n && !sb_is_ink(b->data[b->n - 1])) b->n--;
    while (from < b->n && !sb_is_ink(b->data[from])) from++;
    b->n -= from;
    if (from) memmove(b->data, b->data + from, b->n);
}

/* "#REDIRECT [[..]]": exports before 2009 have no <redirect/>. */
static int is_redirect(const sb_buffer *text)
{
    static const char word[] = "#redirect";
    size_t i = 0, k = 0;
    while (i < text->n && !sb_is_ink(text->data[i])) i++;
    for (; k < sizeof word - 1 && i + k < text->n; k++) {
        char c = text->data[i + k];
        if (c >= 'A' && c <= 'Z') c = (char)(c + 32);
        if (c != word[k]) return 0;
    }
    return k == sizeof word - 1;
}

/* Why the page is no document, NULL if it may be one. */
static const char *why_not(sb_wiki_dump *d, sb_verdict *verdict_out)
{
    trim(&d->title.text);
    trim(&d->space.text);
    *verdict_out = SB_SKIPPED;
    /* exports before version 0.6 have no <ns> */
    if (d->space.is_there &&
        (d->space.text.n != 1 || d->space.text.data[0] != '0'))
        return "not an article";
    if (d->is_redirect || is_redirect(&d->text.text)) return "a redirect";
    *verdict_out = SB_BAD;
    if (!d->title.text.n) return "no title";
    if (d->title.is_longer) return "a title longer than 4 KiB";
    if (!d->text.is_there) return "no text";
    if (d->text.is_longer) return "longer than 16 MiB";
    return NULL;
}

static sb_status make_record(sb_wiki_dump *d, sb_record *record_out)
{
    sb_record r = {.offset = d->offset};
    r.why = why_not(d, &r.verdict);
    if (!r.why) {
        SB_TRY(sb_wikitext(d->text.text.data, d->text.text.n, &d->body));
        if (!d->body.n) {
            r.verdict = SB_SKIPPED;
            r.why = "nothing but markup";
        }
    }
    if (!r.why) {
        sb_buffer *all = &d->document;
        all->n = 0;
        SB_TRY(sb_buffer_add(all, d->title.text.data, d->title.text.n));
        SB_TRY(sb_buffer_add(all, "\n", 1));
        SB_TRY(sb_buffer_add(all, d->body.data, d->body.n));
        r.verdict = SB_GOOD;
        r.text = all->data;
        r.bytes = all->n;
    }
    *record_out = r;
    return SB_OK;
}

/* ---- pulling ------------------------------------------------------------- */

static sb_status parse_error(const sb_wiki_dump *d, int at_end)
{
    enum XML_Error why = XML_GetErrorCode(d->parser);
    SB_REQUIRE(why != XML_ERROR_NO_MEMORY, SB_ENOMEM,
               "out of memory: XML parser");
    int cut = why == XML_ERROR_NO_ELEMENTS || why == XML_ERROR_UNCLOSED_TOKEN ||
              why == XML_ERROR_PARTIAL_CHAR ||
              why == XML_ERROR_UNCLOSED_CDATA_SECTION;
    if (at_end && cut) return malformed(d, "the file ends inside an element");
    return malformed(d, XML_ErrorString(why));
}

/* Give the parser what comes next; n = 0: the file is at its end. */
static sb_status feed(sb_wiki_dump *d, enum XML_Status *status_out)
{
    size_t n = d->head;
    d->head = 0;
    if (!n) {
        void *to = XML_GetBuffer(d->parser, CHUNK);
        SB_REQUIRE(to, SB_ENOMEM, "out of memory: XML buffer");
        SB_TRY(sb_stream_read(d->stream, to, CHUNK, &n));
    }
    *status_out = XML_ParseBuffer(d->parser, (int)n, n == 0);
    d->given += n;
    return SB_OK;
}

sb_status sb_wiki_dump_next(sb_wiki_dump *d, sb_record *record_out,
                            int *more_out)
{
    for (;;) {
        enum XML_Status status;
        XML_ParsingStatus now;
        XML_GetParsingStatus(d->parser, &now);
        if (now.parsing == XML_FINISHED && d->failed == SB_OK) break;
        if (d->suspended) {
            d->suspended = 0;
            status = XML_ResumeParser(d->parser);
        } else {
            SB_TRY(feed(d, &status));
        }
        SB_TRY(d->failed);
        XML_GetParsingStatus(d->parser, &now);
        if (status == XML_STATUS_ERROR) return parse_error(d, now.finalBuffer);
        if (d->suspended) {
            *more_out = 1;
            return make_record(d, record_out);
        }
        XML_Index seen = XML_GetCurrentByteIndex(d->parser);
        if (seen >= 0 && d->given - (uint64_t)seen > TOKEN_MAX)
            return malformed(d, "a tag or comment is longer than 1 MiB");
    }
    *more_out = 0;
    return SB_OK;
}
