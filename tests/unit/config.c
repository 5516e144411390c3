/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "comm/base/config.h"
#include "comm/base/mem.h"

enum { A = 1, B = 2 };
static const sb_option table[] = {
    {"steps", SB_OPT_INT, A, "10", 1, 1e9, NULL, "N", "how many"},
    {"rate", SB_OPT_REAL, A, "0.5", 0, 1, NULL, "X", "how fast"},
    {"pack", SB_OPT_BOOL, A | B, "false", 0, 0, NULL, "BOOL", "whether"},
    {"kind", SB_OPT_CHOICE, B, "cat", 0, 0, "cat|dog", "WHICH", "which"},
    {"source", SB_OPT_LIST, A, NULL, 0, 0, NULL, "S", "where from"},
    {"run", SB_OPT_TEXT, A | B, "run", 0, 0, NULL, "DIR", "where to"},
    {"room", SB_OPT_SIZE, B, "4096M", 1024, 1e15, NULL, "BYTES", "how much"},
};

static sb_config *config;

static int open_config(void **state)
{
    (void)state;
    return sb_config_open(table, sizeof table / sizeof table[0], &config) !=
           SB_OK;
}

static int close_config(void **state)
{
    (void)state;
    sb_config_close(config);
    return 0;
}

static sb_status args(unsigned phases, int n, ...)
{
    char *argv[16];
    va_list ap;
    va_start(ap, n);
    for (int i = 0; i < n; i++) argv[i] = va_arg(ap, char *);
    va_end(ap);
    return sb_config_args(config, phases, n, argv);
}

static void the_command_line_is_stronger_than_the_file_than_the_default(
    void **state)
{
    (void)state;
    assert_int_equal(sb_config_int(config, "steps"), 10);
    assert_int_equal(args(A, 2, "--steps", "30"), SB_OK);
    assert_int_equal(sb_config_parse(config, "steps = 20\nrate = 0.25\n", "f"),
                     SB_OK);
    assert_int_equal(sb_config_int(config, "steps"), 30);
    assert_true(sb_config_real(config, "rate") == 0.25);
    assert_false(sb_config_is_set(config, "run"));
}

static void values_may_follow_an_equals_sign_or_a_space(void **state)
{
    (void)state;
    assert_int_equal(args(A, 4, "--steps=250k", "--pack", "--run", "x"), SB_OK);
    assert_int_equal(sb_config_int(config, "steps"), 250000);
    assert_true(sb_config_bool(config, "pack"));
    assert_string_equal(sb_config_text(config, "run"), "x");
}

static void an_unknown_name_names_the_nearest(void **state)
{
    (void)state;
    assert_int_equal(args(A, 2, "--stesp", "3"), SB_EINVAL);
    assert_non_null(strstr(sb_error_last()->text, "'steps'"));
    assert_int_equal(
        sb_config_parse(config, "# a recipe\nratee = 1\n", "r.conf"),
        SB_EINVAL);
    assert_non_null(strstr(sb_error_last()->text, "r.conf line 2"));
    assert_non_null(strstr(sb_error_last()->text, "'rate'"));
}

static void values_out_of_range_or_of_another_kind_are_refused(void **state)
{
    (void)state;
    assert_int_equal(args(A, 2, "--steps", "0"), SB_EINVAL);
    assert_int_equal(args(A, 2, "--steps", "1.5"), SB_EINVAL);
    assert_int_equal(args(A, 2, "--steps", "many"), SB_EINVAL);
    assert_int_equal(args(A, 2, "--steps", ""), SB_EINVAL);
    assert_int_equal(args(A, 2, "--rate", "nan"), SB_EINVAL);
    assert_int_equal(args(A, 2, "--rate", "1e99"), SB_EINVAL);
    assert_int_equal(args(B, 2, "--kind", "do"), SB_EINVAL);
    assert_int_equal(args(A, 1, "--pack=maybe"), SB_EINVAL);
    assert_int_equal(args(A, 1, "--steps"), SB_EINVAL);
    assert_int_equal(args(B, 2, "--steps", "5"), SB_EINVAL); /* not of B */
}

static void lists_grow_and_a_stronger_origin_replaces_them(void **state)
{
    (void)state;
    const char *const *item;
    assert_int_equal(sb_config_parse(config, "source = a\nsource = b\n", "f"),
                     SB_OK);
    assert_int_equal(sb_config_list(config, "source", &item), 2);
    assert_string_equal(item[1], "b");
    assert_int_equal(args(A, 2, "--source", "c"), SB_OK);
    assert_int_equal(sb_config_list(config, "source", &item), 1);
    assert_string_equal(item[0], "c");
}

static void plain_words_are_collected(void **state)
{
    (void)state;
    assert_int_equal(args(A, 4, "one", "--pack", "--", "--two"), SB_OK);
    assert_int_equal(sb_config_words(config), 2);
    assert_string_equal(sb_config_word(config, 1), "--two");
}

static void the_effective_configuration_reads_back_the_same(void **state)
{
    (void)state;
    assert_int_equal(args(A, 2, "--source", "text:*.txt"), SB_OK);
    char *text = sb_config_effective(config, A);
    assert_string_equal(text, "steps = 10\nrate = 0.5\npack = false\n"
                              "source = text:*.txt\nrun = run\n");
    sb_config *again;
    assert_int_equal(
        sb_config_open(table, sizeof table / sizeof *table, &again), SB_OK);
    assert_int_equal(sb_config_parse(again, text, "used"), SB_OK);
    char *twice = sb_config_effective(again, A);
    assert_string_equal(text, twice);
    sb_free(text);
    sb_free(twice);
    sb_config_close(again);
}

