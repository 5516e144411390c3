/* SPDX-License-Identifier: MIT
 * json_record.c - each form gives its text, and no line does harm. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset/json_record.h"
#include "dataset/source.h"

static sb_json_reader *field, *titled, *s2orc;

static int set_up(void **state)
{
    (void)state;
    if (sb_json_open(SB_JSON_FIELD, "text", &field) != SB_OK) return -1;
    if (sb_json_open(SB_JSON_TITLED, NULL, &titled) != SB_OK) return -1;
    return sb_json_open(SB_JSON_S2ORC, NULL, &s2orc) == SB_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    sb_json_close(field);
    sb_json_close(titled);
    sb_json_close(s2orc);
    sb_json_close(NULL);
    return 0;
}

/* Exactly n bytes, so that a sanitizer sees a step beyond them. */
static sb_record read_bytes(sb_json_reader *r, const char *line, size_t n)
{
    sb_record rec = {.offset = 4711, .why = "not touched"};
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, line, n);
    assert_int_equal(sb_json_parse(r, copy, n, &rec), SB_OK);
    free(copy);
    assert_int_equal(rec.offset, 4711);
    assert_non_null(rec.verdict == SB_GOOD ? rec.text : rec.why);
    return rec;
}

/* out <- line with " for ' and \" for `; its bytes */
static size_t quoted(const char *line, char out[1024])
{
    size_t n = 0;
    for (; *line; line++) {
        assert_true(n + 2 < 1024);
        if (*line == '`') out[n++] = '\\';
        out[n++] = *line == '\'' || *line == '`' ? '"' : *line;
    }
    out[n] = '\0';
    return n;
}

static sb_record read_line(sb_json_reader *r, const char *line)
{
    char out[1024];
    return read_bytes(r, out, quoted(line, out));
}

enum { GOOD = SB_GOOD, SKIPPED = SB_SKIPPED, BAD = SB_BAD };

/* What the line is: its text, or why it has none. */
typedef struct wish {
    const char *line;
    int verdict;
    const char *text;
} wish;

static void check(sb_json_reader *r, const wish *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sb_record rec = read_line(r, w[i].line);
        size_t bytes = rec.verdict == SB_GOOD ? rec.bytes : strlen(rec.why);
        const char *got = rec.verdict == SB_GOOD ? rec.text : rec.why;
        if ((int)rec.verdict != w[i].verdict || bytes != strlen(w[i].text) ||
            memcmp(got, w[i].text, bytes) != 0)
            fail_msg("%s\nis %d '%.*s'\nnot %d '%s'", w[i].line, rec.verdict,
                     (int)bytes, got, w[i].verdict, w[i].text);
    }
}
#define CHECK(reader, wishes)                                                  \
    check(reader, wishes, sizeof wishes / sizeof *wishes)

/* ---- forms --------------------------------------------------------------- */

static void a_field_is_found_by_its_path(void **state)
{
    (void)state;
    static const wish flat[] = {
        {"{'text':'a b','url':'u'}", GOOD, "a b"},
        {" {'url':{'text':1}, 'text' : 'x'}\t\r\n", GOOD, "x"},
        {"{'text':' a\\n\\tb '}", GOOD, " a\n\tb "},
        {"{'text':'\\u00e4\\u20AC\\ud83d\\uDE00'}", GOOD, "ä€😀"},
        {"{'text':'first','text':'last'}", GOOD, "last"},
        {"{'text':'a','x':1e999,'y':-99999999999999999999}", GOOD, "a"},
        {"{'text':'a','x':NaN,'':[]}", GOOD, "a"},
        {"{'text':'tab\there'}", GOOD, "tab\there"},
        {"{}", SKIPPED, "no text"},
        {"{'url':'u'}", SKIPPED, "no text"},
        {"{'text':null}", SKIPPED, "no text"},
        {"{'text':''}", SKIPPED, "no text"},
        {"{'text':' \\n'}", SKIPPED, "no text"},
        {"", SKIPPED, "a blank line"},
        {" \t\r\n", SKIPPED, "a blank line"},
        {"{'text':1}", BAD, "text is no string"},
        {"{'text':true}", BAD, "text is no string"},
        {"{'text':['a']}", BAD, "text is no string"},
        {"{'text':{}}", BAD, "text is no string"},
    };
    CHECK(field, flat);
    static const wish deep[] = {
        {"{'a':{'b':{'c':'x'}}}", GOOD, "x"},
        {"{'a.b.c':'x'}", SKIPPED, "no text"},
        {"{'a':null}", SKIPPED, "no text"},
        {"{'a':{'b':{}}}", SKIPPED, "no text"},
        {"{'a':{'b':'x'}}", BAD, "text is no string"},
        {"{'a':[]}", BAD, "text is no string"},
    };
    sb_json_reader *r;
    assert_int_equal(sb_json_open(SB_JSON_FIELD, "a.b.c", &r), SB_OK);
    CHECK(r, deep);
    sb_json_close(r);
}

