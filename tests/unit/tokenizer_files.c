/* SPDX-License-Identifier: MIT
 * tokenizer_files.c - Hugging Face's files: what we write we can read, and what
 * encodes in another way than ours is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/tokenizer_files.h"

static const char pieces[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
                             "a\n##\"\n\\\n/\n\x7f\n\xe4\xb8\xad\n'\n";

static char folder[] = "/tmp/sb-tokenizer-XXXXXX";
static char *json; /* the tokenizer.json of `pieces` */
static size_t json_n;

static char *path_of(const char *name)
{
    char *path = sb_path_join(folder, name);
    assert_non_null(path);
    return path;
}

static char *slurp(const char *name, size_t *n_out)
{
    char *path = path_of(name), *text;
    assert_int_equal(sb_file_read(path, 1 << 20, &text, n_out), SB_OK);
    sb_free(path);
    return text;
}

static int set_up(void **state)
{
    (void)state;
    sb_vocab *v;
    if (!mkdtemp(folder)) return -1;
    if (sb_vocab_parse(pieces, sizeof pieces - 1, "t", &v) != SB_OK) return -1;
    if (sb_tokenizer_write(folder, v, 512) != SB_OK) return -1;
    sb_vocab_close(v);
    json = slurp("tokenizer.json", &json_n);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sb_free(json);
    return sb_dir_remove(folder) == SB_OK ? 0 : -1;
}

/* What sb_vocab_load makes of a file with this text. */
static sb_status load(const char *text, size_t n, sb_vocab **v_out)
{
    char *path = path_of("some");
    assert_int_equal(sb_file_write(path, text, n), SB_OK);
    sb_status st = sb_vocab_load(path, v_out);
    sb_free(path);
    return st;
}

/* tokenizer.json with the first `old` replaced. */
static char *changed(const char *old, const char *by)
{
    const char *at = strstr(json, old);
    assert_non_null(at);
    char *text =
        sb_format("%.*s%s%s", (int)(at - json), json, by, at + strlen(old));
    assert_non_null(text);
    return text;
}

static void becomes(const char *old, const char *by, const char *why)
{
    sb_vocab *v = NULL;
    char *text = changed(old, by);
    sb_status st = load(text, strlen(text), &v);
    sb_free(text);
    if (!why) {
        assert_int_equal(st, SB_OK);
        sb_vocab_close(v);
        return;
    }
    assert_int_equal(st, SB_EFORMAT);
    assert_null(v);
    assert_non_null(strstr(sb_error_last()->text, why));
}

static void what_we_write_gives_the_same_vocabulary(void **state)
{
    (void)state;
    sb_vocab *a, *b, *c;
    assert_int_equal(sb_vocab_parse(pieces, sizeof pieces - 1, "t", &a), SB_OK);
    assert_int_equal(load(json, json_n, &b), SB_OK);
    assert_int_equal(load(pieces, sizeof pieces - 2, &c), SB_OK);
    assert_int_equal(sb_vocab_size(a), sb_vocab_size(b));
    for (uint32_t i = 0; i < sb_vocab_size(a); i++)
        assert_string_equal(sb_vocab_piece(a, i), sb_vocab_piece(b, i));
    assert_true(sb_vocab_hash(a) == sb_vocab_hash(b));
    assert_true(sb_vocab_hash(a) == sb_vocab_hash(c));
    sb_vocab_close(a);
    sb_vocab_close(b);
    sb_vocab_close(c);
}

static void the_other_files_name_class_and_specials(void **state)
{
    (void)state;
    size_t n;
    char *text = slurp("tokenizer_config.json", &n);
    assert_non_null(
        strstr(text, "\"tokenizer_class\": \"DistilBertTokenizer\""));
    assert_non_null(
        strstr(text, "    \"4\": {\n      \"content\": \"[MASK]\","));
    sb_free(text);
    text = slurp("special_tokens_map.json", &n);
    assert_non_null(strstr(text, "\"mask_token\": \"[MASK]\""));
    sb_free(text);
}

