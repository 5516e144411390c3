/* SPDX-License-Identifier: MIT
 * wordpiece_train.c - word counts and the vocabulary made from them, against a
 * trainer that counts all pairs anew for every merge. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "dataset/vocab.h"
#include "dataset/wordpiece_train.h"

#define SPECIAL "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"

static sb_words *count(const char *text)
{
    sb_words *w = NULL;
    assert_int_equal(sb_words_open(&w), SB_OK);
    assert_int_equal(sb_words_count(w, text, strlen(text)), SB_OK);
    return w;
}

static char *train(const sb_words *w, uint32_t size, uint32_t letters,
                   uint64_t min_count, uint32_t *size_out)
{
    sb_buffer out = {NULL, 0, 0};
    sb_wordpiece_options o = {size, letters, min_count};
    assert_int_equal(sb_wordpiece_train(w, &o, NULL, NULL, &out, size_out),
                     SB_OK);
    assert_int_equal(sb_buffer_add(&out, "", 1), SB_OK);
    return out.data;
}

static void gives(const char *text, uint32_t size, uint32_t letters,
                  uint64_t min_count, const char *want)
{
    uint32_t n = 0, lines = 0;
    sb_words *w = count(text);
    char *got = train(w, size, letters, min_count, &n);
    assert_string_equal(got, want);
    for (const char *c = got; *c; c++) lines += *c == '\n';
    assert_int_equal(n, lines);
    free(got);
    sb_words_close(w);
}

/* ---- words --------------------------------------------------------------- */

static void words_are_counted(void **state)
{
    (void)state;
    sb_words *w = count("the cat and the dog , the end .");
    assert_int_equal(sb_words_distinct(w), 7);
    assert_int_equal(sb_words_total(w), 9);
    sb_words_close(w);
}

static void words_of_more_than_a_hundred_characters_do_not_count(void **state)
{
    (void)state;
    char text[512];
    memset(text, 'x', sizeof text);
    text[100] = ' ';
    text[202] = 0;
    sb_words *w = count(text); /* 100 and 101 characters */
    assert_int_equal(sb_words_total(w), 1);
    sb_words_close(w);
    for (int i = 0; i < 100; i++) memcpy(text + 2 * i, "\xce\xb2", 2);
    text[200] = 0;
    w = count(text);
    assert_int_equal(sb_words_total(w), 1);
    sb_words_close(w);
}

static void packed_counts_add_up(void **state)
{
    (void)state;
    sb_words *a = count("x y z x"), *b = count("z q \xce\xb2 q z");
    sb_buffer pack = {NULL, 0, 0};
    assert_int_equal(sb_words_pack(b, &pack), SB_OK);
    assert_int_equal(sb_words_unpack(a, pack.data, pack.n), SB_OK);
    assert_int_equal(sb_words_distinct(a), 5);
    assert_int_equal(sb_words_total(a), 9);
    sb_words *c = count("z q \xce\xb2 q z x y z x");
    uint32_t n;
    char *left = train(a, 100, 100, 1, &n), *right = train(c, 100, 100, 1, &n);
    assert_string_equal(left, right);
    free(left);
    free(right);
    free(pack.data);
    sb_words_close(a);
    sb_words_close(b);
    sb_words_close(c);
}

static void damaged_packs_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {{"\1", 1},
               {"\1\0\0\0\0\0\0\0\1\0", 10},     /* no word */
               {"\1\0\0\0\0\0\0\0\2\0a", 11},    /* cut off */
               {"\1\0\0\0\0\0\0\0\0\0a", 11},    /* empty */
               {"\0\0\0\0\0\0\0\0\1\0a", 11},    /* never seen */
               {"\1\0\0\0\0\0\0\0\3\0a b", 13},  /* two words */
               {"\1\0\0\0\0\0\0\0\2\0a\n", 12},  /* a line */
               {"\1\0\0\0\0\0\0\0\1\0\xff", 11}, /* not UTF-8 */
               {"\1\0\0\0\0\0\0\0\1\0\0", 11},   /* NUL */
               {"\1\0\0\0\0\0\0\0\xff\xff_", 11}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sb_words *w = count("");
        char *exact = malloc(bad[i].n);
        assert_non_null(exact);
        memcpy(exact, bad[i].bytes, bad[i].n);
        assert_int_equal(sb_words_unpack(w, exact, bad[i].n), SB_EFORMAT);
        free(exact);
        sb_words_close(w);
    }
    sb_words *w = count("a");
    assert_int_equal(
        sb_words_unpack(w, "\xff\xff\xff\xff\xff\xff\xff\x7f\1\0a", 11),
        SB_ELIMIT);
    assert_int_equal(sb_words_total(w), 1);
    sb_words_close(w);
}

