/* SPDX-License-Identifier: MIT
 * lines.c - tests of dataset/lines.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "dataset/lines.h"
#include "tests/unit/made_source.h"

enum { BUFFER = 256 << 10 }; /* of lines.c: what crosses it is of interest */

static sb_stream *stream;

/* Lines of the file text[0..n), from byte `offset` on. */
static sb_lines *open_lines(const char *text, size_t n, uint64_t offset)
{
    sb_lines *l;
    put("file", text, n);
    char *path = sb_path_join(folder, "file");
    assert_int_equal(sb_stream_open(path, offset, n, 100, &stream), SB_OK);
    sb_free(path);
    assert_int_equal(sb_lines_open(stream, offset, &l), SB_OK);
    return l;
}

static void close_lines(sb_lines *l)
{
    sb_lines_close(l);
    sb_stream_close(stream);
}

static sb_line next(sb_lines *l)
{
    sb_line line;
    int more;
    assert_int_equal(sb_lines_next(l, &line, &more), SB_OK);
    assert_true(more);
    return line;
}

static void expect_end(sb_lines *l)
{
    sb_line line;
    int more = 1;
    for (int twice = 0; twice < 2; twice++) {
        assert_int_equal(sb_lines_next(l, &line, &more), SB_OK);
        assert_false(more);
    }
}

static void expect(sb_lines *l, const char *text, uint64_t offset,
                   uint64_t next_offset)
{
    sb_line line = next(l);
    assert_int_equal(line.n, strlen(text));
    assert_memory_equal(line.text, text, line.n);
    assert_int_equal(line.offset, offset);
    assert_int_equal(line.next, next_offset);
    assert_false(line.too_long);
}

/* All of `text`, whatever its lines are: by a plain loop. */
static void expect_all(const char *text, size_t n)
{
    sb_lines *l = open_lines(text, n, 0);
    for (size_t at = 0; at < n;) {
        const char *nl = memchr(text + at, '\n', n - at);
        size_t end = nl ? (size_t)(nl - text) : n, k = end - at;
        sb_line line = next(l);
        k -= k > 0 && text[end - 1] == '\r';
        assert_int_equal(line.offset, at);
        assert_int_equal(line.n, k);
        assert_memory_equal(line.text, text + at, k);
        assert_false(line.too_long);
        at = end + (nl != NULL);
        assert_int_equal(line.next, at);
    }
    expect_end(l);
    close_lines(l);
}

static char *filled(size_t n)
{
    char *text;
    assert_int_equal(sb_alloc(n, 1, "text", &text), SB_OK);
    memset(text, 'x', n);
    return text;
}

static void lines_come_with_their_places(void **state)
{
    (void)state;
    static const char text[] = "a b\n\n\r\ncd\r\ne\rf\n\rg";
    sb_lines *l = open_lines(text, strlen(text), 0);
    expect(l, "a b", 0, 4);
    expect(l, "", 4, 5);
    expect(l, "", 5, 7);
    expect(l, "cd", 7, 11);
    expect(l, "e\rf", 11, 15);
    expect(l, "\rg", 15, 17);
    expect_end(l);
    close_lines(l);
}

static void the_last_line_needs_no_end(void **state)
{
    (void)state;
    expect_all("", 0);
    expect_all("\n", 1);
    expect_all("a", 1);
    expect_all("a\n", 2);
    expect_all("a\nb", 3);
    expect_all("a\nb\r", 4);
}

static void a_mark_is_passed_over_at_the_start_only(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbf\nb\n\xef\xbb\xbf"
                               "c";
    sb_lines *l = open_lines(text, strlen(text), 0);
    expect(l, "", 3, 4);
    expect(l, "b", 4, 6);
    expect(l,
           "\xef\xbb\xbf"
           "c",
           6, 10);
    expect_end(l);
    close_lines(l);
    l = open_lines(text, strlen(text), 6);
    expect(l,
           "\xef\xbb\xbf"
           "c",
           6, 10);
    close_lines(l);
    l = open_lines("\xef\xbb\xbf", 3, 0);
    expect_end(l);
    close_lines(l);
    l = open_lines("\xef\xbb", 2, 0); /* half a mark is text */
    expect(l, "\xef\xbb", 0, 2);
    close_lines(l);
}