static void special_tokens_are_listed_by_id(void **state)
{
    (void)state;
    sb_vocab *v;
    size_t n;
    static const char text[] = "x\n[MASK]\n[SEP]\ny\n[PAD]\n[CLS]\n[UNK]\n";
    assert_int_equal(sb_vocab_parse(text, sizeof text - 1, "t", &v), SB_OK);
    char *dir = path_of("other");
    assert_int_equal(sb_dir_make(dir), SB_OK);
    assert_int_equal(sb_tokenizer_write(dir, v, 77), SB_OK);
    char *made = slurp("other/tokenizer.json", &n);
    const char *at = made;
    static const char *const order[] = {
        "\"id\": 1,\n      \"content\": \"[MASK]\"",
        "\"id\": 2,\n      \"content\": \"[SEP]\"",
        "\"id\": 4,\n      \"content\": \"[PAD]\"",
        "\"id\": 5,\n      \"content\": \"[CLS]\"",
        "\"id\": 6,\n      \"content\": \"[UNK]\"",
        "\"ids\": [\n          5",
        "\"ids\": [\n          2"};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        at = strstr(at, order[i]);
        assert_non_null(at);
    }
    sb_free(made);
    made = slurp("other/tokenizer_config.json", &n);
    assert_non_null(strstr(made, "\"model_max_length\": 77,"));
    sb_free(made);
    sb_free(dir);
    sb_vocab_close(v);
}

static void other_steps_than_ours_are_refused(void **state)
{
    (void)state;
    becomes("\"strip_accents\": null", "\"strip_accents\": true", NULL);
    becomes("\"strip_accents\": null", "\"strip_accents\": false",
            "normalizer");
    becomes("\"lowercase\": true", "\"lowercase\": false", "normalizer");
    becomes("\"clean_text\": true,", "", "normalizer");
    becomes("\"handle_chinese_chars\": true", "\"handle_chinese_chars\": 1",
            "normalizer");
    becomes("BertNormalizer", "NFC", "normalizer");
    becomes("\"normalizer\"", "\"no\"", "normalizer");
    becomes("BertPreTokenizer", "Whitespace", "pre_tokenizer");
    becomes("\"model\": {", "\"model\": [], \"x\": {", "model");
    becomes("\"type\": \"WordPiece\",\n    \"unk",
            "\"type\": \"BPE\",\n    \"unk", "not WordPiece");
    becomes("\"unk_token\": \"[UNK]\"", "\"unk_token\": \"<unk>\"",
            "unk_token");
    becomes("\"continuing_subword_prefix\": \"##\"",
            "\"continuing_subword_prefix\": \"@@\"", "prefix");
    becomes("per_word\": 100", "per_word\": 101", "max_input_chars_per_word");
}

static void added_tokens_must_be_the_five(void **state)
{
    (void)state;
    becomes("\"content\": \"[MASK]\"", "\"content\": \"[NEW]\"",
            "added token 5");
    becomes("\"id\": 3,", "\"id\": 4,", "added token 4");
    becomes("\"lstrip\": false", "\"lstrip\": true", "added token 1");
    becomes("\"added_tokens\": [", "\"added_tokens\": 1, \"x\": [", "no list");
    becomes("\"added_tokens\"", "\"none\"", NULL);
}

static void ids_without_gap_or_double(void **state)
{
    (void)state;
    becomes("\"a\": 5", "\"a\": 6", "the same id");
    becomes("\"a\": 5", "\"a\": 12", "'a' is not one of 0 to 11");
    becomes("\"a\": 5", "\"a\": -1", "'a' is not one of");
    becomes("\"a\": 5", "\"a\": 5.0", "'a' is not one of");
    becomes("\"a\": 5", "\"a\": 99999999999999999999999", "'a' is not one of");
    becomes("\"a\": 5", "\"a\": \"5\"", "'a' is not one of");
    becomes("\"a\": 5", "\"'\": 5", "not one of 0 to 10");
    becomes("\"a\": 5", "\"a\\nb\": 5", "line break");
    becomes("\"a\": 5", "\"a\\u0000b\": 5", "NUL");
    becomes("\"a\": 5", "\"\": 5", "line 6: empty");
    becomes("\"[MASK]\": 4", "\"[mask]\": 4", "[MASK]");
    becomes("\"vocab\": {", "\"vocab\": 1, \"x\": {", "no model.vocab");
}

