/* SPDX-License-Identifier: MIT
 * manifest.c - tests of dataset/manifest_write.c and manifest_read.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <math.h>

#include "tests/unit/made_corpus.h"

static char file[128];
static sb_manifest m, back;
static sb_source_entry source[3];
static sb_shard_entry shard[4];

/* Three sources, four shards, and no number twice. */
static int up(void **state)
{
    int bad = made_dir_up(state);
    snprintf(file, sizeof file, "%s/corpus.json", made_dir);
    memset(&m, 0, sizeof m);
    memset(source, 0, sizeof source);
    memset(shard, 0, sizeof shard);
    m = (sb_manifest){.vocab_size = 50,
                      .vocab_hash = UINT64_MAX,
                      .input_identity = 5,
                      .source = source,
                      .sources = 3,
                      .shard = shard,
                      .shards = 4};
    strcpy(m.config, "a = 1\n\tb = \"\\ \x01 \xc3\xa9/\x7f\n");
    static const double weight[] = {1, 0.3, 0};
    for (uint64_t i = 0; i < 3; i++) {
        sb_source_stats *s = &source[i].stats;
        snprintf(source[i].spec, sizeof source[i].spec, "kind:%d", (int)i);
        source[i].weight = weight[i];
        *s = (sb_source_stats){.documents = 1000 + i,
                               .heldout = 3 + i,
                               .text_bytes = UINT64_MAX - i,
                               .tokens = 90000 + i,
                               .unknown = 400 + i,
                               .duplicates = 70 + i,
                               .dropped = 20 * i,
                               .skipped = 123456 + i,
                               .bad = 7 * i};
        for (uint64_t k = 0; k < SB_LENGTHS; k++) s->length[k] = k + i;
        snprintf(s->first_bad, sizeof s->first_bad, "f%d:17: not JSON", (int)i);
    }
    for (uint64_t i = 0; i < 4; i++) {
        sb_shard_name(i % 2 ? SB_HELDOUT : SB_TRAIN, (size_t)i, shard[i].name);
        shard[i].split = i % 2 ? SB_HELDOUT : SB_TRAIN;
        shard[i].source = (uint32_t)(i / 2 * 2);
        shard[i].bytes = 4096 * (i + 1);
        shard[i].info = (sb_shard_info){10 + i, 200 + i,      150 + i,
                                        30 + i, m.vocab_size, m.vocab_hash};
    }
    return bad || sb_manifest_write(made_dir, &m) != SB_OK;
}

static sb_status read_status(void)
{
    sb_status st = sb_manifest_read(made_dir, &back);
    if (st == SB_OK) sb_manifest_free(&back);
    return st;
}

static void every_field_comes_back(void **state)
{
    (void)state;
    assert_int_equal(sb_manifest_read(made_dir, &back), SB_OK);
    assert_true(back.vocab_hash == UINT64_MAX && back.input_identity == 5);
    assert_string_equal(back.config, m.config);
    assert_int_equal(back.sources, 3);
    assert_memory_equal(back.source, source, sizeof source);
    assert_int_equal(back.shards, 4);
    assert_memory_equal(back.shard, shard, sizeof shard);
    sb_manifest_free(&back);
    sb_manifest_free(&back);
}

static void the_same_contents_are_the_same_bytes(void **state)
{
    (void)state;
    char *was, *is;
    size_t a, b;
    assert_int_equal(sb_file_read(file, 1 << 20, &was, &a), SB_OK);
    assert_int_equal(sb_manifest_read(made_dir, &back), SB_OK);
    assert_int_equal(sb_manifest_write(made_dir, &back), SB_OK);
    assert_int_equal(sb_file_read(file, 1 << 20, &is, &b), SB_OK);
    assert_int_equal(a, b);
    assert_memory_equal(was, is, a);
    sb_manifest_free(&back);
    sb_free(was);
    sb_free(is);
}

