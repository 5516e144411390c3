/* SPDX-License-Identifier: MIT
 * source.c - documents are the same however a file is cut. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/source.h"
#include "dataset/text.h"

static char folder[] = "/tmp/sb-source-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return sb_dir_remove(folder) == SB_OK ? 0 : -1;
}

static void put(const char *name, const void *data, size_t n)
{
    char *path = sb_path_join(folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    sb_free(path);
}

static sb_status open_glob(const char *glob, sb_documents kind, uint64_t unit,
                           sb_sources **out)
{
    char spec[256];
    snprintf(spec, sizeof spec, "text:%s/%s", folder, glob);
    const char *const specs[] = {spec};
    return sb_sources_open(specs, 1, kind, unit, out);
}

/* All documents of all units as "offset:text|" and the bad ones. */
static void collect(const char *glob, sb_documents kind, uint64_t unit,
                    sb_buffer *out, sb_bad *bad)
{
    sb_sources *s;
    *bad = (sb_bad){0};
    out->n = 0;
    assert_int_equal(open_glob(glob, kind, unit, &s), SB_OK);
    for (size_t u = 0; u < sb_sources_units(s); u++) {
        sb_source *from;
        sb_document d;
        sb_unit range = sb_sources_unit(s, u);
        int more;
        assert_int_equal(sb_source_open(s, u, &from), SB_OK);
        for (;;) {
            assert_int_equal(sb_source_next(from, &d, bad, &more), SB_OK);
            if (!more) break;
            assert_true(d.offset >= range.first && d.offset < range.last);
            char head[32];
            int n = snprintf(head, sizeof head,
                             "%llu:", (unsigned long long)d.offset);
            assert_int_equal(sb_buffer_add(out, head, (size_t)n), SB_OK);
            assert_int_equal(sb_buffer_add(out, d.text, d.bytes), SB_OK);
            assert_int_equal(sb_buffer_add(out, "|", 1), SB_OK);
        }
        assert_int_equal(sb_source_done(from), range.last - range.first);
        sb_source_close(from);
    }
    sb_sources_close(s);
    assert_int_equal(sb_buffer_add(out, "", 1), SB_OK);
}

