/* SPDX-License-Identifier: MIT
 * source.c - documents are the same however a file is cut. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "tests/unit/made_source.h"

static sb_status open_glob(const char *glob, sb_documents documents,
                           uint64_t unit, sb_sources **out)
{
    how.documents = documents;
    return open_kind("text", glob, unit, out);
}

static void collect(const char *glob, sb_documents documents, uint64_t unit,
                    sb_buffer *out, sb_tally *tally)
{
    how.documents = documents;
    collect_kind("text", glob, unit, out, tally);
}

static void expect(const char *text, size_t n, sb_documents kind,
                   const char *want, uint64_t want_bad)
{
    sb_buffer got = {NULL, 0, 0};
    put("x.txt", text, n);
    for (uint64_t unit = 1; unit <= 200; unit++) {
        sb_tally bad;
        collect("x.txt", kind, unit, &got, &bad);
        assert_string_equal(got.data, want);
        assert_int_equal(bad.bad, want_bad);
    }
    free(got.data);
}

#define LINES(text, want)                                                      \
    expect((text), sizeof(text) - 1, SB_DOC_LINE, (want), 0)
#define PARAGRAPHS(text, want)                                                 \
    expect((text), sizeof(text) - 1, SB_DOC_PARAGRAPH, (want), 0)

static void each_line_is_a_document(void **state)
{
    (void)state;
    LINES("one\ntwo\nthree\n", "one|two|three|");
    LINES("one\ntwo", "one|two|");
    LINES("a", "a|");
    LINES("  a  \n\tb\n", "  a  |\tb|");
}

static void empty_lines_are_passed_over(void **state)
{
    (void)state;
    LINES("", "");
    LINES("\n", "");
    LINES("\n\n \t\n\r\n", "");
    LINES("\n\na\n\n\nb\n\n", "a|b|");
}

static void a_carriage_return_ends_no_text(void **state)
{
    (void)state;
    LINES("a\r\nb\r\n", "a|b|");
    LINES("a\rb\r\n", "a\rb|");
    PARAGRAPHS("a\r\nb\r\n\r\nc\r\n", "a\nb|c|");
}

static void a_byte_order_mark_is_no_text(void **state)
{
    (void)state;
    LINES("\xef\xbb\xbfone\ntwo\n", "one|two|");
    PARAGRAPHS("\xef\xbb\xbfone\ntwo\n", "one\ntwo|");
    PARAGRAPHS("\xef\xbb\xbf\none\n", "one|");
    LINES("\xef\xbb\xbf", "");
    LINES("a\n\xef\xbb\xbf"
          "b\n",
          "a|\xef\xbb\xbf"
          "b|");
}

static void paragraphs_are_parted_by_blank_lines(void **state)
{
    (void)state;
    PARAGRAPHS("a\nb\n\nc\nd\n", "a\nb|c\nd|");
    PARAGRAPHS("\n\n\na\n \t \nb\n\n\n\n c", "a|b| c|");
    PARAGRAPHS("one line", "one line|");
    PARAGRAPHS("\n\n", "");
    PARAGRAPHS("", "");
    PARAGRAPHS("a\n\nb", "a|b|");
    PARAGRAPHS("     \na", "a|");
    PARAGRAPHS("a\n     \nb\nc\nd\ne\nf\n\n\ng", "a|b\nc\nd\ne\nf|g|");
}

static uint32_t next_random(uint32_t *x)
{
    *x = *x * 1664525u + 1013904223u;
    return *x >> 16;
}

static void random_files_do_not_depend_on_the_cutting(void **state)
{
    (void)state;
    static const char some[] = "ab\n\n\n \r\xc3\xa9";
    sb_buffer whole = {NULL, 0, 0}, cut = {NULL, 0, 0};
    uint32_t seed = 7;
    for (int round = 0; round < 60; round++) {
        char text[120];
        size_t n = next_random(&seed) % sizeof text;
        for (size_t i = 0; i < n; i++)
            text[i] = some[next_random(&seed) % (sizeof some - 1)];
        put("r.txt", text, n);
        for (int kind = SB_DOC_LINE; kind <= SB_DOC_PARAGRAPH; kind++) {
            sb_tally bad, other;
            collect("r.txt", (sb_documents)kind, 1000, &whole, &bad);
            for (uint64_t unit = 1; unit <= n; unit += 1 + unit / 8) {
                collect("r.txt", (sb_documents)kind, unit, &cut, &other);
                assert_string_equal(cut.data, whole.data);
                assert_int_equal(other.bad, bad.bad);
                if (bad.bad == 1)
                    assert_string_equal(other.first_bad, bad.first_bad);
            }
        }
    }
    free(whole.data);
    free(cut.data);
}

static void bad_documents_are_counted_with_their_place(void **state)
{
    (void)state;
    static const char text[] = "good\nb\xff"
                               "d\nzero\0byte\nfine\n\xe2\x82";
    expect(text, sizeof text - 1, SB_DOC_LINE, "good|fine|", 3);
    sb_buffer got = {NULL, 0, 0};
    sb_tally bad;
    char want[256];
    collect("x.txt", SB_DOC_LINE, 1 << 20, &got, &bad);
    snprintf(want, sizeof want, "%s/x.txt:5: not UTF-8 at its byte 1", folder);
    assert_string_equal(bad.first_bad, want);
    free(got.data);
}

/* A file with one piece of `big` bytes of `fill` between small documents. */
static void put_big(size_t big, char fill, const char *before,
                    const char *after)
{
    size_t b = strlen(before), a = strlen(after);
    char *text = malloc(b + big + a);
    assert_non_null(text);
    memcpy(text, before, b);
    memset(text + b, fill, big);
    memcpy(text + b + big, after, a);
    put("big.txt", text, b + big + a);
    free(text);
}

