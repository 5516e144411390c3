/* SPDX-License-Identifier: MIT
 * corpus.c - tests of dataset/corpus.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "tests/unit/made_corpus.h"

enum { PER = 9 };

static char manifest[128];

static int up(void **state)
{
    int bad = made_dir_up(state);
    snprintf(manifest, sizeof manifest, "%s/corpus.json", made_dir);
    return bad || made_corpus(made_dir, PER) != SB_OK;
}

static void a_manifest_comes_back_as_written(void **state)
{
    (void)state;
    static sb_manifest m;
    assert_int_equal(sb_manifest_read(made_dir, &m), SB_OK);
    assert_int_equal(m.vocab_size, MADE_VOCAB);
    assert_int_equal(m.vocab_hash, MADE_HASH);
    assert_true(m.input_identity == UINT64_MAX - 5);
    assert_int_equal(m.text_bytes, 12345);
    assert_string_equal(m.config, "max_length = 64\n\"quoted\" \\ and more\n");
    assert_int_equal(m.shards, 3);
    assert_string_equal(m.shard[0].name, "train-00000.mdb");
    assert_string_equal(m.shard[1].name, "heldout-00000.mdb");
    assert_string_equal(m.shard[2].name, "train-00004.mdb");
    assert_int_equal(m.shard[0].info.documents, 3 * PER);
    assert_int_equal(m.shard[0].info.vocab_hash, MADE_HASH);
    sb_free(m.shard);
}

static void a_folder_without_manifest_is_no_corpus(void **state)
{
    (void)state;
    unlink(manifest);
    sb_corpus *c;
    assert_int_equal(sb_corpus_open(made_dir, SB_TRAIN, &c), SB_ENOENT);
}

static void documents_are_numbered_through_the_shards_of_a_split(void **state)
{
    (void)state;
    sb_corpus *c;
    assert_int_equal(sb_corpus_open(made_dir, SB_TRAIN, &c), SB_OK);
    assert_int_equal(sb_corpus_documents(c), 4 * PER);
    assert_int_equal(sb_corpus_blocks(c), 4);
    assert_int_equal(sb_corpus_vocab_size(c), MADE_VOCAB);
    uint64_t counts[MADE_VOCAB] = {0}, tokens = 0;
    const uint32_t *ids;
    uint32_t n;
    for (uint64_t d = 4 * PER; d-- > 0;) {
        assert_int_equal(sb_corpus_document(c, d, &ids, &n), SB_OK);
        assert_int_equal(n, made_length(d));
        for (uint32_t t = 0; t < n; t++) {
            assert_int_equal(ids[t], made_id(d, t));
            counts[ids[t]]++;
        }
        tokens += n;
    }
    assert_int_equal(sb_corpus_tokens(c), tokens);
    assert_memory_equal(sb_corpus_counts(c), counts, sizeof counts);
    assert_int_equal(sb_corpus_document(c, 4 * PER, &ids, &n), SB_EINVAL);
    for (uint64_t i = 0; i < 4; i++) {
        sb_block b;
        assert_int_equal(sb_corpus_block(c, i, &b), SB_OK);
        assert_int_equal(b.tokens, sb_corpus_block_tokens(c, i));
        assert_int_equal(b.documents, PER);
        assert_int_equal(b.ids[0], made_id(i * PER, 0));
    }
    sb_block b;
    assert_int_equal(sb_corpus_block(c, 4, &b), SB_EINVAL);
    sb_corpus_close(c);
    assert_int_equal(sb_corpus_open(made_dir, SB_HELDOUT, &c), SB_OK);
    assert_int_equal(sb_corpus_documents(c), PER);
    assert_int_equal(sb_corpus_document(c, 2, &ids, &n), SB_OK);
    assert_int_equal(ids[0], made_id(1002, 0));
    sb_corpus_close(c);
}

/* Replace the first `from` in the manifest by `to`; what reading says. */
static sb_status edited(const char *from, const char *to)
{
    char *text;
    size_t bytes;
    assert_int_equal(sb_file_read(manifest, 1 << 20, &text, &bytes), SB_OK);
    char *at = strstr(text, from);
    assert_non_null(at);
    char *all =
        sb_format("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    assert_int_equal(sb_file_write(manifest, all, strlen(all)), SB_OK);
    static sb_manifest m;
    sb_status st = sb_manifest_read(made_dir, &m);
    if (st == SB_OK) sb_free(m.shard);
    sb_corpus *c;
    sb_status again = sb_corpus_open(made_dir, SB_TRAIN, &c);
    if (again == SB_OK) sb_corpus_close(c);
    assert_true(st == SB_OK || again == st);
    assert_int_equal(sb_file_write(manifest, text, bytes), SB_OK);
    sb_free(all);
    sb_free(text);
    return again;
}

static void a_name_that_is_not_plain_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"\"../x\"",
                                      "\"a/b\"",
                                      "\"/etc/passwd\"",
                                      "\".hidden\"",
                                      "\"\"",
                                      "\"a b\"",
                                      "\"a\\u0000b\"",
                                      "\"a\\n\"",
                                      "\"\\u00e9\"",
                                      "7",
                                      "null",
                                      "[\"a\"]",
                                      "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(edited("\"train-00004.mdb\"", bad[i]), SB_EFORMAT);
    assert_int_equal(edited("\"train-00004.mdb\"", "\"train-00000.mdb\""),
                     SB_EFORMAT);
    assert_int_equal(edited("\"train-00004.mdb\"", "\"train-00009.mdb\""),
                     SB_ENOENT);
}

