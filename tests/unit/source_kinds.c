/* SPDX-License-Identifier: MIT
 * source_kinds.c - what each kind of source makes of its forms. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <zlib.h>

#include "tests/unit/made_source.h"

/* Any cutting gives the same documents. */
static void expect(const char *kind, const char *text, const char *want,
                   uint64_t skipped, uint64_t bad)
{
    sb_buffer got = {NULL, 0, 0};
    put("k.x", text, strlen(text));
    for (uint64_t unit = 1; unit <= strlen(text) + 1; unit += 1 + unit / 16) {
        sb_tally t;
        collect_kind(kind, "k.x", unit, &got, &t);
        assert_string_equal(got.data, want);
        assert_int_equal(t.skipped, skipped);
        assert_int_equal(t.bad, bad);
    }
    free(got.data);
}

static void json(void **state)
{
    (void)state;
    expect("c4",
           "{\"text\":\"one\\ntwo\",\"url\":\"u\"}\n{\"text\":\"\"}\n"
           "{\"text\":5}\nnot\n\n{\"text\":\"\\u00e9\"}",
           "one\ntwo|\xc3\xa9|", 1, 2);
    expect("s2orc", "{\"corpusid\":1,\"abstract\":\"a\"}\n", "a|", 0, 0);
    how.text_field = "a.b";
    expect("jsonl", "{\"a\":{\"b\":\"deep\"}}\n{\"a\":1}\n", "deep|", 0, 1);
    how.text_field = "text";
}

static void columns(void **state)
{
    (void)state;
    expect("msmarco", "0\tone\n1\ttwo\tthree\nfour\n2\t\n3\tfive\r\n",
           "one|five|", 1, 2);
    how.column = 2;
    expect("tsv", "a\tb\tc\nd\te\nf\n", "b|e|", 0, 1);
    how.column = 1;
    expect("tsv", "a\tb\tc\nd\te\nf\n", "a|d|f|", 0, 0);
}

static void news(void **state)
{
    (void)state;
    expect("news", "One sentence.\n\nAnother.\n", "One sentence.|Another.|", 0,
           0);
    expect("news",
           "{\"title\": \"T\", \"text\": \"a\\nb\"}\n{\"text\": \"c\"}\n",
           "T\na\nb|c|", 0, 0);
}

static void wikipedia(void **state)
{
    (void)state;
    expect("wikipedia",
           "<doc id=\"1\" title=\"A\">\nA\n\nOne &amp; two.\n\nThree.\n"
           "</doc>\n<doc id=\"2\">\nB\n\n</doc>\n<doc>\n"
           "<doc id=\"3\">\nC\n\nfour &lt;b&gt;\n</doc>\n",
           "A\nOne & two.\nThree.|C\nfour <b>|", 1, 1);
    expect("wikipedia", "{\"title\":\"T\",\"text\":\"a\"}\n", "T\na|", 0, 0);
    expect("wikipedia",
           "<mediawiki><page><title>T</title><ns>0</ns><revision><text>"
           "'''T''' is.</text></revision></page></mediawiki>",
           "T\nT is.|", 0, 0);
}

static void a_file_a_document(void **state)
{
    (void)state;
    how.documents = SB_DOC_FILE;
    expect("text", "\none\n\ntwo\n", "one\ntwo|", 0, 0);
    expect("text", " \n", "", 0, 0);
    how.documents = SB_DOC_LINE;
}

/* The first record that is an error, not a bad record. */
static void expect_error(const char *kind, const char *hint, uint64_t bad)
{
    sb_sources *s;
    sb_source *from;
    sb_document d;
    sb_tally t = {0};
    int more = 1;
    sb_status st = SB_OK;
    assert_int_equal(open_kind(kind, "u.x", 100000, &s), SB_OK);
    assert_int_equal(sb_source_open(s, 0, &from), SB_OK);
    while (st == SB_OK && more) st = sb_source_next(from, &d, &t, &more);
    assert_int_equal(st, SB_EFORMAT);
    assert_non_null(strstr(sb_error_last()->hint, hint));
    assert_int_equal(t.bad, bad);
    sb_source_close(from);
    sb_sources_close(s);
}

static void an_unknown_form_is_an_error(void **state)
{
    (void)state;
    char text[4000];
    put("u.x", "prose\n", 6);
    expect_error("wikipedia", "<doc", 0);
    for (size_t i = 0; i < sizeof text; i++) text[i] = i % 2 ? '\n' : 'x';
    put("u.x", text, sizeof text);
    expect_error("c4", "c4", 1000);
}

static void what_is_packed_reads_the_same(void **state)
{
    (void)state;
    char path[256], text[5000];
    sb_buffer got = {NULL, 0, 0}, want = {NULL, 0, 0};
    sb_tally t;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 23 == 22 ? '\n' : (char)('a' + i % 7);
    put("p.txt", text, sizeof text);
    snprintf(path, sizeof path, "%s/p.gz", folder);
    gzFile f = gzopen(path, "wb");
    assert_int_equal(gzwrite(f, text, sizeof text), sizeof text);
    assert_int_equal(gzclose(f), Z_OK);
    collect_kind("text", "p.txt", 100, &want, &t);
    collect_kind("text", "p.gz", 10, &got, &t);
    assert_string_equal(got.data, want.data);
    free(got.data);
    free(want.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json),
        cmocka_unit_test(columns),
        cmocka_unit_test(news),
        cmocka_unit_test(wikipedia),
        cmocka_unit_test(a_file_a_document),
        cmocka_unit_test(an_unknown_form_is_an_error),
        cmocka_unit_test(what_is_packed_reads_the_same),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