static void check_big(sb_documents kind, const char *want, uint64_t want_bad)
{
    static const uint64_t units[] = {5, (3 << 20) + 1, 100 << 20};
    sb_buffer got = {NULL, 0, 0};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        sb_tally bad;
        uint64_t unit = units[i];
        if (unit == 5) unit = SB_DOCUMENT_MAX + 1;
        collect("big.txt", kind, unit, &got, &bad);
        assert_int_equal(bad.bad, want_bad);
        if (want) assert_string_equal(got.data, want);
        if (want_bad) assert_non_null(strstr(bad.first_bad, "longer than"));
    }
    free(got.data);
}

static void a_document_too_long_is_bad_once(void **state)
{
    (void)state;
    size_t max = SB_DOCUMENT_MAX;
    put_big(max + 1, 'x', "a\n", "\nb\n");
    check_big(SB_DOC_LINE, "a|b|", 1);
    put_big(2 * max, 'x', "a\n\n", "\nc\n\nb\n");
    check_big(SB_DOC_PARAGRAPH, "a|b|", 1);
    put_big(max, '\n', "x", "y");
    check_big(SB_DOC_PARAGRAPH, "x|y|", 0);
    put_big(max + 2, ' ', "a\n", "\nb\n");
    check_big(SB_DOC_LINE, "a|b|", 1);
    check_big(SB_DOC_PARAGRAPH, "", 1);
    put_big(max, ' ', "a\n", "\nb\n");
    check_big(SB_DOC_LINE, "a|b|", 0);
    check_big(SB_DOC_PARAGRAPH, "a|b|", 0);
}

static void the_longest_document_is_still_good(void **state)
{
    (void)state;
    size_t max = SB_DOCUMENT_MAX;
    put_big(max, 'x', "", "\n");
    check_big(SB_DOC_LINE, NULL, 0);
    check_big(SB_DOC_PARAGRAPH, NULL, 0);
    put_big(max, 'x', "", "\r\n");
    check_big(SB_DOC_LINE, NULL, 0);
    put_big(max + 1, 'x', "", "");
    check_big(SB_DOC_LINE, "", 1);
}

static void files_come_in_order_of_their_names(void **state)
{
    (void)state;
    sb_buffer got = {NULL, 0, 0};
    sb_tally t;
    put("n-b.t", "22", 2);
    put("n-a.t", "1", 1);
    put("n-B.t", "333", 3);
    put("n-c.t", "", 0);
    for (uint64_t unit = 1; unit < 10; unit++) {
        collect("n-*.t", SB_DOC_LINE, unit, &got, &t);
        assert_string_equal(got.data, "333|1|22|");
    }
    free(got.data);
}

static void small_files_share_a_unit(void **state)
{
    (void)state;
    sb_sources *s;
    for (int i = 0; i < 30; i++) {
        char name[16];
        snprintf(name, sizeof name, "m-%02d.t", i);
        put(name, "0123456789", i == 17 ? 0 : i == 20 ? 9 : 10);
    }
    assert_int_equal(open_glob("m-*.t", SB_DOC_LINE, 45, &s), SB_OK);
    assert_int_equal(sb_sources_bytes(s), 289);
    size_t files = 0;
    uint64_t bytes = 0;
    for (size_t u = 0; u < sb_sources_units(s); u++) {
        sb_unit unit = sb_sources_unit(s, u);
        assert_int_equal(unit.file, files);
        assert_true(unit.bytes <= 45);
        files += unit.files;
        bytes += unit.bytes;
    }
    assert_int_equal(files, 30);
    assert_int_equal(bytes, 289);
    assert_in_range(sb_sources_units(s), 7, 8);
    sb_sources_close(s);
}

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    sb_sources *s = NULL;
    const char *const unknown[] = {"wiki:x"}, *const plain[] = {"x.txt"};
    assert_int_equal(sb_sources_open(unknown, 1, &how, &s), SB_EINVAL);
    assert_non_null(strstr(sb_error_last()->text, "wiki:x"));
    assert_int_equal(sb_sources_open(plain, 1, &how, &s), SB_EINVAL);
    assert_int_equal(open_glob("no-such-*", SB_DOC_LINE, 8, &s), SB_ENOENT);
    assert_non_null(strstr(sb_error_last()->text, "no-such-*"));
    assert_int_equal(open_glob("", SB_DOC_LINE, 8, &s), SB_EINVAL);
    assert_non_null(strstr(sb_error_last()->text, "is a folder"));
    assert_null(s);
}

