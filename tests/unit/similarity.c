/* SPDX-License-Identifier: MIT
 * similarity.c - tests of trainer/word2vec/similarity.c and candidates.c, and
 * of what analogies.c takes for questions. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "tests/unit/made_source.h"
#include "trainer/word2vec/evaluation.h"

static void assert_near(double x, double y)
{
    if (!(fabs(x - y) < 1e-12)) fail_msg("%.15g is not %.15g", x, y);
}

/* ---- ranks --------------------------------------------------------------- */

static double rho(const double *x, const double *y, size_t n)
{
    double r = 7;
    assert_int_equal(sb_spearman(x, y, n, &r), SB_OK);
    return r;
}

static void spearman_is_what_it_is_by_hand(void **state)
{
    (void)state;
    /* 1 - 6 sum d^2 / (n (n^2 - 1)), d = 1 1 1 1 0 */
    assert_near(rho((double[]){1, 2, 3, 4, 5}, (double[]){2, 1, 4, 3, 5}, 5),
                0.8);
    assert_near(rho((double[]){-1, 0, 9}, (double[]){3, 4, 50}, 3), 1);
    assert_near(rho((double[]){9, 0, -1}, (double[]){3, 4, 50}, 3), -1);
}

static void equal_values_share_their_ranks(void **state)
{
    (void)state;
    /* ranks 1 2.5 2.5 4 and 1 2 3 4: 4.5 / sqrt(4.5 x 5) */
    assert_near(rho((double[]){1, 2, 2, 3}, (double[]){1, 2, 3, 4}, 4),
                4.5 / sqrt(22.5));
    /* ranks 2 2 2 4 5 and 4.5 2.5 4.5 1 2.5:
     * dx -1 -1 -1 1 2, dy 1.5 -.5 1.5 -2 -.5 */
    assert_near(rho((double[]){0, 0, 0, 5, 6}, (double[]){8, 7, 8, 1, 7}, 5),
                -5.5 / sqrt(8 * 9));
}

static void too_little_has_no_correlation(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3}, y[] = {4, 4, 4};
    assert_true(isnan(rho(x, y, 0)));
    assert_true(isnan(rho(x, y, 1)));
    assert_true(isnan(rho(x, y, 3)));
    assert_true(isnan(rho(y, x, 3)));
}

/* ---- candidates ---------------------------------------------------------- */

