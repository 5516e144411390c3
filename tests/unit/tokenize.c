/* SPDX-License-Identifier: MIT
 * tokenize.c - text to ids and back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "dataset/ascii.h"
#include "dataset/text.h"
#include "dataset/tokenize.h"
#include "dataset/word.h"

enum { PAD, UNK, CLS, SEP, MASK, UN, AFF, ABLE, HELLO, A, A_IN, COMMA, B_IN };

static const char text_of_vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
                                    "un\n##aff\n##able\nhello\na\n##a\n,\n"
                                    "##\xce\xb2\n[\n]\nmask\nh\n##ello\n##e\n";

static sb_vocab *vocab;

static int set_up(void **state)
{
    (void)state;
    return sb_vocab_parse(text_of_vocab, sizeof text_of_vocab - 1, "test",
                          &vocab) == SB_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    sb_vocab_close(vocab);
    return 0;
}

static void ids_are(const char *text, int specials, const uint32_t *want,
                    size_t n)
{
    sb_encoder *e;
    sb_ids ids = {NULL, 0, 0};
    assert_int_equal(sb_encoder_open(vocab, &e), SB_OK);
    for (int again = 0; again < 2; again++) { /* the second from the cache */
        ids.n = 0;
        assert_int_equal(sb_encode(e, text, strlen(text), specials, &ids),
                         SB_OK);
        assert_int_equal(ids.n, n);
        if (n) assert_memory_equal(ids.id, want, n * sizeof *want);
    }
    sb_encoder_close(e);
    free(ids.id);
}

#define IDS(text, specials, ...)                                               \
    do {                                                                       \
        const uint32_t want_[] = {__VA_ARGS__};                                \
        ids_are((text), (specials), want_, sizeof want_ / sizeof *want_);      \
    } while (0)

static void the_longest_piece_comes_first(void **state)
{
    (void)state;
    IDS("unaffable", 0, UN, AFF, ABLE);
    IDS("Hello, HELLO", 0, HELLO, COMMA, HELLO);
    IDS("aaa", 0, A, A_IN, A_IN);
    IDS("a\xce\x92", 0, A, B_IN);
    ids_are("", 0, NULL, 0);
    ids_are(" \n\t ", 0, NULL, 0);
}

static void a_word_that_cannot_be_covered_is_unknown(void **state)
{
    (void)state;
    IDS("xyz", 0, UNK);
    IDS("unx a", 0, UNK, A);
    IDS("aff", 0, UNK);
    IDS("hellox,", 0, UNK, COMMA);
}

static void more_than_a_hundred_characters_are_unknown(void **state)
{
    (void)state;
    char text[256];
    uint32_t want[100];
    memset(text, 'a', sizeof text);
    want[0] = A;
    for (int i = 1; i < 100; i++) want[i] = A_IN;
    text[100] = 0;
    ids_are(text, 0, want, 100);
    text[100] = 'a';
    text[101] = 0;
    IDS(text, 0, UNK);
    text[0] = 'a'; /* 100 characters in 199 bytes */
    for (int i = 0; i < 99; i++) {
        memcpy(text + 1 + 2 * i, "\xce\xb2", 2);
        want[i + 1] = B_IN;
    }
    text[199] = 0;
    ids_are(text, 0, want, 100);
}

static void special_tokens_are_text_unless_asked_for(void **state)
{
    (void)state;
    IDS("[MASK]", 0, 13, 15, 14);
    IDS("[MASK]", 1, MASK);
    IDS("hello [MASK], a[SEP][CLS][PAD][UNK]", 1, HELLO, MASK, COMMA, A, SEP,
        CLS, PAD, UNK);
    IDS("[mask] [MAS [[MASK]]", 1, 13, 15, 14, 13, UNK, 13, MASK, 14);
}

static void ids_are_appended(void **state)
{
    (void)state;
    sb_encoder *e;
    sb_ids ids = {NULL, 0, 0};
    assert_int_equal(sb_encoder_open(vocab, &e), SB_OK);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(ids.n, i);
        assert_int_equal(
            sb_encode(e, i % 2 ? "a" : "hello", i % 2 ? 1 : 5, 0, &ids), SB_OK);
    }
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(ids.id[i], i % 2 ? A : HELLO);
    sb_encoder_close(e);
    free(ids.id);
}

static void the_cache_never_changes_ids(void **state)
{
    (void)state;
    sb_encoder *e;
    sb_ids ids = {NULL, 0, 0};
    assert_int_equal(sb_encoder_open(vocab, &e), SB_OK);
    for (uint32_t i = 0; i < 100000; i++) { /* more words than places */
        char word[40] = "h";
        for (uint32_t k = i, at = 1; k; k /= 2, at++)
            word[at] = k % 2 ? 'e' : 'a';
        size_t n = strlen(word);
        ids.n = 0;
        assert_int_equal(sb_encode(e, word, n, 0, &ids), SB_OK);
        assert_int_equal(ids.n, n);
        assert_int_equal(ids.id[0], 16);
        for (size_t k = 1; k < n; k++)
            assert_int_equal(ids.id[k], word[k] == 'e' ? 18 : A_IN);
    }
    sb_encoder_close(e);
    free(ids.id);
}

