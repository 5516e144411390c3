/* SPDX-License-Identifier: MIT
 * text.c - UTF-8, normalisation and the cutting into words. The expected texts
 * are what Hugging Face tokenizers 0.23 gives. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "dataset/text.h"

static void normal(const char *text, size_t n, const char *want)
{
    sb_buffer b = {NULL, 0, 0};
    assert_int_equal(sb_normalise(text, n, &b), SB_OK);
    assert_int_equal(b.n, strlen(want));
    if (b.n) assert_memory_equal(b.data, want, b.n);
    free(b.data);
}

#define NORMAL(text, want) normal((text), sizeof(text) - 1, (want))

/* The words of normalised text, parted by '|'. */
static void words(const char *text, const char *want)
{
    char got[256] = "";
    size_t at = 0, n;
    const char *w;
    while ((n = sb_next_word(text, strlen(text), &at, &w)) > 0) {
        if (*got) strcat(got, "|");
        strncat(got, w, n);
    }
    assert_string_equal(got, want);
}

static void valid_text_is_valid_to_its_end(void **state)
{
    (void)state;
    static const char *const good[] = {
        "",
        "plain ascii text longer than eight bytes",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(sb_utf8_valid(good[i], strlen(good[i])),
                         strlen(good[i]));
    assert_int_equal(sb_utf8_valid("a\0b", 3), 3);
}

static void bad_bytes_end_the_valid_part(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x80",             /* a tail alone */
                                      "\xc0\x80",         /* overlong NUL */
                                      "\xc1\xbf",         /* overlong */
                                      "\xe0\x9f\xbf",     /* overlong */
                                      "\xf0\x8f\xbf\xbf", /* overlong */
                                      "\xed\xa0\x80",     /* surrogate */
                                      "\xed\xbf\xbf",     /* surrogate */
                                      "\xf4\x90\x80\x80", /* above U+10FFFF */
                                      "\xf8\x88\x80\x80",
                                      "\xff",
                                      "\xe2\x82",
                                      "\xf0\x90\x80",
                                      "\xc2x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[64] = "0123456789";
        strcat(text, bad[i]);
        assert_int_equal(sb_utf8_valid(text, strlen(text)), 10);
        assert_int_equal(sb_utf8_valid(bad[i], strlen(bad[i])), 0);
    }
}

static void a_character_cut_at_the_end_is_never_read_past(void **state)
{
    (void)state;
    const char euro[] = {'\xe2', '\x82', '\xac'};
    for (size_t n = 1; n < sizeof euro; n++) {
        char *exact = malloc(n);
        assert_non_null(exact);
        memcpy(exact, euro, n);
        assert_int_equal(sb_utf8_valid(exact, n), 0);
        normal(exact, n, "");
        free(exact);
    }
}

static void ascii_is_lowered_and_its_controls_dropped(void **state)
{
    (void)state;
    NORMAL("Hello, WORLD! 09", "hello, world! 09");
    NORMAL("a\tb\nc\rd", "a b c d");
    NORMAL("a\0b\x01"
           "c\x0b"
           "d\x7f"
           "e",
           "abcde");
    NORMAL("", "");
}

static void accents_are_dropped(void **state)
{
    (void)state;
    NORMAL("H\xc3\xa9llo \xc3\x85ngstr\xc3\xb6m", "hello angstrom");
    NORMAL("e\xcc\x81", "e");
    NORMAL("\xc4\xb0stanbul", "istanbul");          /* U+0130 */
    NORMAL("\xc3\x98", "\xc3\xb8");                 /* no decomposition */
    NORMAL("\xe1\xba\xa4", "a");                    /* two accents */
    NORMAL("\xce\x86\xce\xa3", "\xce\xb1\xcf\x83"); /* no final sigma */
}

static void clean_text_drops_what_cannot_be_seen(void **state)
{
    (void)state;
    NORMAL("a\xe2\x80\x8b"
           "b\xef\xbf\xbd"
           "c\xee\x80\x80"
           "d\xef\xbb\xbf"
           "e\xc2\x85"
           "f",
           "abcdef"); /* ZWSP, U+FFFD, private use, BOM, NEL */
    NORMAL("a\xc2\xa0"
           "b\xe3\x80\x80"
           "c\xe2\x80\xa8"
           "d",
           "a b c d"); /* NBSP, ideographic space, line separator */
    NORMAL("\xcd\xb8", "\xcd\xb8"); /* unassigned stays */
}

static void ideographs_stand_alone(void **state)
{
    (void)state;
    NORMAL("a\xe4\xb8\xad\xe6\x96\x87z", "a \xe4\xb8\xad  \xe6\x96\x87 z");
    NORMAL("\xef\xa4\x80", " \xe8\xb1\x88 "); /* compatibility ideograph */
    NORMAL("\xe3\x81\x82\xe3\x81\x84", "\xe3\x81\x82\xe3\x81\x84"); /* kana */
    /* the slip of the reference: 2B820 is not an ideograph, 2B920 is */
    NORMAL("\xf0\xab\xa0\xa0", "\xf0\xab\xa0\xa0");
    NORMAL("\xf0\xab\xa4\xa0", " \xf0\xab\xa4\xa0 ");
}

