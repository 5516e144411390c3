/* SPDX-License-Identifier: MIT
 * piece_widths.c - tests of dataset/piece_widths.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "comm/base/mem.h"
#include "dataset/piece_widths.h"
#include "dataset/tokenize.h"

static const char pieces[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
    "the\nmare\nran\n##ning\nwell\nknown\nit\ns\na\n##x\ncafe\n"
    ".\n,\n-\n'\n(\n)\n/\n!\n\xe2\x80\x99\n"
    "\xe4\xb8\xad\n\xe6\x96\x87\n\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab\n";

static sb_vocab *vocab;
static sb_encoder *encoder;
static sb_piece_width *widths;
static sb_ids ids;

static int up(void **state)
{
    (void)state;
    return sb_vocab_parse(pieces, sizeof pieces - 1, "pieces", &vocab) !=
               SB_OK ||
           sb_encoder_open(vocab, &encoder) != SB_OK ||
           sb_piece_widths_open(vocab, &widths) != SB_OK;
}

static int down(void **state)
{
    (void)state;
    sb_free(ids.id);
    sb_free(widths);
    sb_encoder_close(encoder);
    sb_vocab_close(vocab);
    return 0;
}

/* Pieces of `text` that begin within its first `chars` characters. */
static uint32_t cut(const char *text, uint32_t chars)
{
    ids.n = 0;
    assert_int_equal(sb_encode(encoder, text, strlen(text), 0, &ids), SB_OK);
    return sb_piece_widths_cut(widths, ids.id, (uint32_t)ids.n, chars);
}

/* The last piece begins at character `at`, counted from 0. */
static void last_begins_at(const char *text, uint32_t at)
{
    uint32_t all = cut(text, at + 1);
    assert_int_equal(all, ids.n);
    assert_int_equal(cut(text, at), ids.n - 1);
}

static void words_have_one_space_between_them(void **state)
{
    (void)state;
    last_begins_at("the", 0);
    last_begins_at("the mare", 4);
    last_begins_at("the mare ran", 9);
    last_begins_at("the mare ranning", 12); /* ran, ##ning */
    assert_int_equal(cut("the mare ran", 0), 0);
    assert_int_equal(cut("the mare ran", 5), 2);
    assert_int_equal(cut("", 7), 0);
}

static void punctuation_stands_as_it_mostly_does(void **state)
{
    (void)state;
    last_begins_at("the mare.", 8);
    last_begins_at("the mare, ran", 10);
    last_begins_at("well-known", 5);
    last_begins_at("it's", 3);
    last_begins_at("it\xe2\x80\x99s", 3);
    last_begins_at("well/known", 5);
    last_begins_at("the mare (ran) ran", 15);
    last_begins_at("ran!!!", 5);
}

static void accents_are_part_of_their_letter(void **state)
{
    (void)state;
    last_begins_at("the caf\xc3\xa9 ran", 9);
}

static void ideographs_stand_without_spaces(void **state)
{
    (void)state;
    last_begins_at("\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad", 2);
}

/* U+D55C falls apart into three letters. */
static void a_syllable_of_hangul_is_one_character(void **state)
{
    (void)state;
    last_begins_at("\xed\x95\x9c ran", 2);
}

static void an_unknown_word_has_a_fixed_width(void **state)
{
    (void)state;
    last_begins_at("the zebra ran", 3 + SB_UNKNOWN_CHARS + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_have_one_space_between_them),
        cmocka_unit_test(punctuation_stands_as_it_mostly_does),
        cmocka_unit_test(accents_are_part_of_their_letter),
        cmocka_unit_test(ideographs_stand_without_spaces),
        cmocka_unit_test(a_syllable_of_hangul_is_one_character),
        cmocka_unit_test(an_unknown_word_has_a_fixed_width),
    };
    return cmocka_run_group_tests(tests, up, down);
}
