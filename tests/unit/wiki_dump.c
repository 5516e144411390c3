/* SPDX-License-Identifier: MIT
 * wiki_dump.c - the articles of a MediaWiki XML export. The stream is a string
 * in memory. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "dataset/text.h"
#include "dataset/wiki_dump.h"

/* ---- a stream of bytes in memory ----------------------------------------- */

struct sb_stream {
    const char *data;
    size_t n, at, step; /* bytes a read gives at most */
    size_t fail_at;     /* 0: never */
};

sb_status sb_stream_read(sb_stream *s, void *to, size_t room, size_t *got_out)
{
    size_t k = s->n - s->at;
    if (s->fail_at && s->at >= s->fail_at) SB_FAIL(SB_EIO, "the disk is gone");
    if (k > room) k = room;
    if (k > s->step) k = s->step;
    memcpy(to, s->data + s->at, k);
    s->at += k;
    *got_out = k;
    return SB_OK;
}

/* All records of a file: "+text" good, "-why" skipped, "!why" bad, each with a
 * '~' behind it; then what the reader said. */
static sb_status read_all(const char *data, size_t n, size_t step, size_t head,
                          sb_buffer *out)
{
    sb_stream s = {data, n, head, step, 0};
    sb_wiki_dump *d = NULL;
    sb_status st = sb_wiki_dump_open(&s, "x.xml", data, head, &d);
    int more = 0;
    out->n = 0;
    while (st == SB_OK) {
        sb_record r;
        st = sb_wiki_dump_next(d, &r, &more);
        if (st != SB_OK || !more) break;
        assert_memory_equal(data + r.offset, "<page", 5);
        const char *text = r.verdict == SB_GOOD ? r.text : r.why;
        size_t k = r.verdict == SB_GOOD ? r.bytes : strlen(r.why);
        const char *mark = r.verdict == SB_GOOD      ? "+"
                           : r.verdict == SB_SKIPPED ? "-"
                                                     : "!";
        assert_int_equal(sb_buffer_add(out, mark, 1), SB_OK);
        assert_int_equal(sb_buffer_add(out, text, k), SB_OK);
        assert_int_equal(sb_buffer_add(out, "~", 1), SB_OK);
    }
    assert_int_equal(sb_buffer_add(out, "", 1), SB_OK);
    sb_wiki_dump_close(d);
    return st;
}

/* The same, however the file is cut into reads. */
static void gives(const char *data, const char *want, sb_status status)
{
    static const size_t steps[] = {1, 7, 1 << 20};
    sb_buffer out = {NULL, 0, 0};
    size_t n = strlen(data);
    for (size_t i = 0; i < 3; i++) {
        for (size_t head = 0; head < 40 && head <= n; head += 13) {
            assert_int_equal(read_all(data, n, steps[i], head, &out), status);
            assert_string_equal(out.data, want);
        }
    }
    free(out.data);
}

static void says(const char *part)
{
    if (!strstr(sb_error_last()->text, part))
        fail_msg("'%s' is not in '%s'", part, sb_error_last()->text);
}

/* ---- pages --------------------------------------------------------------- */

#define WIKI(pages) "<mediawiki xml:lang=\"en\">\n" pages "</mediawiki>\n"
#define PAGE(title, ns, text)                                                  \
    "<page><title>" title "</title><ns>" ns "</ns><id>1</id><revision>"        \
    "<id>2</id><text xml:space=\"preserve\">" text                             \
    "</text></revision></page>\n"

static void an_article_is_its_title_and_its_text(void **state)
{
    (void)state;
    gives(WIKI("<siteinfo><sitename>W</sitename></siteinfo>" PAGE(
              "A &amp; B", "0",
              "''a'' [[b]] &lt;ref&gt;c&lt;/ref&gt;\n\n&amp;nbsp;d")
                   PAGE("Ü", "0", "x")),
          "+A & B\na b\nd~+Ü\nx~", SB_OK);
    gives(WIKI(""), "", SB_OK);
    gives("<mediawiki/>", "", SB_OK);
    gives("<?xml version='1.0' encoding='iso-8859-1'?>\n" WIKI(
              PAGE("\xe9", "0", "x")),
          "+é\nx~", SB_OK);
    gives(WIKI("<page><title>A</title><revision><text>x</text></revision>"
               "</page>"),
          "+A\nx~", SB_OK);
}