static void hangul_falls_apart_into_letters(void **state)
{
    (void)state;
    NORMAL("\xed\x95\x9c", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab");
}

static void spacing_marks_are_put_in_canonical_order(void **state)
{
    (void)state;
    /* U+302E (224) before U+1BAA (9) changes places; a letter parts them */
    NORMAL("a\xe3\x80\xae\xe1\xae\xaa", "a\xe1\xae\xaa\xe3\x80\xae");
    NORMAL("a\xe3\x80\xae"
           "b\xe1\xae\xaa",
           "a\xe3\x80\xae"
           "b\xe1\xae\xaa");
}

static void characters_newer_than_the_reference_are_letters(void **state)
{
    (void)state;
    NORMAL("a\xe0\xa3\x94"
           "b",
           "a\xe0\xa3\x94"
           "b"); /* U+08D4: Mn since Unicode 9 */
    words("a\xd8\x9d"
          "b",
          "a\xd8\x9d"
          "b");                                     /* U+061D: Po since 14 */
    NORMAL("\xf0\x90\xb5\x90", "\xf0\x90\xb5\xb0"); /* U+10D50, Unicode 16 */
    NORMAL("\xf0\x91\xa4\xb8", "\xf0\x91\xa4\xb8"); /* U+11938 stays whole */
    words("a\xe1\x99\xad"
          "b",
          "a|\xe1\x99\xad|b"); /* U+166D was punctuation */
}

static void a_million_marks_take_no_time_to_speak_of(void **state)
{
    (void)state;
    size_t n = 1 << 20;
    char *text = malloc(n * 4);
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        memcpy(text + 4 * i, i % 2 ? "\xf0\x9d\x85\xa5" : "\xf0\x9d\x85\xad",
               4); /* U+1D165 (216), U+1D16D (226) */
    sb_buffer b = {NULL, 0, 0};
    assert_int_equal(sb_normalise(text, 4 * n, &b), SB_OK);
    assert_int_equal(b.n, 4 * n);
    assert_memory_equal(b.data, "\xf0\x9d\x85\xa5\xf0\x9d\x85\xa5", 8);
    free(b.data);
    free(text);
}

static void words_end_at_space_and_punctuation(void **state)
{
    (void)state;
    words("", "");
    words("   ", "");
    words("hello", "hello");
    words("  hey friend!     how are you?!?  ",
          "hey|friend|!|how|are|you|?|!|?");
    words("a$b~c`d|", "a|$|b|~|c|`|d||");
    words("x\xe2\x80\x94y\xe3\x80\x82", "x|\xe2\x80\x94|y|\xe3\x80\x82");
    words("1,000.5 c++", "1|,|000|.|5|c|+|+");
    words("\xe2\x82\xac"
          "5",
          "\xe2\x82\xac"
          "5"); /* a currency sign is no punctuation */
}

static size_t utf8(uint32_t c, char to[4])
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 0; c >>= 6)
        to[i] = (char)(i ? 0x80 | (c & 0x3f) : first[n] | c);
    return n;
}

/* dataset/ingest.c tells by a text's bytes how many tokens it has at most. */
static void no_character_becomes_more_than_it_has_bytes(void **state)
{
    (void)state;
    sb_buffer b = {NULL, 0, 0};
    for (uint32_t c = 1; c <= 0x10ffff; c++) {
        char text[4];
        size_t n = utf8(c, text), found = 0;
        if (sb_utf8_valid(text, n) < n) continue; /* a surrogate */
        assert_int_equal(sb_normalise(text, n, &b), SB_OK);
        for (size_t i = 0; i < b.n; i++)
            found += b.data[i] != ' ' && (b.data[i] & 0xc0) != 0x80;
        assert_true(found <= n);
    }
    free(b.data);
}

static void a_buffer_grows_and_keeps_what_it_had(void **state)
{
    (void)state;
    sb_buffer b = {NULL, 0, 0};
    for (int i = 0; i < 1000; i++)
        assert_int_equal(sb_buffer_add(&b, "abc", 3), SB_OK);
    assert_int_equal(sb_buffer_add(&b, NULL, 0), SB_OK);
    assert_int_equal(b.n, 3000);
    assert_memory_equal(b.data + 2997, "abc", 3);
    assert_int_equal(sb_buffer_add(&b, "x", SIZE_MAX), SB_ELIMIT);
    assert_int_equal(b.n, 3000);
    free(b.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_text_is_valid_to_its_end),
        cmocka_unit_test(bad_bytes_end_the_valid_part),
        cmocka_unit_test(a_character_cut_at_the_end_is_never_read_past),
        cmocka_unit_test(ascii_is_lowered_and_its_controls_dropped),
        cmocka_unit_test(accents_are_dropped),
        cmocka_unit_test(clean_text_drops_what_cannot_be_seen),
        cmocka_unit_test(ideographs_stand_alone),
        cmocka_unit_test(hangul_falls_apart_into_letters),
        cmocka_unit_test(spacing_marks_are_put_in_canonical_order),
        cmocka_unit_test(characters_newer_than_the_reference_are_letters),
        cmocka_unit_test(a_million_marks_take_no_time_to_speak_of),
        cmocka_unit_test(words_end_at_space_and_punctuation),
        cmocka_unit_test(no_character_becomes_more_than_it_has_bytes),
        cmocka_unit_test(a_buffer_grows_and_keeps_what_it_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