static void damaged_files_are_refused(void **state)
{
    (void)state;
    sb_vocab *v = NULL;
    for (size_t n = 1; n + 1 < json_n; n += 1 + n / 400) { /* cut short */
        assert_int_equal(load(json, n, &v), SB_EFORMAT);
        assert_null(v);
    }
    enum { DEEP = 50000, MANY = 200000 };
    char *deep = malloc(MANY + 1);
    assert_non_null(deep);
    memset(deep, '[', MANY);
    memcpy(deep, "{\"a\":", 5);
    deep[MANY] = deep[DEEP] = 0;
    assert_int_equal(load(deep, DEEP, &v), SB_EFORMAT);
    assert_non_null(strstr(sb_error_last()->text, "not JSON"));
    deep[DEEP] = '['; /* each may cost a hundred times its byte */
    assert_int_equal(load(deep, MANY, &v), SB_EFORMAT);
    assert_non_null(strstr(sb_error_last()->text, "more brackets"));
    free(deep);
    becomes("\"version\"", "\"\xff\"", "not JSON");
    becomes("\"version\"", "version", "vocabulary"); /* lines, then */
    char *text = sb_format("%s{", json);
    assert_int_equal(load(text, strlen(text), &v), SB_EFORMAT);
    sb_free(text);
    text = sb_format("%s\n \n", json);
    assert_int_equal(load(text, strlen(text), &v), SB_OK);
    sb_vocab_close(v);
    v = NULL;
    memset(text + json_n, 0, 2);
    assert_int_equal(load(text, json_n + 2, &v), SB_EFORMAT);
    sb_free(text);
}

/* It is refused, or is in what is not looked at, or makes another vocabulary:
 * corpora and checkpoints refuse its hash. */
static void no_flipped_bit_does_harm(void **state)
{
    (void)state;
    sb_vocab *whole;
    size_t same = 0, other = 0;
    assert_int_equal(load(json, json_n, &whole), SB_OK);
    uint64_t hash = sb_vocab_hash(whole);
    sb_vocab_close(whole);
    char *text = malloc(json_n + 1);
    assert_non_null(text);
    for (size_t i = 0; i < json_n; i++) {
        sb_vocab *v = NULL;
        sb_buffer out = {0};
        memcpy(text, json, json_n + 1);
        text[i] = (char)(text[i] ^ 1 << i % 8);
        sb_status st = sb_tokenizer_read(text, json_n, "t", &out);
        assert_true(st == SB_OK || st == SB_EFORMAT);
        if (st == SB_OK && sb_vocab_parse(out.data, out.n, "t", &v) == SB_OK) {
            same += sb_vocab_hash(v) == hash;
            other += sb_vocab_hash(v) != hash;
            sb_vocab_close(v);
        }
        free(out.data);
    }
    assert_true(other > 0 && same > 0 && other + same < json_n / 2);
    free(text);
}

static void a_vocab_txt_may_begin_with_a_brace(void **state)
{
    (void)state;
    sb_vocab *v;
    static const char text[] = "{\n}\n[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    assert_int_equal(load(text, sizeof text - 1, &v), SB_OK);
    assert_int_equal(sb_vocab_find(v, "{", 1, 0), 0);
    sb_vocab_close(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_we_write_gives_the_same_vocabulary),
        cmocka_unit_test(the_other_files_name_class_and_specials),
        cmocka_unit_test(special_tokens_are_listed_by_id),
        cmocka_unit_test(other_steps_than_ours_are_refused),
        cmocka_unit_test(added_tokens_must_be_the_five),
        cmocka_unit_test(ids_without_gap_or_double),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(no_flipped_bit_does_harm),
        cmocka_unit_test(a_vocab_txt_may_begin_with_a_brace),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
