/* SPDX-License-Identifier: MIT
 * words.c - counted words: in the table, in runs, merged, damaged, cut. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/made_words.h"

static void words_are_counted(void **state)
{
    (void)state;
    sb_words *w = made_words("the cat and the dog , the end .", MADE_MEMORY);
    assert_int_equal(sb_words_table(w), 7);
    assert_int_equal(sb_words_total(w), 9);
    sb_word_list l = made_list(w);
    assert_int_equal(made_count(&l, "the"), 3);
    assert_int_equal(made_count(&l, ","), 1);
    assert_int_equal(made_count(&l, "mouse"), 0);
    assert_int_equal(l.size.words, 7);
    assert_int_equal(l.size.uses, 9);
    assert_int_equal(l.size.letters, 17);
    assert_int_equal(l.size.bytes, l.n);
    sb_free(l.data);
}

static void words_of_more_than_a_hundred_characters_do_not_count(void **state)
{
    (void)state;
    char text[512];
    memset(text, 'x', sizeof text);
    text[100] = ' ';
    text[202] = 0;
    sb_words *w = made_words(text, MADE_MEMORY); /* 100 and 101 characters */
    assert_int_equal(sb_words_total(w), 1);
    assert_int_equal(sb_words_too_long(w), 1);
    sb_words_close(w);
    for (int i = 0; i < 100; i++) memcpy(text + 2 * i, "\xce\xb2", 2);
    text[200] = 0;
    w = made_words(text, MADE_MEMORY);
    assert_int_equal(sb_words_total(w), 1);
    sb_words_close(w);
}

static void no_words_make_no_run(void **state)
{
    (void)state;
    sb_word_list l = made_list(made_words(" ", 0));
    assert_int_equal(l.size.words, 0);
}

/* Word i of a few thousand occurs 1 + i % 5 times. */
enum { WORDS = 5000 };
static sb_words *many(uint64_t memory)
{
    sb_words *w = made_words("", memory);
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < WORDS; i++) {
            char text[16];
            int n = snprintf(text, sizeof text, "w%d", i);
            if (round > i % 5) continue;
            assert_int_equal(sb_words_count(w, text, (size_t)n), SB_OK);
        }
    assert_int_equal(sb_words_total(w), 3 * WORDS);
    return w;
}

static void what_is_spilled_and_merged_is_what_was_counted(void **state)
{
    (void)state;
    sb_word_list whole = made_list(many(MADE_MEMORY));
    assert_int_equal(whole.size.words, WORDS);
    assert_int_equal(whole.size.uses, 3 * WORDS);
    assert_int_equal(made_count(&whole, "w4999"), 5);
    assert_int_equal(made_count(&whole, "w0"), 1);
    /* 0: hundreds of runs, merged on the way */
    static const uint64_t memory[] = {0, 200000, 300000, 400000};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) {
        sb_word_list l = made_list(many(memory[i]));
        assert_int_equal(l.n, whole.n);
        assert_memory_equal(l.data, whole.data, l.n);
        sb_free(l.data);
    }
    sb_free(whole.data);
}

static void memory_decides_how_many_runs_there_are(void **state)
{
    (void)state;
    size_t runs, fewer;
    sb_words *w = many(230000);
    assert_int_equal(sb_words_end(w, SB_RUNS_MAX, &runs), SB_OK);
    sb_words_close(w);
    assert_in_range(runs, 2, 100);
    assert_int_equal(made_dir_down(NULL), 0);
    assert_int_equal(made_dir_up(NULL), 0);
    w = many(700000);
    assert_int_equal(sb_words_end(w, SB_RUNS_MAX, &fewer), SB_OK);
    sb_words_close(w);
    assert_int_equal(fewer, 1);
}

/* ---- merging ------------------------------------------------------------- */

static char *run_of(const char *name, const char *text)
{
    char stem[100];
    size_t runs;
    sb_words *w;
    snprintf(stem, sizeof stem, "%s/%s", made_dir, name);
    assert_int_equal(sb_words_open(stem, MADE_MEMORY, &w), SB_OK);
    assert_int_equal(sb_words_count(w, text, strlen(text)), SB_OK);
    assert_int_equal(sb_words_end(w, 1, &runs), SB_OK);
    sb_words_close(w);
    return sb_run_path(stem, 0);
}

static void parts_of_sections_are_the_whole(void **state)
{
    (void)state;
    char *from[2] = {run_of("a", "x y z x foo bar"),
                     run_of("b", "z q bar bar")};
    sb_word_list list[2] = {{.n = 0}, {.n = 0}};
    uint64_t uses[2] = {0, 0};
    for (int cut = 0; cut < 2; cut++) { /* in one part, in three */
        unsigned at[2][4] = {{0, 256, 256, 256}, {0, 80, 81, 256}};
        sb_word_tally *t = calloc(1, sizeof *t);
        assert_non_null(t);
        for (size_t i = 0; i < 3; i++) {
            char *to = sb_run_path(made_stem, i);
            assert_int_equal(sb_runs_merge((const char *const *)from, 2,
                                           at[cut][i], at[cut][i + 1], to, t),
                             SB_OK);
            assert_int_equal(sb_run_load(to, 1, &list[cut]), SB_OK);
            assert_int_equal(sb_dir_remove(to), SB_OK);
            sb_free(to);
        }
        for (size_t i = 0; i < SB_TALLY_STEPS; i++) uses[cut] += t->at[i].uses;
        assert_int_equal(t->at[3].words, 1); /* bar */
        assert_int_equal(t->at[2].words, 2);
        assert_int_equal(t->at[2].letters, 2);
        free(t);
    }
    assert_int_equal(uses[0], 10);
    assert_int_equal(uses[1], 10);
    assert_int_equal(made_count(&list[0], "bar"), 3);
    assert_int_equal(list[0].size.words, 6);
    assert_int_equal(list[0].n, list[1].n);
    assert_memory_equal(list[0].data, list[1].data, list[0].n);
    for (int i = 0; i < 2; i++) {
        sb_free(list[i].data);
        sb_free(from[i]);
    }
}