/* A repeatable number below n. */
static uint32_t below(uint32_t n)
{
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(state >> 8) * n >> 24);
}

static void letters_and_digits_are_found_at_once(void **state)
{
    (void)state;
    for (int at = 0; at < 16; at++)
        for (int c = 0; c < 256; c++)
            for (int more = 0; more < 256; more += 17) {
                unsigned char text[16], want[16] = {0};
                memset(text, at % 2 ? 'Z' : '9', sizeof text);
                if (at < 15) text[at + 1] = (unsigned char)more;
                text[at] = (unsigned char)c;
                size_t n = 0;
                for (; n < 16 && text[n] < 128 && isalnum(text[n]); n++)
                    want[n] = (unsigned char)tolower(text[n]);
                sb_ascii_word w = sb_ascii_word_at(text);
                assert_int_equal(w.n, n);
                assert_memory_equal(w.key, want, sizeof want);
            }
}

/* The plain way: all of the text normalised, then word after word. */
static void encode_slowly(const char *text, size_t n, sb_ids *ids)
{
    sb_buffer b = {NULL, 0, 0};
    size_t at = 0, k;
    const char *word;
    assert_int_equal(sb_normalise(text, n, &b), SB_OK);
    ids->n = 0;
    while ((k = sb_next_word(b.data, b.n, &at, &word)) > 0) {
        assert_int_equal(sb_grow(&ids->id, &ids->cap, ids->n + SB_WORD_CHARS,
                                 sizeof *ids->id, "ids"),
                         SB_OK);
        size_t pieces = sb_wordpiece(vocab, word, k, ids->id + ids->n);
        if (!pieces) ids->id[ids->n] = UNK;
        ids->n += pieces ? pieces : 1;
    }
    free(b.data);
}

static void the_fast_way_gives_the_ids_of_the_plain_one(void **state)
{
    (void)state;
    static const char *const part[] = {"un",
                                       "AFF",
                                       "able",
                                       "Hello",
                                       "a",
                                       " ",
                                       "  ",
                                       ",",
                                       "\n",
                                       "\t",
                                       "\x0b",
                                       "\x01",
                                       "\x7f",
                                       "[",
                                       "mask",
                                       "]",
                                       "\xce\x92",
                                       "\xc3\xa9",
                                       "e\xcc\x81",
                                       "\xcc\x81",
                                       "\xd2\x88",
                                       "\xe4\xb8\xad",
                                       "\xe2\x80\x99",
                                       "\xe2\x80\x83",
                                       "\xef\xbf\xbd",
                                       "\xcd\xbe",
                                       "aaaaaaaaaaaaaaaa",
                                       "7"};
    sb_encoder *e;
    sb_ids fast = {NULL, 0, 0}, slow = {NULL, 0, 0};
    assert_int_equal(sb_encoder_open(vocab, &e), SB_OK);
    for (int i = 0; i < 100000; i++) {
        char text[256];
        size_t n = 0;
        for (uint32_t parts = below(14); parts; parts--) {
            const char *p = part[below(sizeof part / sizeof *part)];
            memcpy(text + n, p, strlen(p));
            n += strlen(p);
        }
        char *exact = malloc(n + !n); /* so that a read behind it is found */
        assert_non_null(exact);
        memcpy(exact, text, n);
        fast.n = 0;
        assert_int_equal(sb_encode(e, exact, n, 0, &fast), SB_OK);
        encode_slowly(exact, n, &slow);
        assert_int_equal(fast.n, slow.n);
        if (fast.n)
            assert_memory_equal(fast.id, slow.id, fast.n * sizeof *fast.id);
        free(exact);
    }
    sb_encoder_close(e);
    free(fast.id);
    free(slow.id);
}

static void decoding_glues_the_pieces(void **state)
{
    (void)state;
    const uint32_t ids[] = {CLS, UN, AFF, ABLE, COMMA, A_IN, SEP, 999999};
    char *text = sb_decode(vocab, ids, sizeof ids / sizeof *ids);
    assert_string_equal(text, "[CLS] unaffable ,a [SEP] [UNK]");
    sb_free(text);
    text = sb_decode(vocab, ids + 5, 1);
    assert_string_equal(text, "##a");
    sb_free(text);
    text = sb_decode(vocab, ids, 0);
    assert_string_equal(text, "");
    sb_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_piece_comes_first),
        cmocka_unit_test(a_word_that_cannot_be_covered_is_unknown),
        cmocka_unit_test(more_than_a_hundred_characters_are_unknown),
        cmocka_unit_test(special_tokens_are_text_unless_asked_for),
        cmocka_unit_test(ids_are_appended),
        cmocka_unit_test(the_cache_never_changes_ids),
        cmocka_unit_test(letters_and_digits_are_found_at_once),
        cmocka_unit_test(the_fast_way_gives_the_ids_of_the_plain_one),
        cmocka_unit_test(decoding_glues_the_pieces),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
