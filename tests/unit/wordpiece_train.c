/* SPDX-License-Identifier: MIT
 * wordpiece_train.c - the vocabulary made from word counts, against a trainer
 * that counts all pairs anew for every merge. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataset/tokenize.h"
#include "dataset/vocab.h"
#include "dataset/wordpiece_train.h"
#include "tests/unit/made_words.h"

#define SPECIAL "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"

static sb_words *count(const char *text)
{
    return made_words(text, MADE_MEMORY);
}

/* Ends and closes w. uses_out: NULL, or sb_free. */
static char *train_and_use(sb_words *w, uint32_t size, uint32_t letters,
                           uint64_t min_count, uint32_t *size_out,
                           uint64_t **uses_out)
{
    sb_buffer out = {NULL, 0, 0};
    sb_wordpiece_options o = {size, letters, min_count};
    sb_word_list l = made_list(w);
    assert_int_equal(
        sb_wordpiece_train(&l, &o, NULL, NULL, &out, uses_out, size_out),
        SB_OK);
    assert_int_equal(sb_buffer_add(&out, "", 1), SB_OK);
    sb_free(l.data);
    return out.data;
}

static char *train(sb_words *w, uint32_t size, uint32_t letters,
                   uint64_t min_count, uint32_t *size_out)
{
    uint64_t *uses;
    char *text = train_and_use(w, size, letters, min_count, size_out, &uses);
    sb_free(uses);
    return text;
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

static sb_status train_list(const sb_word_list *l, uint32_t size,
                            int (*progress)(void *, double), void *arg,
                            uint32_t *size_out)
{
    sb_buffer out = {NULL, 0, 0};
    uint64_t *uses = NULL;
    sb_wordpiece_options o = {size, 100, 1};
    sb_status st =
        sb_wordpiece_train(l, &o, progress, arg, &out, &uses, size_out);
    if (st != SB_OK) assert_int_equal(out.n, 0);
    free(out.data);
    sb_free(uses);
    return st;
}

static void what_cannot_be_trained_is_refused(void **state)
{
    (void)state;
    uint32_t n = 0;
    sb_word_list l = {.n = 0};
    assert_int_equal(train_list(&l, 7, NULL, NULL, &n), SB_EINVAL);
    l = made_list(count("abc")); /* a b c ##b ##c and 5 */
    assert_int_equal(train_list(&l, 7, NULL, NULL, &n), SB_EINVAL);
    assert_non_null(strstr(sb_error_last()->text, "10 letters"));
    assert_int_equal(train_list(&l, 10, NULL, NULL, &n), SB_OK);
    assert_int_equal(n, 10);
    sb_free(l.data);
}

static void uses_are_what_the_words_encode_to(void **state)
{
    (void)state;
    static const char text[] =
        "hop hop hops shop \xce\xb2op op ops pop \xce\xb3";
    uint32_t n;
    uint64_t *uses, mine[100] = {0};
    /* 6 letters: beta or gamma falls out, words with it are unknown */
    char *pieces = train_and_use(count(text), 20, 5, 1, &n, &uses);
    sb_vocab *v;
    sb_encoder *e;
    sb_ids ids = {0};
    assert_int_equal(sb_vocab_parse(pieces, strlen(pieces), "got", &v), SB_OK);
    assert_int_equal(sb_encoder_open(v, &e), SB_OK);
    assert_int_equal(sb_encode(e, text, strlen(text), 0, &ids), SB_OK);
    for (size_t i = 0; i < ids.n; i++) mine[ids.id[i]]++;
    assert_true(n < 100 && uses[1] > 0);
    for (uint32_t i = 0; i < n; i++) assert_int_equal(uses[i], mine[i]);
    sb_encoder_close(e);
    sb_vocab_close(v);
    sb_free(ids.id);
    sb_free(uses);
    free(pieces);
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
    for (int inside = 0; inside < 2; inside++)
        for (int i = 0; i < 3; i++) {
            char piece[] = {'#', '#', letters[i], 0};
            int seen = 0;
            for (int k = 0; k < t->words; k++)
                seen |= strchr(t->word[k] + inside, letters[i]) != NULL;
            if (seen) number_of(t, inside ? piece : piece + 2);
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
}

static int note(void *last, double share)
{
    assert_true(share >= *(double *)last && share <= 1.0);
    *(double *)last = share;
    return 0;
}

static int stop(void *calls, double share)
{
    (void)share;
    return ++*(int *)calls == 2;
}

static void progress_rises_and_can_stop_it(void **state)
{
    (void)state;
    sb_words *w = count("");
    for (int i = 0; i < 5000; i++) {
        char text[16];
        int n = snprintf(text, sizeof text, "%d", i * 7919 % 10007);
        assert_int_equal(sb_words_count(w, text, (size_t)n), SB_OK);
    }
    sb_word_list l = made_list(w);
    uint32_t n;
    double last = 0;
    assert_int_equal(train_list(&l, 1000, note, &last, &n), SB_OK);
    assert_true(last > 0.5);
    int calls = 0;
    assert_int_equal(train_list(&l, 1000, stop, &calls, &n), SB_ESTOP);
    assert_int_equal(calls, 2);
    sb_free(l.data);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, made_dir_up, made_dir_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_most_frequent_pair_merges_first),
        TEST(ties_go_to_the_older_pieces),
        TEST(rare_letters_fall_out_of_the_alphabet),
        TEST(what_cannot_be_trained_is_refused),
        TEST(uses_are_what_the_words_encode_to),
        TEST(it_finds_what_the_naive_trainer_finds),
        TEST(the_order_of_counting_does_not_matter),
        TEST(progress_rises_and_can_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