static void sizes_have_suffixes_and_one_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *text, *spelled;
        int64_t bytes;
    } good[] = {{"1024", "1K", 1024},
                {"1025", "1025", 1025},
                {"1.5M", "1536K", 1536 << 10},
                {"512M", "512M", 512 << 20},
                {"4G", "4G", INT64_C(4) << 30},
                {"4294967296", "4G", INT64_C(4) << 30},
                {"0.5T", "512G", INT64_C(512) << 30}};
    assert_string_equal(sb_config_text(config, "room"), "4G");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(args(B, 2, "--room", good[i].text), SB_OK);
        assert_string_equal(sb_config_text(config, "room"), good[i].spelled);
        assert_int_equal(sb_config_int(config, "room"), good[i].bytes);
    }
    static const char *const bad[] = {"",    "G",   "4g",    "4GB", "4 G",
                                      "1.5", "0",   "1023",  "-1G", "4k",
                                      "nan", "inf", "9999T", "4GG", "x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(args(B, 2, "--room", bad[i]), SB_EINVAL);
    assert_int_equal(args(A, 2, "--steps", "4K"), SB_EINVAL); /* k: 1000 */
}

static void a_broken_file_names_its_line(void **state)
{
    (void)state;
    assert_int_equal(sb_config_parse(config, "steps = 3\nwhat\n", "f.conf"),
                     SB_EINVAL);
    assert_non_null(strstr(sb_error_last()->text, "f.conf line 2"));
    assert_int_equal(sb_config_file(config, "/no/such/file"), SB_ENOENT);
}

static void a_file_has_comments_and_lines_of_any_length(void **state)
{
    (void)state;
    char text[1200];
    snprintf(text, sizeof text,
             "\xef\xbb\xbf# c\r\n  steps = 7 # c\r\n\n;c\nsource = a#b\n"
             "source = %0900d ; c\nrun=x",
             1);
    assert_int_equal(sb_config_parse(config, text, "f.conf"), SB_OK);
    assert_int_equal(sb_config_int(config, "steps"), 7);
    const char *const *item;
    assert_int_equal(sb_config_list(config, "source", &item), 2);
    assert_string_equal(item[0], "a#b");
    assert_int_equal(strlen(item[1]), 900);
    assert_string_equal(sb_config_text(config, "run"), "x");
}

static void an_indented_line_is_an_option_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(sb_config_parse(config, "run = x\n  steps = 8\n", "f"),
                     SB_OK);
    assert_string_equal(sb_config_text(config, "run"), "x");
    assert_int_equal(sb_config_int(config, "steps"), 8);
}

static void the_first_wrong_line_is_the_one_that_is_told(void **state)
{
    (void)state;
    assert_int_equal(sb_config_parse(config, "what\nsteps = x\n", "f.conf"),
                     SB_EINVAL);
    assert_string_equal(sb_error_last()->text,
                        "f.conf line 1: 'name = value' expected");
}

static void texts_are_one_line_and_not_empty(void **state)
{
    (void)state;
    assert_int_equal(args(A, 2, "--run", ""), SB_EINVAL);
    assert_int_equal(args(A, 2, "--run", "a\nb"), SB_EINVAL);
    assert_int_equal(args(A, 2, "--source", "a\tb"), SB_EINVAL);
    assert_int_equal(sb_config_parse(config, "run =\n", "f"), SB_EINVAL);
}

/* --run 'a #b' would be 'a' in the recipe of a run folder. */
static void a_text_that_a_recipe_cannot_give_back_is_refused(void **state)
{
    (void)state;
    static char *const bad[] = {" a", "a ", "#", "# a", "a #b", "a ;b", ";"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(args(A, 2, "--run", bad[i]), SB_EINVAL);
    assert_int_equal(args(A, 2, "--run", "a#b;c d"), SB_OK);
    assert_int_equal(sb_config_parse(config, "run =#a\n", "f"), SB_EINVAL);
    char *text = sb_config_effective(config, A);
    assert_non_null(strstr(text, "run = a#b;c d\n"));
    assert_int_equal(sb_config_parse(config, text, "f"), SB_OK);
    sb_free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_config, close_config)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_command_line_is_stronger_than_the_file_than_the_default),
        TEST(values_may_follow_an_equals_sign_or_a_space),
        TEST(an_unknown_name_names_the_nearest),
        TEST(values_out_of_range_or_of_another_kind_are_refused),
        TEST(lists_grow_and_a_stronger_origin_replaces_them),
        TEST(plain_words_are_collected),
        TEST(the_effective_configuration_reads_back_the_same),
        TEST(sizes_have_suffixes_and_one_spelling),
        TEST(a_broken_file_names_its_line),
        TEST(a_file_has_comments_and_lines_of_any_length),
        TEST(an_indented_line_is_an_option_of_its_own),
        TEST(the_first_wrong_line_is_the_one_that_is_told),
        TEST(texts_are_one_line_and_not_empty),
        TEST(a_text_that_a_recipe_cannot_give_back_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
