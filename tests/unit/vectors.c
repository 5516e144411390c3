/* SPDX-License-Identifier: MIT
 * vectors.c - tests of trainer/vectors.c and word_index.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "tests/unit/made_source.h"
#include "trainer/vectors.h"

static sb_status read_bytes(const char *data, size_t n, sb_vectors *v)
{
    *v = (sb_vectors){0};
    put("vectors", data, n);
    char *path = sb_path_join(folder, "vectors");
    sb_status st = sb_vectors_read(path, v);
    sb_free(path);
    return st;
}

static sb_status read_text(const char *text, sb_vectors *v)
{
    return read_bytes(text, strlen(text), v);
}

static void expect_row(const sb_vectors *v, uint32_t i, const char *word,
                       const float *row)
{
    size_t n;
    const char *found = sb_word_index_word(v->words, i, &n);
    assert_int_equal(n, strlen(word));
    assert_memory_equal(found, word, n);
    assert_int_equal(sb_word_index_find(v->words, word, n), i);
    assert_memory_equal(v->table + i * v->dim, row, v->dim * sizeof *row);
}

static void refused(const char *data, size_t n, const char *why)
{
    sb_vectors v;
    assert_int_equal(read_bytes(data, n, &v), SB_EFORMAT);
    if (!strstr(sb_error_last()->text, why))
        fail_msg("'%s' does not say '%s'", sb_error_last()->text, why);
    assert_null(v.table);
    assert_null(v.words);
}

static void refused_text(const char *text, const char *why)
{
    refused(text, strlen(text), why);
}

/* ---- good files ---------------------------------------------------------- */

static const float row_of_the[3] = {0.5f, -1.25f, 1e-7f};
static const float row_of_u[3] = {-0.0f, 123456.789f, 3.0e38f};

static void expect_two(sb_vectors *v)
{
    assert_int_equal(v->n, 2);
    assert_int_equal(v->dim, 3);
    assert_int_equal(v->doubled, 0);
    assert_int_equal(sb_word_index_size(v->words), 2);
    expect_row(v, 0, "the", row_of_the);
    expect_row(v, 1, "\xc3\xbc\xff:", row_of_u);
    sb_vectors_free(v);
}

static void text_is_read_whatever_its_white_space(void **state)
{
    (void)state;
    static const char *const same[] = {
        "2 3\nthe 0.5 -1.25 1e-7\n\xc3\xbc\xff: -0 123456.789 3e38\n",
        "2 3\nthe 0.5 -1.25 1e-7 \n\xc3\xbc\xff: -0 123456.789 3e38 \n",
        "2 3\nthe 0.5 -1.25 1e-7\n\xc3\xbc\xff: -0 123456.789 3e38",
        "2\t3\r\nthe\t.5\t-1.25\t1e-7\r\n\xc3\xbc\xff:  -0. 123456.789 "
        "+3.0E+38\r\n\n",
        "2 3\nthe 0.500000000000000000000000 -1.2500 0.0000001\n"
        "\xc3\xbc\xff: -0.0000000000000000000000 123456.7890 "
        "300000000000000000000000000000000000000\n"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        sb_vectors v;
        assert_int_equal(read_text(same[i], &v), SB_OK);
        expect_two(&v);
    }
}

/* "<words> <dim>\n", then word, blank, floats, and `behind` each. */
static size_t make_binary(char *to, const char *head, const char *behind)
{
    size_t n = (size_t)sprintf(to, "%s\n", head);
    for (int i = 0; i < 2; i++) {
        n += (size_t)sprintf(to + n, "%s ", i ? "\xc3\xbc\xff:" : "the");
        memcpy(to + n, i ? row_of_u : row_of_the, sizeof row_of_u);
        n += sizeof row_of_u;
        n += (size_t)sprintf(to + n, "%s", behind);
    }
    return n;
}

static void binary_is_read_with_line_feeds_and_without(void **state)
{
    (void)state;
    static const char *const behind[] = {"", "\n"};
    for (int i = 0; i < 2; i++) {
        char data[256];
        sb_vectors v;
        size_t n = make_binary(data, "2 3", behind[i]);
        assert_int_equal(read_bytes(data, n, &v), SB_OK);
        expect_two(&v);
    }
}