static void an_empty_key_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", ".", "a.", ".a", "a..b", NULL};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        sb_json_reader *r;
        assert_int_equal(sb_json_open(SB_JSON_FIELD, wrong[i], &r), SB_EINVAL);
    }
}

static void a_title_is_the_first_line(void **state)
{
    (void)state;
    static const wish wishes[] = {
        {"{'title':'T','text':'a\\nb'}", GOOD, "T\na\nb"},
        {"{'text':'a','title':' T\\nU '}", GOOD, "T U\na"},
        {"{'title':null,'text':'a'}", GOOD, "a"},
        {"{'title':' ','text':'a'}", GOOD, "a"},
        {"{'text':'a'}", GOOD, "a"},
        {"{'title':'T','text':'T\\n\\na'}", GOOD, "T\n\na"},
        {"{'title':'T','text':'T'}", GOOD, "T"},
        {"{'title':'T','text':'Two'}", GOOD, "T\nTwo"},
        {"{'title':'T'}", SKIPPED, "no text"},
        {"{'title':'T','text':null}", SKIPPED, "no text"},
        {"{'title':'T','text':'\\n'}", SKIPPED, "no text"},
        {"{'title':5,'text':'a'}", BAD, "title is no string"},
        {"{'title':'T','text':5}", BAD, "text is no string"},
    };
    CHECK(titled, wishes);
}

static void a_parsed_paper_is_its_paragraphs_under_their_headings(void **state)
{
    (void)state;
    static const wish wishes[] = {
        {"{'paper_id':'1','abstract':[{'section':'Abstract','text':'A1'},{'"
         "section':'Abstract','text':'A2'}],'body_text':[{'section':'','text':'"
         "B0'},{'section':'I','text':'B1'},{'section':'I','text':' B\\n2 "
         "'},{'section':null,'text':'B3'},{'section':'I','text':'B4'},{'"
         "section':'II','text':''},{'section':' III ','text':'B5'}]}",
         GOOD, "A1\nA2\nB0\nI\nB1\nB 2\nB3\nB4\nIII\nB5"},
        {"{'abstract':[{'section':'Aims','text':'A'},{'text':'B'}],'body_text':"
         "null}",
         GOOD, "Aims\nA\nB"},
        {"{'abstract':null,'body_text':[{'section':'ABSTRACT','text':'B'}]}",
         GOOD, "ABSTRACT\nB"},
        {"{'abstract':[{'section':'ABSTRACT','text':'A'}]}", GOOD, "A"},
        {"{'abstract':[],'body_text':[]}", SKIPPED, "no text"},
        {"{'body_text':[{'section':'I','text':null}]}", SKIPPED, "no text"},
        {"{'body_text':'B'}", BAD, "paragraphs are no list"},
        {"{'abstract':'A','body_text':[]}", BAD, "paragraphs are no list"},
        {"{'body_text':['B']}", BAD, "a paragraph is no object"},
        {"{'body_text':[null]}", BAD, "a paragraph is no object"},
        {"{'body_text':[{'section':1,'text':'B'}]}", BAD,
         "a heading is no string"},
        {"{'body_text':[{'text':[]},{'text':'B'}]}", BAD, "text is no string"},
    };
    CHECK(s2orc, wishes);
}