static void a_load_leaves_rare_words_out(void **state)
{
    (void)state;
    char *path = run_of("a", "one two two three three three");
    sb_word_list l = {.n = 0};
    assert_int_equal(sb_run_load(path, 2, &l), SB_OK);
    assert_int_equal(l.size.words, 2);
    assert_int_equal(l.size.uses, 5);
    assert_int_equal(made_count(&l, "one"), 0);
    sb_free(l.data);
    sb_free(path);
}

static void a_damaged_run_is_refused(void **state)
{
    (void)state;
    char *path = run_of("a", "one two two three three three"), *bytes;
    char *bad = sb_run_path(made_stem, 7), *to = sb_run_path(made_stem, 8);
    size_t n;
    assert_int_equal(sb_file_read(path, 1 << 20, &bytes, &n), SB_OK);
    for (size_t i = 0; i < 2 * n; i++) { /* a bit flips; the end is cut off */
        size_t cut = i < n ? n : i - n;
        if (i < n) bytes[i] ^= 0x10;
        assert_int_equal(sb_file_write(bad, bytes, cut), SB_OK);
        if (i < n) bytes[i] ^= 0x10;
        sb_word_list l = {.n = 0};
        assert_int_equal(sb_run_load(bad, 1, &l), SB_EFORMAT);
        sb_free(l.data);
        const char *both[] = {path, bad};
        assert_int_equal(sb_runs_merge(both, 2, 0, SB_RUN_SECTIONS, to, NULL),
                         SB_EFORMAT);
        assert_false(sb_file_exists(to));
    }
    sb_free(bytes);
    sb_free(path);
    sb_free(bad);
    sb_free(to);
}

/* ---- records and sizes --------------------------------------------------- */

static void records_read_back_the_same(void **state)
{
    (void)state;
    static const uint64_t counts[] = {1, 127, 128, 4096, INT64_MAX / 100};
    char room[SB_RECORD_HEAD + 400];
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (size_t n = 1; n <= 400; n += 133) {
            char word[400];
            memset(word, 'a' + (int)i, sizeof word);
            sb_counted in = {word, n, counts[i]}, out;
            size_t k = sb_word_pack(&in, room);
            assert_int_equal(sb_word_unpack(room, k, &out), k);
            assert_int_equal(out.n, n);
            assert_int_equal(out.count, counts[i]);
            assert_memory_equal(out.text, word, n);
            while (k-- > 0) assert_int_equal(sb_word_unpack(room, k, &out), 0);
        }
    sb_counted out;
    assert_int_equal(sb_word_unpack("\0\1a", 3, &out), 0);        /* never */
    assert_int_equal(sb_word_unpack("\1\0a", 3, &out), 0);        /* empty */
    assert_int_equal(sb_word_unpack("\1\x91\3aaaa", 7, &out), 0); /* 401 */
    assert_int_equal(
        sb_word_unpack("\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\1a", 12, &out),
        0);
}

static int fewer_bytes(const void *most, const sb_word_size *size)
{
    return size->bytes <= *(const uint64_t *)most;
}

static void the_cut_keeps_all_words_that_fit(void **state)
{
    (void)state;
    sb_word_tally *t = calloc(1, sizeof *t);
    assert_non_null(t);
    sb_word_size kept, left;
    uint64_t least, bytes = 0, room = 0;
    for (uint64_t count = 1; count < UINT64_C(1) << 50; count *= 3) {
        char record[64];
        sb_counted w = {"word", 4, count};
        sb_tally_add(t, &w);
        bytes += sb_word_pack(&w, record);
    }
    uint64_t before = UINT64_MAX;
    for (; room <= bytes; room++) {
        sb_tally_cut(t, fewer_bytes, &room, &least, &kept, &left);
        assert_int_equal(kept.words + left.words, 32);
        assert_true(least <= before);
        before = least;
        if (least == UINT64_MAX) continue;
        assert_true(kept.words > 0 && kept.bytes <= room);
        /* what is kept is what a load keeps */
        uint64_t words = 0;
        for (uint64_t c = 1; c < UINT64_C(1) << 50; c *= 3) words += c >= least;
        assert_int_equal(kept.words, words);
    }
    assert_int_equal(least, 1);
    room = 11; /* the record of the most frequent word takes 13 */
    sb_tally_cut(t, fewer_bytes, &room, &least, &kept, &left);
    assert_int_equal(least, UINT64_MAX);
    assert_int_equal(kept.words, 1);
    free(t);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, made_dir_up, made_dir_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_are_counted),
        TEST(words_of_more_than_a_hundred_characters_do_not_count),
        TEST(no_words_make_no_run),
        TEST(what_is_spilled_and_merged_is_what_was_counted),
        TEST(memory_decides_how_many_runs_there_are),
        TEST(parts_of_sections_are_the_whole),
        TEST(a_load_leaves_rare_words_out),
        TEST(a_damaged_run_is_refused),
        TEST(records_read_back_the_same),
        TEST(the_cut_keeps_all_words_that_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
