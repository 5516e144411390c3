/* SPDX-License-Identifier: MIT
 * tokenize.c - text to ids and back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "dataset/tokenize.h"

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
        cmocka_unit_test(decoding_glues_the_pieces),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