static void any_weight_comes_back_to_the_bit(void **state)
{
    (void)state;
    static const double weight[] = {
        0.1,  1.0 / 3, 2.5, 1e-300,     0x1p-1074, 1e22,
        1e15, -0.0,    100, 0x1.fp1023, 7,         0.29999999999999999};
    for (size_t i = 0; i < sizeof weight / sizeof *weight; i++) {
        source[1].weight = weight[i];
        assert_int_equal(sb_manifest_write(made_dir, &m), SB_OK);
        assert_int_equal(sb_manifest_read(made_dir, &back), SB_OK);
        assert_true(back.source[1].weight == weight[i]);
        sb_manifest_free(&back);
    }
}

static void long_texts_fit_and_other_bytes_become_question_marks(void **state)
{
    (void)state;
    memset(m.config, '"', sizeof m.config - 1);
    memset(source[0].spec, 1, SB_SPEC_MAX - 1);
    strcpy(source[1].spec, "caf\xe9 \xf0\x9f\x98\x80 \xf0\x9f\x98");
    assert_int_equal(sb_manifest_write(made_dir, &m), SB_OK);
    assert_int_equal(sb_manifest_read(made_dir, &back), SB_OK);
    assert_string_equal(back.config, m.config);
    assert_string_equal(back.source[0].spec, source[0].spec);
    assert_string_equal(back.source[1].spec, "caf? \xf0\x9f\x98\x80 ???");
    sb_manifest_free(&back);
}

static void a_manifest_of_another_version_says_what_to_do(void **state)
{
    (void)state;
    static const char old[] = "{\"format\": \"shardbert-corpus\", "
                              "\"version\": 1, \"shards\": []}";
    assert_int_equal(sb_file_write(file, old, sizeof old - 1), SB_OK);
    assert_int_equal(read_status(), SB_EVERSION);
    assert_non_null(strstr(sb_error_last()->hint, "ingest"));
}

/* Replace the first `from` by `to`, and the checksum by the right one; what
 * reading says. */