static void a_hundred_thousand_words_are_all_kept(void **state)
{
    (void)state;
    sb_words *w = count("");
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 100000; i++) {
            char text[16];
            int n = snprintf(text, sizeof text, "%d", i);
            assert_int_equal(sb_words_count(w, text, (size_t)n), SB_OK);
        }
    assert_int_equal(sb_words_distinct(w), 100000);
    assert_int_equal(sb_words_total(w), 200000);
    sb_words_close(w);
}

/* ---- training ------------------------------------------------------------ */

static void the_most_frequent_pair_merges_first(void **state)
{
    (void)state;
    gives("ab ab ab", 100, 100, 2, SPECIAL "ab\n##b\na\nb\n");
    gives("abab abab ba", 11, 100, 1, SPECIAL "##ab\nab\n##a\nb\n##b\na\n");
    gives("abab abab ba", 12, 100, 1,
          SPECIAL "abab\n##a\nb\n##ab\n##b\na\nab\n");
    /* min_count keeps rare pairs apart */
    gives("ab ab", 100, 100, 3, SPECIAL "##b\na\nb\n");
}

static void ties_go_to_the_older_pieces(void **state)
{
    (void)state;
    /* ab, cd once each: letters a b c d, then ##b, ##d by the words' order */
    gives("cd ab", 12, 100, 1, SPECIAL "##d\nab\nc\n##b\na\nb\nd\n");
}

static void rare_letters_fall_out_of_the_alphabet(void **state)
{
    (void)state;
    /* a 4, b 2, c 1, d 1: of c and d the lower stays */
    gives("aa aa bb c d", 100, 3, 9, SPECIAL "##a\na\n##b\nb\nc\n");
    /* in "axb" the x falls out, so that a and ##b are neighbours */
    gives("axb ayb azb", 100, 2, 3, SPECIAL "##b\na\nab\nb\n");
}

static void what_cannot_be_trained_is_refused(void **state)
{
    (void)state;
    sb_buffer out = {NULL, 0, 0};
    uint32_t n = 0;
    sb_words *w = count("");
    sb_wordpiece_options o = {7, 100, 2};
    assert_int_equal(sb_wordpiece_train(w, &o, NULL, NULL, &out, &n),
                     SB_EINVAL);
    sb_words_close(w);
    w = count("abc"); /* a b c ##b ##c and 5 */
    assert_int_equal(sb_wordpiece_train(w, &o, NULL, NULL, &out, &n),
                     SB_EINVAL);
    assert_non_null(strstr(sb_error_last()->text, "10 letters"));
    assert_int_equal(out.n, 0);
    o.size = 10;
    assert_int_equal(sb_wordpiece_train(w, &o, NULL, NULL, &out, &n), SB_OK);
    assert_int_equal(n, 10);
    sb_words_close(w);
    free(out.data);
}

/* ---- the naive trainer --------------------------------------------------- */

enum { WORDS = 40, LETTERS = 8, PIECES = 200 };

typedef struct naive {
    char piece[PIECES][2 * LETTERS + 3];
    int n;
    int row[WORDS][LETTERS], len[WORDS], count[WORDS], words;
    char word[WORDS][LETTERS + 1];
} naive;

static int number_of(naive *t, const char *piece)
{
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->piece[i], piece) == 0) return i;
    strcpy(t->piece[t->n], piece);
    return t->n++;
}

static int count_pair(const naive *t, int a, int b)
{
    int sum = 0;
    for (int w = 0; w < t->words; w++)
        for (int i = 0; i + 1 < t->len[w]; i++)
            if (t->row[w][i] == a && t->row[w][i + 1] == b) sum += t->count[w];
    return sum;
}

static int merge_best(naive *t, int min_count)
{
    int best = 0, x = 0, y = 0;
    for (int a = 0; a < t->n; a++)
        for (int b = 0; b < t->n; b++) {
            int c = count_pair(t, a, b);
            if (c > best) best = c, x = a, y = b;
        }
    if (!best || best < min_count) return 0;
    char piece[64];
    snprintf(piece, sizeof piece, "%s%s", t->piece[x], t->piece[y] + 2);
    int to = number_of(t, piece);
    for (int w = 0; w < t->words; w++) {
        int j = 0;
        for (int i = 0; i < t->len[w]; i++) {
            int hit =
                t->row[w][i] == x && i + 1 < t->len[w] && t->row[w][i + 1] == y;
            t->row[w][j++] = hit ? to : t->row[w][i];
            i += hit;
        }
        t->len[w] = j;
    }
    return 1;
}

