/* SPDX-License-Identifier: MIT
 * used_pieces.c - tests of dataset/used_pieces.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "comm/base/rng.h"
#include "dataset/used_pieces.h"

#define SPECIAL "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"

static sb_vocab *parse(const char *text)
{
    sb_vocab *v;
    assert_int_equal(sb_vocab_parse(text, strlen(text), "t", &v), SB_OK);
    return v;
}

/* The pieces behind the special tokens that `text` needs of `vocab`. */
static const char *needs(const char *vocab, const char *text)
{
    static char all[256];
    sb_vocab *v = parse(vocab), *smaller;
    sb_used *u;
    const uint32_t *old;
    assert_int_equal(sb_used_open(v, &u), SB_OK);
    assert_int_equal(sb_used_add_text(u, text, strlen(text)), SB_OK);
    assert_int_equal(sb_used_make(u, &smaller, &old), SB_OK);
    assert_int_equal(sb_used_check(u, text, strlen(text)), SB_OK);
    *all = 0;
    for (uint32_t id = 0; id < sb_vocab_size(smaller); id++) {
        const char *piece = sb_vocab_piece(smaller, id);
        assert_string_equal(piece, sb_vocab_piece(v, old[id]));
        if (id) assert_true(old[id] > old[id - 1]);
        if (id >= 5) strcat(strcat(all, *all ? " " : ""), piece);
    }
    sb_vocab_close(smaller);
    sb_used_close(u);
    sb_vocab_close(v);
    return all;
}

static void what_a_text_is_encoded_with_stays_in_its_order(void **state)
{
    (void)state;
    static const char v[] = SPECIAL "a\nb\n##b\n##c\nab\n##bc\nabc\n";
    assert_string_equal(needs(v, "abc"), "abc");
    assert_string_equal(needs(v, "abb ABB a"), "a ##b ab");
    assert_string_equal(needs(v, ""), "");
    assert_string_equal(needs(v, "[MASK]"), ""); /* brackets are no pieces */
}

/* "abx" is [UNK]: "ab" matches, and nothing covers the x. Without "ab" it would
 * become a ##bx, where those stay for other words. */
static void a_word_that_cannot_be_covered_stays_one(void **state)
{
    (void)state;
    static const char v[] = SPECIAL "a\nb\nab\n##bx\n";
    assert_string_equal(needs(v, "abx"), "ab");
    assert_string_equal(needs(v, "abx bbx a"), "a b ab ##bx");
    assert_string_equal(needs(v, "xab"), ""); /* fails at once */
}

static void a_word_that_is_too_long_needs_nothing(void **state)
{
    (void)state;
    char word[102];
    memset(word, 'a', 101);
    word[101] = 0;
    assert_string_equal(needs(SPECIAL "a\n##a\n", word), "");
    word[100] = 0;
    assert_string_equal(needs(SPECIAL "a\n##a\n", word), "a ##a");
}

static void ids_are_taken_as_they_are(void **state)
{
    (void)state;
    sb_vocab *v = parse(SPECIAL "a\nb\nc\n"), *smaller;
    sb_used *u;
    const uint32_t *old;
    static const uint32_t ids[] = {7, 1, 5, 5, 1};
    assert_int_equal(sb_used_open(v, &u), SB_OK);
    sb_used_add_ids(u, ids, 5);
    assert_int_equal(sb_used_unknown(u), 2);
    assert_int_equal(sb_used_make(u, &smaller, &old), SB_OK);
    assert_int_equal(sb_vocab_size(smaller), 7);
    assert_int_equal(old[6], 7);
    assert_int_equal(sb_used_check(u, "c a", 3), SB_OK);
    assert_int_equal(sb_used_check(u, "c b", 3),
                     SB_EBUG); /* it was not added */
    sb_vocab_close(smaller);
    sb_used_close(u);
    sb_vocab_close(v);
}

static void special_tokens_may_stand_anywhere(void **state)
{
    (void)state;
    sb_vocab *v = parse("x\n[MASK]\n[SEP]\ny\n[PAD]\n[CLS]\n[UNK]\nz\n"),
             *smaller;
    sb_used *u;
    const uint32_t *old;
    assert_int_equal(sb_used_open(v, &u), SB_OK);
    assert_int_equal(sb_used_add_text(u, "z", 1), SB_OK);
    assert_int_equal(sb_used_make(u, &smaller, &old), SB_OK);
    assert_int_equal(sb_vocab_size(smaller), 6);
    assert_int_equal(sb_vocab_special(smaller).mask, 0);
    assert_int_equal(old[0], 1);
    assert_int_equal(old[5], 7);
    sb_vocab_close(smaller);
    sb_used_close(u);
    sb_vocab_close(v);
}

/* Random pieces over three letters, random words: [UNK]s in plenty. */
static void random_text_is_encoded_alike(void **state)
{
    (void)state;
    sb_rng_key key = sb_rng_key_make(5, SB_RNG_TEST);
    for (uint32_t round = 0; round < 1000; round++) {
        char vocab[1024] = SPECIAL "a\n", text[1024];
        size_t at = strlen(vocab), n = 0;
        for (uint32_t i = 0; i < 12; i++) {
            sb_rng4 r = sb_rng_at(key, round, 0, i);
            char piece[12];
            size_t len = 1 + r.v[0] % 3;
            for (size_t k = 0; k < len; k++)
                piece[k] = (char)('a' + (r.v[1] >> 2 * k) % 3);
            int m = snprintf(vocab + at, 12, "%s%.*s\n", r.v[2] % 2 ? "##" : "",
                             (int)len, piece);
            char seen[16];
            snprintf(seen, sizeof seen, "\n%.*s", m, vocab + at);
            vocab[at - 1] = 0; /* is it there already? */
            char before[1040];
            snprintf(before, sizeof before, "\n%s\n", vocab);
            vocab[at - 1] = '\n';
            if (strstr(before, seen))
                vocab[at] = 0;
            else
                at += (size_t)m;
        }
        for (uint32_t i = 0; i < 60; i++) {
            uint32_t r = sb_rng_at(key, round, 1, i).v[0];
            text[n++] = r % 4 == 0 ? ' ' : (char)('a' + r / 4 % 3);
        }
        text[n] = 0;
        (void)needs(vocab, text); /* checks */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_text_is_encoded_with_stays_in_its_order),
        cmocka_unit_test(a_word_that_cannot_be_covered_stays_one),
        cmocka_unit_test(a_word_that_is_too_long_needs_nothing),
        cmocka_unit_test(ids_are_taken_as_they_are),
        cmocka_unit_test(special_tokens_may_stand_anywhere),
        cmocka_unit_test(random_text_is_encoded_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