static void an_abstract_stands_under_its_title(void **state)
{
    (void)state;
    static const wish wishes[] = {
        {"{'paper_id':'1','title':'T','abstract':'A\\nB'}", GOOD, "T\nA B"},
        {"{'paper_id':'1','title':null,'abstract':'A','has_pdf_parsed_abstract'"
         ":false}",
         GOOD, "A"},
        {"{'corpusid':1,'abstract':' A '}", GOOD, "A"},
        {"{'title':'T','abstract':'A','has_pdf_parsed_abstract':true}", SKIPPED,
         "its abstract stands in pdf_parses"},
        {"{'title':'T','abstract':null}", SKIPPED, "no text"},
        {"{'corpusid':1,'abstract':''}", SKIPPED, "no text"},
        {"{'title':1,'abstract':'A'}", BAD, "title is no string"},
        {"{'title':'T','abstract':{}}", BAD, "text is no string"},
        {"{'title':'T'}", BAD, "no record of S2ORC"},
        {"{}", BAD, "no record of S2ORC"},
    };
    CHECK(s2orc, wishes);
}

/* ---- annotations --------------------------------------------------------- */

#define PAPER(text, notes)                                                     \
    "{'corpusid':1,'content':{'text':" text ",'annotations':" notes "}}"
#define PARTS(text, list) PAPER(text, "{'paragraph':'[" list "]'}")
#define IN(start, end)    "{`start`:" start ",`end`:" end "}"

static void annotations_choose_the_text(void **state)
{
    (void)state;
    static const wish wishes[] = {
        {PAPER("'\\nTitle\\n\\nAbs\\njunk\\nHead\\nPara'",
               "{'paragraph':'[{`start`:22,`end`:26}]','author':'broken',"
               "'title':'[{`start`:1,`end`:6}]','figure':null,"
               "'abstract':'[{`start`:`8`,`end`:`11`}]',"
               "'sectionheader':' [{`a`:{`n`:`1`},`end`:21,`start`:17}] '}"),
         GOOD, "Title\nAbs\nHead\nPara"},
        /* code points, not bytes and not UTF-16 */
        {PARTS("'ä€😀 b\\ud83d\\ude00c'", IN("2", "3") "," IN("4", "6")), GOOD,
         "😀\nb😀"},
        {PARTS("'abcdef'", IN("4", "6") "," IN("0", "2")), GOOD, "ab\nef"},
        {PARTS("'abcdef'", IN("1", "4") "," IN("1", "4")), GOOD, "bcd"},
        {PARTS("'abcdef'", IN("0", "6") "," IN("2", "4")), GOOD, "ab\ncd\nef"},
        {PARTS("'abcdef'", IN("0", "4") "," IN("2", "6")), GOOD, "ab\ncd\nef"},
        {PARTS("'abcdef'", IN("0", "3") "," IN("3", "3")), GOOD, "abc"},
        {PARTS("'abcdef'", IN("3", "5") "," IN("0", "3")), GOOD, "abc\nde"},
        {PARTS("' a\\nb '", IN("0", "5")), GOOD, "a b"},
        {PAPER("' a\\nb '", "null"), GOOD, " a\nb "},
        {PAPER("'ab'", "{'title':null,'paragraph':'[]','abstract':'',"
                       "'venue':'[{}]'}"),
         GOOD, "ab"},
        {PARTS("'a b'", IN("1", "2")), SKIPPED, "no text"},
        {PARTS("'ab'", IN("1", "1")), SKIPPED, "no text"},
        {PARTS("null", IN("0", "1")), SKIPPED, "no text"},
        {"{'corpusid':1,'content':null}", SKIPPED, "no text"},
        {"{'corpusid':1,'content':{}}", SKIPPED, "no text"},
        {"{'content':'a'}", BAD, "content is no object"},
        {PAPER("5", "null"), BAD, "text is no string"},
    };
    CHECK(s2orc, wishes);
}