static void expect(const char *text, size_t n, sb_documents kind,
                   const char *want, uint64_t want_bad)
{
    sb_buffer got = {NULL, 0, 0};
    put("x.txt", text, n);
    for (uint64_t unit = 1; unit <= 200; unit++) {
        sb_bad bad;
        collect("x.txt", kind, unit, &got, &bad);
        assert_string_equal(got.data, want);
        assert_int_equal(bad.count, want_bad);
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
    LINES("one\ntwo\nthree\n", "0:one|4:two|8:three|");
    LINES("one\ntwo", "0:one|4:two|");
    LINES("a", "0:a|");
    LINES("  a  \n\tb\n", "0:  a  |6:\tb|");
}

static void empty_lines_are_passed_over(void **state)
{
    (void)state;
    LINES("", "");
    LINES("\n", "");
    LINES("\n\n \t\n\r\n", "");
    LINES("\n\na\n\n\nb\n\n", "2:a|6:b|");
}

static void a_carriage_return_ends_no_text(void **state)
{
    (void)state;
    LINES("a\r\nb\r\n", "0:a|3:b|");
    LINES("a\rb\r\n", "0:a\rb|");
    PARAGRAPHS("a\r\nb\r\n\r\nc\r\n", "0:a\r\nb|8:c|");
}

static void a_byte_order_mark_is_no_text(void **state)
{
    (void)state;
    LINES("\xef\xbb\xbfone\ntwo\n", "3:one|7:two|");
    PARAGRAPHS("\xef\xbb\xbfone\ntwo\n", "3:one\ntwo|");
    PARAGRAPHS("\xef\xbb\xbf\none\n", "4:one|");
    LINES("\xef\xbb\xbf", "");
    LINES("a\n\xef\xbb\xbf"
          "b\n",
          "0:a|2:\xef\xbb\xbf"
          "b|");
}

static void paragraphs_are_parted_by_blank_lines(void **state)
{
    (void)state;
    PARAGRAPHS("a\nb\n\nc\nd\n", "0:a\nb|5:c\nd|");
    PARAGRAPHS("\n\n\na\n \t \nb\n\n\n\n c", "3:a|9:b|14: c|");
    PARAGRAPHS("one line", "0:one line|");
    PARAGRAPHS("\n\n", "");
    PARAGRAPHS("", "");
    PARAGRAPHS("a\n\nb", "0:a|3:b|");
    PARAGRAPHS("     \na", "6:a|");
    PARAGRAPHS("a\n     \nb\nc\nd\ne\nf\n\n\ng", "0:a|8:b\nc\nd\ne\nf|20:g|");
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
            sb_bad bad, other;
            collect("r.txt", (sb_documents)kind, 1000, &whole, &bad);
            for (uint64_t unit = 1; unit <= n; unit += 1 + unit / 8) {
                collect("r.txt", (sb_documents)kind, unit, &cut, &other);
                assert_string_equal(cut.data, whole.data);
                assert_int_equal(other.count, bad.count);
                if (bad.count == 1) assert_string_equal(other.first, bad.first);
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
    expect(text, sizeof text - 1, SB_DOC_LINE, "0:good|19:fine|", 3);
    sb_buffer got = {NULL, 0, 0};
    sb_bad bad;
    char want[256];
    collect("x.txt", SB_DOC_LINE, 1 << 20, &got, &bad);
    snprintf(want, sizeof want, "%s/x.txt:5: not UTF-8 at its byte 1", folder);
    assert_string_equal(bad.first, want);
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
        sb_bad bad;
        uint64_t unit = units[i];
        if (unit == 5) unit = SB_DOCUMENT_MAX + 1;
        collect("big.txt", kind, unit, &got, &bad);
        assert_int_equal(bad.count, want_bad);
        if (want) assert_string_equal(got.data, want);
        if (want_bad) assert_non_null(strstr(bad.first, "longer than"));
    }
    free(got.data);
}

static void a_document_too_long_is_bad_once(void **state)
{
    (void)state;
    size_t max = SB_DOCUMENT_MAX;
    put_big(max + 1, 'x', "a\n", "\nb\n");
    check_big(SB_DOC_LINE, "0:a|16777220:b|", 1);
    put_big(2 * max, 'x', "a\n\n", "\nc\n\nb\n");
    check_big(SB_DOC_PARAGRAPH, "0:a|33554439:b|", 1);
    put_big(max, '\n', "x", "y");
    check_big(SB_DOC_PARAGRAPH, "0:x|16777217:y|", 0);
    put_big(max + 2, ' ', "a\n", "\nb\n");
    check_big(SB_DOC_LINE, "0:a|16777221:b|", 1);
    check_big(SB_DOC_PARAGRAPH, "", 1);
    put_big(max, ' ', "a\n", "\nb\n");
    check_big(SB_DOC_LINE, "0:a|16777219:b|", 0);
    check_big(SB_DOC_PARAGRAPH, "0:a|16777219:b|", 0);
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
    sb_sources *s;
    put("n-b.t", "22", 2);
    put("n-a.t", "1", 1);
    put("n-B.t", "333", 3);
    put("n-c.t", "", 0);
    assert_int_equal(open_glob("n-*.t", SB_DOC_LINE, 2, &s), SB_OK);
    assert_int_equal(sb_sources_units(s), 4);
    assert_int_equal(sb_sources_bytes(s), 6);
    assert_non_null(strstr(sb_sources_unit(s, 0).path, "n-B.t"));
    assert_int_equal(sb_sources_unit(s, 1).first, 2);
    assert_int_equal(sb_sources_unit(s, 1).last, 3);
    assert_non_null(strstr(sb_sources_unit(s, 2).path, "n-a.t"));
    assert_non_null(strstr(sb_sources_unit(s, 3).path, "n-b.t"));
    sb_sources_close(s);
}

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    sb_sources *s = NULL;
    const char *const unknown[] = {"wiki:x"}, *const plain[] = {"x.txt"};
    assert_int_equal(sb_sources_open(unknown, 1, SB_DOC_LINE, 8, &s),
                     SB_EINVAL);
    assert_non_null(strstr(sb_error_last()->text, "wiki:x"));
    assert_int_equal(sb_sources_open(plain, 1, SB_DOC_LINE, 8, &s), SB_EINVAL);
    assert_int_equal(open_glob("no-such-*", SB_DOC_LINE, 8, &s), SB_ENOENT);
    assert_non_null(strstr(sb_error_last()->text, "no-such-*"));
    assert_int_equal(open_glob("", SB_DOC_LINE, 8, &s), SB_EINVAL);
    assert_non_null(strstr(sb_error_last()->text, "is a folder"));
    assert_int_equal(open_glob("x.txt", SB_DOC_LINE, 0, &s), SB_EINVAL);
    assert_null(s);
}

static void a_file_that_shrank_is_an_error(void **state)
{
    (void)state;
    sb_sources *s;
    sb_source *from;
    sb_document d;
    sb_bad bad = {0};
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
    assert_int_equal(open_glob("i.txt", SB_DOC_LINE, 99, &b), SB_OK);
    assert_true(sb_sources_identity(a) != sb_sources_identity(b));
    sb_sources_close(b);
    put("i.txt", "one!\n", 5);
    assert_int_equal(open_glob("i.txt", SB_DOC_LINE, 100, &b), SB_OK);
    assert_true(sb_sources_identity(a) != sb_sources_identity(b));
    sb_sources_close(b);
    sb_sources_close(a);
}

static void units_are_dealt_out_evenly(void **state)
{
    (void)state;
    sb_sources *s;
    char text[1000];
    memset(text, 'x', sizeof text);
    put("d-1.t", text, 1000);
    put("d-2.t", text, 350);
    put("d-3.t", text, 10);
    assert_int_equal(open_glob("d-*.t", SB_DOC_LINE, 100, &s), SB_OK);
    size_t n = sb_sources_units(s);
    assert_int_equal(n, 15);
    int owner[15], again[15];
    for (int size = 1; size <= 20; size++) {
        uint64_t load[20] = {0}, most = 0, least = UINT64_MAX;
        assert_int_equal(sb_sources_deal(s, size, owner), SB_OK);
        assert_int_equal(sb_sources_deal(s, size, again), SB_OK);
        assert_memory_equal(owner, again, sizeof owner);
        for (size_t i = 0; i < n; i++) {
            sb_unit u = sb_sources_unit(s, i);
            assert_in_range(owner[i], 0, size - 1);
            load[owner[i]] += u.last - u.first;
        }
        for (int r = 0; r < size; r++) {
            if (load[r] > most) most = load[r];
            if (load[r] < least) least = load[r];
        }
        assert_true(most - least <= 100);
    }
    assert_int_equal(sb_sources_deal(s, 0, owner), SB_EINVAL);
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
        cmocka_unit_test(units_are_dealt_out_evenly),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