static void other_pages_are_skipped(void **state)
{
    (void)state;
    gives(WIKI(PAGE("Talk:A", "1", "x") PAGE("A", "0", "x")
                   PAGE("File:A", "6", "x") PAGE("B", "10", "x")),
          "-not an article~+A\nx~-not an article~-not an article~", SB_OK);
    gives(WIKI("<page><title>A</title><ns>0</ns><redirect title=\"B\"/>"
               "<revision><text>x</text></revision></page>" PAGE(
                   "C", "0", "\n#redirect [[D]]") PAGE("E", "0", "#RE")),
          "-a redirect~-a redirect~+E\nRE~", SB_OK);
    gives(WIKI(PAGE("A", "0", "{{x}}") PAGE("B", "0", "")),
          "-nothing but markup~-nothing but markup~", SB_OK);
}

static void pages_without_title_or_text_are_bad(void **state)
{
    (void)state;
    gives(WIKI("<page/><page><ns>0</ns><title> </title></page>" PAGE(
              "", "0", "x") "<page><title>A</title><ns>0</ns></page>"
                            "<page><title>A</title><ns>0</ns><revision/></page>"
                            "<page><title>A</title><text>x</text></page>" PAGE(
                                "B", "0", "y")),
          "!no title~!no title~!no title~!no text~!no text~!no text~+B\ny~",
          SB_OK);
}

static void the_last_revision_counts(void **state)
{
    (void)state;
    gives(WIKI("<page><title>A</title><ns>0</ns>"
               "<revision><contributor><text>no</text></contributor>"
               "<text>old <b>no</b></text></revision>"
               "<revision><text>new <b>no</b>er</text></revision></page>"),
          "+A\nnew er~", SB_OK);
}

static char *repeat(const char *before, const char *what, size_t times,
                    const char *behind)
{
    size_t k = strlen(what);
    char *all = malloc(strlen(before) + k * times + strlen(behind) + 1);
    assert_non_null(all);
    char *to = all + strlen(strcpy(all, before));
    for (size_t i = 0; i < times; i++, to += k) memcpy(to, what, k);
    strcpy(to, behind);
    return all;
}

static void a_page_that_is_too_large_is_bad(void **state)
{
    (void)state;
    char *all =
        repeat("<mediawiki><page><title>A</title><revision><text>",
               "0123456789abcde\n", (1 << 20) + 1,
               "</text></revision></page>" PAGE("B", "0", "y") "</mediawiki>");
    sb_buffer out = {NULL, 0, 0};
    assert_int_equal(read_all(all, strlen(all), 1 << 20, 0, &out), SB_OK);
    assert_string_equal(out.data, "!longer than 16 MiB~+B\ny~");
    free(all);
    all = repeat("<mediawiki><page><title>", "A", 5000,
                 "</title><revision><text>x</text></revision></page>"
                 "</mediawiki>");
    gives(all, "!a title longer than 4 KiB~", SB_OK);
    free(all);
    free(out.data);
}

/* ---- files that are no exports ------------------------------------------- */

static void a_file_that_is_cut_off_is_an_error(void **state)
{
    (void)state;
    static const char whole[] = "<mediawiki>\n" PAGE("A", "0", "x");
    gives(whole, "+A\nx~", SB_EFORMAT);
    says("'x.xml', line 3: the file ends inside an element");
    gives("<mediawiki>\n<page><title>A</ti", "", SB_EFORMAT);
    says("'x.xml', line 2: the file ends inside an element");
    gives("", "", SB_EFORMAT);
    says("the file ends inside an element");
    sb_buffer out = {NULL, 0, 0};
    for (size_t n = 0; n < sizeof whole - 1; n++)
        assert_int_equal(read_all(whole, n, 5, 0, &out), SB_EFORMAT);
    free(out.data);
}