static const char outside[] = "an annotation lies outside the text",
                  damaged[] = "annotations are damaged";

static void a_wrong_annotation_makes_the_paper_bad(void **state)
{
    (void)state;
    static const wish wishes[] = {
        {PARTS("'äb'", IN("0", "3")), BAD, outside},
        {PARTS("'äb'", IN("3", "3")), BAD, outside},
        {PARTS("'äb'", IN("0", "18446744073709551615")), BAD, outside},
        {PARTS("'äb'", IN("0", "99999999999999999999999")), BAD, outside},
        {PARTS("'äb'", IN("0", "`999999999999999999`")), BAD, outside},
        {PARTS("'ab'", IN("0", "`1000000000000000001`")), BAD, damaged},
        {PARTS("'ab'", IN("2", "1")), BAD, damaged},
        {PARTS("'ab'", IN("-1", "1")), BAD, damaged},
        {PARTS("'ab'", IN("`-1`", "1")), BAD, damaged},
        {PARTS("'ab'", IN("``", "1")), BAD, damaged},
        {PARTS("'ab'", IN("0.0", "1")), BAD, damaged},
        {PARTS("'ab'", IN("null", "1")), BAD, damaged},
        {PARTS("'ab'", "{`start`:1}"), BAD, damaged},
        {PARTS("'ab'", "1"), BAD, damaged},
        {PARTS("'ab'", IN("0", "1") ","), BAD, damaged},
        {PARTS("'ab'", IN("0", "1") "]["), BAD, damaged},
        {PAPER("'ab'", "{'title':'{}'}"), BAD, damaged},
        {PAPER("'ab'", "{'title':'null '}"), BAD, damaged},
        {PAPER("'ab'", "{'title':[]}"), BAD, damaged},
        {PAPER("'ab'", "[]"), BAD, damaged},
        {PARTS("'a\xff'", IN("0", "1")), BAD, "not UTF-8"},
    };
    CHECK(s2orc, wishes);
}

/* ---- hostile lines ------------------------------------------------------- */

static void what_is_not_one_object_is_bad(void **state)
{
    (void)state;
    static const wish wishes[] = {
        {"{'text':'a'}x", BAD, "more than one value"},
        {"{'text':'a'} {}", BAD, "more than one value"},
        {"{'text':'a'}}", BAD, "more than one value"},
        {"[{'text':'a'}]", BAD, "no JSON object"},
        {"null ", BAD, "no JSON object"},
        {"'text'", BAD, "no JSON object"},
        {"plain text", BAD, "no JSON object"},
        {"\xef\xbb\xbf{}", BAD, "no JSON object"},
        {"{'text':'a'", BAD, "not JSON"},
        {"{'text':'a',}", BAD, "not JSON"},
        {"{text:'a'}", BAD, "not JSON"},
        {"{'text':'a' /* */}", BAD, "not JSON"},
        {"{'text':'\\x41'}", BAD, "not JSON"},
        {"{'text':'\\u12'}", BAD, "not JSON"},
        {"{'text':'a','x':01}", BAD, "not JSON"},
        {"{'text':'a','x':nan}", BAD, "not JSON"},
        {"{'text':'a','x':TRUE}", BAD, "not JSON"},
    };
    CHECK(field, wishes);
}

static void half_a_surrogate_pair_is_bad(void **state)
{
    (void)state;
    static const char lone[] = "a lone surrogate";
    static const wish wishes[] = {
        {"{'text':'\\ud83d\\ude00\\uD83D\\uDE00'}", GOOD, "😀😀"},
        {"{'text':'\\\\ud800 \\\\\\\\udc00'}", GOOD, "\\ud800 \\\\udc00"},
        {"{'text':'\\ud7ff\\ue000\\ud83d\\ude00\\\\'}", GOOD,
         "\xed\x9f\xbf\xee\x80\x80😀\\"},
        {"{'text':'ud800'}", GOOD, "ud800"},
        {"{'text':'\\ud800'}", BAD, lone},
        {"{'text':'\\udbffx'}", BAD, lone},
        {"{'text':'\\udc00'}", BAD, lone},
        {"{'text':'\\uDFFF'}", BAD, lone},
        {"{'text':'\\ude00\\ud83d'}", BAD, lone},
        {"{'text':'\\ud83d\\ud83d\\ude00'}", BAD, lone},
        {"{'text':'\\ud83d\\ude00\\ude00'}", BAD, lone},
        {"{'text':'\\ud83d\\u0041'}", BAD, lone},
        {"{'text':'\\ud83d\\\\ude00'}", BAD, lone},
        {"{'text':'\\\\\\ud83d'}", BAD, lone},
        {"{'text':'a','\\ud83d':1}", BAD, lone},
    };
    CHECK(field, wishes);
}