static void a_float_of_any_bytes_is_read(void **state)
{
    (void)state;
    char data[64] = "2 2\na ";
    static const char bytes[] = "\n \n \t\r\n\nb 0 1 1.1"; /* 8, "b ", 8 */
    float row[2];
    sb_vectors v;
    memcpy(data + 6, bytes, 18);
    assert_int_equal(read_bytes(data, 24, &v), SB_OK);
    assert_int_equal(v.n, 2);
    memcpy(row, bytes, 8);
    expect_row(&v, 0, "a", row);
    memcpy(row, bytes + 10, 8);
    expect_row(&v, 1, "b", row);
    sb_vectors_free(&v);
}

static void of_doubled_words_the_first_counts(void **state)
{
    (void)state;
    sb_vectors v;
    assert_int_equal(read_text("4 2\na 1 2\nb 3 4\na 5 6\nc 7 8\n", &v), SB_OK);
    assert_int_equal(v.n, 3);
    assert_int_equal(v.doubled, 1);
    expect_row(&v, 0, "a", (float[]){1, 2});
    expect_row(&v, 1, "b", (float[]){3, 4});
    expect_row(&v, 2, "c", (float[]){7, 8});
    sb_vectors_free(&v);
}

static void a_file_larger_than_the_buffer_is_read(void **state)
{
    (void)state;
    enum { WORDS = 3000, DIM = 300 };
    for (int binary = 0; binary < 2; binary++) {
        sb_buffer b = {0};
        char piece[64];
        sb_vectors v;
        int n = sprintf(piece, "%d %d\n", WORDS, DIM);
        assert_int_equal(sb_buffer_add(&b, piece, (size_t)n), SB_OK);
        for (int i = 0; i < WORDS; i++) {
            n = sprintf(piece, "word%d", i);
            assert_int_equal(sb_buffer_add(&b, piece, (size_t)n), SB_OK);
            for (int k = 0; k < DIM; k++) {
                float x = (float)(i * DIM + k) / 7;
                n = sprintf(piece, " %.9g", (double)x);
                if (binary) memcpy(piece + (k == 0), &x, sizeof x);
                if (binary) n = 4 + (k == 0);
                assert_int_equal(sb_buffer_add(&b, piece, (size_t)n), SB_OK);
            }
            assert_int_equal(sb_buffer_add(&b, "\n", 1), SB_OK);
        }
        assert_int_equal(read_bytes(b.data, b.n, &v), SB_OK);
        free(b.data);
        assert_int_equal(v.n, WORDS);
        for (int i = 0; i < WORDS * DIM; i++)
            assert_true(v.table[i] == (float)i / 7);
        sb_vectors_free(&v);
    }
}

/* ---- bad files ----------------------------------------------------------- */

static void a_bad_first_line_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "\n",
                                      "2 3",
                                      "2\na 1\n",
                                      "two 3\na 1 2 3\n",
                                      "1 2 3\na 1 2\n",
                                      "-1 2\na 1 2\n",
                                      "1.0 2\na 1 2\n",
                                      "the 0.1 0.2\na 1 2\n",
                                      "99999999999999999999 2\na 1 2\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused_text(bad[i], "no file of word vectors");
    refused("\0\0\0\0 \0\0\n", 8, "no file of word vectors");
    refused_text("0 2\n", "are none, or more");
    refused_text("2 0\na\nb\n", "are none, or more");
    refused_text("1 65537\na 1\n", "are none, or more");
    refused_text("4294967295 2\na 1 2\n", "are none, or more");
    refused_text("1 999999999999999999\na 1 2\n", "are none, or more");
}

static void what_the_first_line_claims_costs_nothing(void **state)
{
    (void)state;
    refused_text("4294967293 65536\na 1 2\n", "cut off");
    refused_text("4294967293 2\na 1 2\n", "has 1 of 4294967293 words");
}

static void wrong_counts_are_refused(void **state)
{
    (void)state;
    refused_text("2 2\n", "cut off");
    refused_text("2 2\na 1 2\n", "has 1 of 2 words");
    refused_text("1 2\na 1 2\nb 3 4\n", "more than the 1 words");
    refused_text("2 2\naaa 1 2\nbbb 3\n", "'bbb' in line 3 has 1 values");
    refused_text("2 2\naaa 1 2\nbbb 3 4 5\n", "'bbb' in line 3 has 3 values");
    refused_text("1 3\nthe 1.000 2.000\n", "'the' in line 2 has 2 values");
    refused_text("2 2\na 1 2\n\n\nb 1 2\n", "line 3 has 0 values");
}