static void candidates_are_what_occurs_most_frequent_first(void **state)
{
    (void)state;
    static const char text[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
                               "rare\nthe\n##s\nnever\nalso\n";
    static const uint64_t counts[] = {9, 9, 9, 9, 9, 1, 7, 3, 0, 3};
    sb_vocab *v;
    sb_candidates c;
    assert_int_equal(sb_vocab_parse(text, strlen(text), "v", &v), SB_OK);
    assert_int_equal(sb_candidates_of_vocab(v, counts, 0, &c), SB_OK);
    assert_int_equal(c.n, 4);
    assert_int_equal(c.V, 10);
    assert_memory_equal(c.row, ((uint32_t[]){6, 7, 9, 5}), 16);
    assert_int_equal(c.best[sb_candidates_find(&c, "THE", 3)], 0);
    assert_int_equal(sb_candidates_find(&c, "never", 5), SB_NO_WORD);
    assert_int_equal(sb_candidates_find(&c, "[UNK]", 5), SB_NO_WORD);
    sb_candidates_free(&c);
    assert_int_equal(sb_candidates_of_vocab(v, counts, 2, &c), SB_OK);
    assert_int_equal(c.n, 2);
    assert_int_equal(sb_candidates_find(&c, "rare", 4), SB_NO_WORD);
    sb_candidates_free(&c);
    assert_int_equal(sb_candidates_of_vocab(v, counts, 99, &c), SB_OK);
    assert_int_equal(c.n, 4);
    sb_candidates_free(&c);
    sb_vocab_close(v);
}

static sb_vectors vectors;
static sb_candidates words;

static void make_words(void)
{
    static const char text[] = "5 2\nTiger 2 0\nCat 3 3\ntiger 0 9\ncar 0 1\n"
                               "nought 0 0\n";
    put("vectors", text, strlen(text));
    char *path = sb_path_join(folder, "vectors");
    assert_int_equal(sb_vectors_read(path, &vectors), SB_OK);
    assert_int_equal(sb_candidates_of_vectors(&vectors, 0, &words), SB_OK);
    sb_free(path);
}

static void of_words_in_other_letters_the_first_counts(void **state)
{
    (void)state;
    assert_int_equal(words.n, 5);
    uint32_t tiger = sb_candidates_find(&words, "TIGER", 5);
    assert_int_equal(words.best[tiger], 0);
    assert_int_equal(words.word[2], tiger);
    assert_int_equal(words.best[sb_candidates_find(&words, "cat", 3)], 1);
}

/* ---- files --------------------------------------------------------------- */

static sb_status open_pairs(const char *text, sb_similarity *s)
{
    put("pairs", text, strlen(text));
    char *path = sb_path_join(folder, "pairs");
    sb_status st = sb_similarity_open(path, &words, s);
    sb_free(path);
    return st;
}

static void expect_pairs(const char *text, uint64_t asked, uint64_t covered,
                         double r)
{
    sb_similarity s;
    assert_int_equal(open_pairs(text, &s), SB_OK);
    assert_int_equal(s.asked, asked);
    assert_int_equal(s.covered, covered);
    assert_int_equal(sb_similarity_run(&s, &words, vectors.table, 2, 2), SB_OK);
    if (isnan(r))
        assert_true(isnan(s.rho));
    else
        assert_near(s.rho, r);
    sb_similarity_close(&s);
}

/* Cosines: tiger cat 0.71, tiger car 0, cat cat 1, nought anything 0. */
static void pairs_are_compared_by_cosine(void **state)
{
    (void)state;
    expect_pairs("# a comment\n\ntiger\tcat\t5\nTIGER\tcar\t1.5\r\n"
                 "cat\tcat\t10.00\ncat\tdog\t3\n",
                 4, 3, 1);
    expect_pairs("tiger cat 1\ntiger car 2\ncat cat 3", 3, 3, 0.5);
    /* ranks of cosines 1.5 1.5 3 */
    expect_pairs("nought cat 1\ntiger car 2\ncat cat 3", 3, 3,
                 1.5 / sqrt(1.5 * 2));
    expect_pairs("tiger cat 1\n", 1, 1, NAN);
    expect_pairs("a b 1\n", 1, 0, NAN);
}

static void the_first_line_may_name_the_columns(void **state)
{
    (void)state;
    expect_pairs("word1\tword2\tPOS\tSimLex999\tconc\ntiger\tcat\tN\t5\t-3\n"
                 "tiger\tcar\tN\t1\t-4\ncat\tcat\tN\t9\t-5\n",
                 3, 3, 1);
    expect_pairs("Word 1\tWord 2\tHuman (mean)\ntiger cat 5\ntiger car 1\n", 2,
                 2, 1);
}

static void refused(sb_status st, const char *why)
{
    assert_int_equal(st, SB_EFORMAT);
    if (!strstr(sb_error_last()->text, why))
        fail_msg("'%s' does not say '%s'", sb_error_last()->text, why);
}

static void bad_pairs_are_refused(void **state)
{
    (void)state;
    sb_similarity s;
    refused(open_pairs("", &s), "no pair");
    refused(open_pairs("# only\n\n", &s), "no pair");
    refused(open_pairs("a b c\n", &s), "no pair");
    refused(open_pairs("a b 1\na b\n", &s), "line 2 is not two words");
    refused(open_pairs("a b 1\na b nan\n", &s), "line 2 is not two words");
    refused(open_pairs("a b\na b 1\n", &s), "line 1 is not two words");
    refused(open_pairs("a b c\n1 2 3\nc d e\n", &s), "line 3 is not");
    refused(open_pairs("x y z SimLex999\na b 1 x\n", &s), "in column 4");
}

static sb_status open_questions(const char *text, sb_analogies **q)
{
    put("questions", text, strlen(text));
    char *path = sb_path_join(folder, "questions");
    sb_status st = sb_analogies_open(path, &words, q);
    sb_free(path);
    return st;
}

static void questions_are_read_by_section(void **state)
{
    (void)state;
    sb_analogies *q;
    size_t n;
    assert_int_equal(open_questions(": one\nTIGER cat car tiger\na b c d\n\n"
                                    ":two\r\ncat cat cat  cat",
                                    &q),
                     SB_OK);
    const sb_section *s = sb_analogies_sections(q, &n);
    assert_int_equal(n, 2);
    assert_string_equal(s[0].name, "one");
    assert_string_equal(s[1].name, "two");
    assert_int_equal(s[0].asked, 2);
    assert_int_equal(s[0].covered, 1);
    assert_int_equal(s[1].covered, 1);
    sb_analogies_close(q);
}

static void bad_questions_are_refused(void **state)
{
    (void)state;
    sb_analogies *q;
    refused(open_questions("", &q), "no question");
    refused(open_questions(": one\n: two\n", &q), "no question");
    refused(open_questions("a b c d\n", &q), "before the first");
    refused(open_questions(": x\na b c d\na b c\n", &q), "line 3 has 3 words");
    refused(open_questions(": x\na b c d e\n", &q), "line 2 has 5 words");
}

static int make_all(void **state)
{
    if (set_up(state) != 0) return -1;
    make_words();
    return 0;
}

static int drop_all(void **state)
{
    sb_candidates_free(&words);
    sb_vectors_free(&vectors);
    return tear_down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spearman_is_what_it_is_by_hand),
        cmocka_unit_test(equal_values_share_their_ranks),
        cmocka_unit_test(too_little_has_no_correlation),
        cmocka_unit_test(candidates_are_what_occurs_most_frequent_first),
        cmocka_unit_test(of_words_in_other_letters_the_first_counts),
        cmocka_unit_test(pairs_are_compared_by_cosine),
        cmocka_unit_test(the_first_line_may_name_the_columns),
        cmocka_unit_test(bad_pairs_are_refused),
        cmocka_unit_test(questions_are_read_by_section),
        cmocka_unit_test(bad_questions_are_refused),
    };
    return cmocka_run_group_tests(tests, make_all, drop_all);
}