static void bytes_are_passed_on_as_they_are(void **state)
{
    (void)state;
    sb_record rec = read_line(field, "{'text':'a\\u0000b\\ud83d\\ude00'}");
    assert_int_equal(rec.verdict, SB_GOOD);
    assert_int_equal(rec.bytes, 7);
    assert_memory_equal(rec.text, "a\0b😀", 7);
    rec = read_line(field, "{'text':'a\xff\xc0\x80'}");
    assert_int_equal(rec.verdict, SB_GOOD);
    assert_memory_equal(rec.text, "a\xff\xc0\x80", 4);
    rec = read_line(titled, "{'title':'\\u0000','text':'b'}");
    assert_int_equal(rec.bytes, 3);
    assert_memory_equal(rec.text, "\0\nb", 3);
    static const char raw[] = "{\"text\":\"a\0b\"}", behind[] = "{}\0";
    assert_int_equal(read_bytes(field, raw, sizeof raw - 1).verdict, SB_BAD);
    assert_int_equal(read_bytes(field, behind, sizeof behind - 1).verdict,
                     SB_BAD);
    assert_string_equal(read_bytes(field, "{\"text\":'a'}", 12).why,
                        "not JSON");
}

/* pre, `unit` until the line has n bytes, post */
static sb_record read_long(sb_json_reader *r, const char *pre, const char *unit,
                           const char *post, size_t n)
{
    char head[1024], tail[1024];
    size_t at = quoted(pre, head), end = quoted(post, tail);
    char *line = malloc(n + strlen(unit) + end);
    assert_non_null(line);
    memcpy(line, head, at);
    for (; at < n; at += strlen(unit)) memcpy(line + at, unit, strlen(unit));
    memcpy(line + at, tail, end);
    sb_record rec = read_bytes(r, line, at + end);
    free(line);
    return rec;
}

static void depth_is_bounded(void **state)
{
    (void)state;
    static const char close[] =
        "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}";
    for (size_t depth = 63; depth <= 65; depth++) { /* lists in an object */
        sb_record rec = read_long(field, "{'a':", "[", close + 65 - depth,
                                  strlen("{'a':") + depth - 1);
        assert_string_equal(rec.why,
                            depth > 64 ? "nested too deeply" : "no text");
    }
    sb_record rec = read_long(field, "{'text':", "[", "", 60000);
    assert_string_equal(rec.why, "nested too deeply");
    rec = read_long(field, "{'text':", "[", "", 5000000);
    assert_string_equal(rec.why, "too many values");
    rec = read_long(field, "[", "[", "", 5000000);
    assert_string_equal(rec.why, "no JSON object");
    assert_int_equal(read_line(field, "{'text':'a'}").verdict, SB_GOOD);
}