static void lines_cross_buffers(void **state)
{
    (void)state;
    enum { BYTES = 5 * BUFFER };
    char *text = filled(BYTES);
    for (uint32_t at = 0, k = 1; at < BYTES; at += k++ % 1500) text[at] = '\n';
    expect_all(text, BYTES);
    memset(text, 'y', BYTES); /* and one that is longer than two of them */
    text[BUFFER + 5] = '\n';
    text[3 * BUFFER + 77] = '\n';
    expect_all(text, BYTES);
    sb_free(text);
}

/* "\r\n" with its first byte at each place near the border. */
static void an_end_of_line_crosses_buffers(void **state)
{
    (void)state;
    char *text = filled(2 * BUFFER);
    for (size_t at = BUFFER - 3; at < BUFFER + 2; at++)
        for (int tail = 0; tail < 2; tail++) { /* is it the file's end too? */
            memset(text, 'x', 2 * BUFFER);
            memcpy(text + at, "\r\n", 2);
            expect_all(text, tail ? 2 * BUFFER : at + 2);
            text[at] = '\n'; /* an empty line there */
            expect_all(text, tail ? 2 * BUFFER : at + 2);
        }
    sb_free(text);
}

static void a_line_of_the_greatest_length_is_whole(void **state)
{
    (void)state;
    static const char *const ends[] = {"\n", "\r\n", "", "\r"};
    for (int i = 0; i < 4; i++) {
        size_t k = strlen(ends[i]);
        char *text = filled(SB_LINE_MAX + k + 3);
        memcpy(text + SB_LINE_MAX, ends[i], k);
        expect_all(text, SB_LINE_MAX + k + (i < 2 ? 3 : 0));
        sb_free(text);
    }
}

static void a_longer_line_is_passed_over(void **state)
{
    (void)state;
    static const size_t sizes[] = {SB_LINE_MAX + 1, SB_LINE_MAX + 2,
                                   SB_LINE_MAX + 3 * BUFFER};
    for (int i = 0; i < 6; i++) {
        size_t n = sizes[i / 2], k = i % 2 ? 2 : 1;
        char *text = filled(n + k + 4);
        memcpy(text + n, i % 2 ? "\r\nnext" : "\nnext", k + 4);
        sb_lines *l = open_lines(text, n + k + 4, 0);
        sb_line line = next(l);
        assert_true(line.too_long);
        assert_true(line.n > 0 && line.n <= SB_LINE_MAX + 1);
        assert_memory_equal(line.text, text, line.n);
        assert_int_equal(line.offset, 0);
        assert_int_equal(line.next, n + k);
        expect(l, "next", n + k, n + k + 4);
        expect_end(l);
        close_lines(l);
        sb_free(text);
    }
}

static void a_peek_takes_nothing(void **state)
{
    (void)state;
    char text[2 * SB_LINES_PEEK];
    const char *seen;
    size_t n;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 10 ? (char)('a' + i % 26) : '\n';
    static const size_t sizes[] = {0, 1, SB_LINES_PEEK - 1, SB_LINES_PEEK,
                                   sizeof text};
    for (int i = 0; i < 5; i++) {
        sb_lines *l = open_lines(text, sizes[i], 0);
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(sb_lines_peek(l, &seen, &n), SB_OK);
            assert_true(n <= sizes[i]);
            assert_true(n == sizes[i] || n >= SB_LINES_PEEK);
            assert_memory_equal(seen, text, n);
        }
        if (sizes[i]) expect(l, "", 0, 1);
        close_lines(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_with_their_places),
        cmocka_unit_test(the_last_line_needs_no_end),
        cmocka_unit_test(a_mark_is_passed_over_at_the_start_only),
        cmocka_unit_test(lines_cross_buffers),
        cmocka_unit_test(an_end_of_line_crosses_buffers),
        cmocka_unit_test(a_line_of_the_greatest_length_is_whole),
        cmocka_unit_test(a_longer_line_is_passed_over),
        cmocka_unit_test(a_peek_takes_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