static void other_files_are_errors(void **state)
{
    (void)state;
    gives("<html><page/></html>", "", SB_EFORMAT);
    says("line 1: not a MediaWiki export");
    gives(WIKI(PAGE("A", "0", "x") "<page></title>"), "+A\nx~", SB_EFORMAT);
    says("'x.xml', line 3: mismatched tag");
    gives(WIKI(PAGE("A", "0", "&nbsp;")), "", SB_EFORMAT);
    says("line 2: undefined entity");
    gives(WIKI(PAGE("A", "0", "\x80")), "", SB_EFORMAT);
    gives(WIKI(PAGE("A", "0", "&#0;")), "", SB_EFORMAT);
    gives(WIKI(PAGE("A", "0", "x")) "<more/>", "+A\nx~", SB_EFORMAT);
    gives("just text", "", SB_EFORMAT);
}

static void entities_cannot_be_declared(void **state)
{
    (void)state;
    gives("<?xml version=\"1.0\"?>\n<!DOCTYPE lolz [\n<!ENTITY a \"ha\">\n"
          "<!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">\n"
          "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">\n]>\n" WIKI(
              PAGE("A", "0", "&c;")),
          "", SB_EFORMAT);
    says("line 2: declares a DOCTYPE");
    gives("<!DOCTYPE mediawiki SYSTEM \"file:///etc/passwd\">" WIKI(""), "",
          SB_EFORMAT);
    says("declares a DOCTYPE");
}

static void nesting_and_tags_have_bounds(void **state)
{
    (void)state;
    char *all = repeat("<mediawiki>\n", "<a>", 100000, "");
    gives(all, "", SB_EFORMAT);
    says("line 2: elements are nested too deep");
    free(all);
    all = repeat("<mediawiki><page a=\"", "0123456789", 1 << 18, "");
    sb_buffer out = {NULL, 0, 0};
    size_t n = strlen(all);
    assert_int_equal(read_all(all, n, n, 0, &out), SB_EFORMAT);
    says("a tag or comment is longer than 1 MiB");
    free(all);
    all = repeat("<mediawiki><!-- ", "0123456789", 1 << 18, "--></mediawiki>");
    n = strlen(all);
    assert_int_equal(read_all(all, n, n, 0, &out), SB_EFORMAT);
    says("a tag or comment is longer than 1 MiB");
    free(all);
    all = repeat("<mediawiki>", "\n<a/>", 1 << 20, "</mediawiki>");
    n = strlen(all);
    assert_int_equal(read_all(all, n, n, 0, &out), SB_OK);
    free(all);
    free(out.data);
}

static void a_failing_stream_fails_the_dump(void **state)
{
    (void)state;
    static const char all[] = WIKI(PAGE("A", "0", "x") PAGE("B", "0", "y"));
    sb_stream s = {all, sizeof all - 1, 0, 150, 150};
    sb_wiki_dump *d = NULL;
    sb_record r;
    int more;
    assert_int_equal(sb_wiki_dump_open(&s, "x.xml", NULL, 0, &d), SB_OK);
    assert_int_equal(sb_wiki_dump_next(d, &r, &more), SB_OK);
    assert_int_equal(sb_wiki_dump_next(d, &r, &more), SB_EIO);
    says("the disk is gone");
    sb_wiki_dump_close(d);
    sb_wiki_dump_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_article_is_its_title_and_its_text),
        cmocka_unit_test(other_pages_are_skipped),
        cmocka_unit_test(pages_without_title_or_text_are_bad),
        cmocka_unit_test(the_last_revision_counts),
        cmocka_unit_test(a_page_that_is_too_large_is_bad),
        cmocka_unit_test(a_file_that_is_cut_off_is_an_error),
        cmocka_unit_test(other_files_are_errors),
        cmocka_unit_test(entities_cannot_be_declared),
        cmocka_unit_test(nesting_and_tags_have_bounds),
        cmocka_unit_test(a_failing_stream_fails_the_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