static void a_manifest_that_is_not_ours_is_refused(void **state)
{
    (void)state;
    assert_int_equal(edited("shardbert-corpus", "tar"), SB_EFORMAT);
    assert_int_equal(edited("\"version\": 1", "\"version\": 2"), SB_EVERSION);
    assert_int_equal(edited("\"version\": 1", "\"version\": 1.0"), SB_EFORMAT);
    assert_int_equal(edited("\"version\": 1", "\"version\": 1, \"version\": 1"),
                     SB_EFORMAT);
    assert_int_equal(edited("\"vocab_size\": 50", "\"vocab_size\": -1"),
                     SB_EFORMAT);
    assert_int_equal(edited("\"vocab_size\": 50", "\"vocab_size\": 0"),
                     SB_EFORMAT);
    assert_int_equal(
        edited("\"vocab_size\": 50", "\"vocab_size\": 18446744073709551616"),
        SB_EFORMAT);
    assert_int_equal(edited("000000000000004d", "000000000000004D"),
                     SB_EFORMAT);
    assert_int_equal(edited("\"train\"", "\"test\""), SB_EFORMAT);
    assert_int_equal(edited("{", "[{"), SB_EFORMAT);
    assert_int_equal(edited("\"shards\"", "\"shard\""), SB_EFORMAT);
    assert_int_equal(edited("\"config\"", "\"other\""), SB_EFORMAT);
}

static void a_manifest_that_does_not_fit_its_shards_is_refused(void **state)
{
    (void)state;
    assert_int_equal(edited("\"vocab_size\": 50", "\"vocab_size\": 51"),
                     SB_EFORMAT);
    assert_int_equal(edited("000000000000004d", "000000000000004e"),
                     SB_EFORMAT);
    assert_int_equal(edited("\"bytes\": ", "\"bytes\": 1"), SB_EFORMAT);
    assert_int_equal(edited("\"documents\": 27", "\"documents\": 28"),
                     SB_EFORMAT);
}

static void every_cut_manifest_is_refused(void **state)
{
    (void)state;
    char *text;
    size_t bytes;
    assert_int_equal(sb_file_read(manifest, 1 << 20, &text, &bytes), SB_OK);
    for (size_t cut = 0; cut + 1 < bytes; cut += 3) {
        assert_int_equal(sb_file_write(manifest, text, cut), SB_OK);
        sb_corpus *c;
        assert_int_equal(sb_corpus_open(made_dir, SB_TRAIN, &c), SB_EFORMAT);
    }
    sb_free(text);
}

static void a_split_without_documents_is_said_to_be_empty(void **state)
{
    (void)state;
    static sb_manifest m;
    assert_int_equal(sb_manifest_read(made_dir, &m), SB_OK);
    m.shards = 1;
    assert_int_equal(sb_manifest_write(made_dir, &m), SB_OK);
    sb_corpus *c;
    assert_int_equal(sb_corpus_open(made_dir, SB_HELDOUT, &c), SB_EINVAL);
    m.shards = 0;
    assert_int_equal(sb_manifest_write(made_dir, &m), SB_OK);
    assert_int_equal(sb_corpus_open(made_dir, SB_TRAIN, &c), SB_EINVAL);
    strcpy(m.shard[0].name, "../x");
    m.shards = 1;
    assert_int_equal(sb_manifest_write(made_dir, &m), SB_EBUG);
    sb_free(m.shard);
}

static void a_failed_write_leaves_the_old_manifest(void **state)
{
    (void)state;
    static sb_manifest m;
    assert_int_equal(sb_manifest_read(made_dir, &m), SB_OK);
    m.bad_documents = 3;
    setenv("SB_FAULT", "rename:1", 1);
    sb_status st = sb_manifest_write(made_dir, &m);
    unsetenv("SB_FAULT");
    sb_free(m.shard);
    assert_int_equal(st, SB_EIO);
    assert_int_equal(sb_manifest_read(made_dir, &m), SB_OK);
    assert_int_equal(m.bad_documents, 0);
    sb_free(m.shard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, made_dir_down)
        T(a_manifest_comes_back_as_written),
        T(a_folder_without_manifest_is_no_corpus),
        T(documents_are_numbered_through_the_shards_of_a_split),
        T(a_name_that_is_not_plain_is_refused),
        T(a_manifest_that_is_not_ours_is_refused),
        T(a_manifest_that_does_not_fit_its_shards_is_refused),
        T(every_cut_manifest_is_refused),
        T(a_split_without_documents_is_said_to_be_empty),
        T(a_failed_write_leaves_the_old_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