static sb_status edited(const char *from, const char *to)
{
    char *text;
    size_t bytes;
    assert_int_equal(sb_file_read(file, 1 << 20, &text, &bytes), SB_OK);
    char *at = strstr(text, from);
    assert_non_null(at);
    char *all =
        sb_format("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    made_checksum(all);
    assert_int_equal(sb_file_write(file, all, strlen(all)), SB_OK);
    sb_status st = read_status();
    assert_int_equal(sb_file_write(file, text, bytes), SB_OK);
    sb_free(all);
    sb_free(text);
    return st;
}

static void what_the_parser_lets_pass_is_refused(void **state)
{
    (void)state;
    static const char *const edit[][2] = {
        {"\"bad\": 0", "\"bad\": 0, \"bad\": 0"}, /* doubled, unknown */
        {"\"bad\": 0", "\"worse\": 1, \"bad\": 0"},
        {"\"bad\": 0", "\"bad\": -0"},
        {"\"bad\": 0", "\"bad\": -1"},
        {"\"bad\": 0", "\"bad\": 0.0"},
        {"\"bad\": 0", "\"bad\": 00"},
        {"\"bad\": 0", "\"bad\": \"0\""},
        {"\"bad\": 0", "\"bad\": 18446744073709551616"},
        {"\"bad\": 0", "\"bad\": 1e3"},
        {"\"bad\": 0", "\"bad\": null"},
        {"\"length\": [0, 1", "\"length\": [0, \"1\""},
        {"\"length\": [0, 1", "\"length\": [0, [1]"},
        {"\"length\": [0, 1", "\"length\": [1"},
        {"\"length\": [0, 1", "\"length\": [0, 0, 1"},
        {"\"weight\": 0.3", "\"weight\": 0.30"},
        {"\"weight\": 0.3", "\"weight\": \"0.3\""},
        {"\"version\"", "\n\"version\""},
        {"\"a = 1", "\"a \\u003d 1"},
        {"\"a = 1", "\"a \\u0000 1"},
        {"\"a = 1", "\"a \xe9 1"},
        {"{", "/* */ {"},
        {"{", "[[[[[[[[[[[[["},
        {"\n}\n", "\n}\n\n"},
        {"\n}\n", "\n}"},
        {"\n}\n", "\n} {}\n"},
    };
    for (size_t i = 0; i < sizeof edit / sizeof *edit; i++) {
        sb_status st = edited(edit[i][0], edit[i][1]);
        if (st != SB_EFORMAT) fail_msg("%s: %d", edit[i][1], (int)st);
    }
    assert_int_equal(edited("\"weight\": 0.3", "\"weight\": 2"), SB_OK);
    assert_int_equal(edited("\"bad\": 0", "\"bad\": 18446744073709551615"),
                     SB_OK);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const char *const edit[][2] = {
        {"\"weight\": 0.3", "\"weight\": -0.3"},
        {"\"weight\": 0.3", "\"weight\": NaN"},
        {"\"weight\": 0.3", "\"weight\": Infinity"},
        {"\"weight\": 0.3", "\"weight\": 1e999"},
        {"\"heldout\": 3", "\"heldout\": 1001"},
        {"\"unknown\": 400", "\"unknown\": 90001"},
        {"\"dropped\": 0", "\"dropped\": 71"},
        {"[0, 1, 2", "[0, 1, 1000"},
        {"[0, 1, 2", "[0, 1, 18446744073709551615"},
        {"\"source\": 0", "\"source\": 3"},
        {"\"source\": 0", "\"source\": 4294967296"},
        {"\"source\": 0", "\"source\": 2"}, /* then the next one falls */
        {"\"bytes\": 4096", "\"bytes\": 0"},
        {"heldout-00001", "train-00000"},
        {"train-00000", "../train-00000"},
        {"\"vocab_size\": 50", "\"vocab_size\": 4294967296"},
    };
    for (size_t i = 0; i < sizeof edit / sizeof *edit; i++) {
        sb_status st = edited(edit[i][0], edit[i][1]);
        if (st != SB_EFORMAT) fail_msg("%s: %d", edit[i][1], (int)st);
    }
    source[0].weight = NAN;
    assert_int_equal(sb_manifest_write(made_dir, &m), SB_EBUG);
    source[0].weight = 1;
    shard[3].source = 3;
    assert_int_equal(sb_manifest_write(made_dir, &m), SB_EBUG);
    shard[3].source = 2;
    shard[2].info.vocab_hash = 1;
    assert_int_equal(sb_manifest_write(made_dir, &m), SB_EBUG);
}

static void any_flipped_byte_is_refused(void **state)
{
    (void)state;
    char *text;
    size_t bytes;
    assert_int_equal(sb_file_read(file, 1 << 20, &text, &bytes), SB_OK);
    int fd = open(file, O_WRONLY);
    for (size_t i = 0; i < 2 * bytes; i++) {
        char b = (char)(text[i / 2] ^ (i % 2 ? 1 << i / 2 % 8 : 0xff));
        assert_int_equal(pwrite(fd, &b, 1, (off_t)(i / 2)), 1);
        sb_status st = read_status();
        if (st != SB_EFORMAT && st != SB_EVERSION)
            fail_msg("byte %zu as %d: %d", i / 2, b, (int)st);
        assert_int_equal(pwrite(fd, text + i / 2, 1, (off_t)(i / 2)), 1);
    }
    for (size_t n = bytes; n-- > 0;) {
        assert_int_equal(ftruncate(fd, (off_t)n), 0);
        if (read_status() != SB_EFORMAT) fail_msg("%zu bytes", n);
    }
    close(fd);
    sb_free(text);
}

static void a_weight_changed_by_hand_is_told_what_to_do(void **state)
{
    (void)state;
    char *text;
    size_t bytes;
    assert_int_equal(sb_file_read(file, 1 << 20, &text, &bytes), SB_OK);
    *strstr(text, "0.3") = '4';
    assert_int_equal(sb_file_write(file, text, bytes), SB_OK);
    assert_int_equal(read_status(), SB_EFORMAT);
    assert_non_null(strstr(sb_error_last()->text, "changed by hand"));
    assert_non_null(strstr(sb_error_last()->hint, "weights"));
    sb_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, made_dir_down)
        T(every_field_comes_back),
        T(the_same_contents_are_the_same_bytes),
        T(any_weight_comes_back_to_the_bit),
        T(long_texts_fit_and_other_bytes_become_question_marks),
        T(a_manifest_of_another_version_says_what_to_do),
        T(what_the_parser_lets_pass_is_refused),
        T(what_makes_no_sense_is_refused),
        T(any_flipped_byte_is_refused),
        T(a_weight_changed_by_hand_is_told_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