static void random_words(naive *t, uint32_t *seed, sb_words *w)
{
    static const char letters[] = "abc";
    char sorted[4][2] = {"a", "b", "c", ""};
    memset(t, 0, sizeof *t);
    for (int i = 0; i < WORDS; i++) {
        char word[LETTERS + 1] = "";
        *seed = *seed * 1664525u + 1013904223u;
        uint32_t bits = *seed >> 8;
        size_t n = 1 + bits % LETTERS;
        for (size_t k = 0; k < n; k++, bits /= 3) word[k] = letters[bits % 3];
        assert_int_equal(sb_words_count(w, word, n), SB_OK);
        int at = 0, same;
        while (at < t->words && strcmp(t->word[at], word) < 0) at++;
        same = at < t->words && strcmp(t->word[at], word) == 0;
        if (!same) {
            for (int k = t->words++; k > at; k--) {
                strcpy(t->word[k], t->word[k - 1]);
                t->count[k] = t->count[k - 1];
            }
            strcpy(t->word[at], word);
            t->count[at] = 0;
        }
        t->count[at]++;
    }
    for (int i = 0; i < 3; i++) {
        int seen = 0;
        for (int k = 0; k < t->words; k++)
            seen |= strchr(t->word[k], sorted[i][0]) != NULL;
        if (seen) number_of(t, sorted[i]);
    }
    for (int i = 0; i < t->words; i++)
        for (const char *c = t->word[i]; *c; c++) {
            char piece[4] = {'#', '#', *c, 0};
            t->row[i][t->len[i]++] =
                number_of(t, c == t->word[i] ? piece + 2 : piece);
        }
}

static void it_finds_what_the_naive_trainer_finds(void **state)
{
    (void)state;
    static naive t;
    uint32_t seed = 1;
    for (int round = 0; round < 30; round++) {
        sb_words *w = count("");
        random_words(&t, &seed, w);
        int want = t.n + round, min_count = 1 + round % 3;
        while (t.n < want && merge_best(&t, min_count)) continue;
        uint32_t n;
        char *got = train(w, (uint32_t)want + 5, 100, (uint64_t)min_count, &n);
        assert_int_equal(n, t.n + 5);
        sb_vocab *v;
        assert_int_equal(sb_vocab_parse(got, strlen(got), "got", &v), SB_OK);
        for (int i = 0; i < t.n; i++)
            assert_true(sb_vocab_find(v, t.piece[i], strlen(t.piece[i]), 0) !=
                        SB_NO_ID);
        sb_vocab_close(v);
        free(got);
        sb_words_close(w);
    }
}

static void the_order_of_counting_does_not_matter(void **state)
{
    (void)state;
    enum { N = 3000 };
    sb_words *a = count(""), *b = count("");
    for (uint32_t i = 0; i < N; i++) {
        char text[32];
        uint32_t x = i * 2654435761u >> 12, y = (N - 1 - i) * 2654435761u >> 12;
        int n = snprintf(text, sizeof text, "w%x \xce\xb2%u", x, x % 97);
        assert_int_equal(sb_words_count(a, text, (size_t)n), SB_OK);
        n = snprintf(text, sizeof text, "w%x \xce\xb2%u", y, y % 97);
        assert_int_equal(sb_words_count(b, text, (size_t)n), SB_OK);
    }
    uint32_t na, nb;
    char *x = train(a, 700, 100, 2, &na), *y = train(b, 700, 100, 2, &nb);
    assert_int_equal(na, 700);
    assert_int_equal(na, nb);
    assert_string_equal(x, y);
    free(x);
    free(y);
    sb_words_close(a);
    sb_words_close(b);
}

static void note(void *last, double share)
{
    assert_true(share >= *(double *)last && share <= 1.0);
    *(double *)last = share;
}

static void progress_rises(void **state)
{
    (void)state;
    sb_words *w = count("");
    for (int i = 0; i < 5000; i++) {
        char text[16];
        int n = snprintf(text, sizeof text, "%d", i * 7919 % 10007);
        assert_int_equal(sb_words_count(w, text, (size_t)n), SB_OK);
    }
    sb_buffer out = {NULL, 0, 0};
    sb_wordpiece_options o = {1000, 100, 1};
    uint32_t n;
    double last = 0;
    assert_int_equal(sb_wordpiece_train(w, &o, note, &last, &out, &n), SB_OK);
    assert_true(last > 0.5);
    free(out.data);
    sb_words_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_counted),
        cmocka_unit_test(words_of_more_than_a_hundred_characters_do_not_count),
        cmocka_unit_test(packed_counts_add_up),
        cmocka_unit_test(damaged_packs_are_refused),
        cmocka_unit_test(a_hundred_thousand_words_are_all_kept),
        cmocka_unit_test(the_most_frequent_pair_merges_first),
        cmocka_unit_test(ties_go_to_the_older_pieces),
        cmocka_unit_test(rare_letters_fall_out_of_the_alphabet),
        cmocka_unit_test(what_cannot_be_trained_is_refused),
        cmocka_unit_test(it_finds_what_the_naive_trainer_finds),
        cmocka_unit_test(the_order_of_counting_does_not_matter),
        cmocka_unit_test(progress_rises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