static void a_cut_binary_file_is_refused_at_any_byte(void **state)
{
    (void)state;
    char data[256];
    sb_vectors v;
    for (int feed = 0; feed < 2; feed++) {
        size_t n = make_binary(data, "2 3", feed ? "\n" : "");
        for (size_t k = 0; k < n - (size_t)feed; k++)
            assert_int_equal(read_bytes(data, k, &v), SB_EFORMAT);
        data[n] = 'x';
        refused(data, n + 1, "more than the 2 words");
    }
    size_t n = make_binary(data, "3 3", "\n");
    refused(data, n, "has 2 of 3 words");
    n = make_binary(data, "1 3", "\n");
    refused(data, n, "more than the 1 words");
    n = make_binary(data, "2 4", "");
    assert_int_equal(read_bytes(data, n, &v), SB_EFORMAT);
}

static void values_are_finite_numbers(void **state)
{
    (void)state;
    static const char *const bad[] = {"nan",   "inf",   "-INF", "1e39",
                                      "0x1p3", "1.2.3", "1e",   "--1",
                                      "1,5",   "e",     ".",    "-"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "2 2\na 1 2\nbad 1 %s\n", bad[i]);
        refused_text(text, "a value of 'bad' in line 3");
    }
    refused_text("1 3\nbad 1.00 nan 2.00\n", "a value of 'bad' in line 2");
    static const float not [] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        char data[256];
        size_t n = make_binary(data, "2 3", "\n");
        memcpy(data + n - 5, &not [i], 4);
        refused(data, n, "in row 2 is not a finite number");
    }
}

static void words_have_a_length(void **state)
{
    (void)state;
    static char text[2 * SB_VECTORS_WORD_MAX];
    sb_vectors v;
    for (int more = 0; more < 2; more++) {
        size_t n = (size_t)sprintf(text, "2 1\na 1\n");
        memset(text + n, 'w', SB_VECTORS_WORD_MAX + (size_t)more);
        n += SB_VECTORS_WORD_MAX + (size_t)more;
        n += (size_t)sprintf(text + n, " 1\n");
        if (more)
            refused(text, n, "longer than 4096 bytes");
        else
            assert_int_equal(read_bytes(text, n, &v), SB_OK);
        if (!more) sb_vectors_free(&v);
        n = (size_t)sprintf(text, "1 1\n");
        memset(text + n, 'w', SB_VECTORS_WORD_MAX + (size_t)more);
        n += SB_VECTORS_WORD_MAX + (size_t)more;
        memcpy(text + n, " \1\2\3\4", 5);
        if (more)
            refused(text, n + 5, "longer than 4096 bytes");
        else
            assert_int_equal(read_bytes(text, n + 5, &v), SB_OK);
        if (!more) sb_vectors_free(&v);
    }
    refused_text("2 1\na 1\n 2\n", "row 2 has no word");
    refused("1 1\n \1\2\3\4", 9, "row 1 has no word");
    refused("2 1\na \1\2\3\4\n\nb \1\2\3\4", 18, "line feed in its word");
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    sb_vectors v;
    assert_int_equal(sb_vectors_read("/nowhere/at-all", &v), SB_ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_read_whatever_its_white_space),
        cmocka_unit_test(binary_is_read_with_line_feeds_and_without),
        cmocka_unit_test(a_float_of_any_bytes_is_read),
        cmocka_unit_test(of_doubled_words_the_first_counts),
        cmocka_unit_test(a_file_larger_than_the_buffer_is_read),
        cmocka_unit_test(a_bad_first_line_is_refused),
        cmocka_unit_test(what_the_first_line_claims_costs_nothing),
        cmocka_unit_test(wrong_counts_are_refused),
        cmocka_unit_test(a_cut_binary_file_is_refused_at_any_byte),
        cmocka_unit_test(values_are_finite_numbers),
        cmocka_unit_test(words_have_a_length),
        cmocka_unit_test(a_missing_file_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