static void a_weight_stands_behind_the_last_colon(void **state)
{
    (void)state;
    static const struct {
        const char *glob, *spec;
        double weight;
    } good[] = {{"w.t", "w.t", 1},      {"w.t:2", "w.t", 2},
                {"w.t:0", "w.t", 0},    {"w.t:0.25", "w.t", 0.25},
                {"w.t:1e1", "w.t", 10}, {"w:a.t", "w:a.t", 1},
                {"w:a.t:3", "w:a.t", 3}};
    put("w.t", "a", 1);
    put("w:a.t", "a", 1);
    sb_sources *s;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(open_glob(good[i].glob, SB_DOC_LINE, 8, &s), SB_OK);
        const char *spec = sb_sources_spec(s, 0);
        assert_string_equal(spec + strlen(spec) - strlen(good[i].spec),
                            good[i].spec);
        assert_true(fabs(sb_sources_weight(s, 0) - good[i].weight) < 1e-12);
        sb_sources_close(s);
    }
    static const char *const bad[] = {"w.t:-1", "w.t:1.2.3", "w.t:1e999",
                                      "w.t:e", "w.t:2000000"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(open_glob(bad[i], SB_DOC_LINE, 8, &s), SB_EINVAL);
}

static void a_file_that_shrank_is_an_error(void **state)
{
    (void)state;
    sb_sources *s;
    sb_source *from;
    sb_document d;
    sb_tally bad = {0};
    int more;
    put("s.txt", "one\ntwo\n", 8);
    assert_int_equal(open_glob("s.txt", SB_DOC_LINE, 100, &s), SB_OK);
    put("s.txt", "one\n", 4);
    assert_int_equal(sb_source_open(s, 0, &from), SB_OK);
    assert_int_equal(sb_source_next(from, &d, &bad, &more), SB_EIO);
    assert_non_null(strstr(sb_error_last()->text, "ends at byte 4"));
    sb_source_close(from);
    sb_sources_close(s);
}

static void identity_names_what_was_read(void **state)
{
    (void)state;
    sb_sources *a, *b;
    put("i.txt", "one\n", 4);
    assert_int_equal(open_glob("i.txt", SB_DOC_LINE, 100, &a), SB_OK);
    assert_int_equal(open_glob("i.txt", SB_DOC_LINE, 100, &b), SB_OK);
    assert_true(sb_sources_identity(a) == sb_sources_identity(b));
    sb_sources_close(b);
    assert_int_equal(open_glob("i.txt", SB_DOC_PARAGRAPH, 100, &b), SB_OK);
    assert_true(sb_sources_identity(a) != sb_sources_identity(b));
    sb_sources_close(b);
    assert_int_equal(open_glob("i.txt", SB_DOC_LINE, 3, &b), SB_OK);
    assert_true(sb_sources_identity(a) != sb_sources_identity(b));
    sb_sources_close(b);
    put("i.txt", "one!\n", 5);
    assert_int_equal(open_glob("i.txt", SB_DOC_LINE, 100, &b), SB_OK);
    assert_true(sb_sources_identity(a) != sb_sources_identity(b));
    sb_sources_close(b);
    sb_sources_close(a);
}

static void large_units_come_first(void **state)
{
    (void)state;
    sb_sources *s;
    char text[1000];
    memset(text, 'x', sizeof text);
    put("d-1.t", text, 1000);
    put("d-2.t", text, 350);
    put("d-3.t", text, 10);
    assert_int_equal(open_glob("d-*.t", SB_DOC_LINE, 100, &s), SB_OK);
    size_t order[20], n = sb_sources_units(s), seen = 0;
    assert_int_equal(n, 15);
    assert_int_equal(sb_sources_order(s, order), SB_OK);
    for (size_t i = 0; i < n; i++) {
        seen |= (size_t)1 << order[i];
        if (i)
            assert_true(sb_sources_unit(s, order[i]).bytes <=
                        sb_sources_unit(s, order[i - 1]).bytes);
    }
    assert_int_equal(seen, (1 << 15) - 1);
    sb_sources_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_is_a_document),
        cmocka_unit_test(empty_lines_are_passed_over),
        cmocka_unit_test(a_carriage_return_ends_no_text),
        cmocka_unit_test(a_byte_order_mark_is_no_text),
        cmocka_unit_test(paragraphs_are_parted_by_blank_lines),
        cmocka_unit_test(random_files_do_not_depend_on_the_cutting),
        cmocka_unit_test(bad_documents_are_counted_with_their_place),
        cmocka_unit_test(a_document_too_long_is_bad_once),
        cmocka_unit_test(the_longest_document_is_still_good),
        cmocka_unit_test(files_come_in_order_of_their_names),
        cmocka_unit_test(what_cannot_be_read_is_named),
        cmocka_unit_test(a_file_that_shrank_is_an_error),
        cmocka_unit_test(identity_names_what_was_read),
        cmocka_unit_test(large_units_come_first),
        cmocka_unit_test(small_files_share_a_unit),
        cmocka_unit_test(a_weight_stands_behind_the_last_colon),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