static void long_lines_are_read_and_bombs_are_not(void **state)
{
    (void)state;
    size_t n = SB_DOCUMENT_MAX;
    sb_record rec = read_long(field, "{'text':'", "x", "'}", n + 9);
    assert_int_equal(rec.verdict, SB_GOOD);
    assert_int_equal(rec.bytes, n);
    rec = read_long(field, "{'text':'", "\\ud83d\\ude00", "'}", n);
    assert_int_equal(rec.verdict, SB_GOOD);
    rec = read_long(field, "{'", "k", "':1,'text':'a'}", n);
    assert_int_equal(rec.verdict, SB_GOOD);
    rec = read_long(field, "{'text':'a','b':[1", ",1", "]}", n);
    assert_int_equal(rec.verdict, SB_GOOD);
    rec = read_long(field, "{'text':'a','b':[1", ",[]", "]}", 1 << 16);
    assert_int_equal(rec.verdict, SB_GOOD);
    rec = read_long(field, "{'text':'a','b':[1", ",[]", "]}", n);
    assert_string_equal(rec.why, "too many values");
    rec = read_long(field, "{'text':'a','b':[1", ",{}", "]}", n);
    assert_string_equal(rec.why, "too many values");
    rec = read_long(s2orc, PAPER("'a'", "{'title':'[{}"), ",{}", "]'}}}", n);
    assert_int_equal(rec.verdict, SB_BAD);
}

/* ---- damage -------------------------------------------------------------- */

static const char *const samples[] = {
    "{'title':'T\\u00e4','text':'a \\ud83d\\ude00 \\\\u \\n b','x':[1,-2.5e3,"
    "true,null,{'y':''}]}",
    "{'paper_id':'1','abstract':[{'section':'Abstract','text':'A'}],"
    "'body_text':[{'section':'I','text':'B'}]}",
    PAPER("'\\nTitle\\näbs\\n\\nPara'",
          "{'title':'[{`start`:1,`end`:6}]','paragraph':"
          "'[{`start`:7,`end`:10},{`start`:`12`,`end`:`16`}]'}"),
    "{'paper_id':'1','title':'T','abstract':'A',"
    "'has_pdf_parsed_abstract':false}",
};
enum { SAMPLES = sizeof samples / sizeof *samples };

static void a_line_cut_anywhere_is_bad(void **state)
{
    (void)state;
    char line[1024];
    sb_json_reader *const readers[] = {field, titled, s2orc};
    for (size_t i = 0; i < SAMPLES; i++) {
        size_t all = quoted(samples[i], line);
        for (size_t n = 1; n < all; n++)
            for (size_t r = 0; r < 3; r++)
                assert_int_equal(read_bytes(readers[r], line, n).verdict,
                                 SB_BAD);
    }
}

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % below;
}

static void random_damage_does_no_harm(void **state)
{
    (void)state;
    static const char odd[] = "{}[]\",:\\u0d8-1e.nN \t\xc3\xff";
    sb_json_reader *const readers[] = {field, titled, s2orc};
    uint64_t seed = 1;
    unsigned seen[3] = {0};
    for (int round = 0; round < 60000; round++) {
        char line[1024];
        size_t n = quoted(samples[draw(&seed, SAMPLES)], line);
        for (uint32_t k = 1 + draw(&seed, 4); k > 0; k--) {
            char *at = line + draw(&seed, (uint32_t)n);
            *at = draw(&seed, 2) ? odd[draw(&seed, sizeof odd)]
                                 : (char)draw(&seed, 256);
        }
        sb_record rec = read_bytes(readers[draw(&seed, 3)], line, n);
        if (rec.verdict == SB_GOOD) assert_true(rec.bytes <= n);
        seen[rec.verdict]++;
    }
    assert_true(seen[SB_GOOD] && seen[SB_SKIPPED] && seen[SB_BAD]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_is_found_by_its_path),
        cmocka_unit_test(an_empty_key_is_refused),
        cmocka_unit_test(a_title_is_the_first_line),
        cmocka_unit_test(a_parsed_paper_is_its_paragraphs_under_their_headings),
        cmocka_unit_test(an_abstract_stands_under_its_title),
        cmocka_unit_test(annotations_choose_the_text),
        cmocka_unit_test(a_wrong_annotation_makes_the_paper_bad),
        cmocka_unit_test(what_is_not_one_object_is_bad),
        cmocka_unit_test(half_a_surrogate_pair_is_bad),
        cmocka_unit_test(bytes_are_passed_on_as_they_are),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(long_lines_are_read_and_bombs_are_not),
        cmocka_unit_test(a_line_cut_anywhere_is_bad),
        cmocka_unit_test(random_damage_does_no_harm),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
