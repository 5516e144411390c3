/* SPDX-License-Identifier: MIT
 * corpus.c - tests of dataset/corpus.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <math.h>

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
    assert_int_equal(m.sources, 2);
    assert_string_equal(m.source[1].spec, "made:1");
    assert_true(m.source[1].weight == 1);
    assert_int_equal(m.source[1].stats.documents, 4 * PER);
    assert_int_equal(m.source[1].stats.text_bytes, 12345);
    assert_string_equal(m.config, "max_length = 64\n\"quoted\" \\ and more\n");
    assert_int_equal(m.shards, 3);
    assert_string_equal(m.shard[0].name, "train-00000.mdb");
    assert_string_equal(m.shard[1].name, "heldout-00000.mdb");
    assert_string_equal(m.shard[2].name, "train-00004.mdb");
    assert_int_equal(m.shard[0].info.documents, 3 * PER);
    assert_int_equal(m.shard[0].info.vocab_hash, MADE_HASH);
    sb_manifest_free(&m);
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

/* Replace the first `from` in the manifest by `to`, and the checksum by the
 * right one; what reading says. */
static sb_status edited(const char *from, const char *to)
{
    char *text;
    size_t bytes;
    assert_int_equal(sb_file_read(manifest, 1 << 20, &text, &bytes), SB_OK);
    char *at = strstr(text, from);
    assert_non_null(at);
    char *all =
        sb_format("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    made_checksum(all);
    assert_int_equal(sb_file_write(manifest, all, strlen(all)), SB_OK);
    static sb_manifest m;
    sb_status st = sb_manifest_read(made_dir, &m);
    if (st == SB_OK) sb_manifest_free(&m);
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
    assert_int_equal(edited("\"version\": 3", "\"version\": 2"), SB_EVERSION);
    assert_int_equal(edited("\"version\": 3", "\"version\": 3.0"), SB_EFORMAT);
    assert_int_equal(edited("\"version\": 3", "\"version\": 3, \"version\": 3"),
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

static void weights_count_pieces_and_draw_documents(void **state)
{
    (void)state;
    sb_corpus *c;
    assert_int_equal(sb_corpus_open(made_dir, SB_TRAIN, &c), SB_OK);
    assert_int_equal(sb_corpus_sources(c), 2);
    const sb_corpus_source *s = sb_corpus_source_at(c, 1);
    assert_int_equal(s->first_document, 3 * PER);
    assert_int_equal(s->documents, PER);
    assert_int_equal(s->first_block, 3);
    assert_int_equal(s->blocks, 1);
    assert_int_equal(s->tokens, sb_corpus_block_tokens(c, 3));
    assert_int_equal(sb_mix_places(sb_corpus_document_mix(c)), 4 * PER);
    assert_int_equal(sb_mix_places(sb_corpus_block_mix(c)), 4);
    uint64_t counts[2][MADE_VOCAB] = {{0}};
    const uint32_t *ids;
    uint32_t n;
    for (uint64_t d = 0; d < 4 * PER; d++) {
        assert_int_equal(sb_corpus_document(c, d, &ids, &n), SB_OK);
        for (uint32_t t = 0; t < n; t++) counts[d >= 3 * PER][ids[t]]++;
    }
    sb_corpus_close(c);

    made_weight[0] = 0.4;
    made_weight[1] = 2.5;
    assert_int_equal(made_corpus(made_dir, PER), SB_OK);
    made_weight[0] = made_weight[1] = 1;
    assert_int_equal(sb_corpus_open(made_dir, SB_TRAIN, &c), SB_OK);
    assert_int_equal(sb_mix_places(sb_corpus_document_mix(c)), 11 + 23);
    assert_int_equal(sb_mix_places(sb_corpus_block_mix(c)), 1 + 3);
    for (int id = 0; id < MADE_VOCAB; id++) {
        uint64_t first = (uint64_t)llround(0.4 * (double)counts[0][id]);
        if (!first && counts[0][id]) first = 1; /* it does come up */
        assert_int_equal(sb_corpus_counts(c)[id],
                         first +
                             (uint64_t)llround(2.5 * (double)counts[1][id]));
    }
    sb_corpus_close(c);
    assert_int_equal(edited("\"weight\": 0.4", "\"weight\": 0"), SB_OK);
    assert_int_equal(edited("\"weight\": 0.4", "\"weight\": 1e+30"), SB_ELIMIT);
    assert_int_equal(sb_corpus_open(made_dir, SB_HELDOUT, &c), SB_OK);
    assert_null(sb_corpus_counts(c));
    assert_null(sb_corpus_block_mix(c));
    sb_corpus_close(c);
}

static void damaged_counts_are_refused(void **state)
{
    (void)state;
    char *path = sb_path_join(made_dir, "counts"), *was;
    size_t bytes;
    assert_int_equal(sb_file_read(path, 1 << 20, &was, &bytes), SB_OK);
    assert_int_equal(bytes, 32 + 2 * MADE_VOCAB * 8);
    sb_corpus *c;
    int fd = open(path, O_WRONLY);
    for (size_t i = 0; i < bytes; i++) {
        char b = (char)(was[i] ^ 4);
        assert_int_equal(pwrite(fd, &b, 1, (off_t)i), 1);
        assert_int_equal(sb_corpus_open(made_dir, SB_TRAIN, &c),
                         i == 3 ? SB_EVERSION : SB_EFORMAT);
        assert_int_equal(pwrite(fd, was + i, 1, (off_t)i), 1);
    }
    for (size_t n = bytes; n-- > 0;) {
        assert_int_equal(ftruncate(fd, (off_t)n), 0);
        assert_int_equal(sb_corpus_open(made_dir, SB_TRAIN, &c), SB_EFORMAT);
    }
    close(fd);
    unlink(path);
    assert_int_equal(sb_corpus_open(made_dir, SB_TRAIN, &c), SB_ENOENT);
    sb_free(path);
    sb_free(was);
}

static void counts_of_another_corpus_are_refused(void **state)
{
    (void)state;
    uint64_t *counts;
    sb_corpus *c;
    static sb_manifest m;
    assert_int_equal(sb_manifest_read(made_dir, &m), SB_OK);
    assert_int_equal(sb_alloc(2 * MADE_VOCAB, 8, "counts", &counts), SB_OK);
    counts[7] = m.shard[0].info.tokens;
    counts[MADE_VOCAB] = m.shard[2].info.tokens;
    assert_int_equal(sb_piece_counts_write(made_dir, &m, counts), SB_OK);
    assert_int_equal(sb_corpus_open(made_dir, SB_TRAIN, &c), SB_OK);
    assert_int_equal(sb_corpus_counts(c)[7], m.shard[0].info.tokens);
    sb_corpus_close(c);
    for (int i = -1; i < 2; i += 2) { /* one too few, one too many */
        counts[9] = (uint64_t)i;
        assert_int_equal(sb_piece_counts_write(made_dir, &m, counts), SB_OK);
        assert_int_equal(sb_corpus_open(made_dir, SB_TRAIN, &c), SB_EFORMAT);
    }
    sb_free(counts);
    sb_manifest_free(&m);
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
    sb_manifest_free(&m);
}

static void a_failed_write_leaves_the_old_manifest(void **state)
{
    (void)state;
    static sb_manifest m;
    assert_int_equal(sb_manifest_read(made_dir, &m), SB_OK);
    m.source[0].stats.bad = 3;
    setenv("SB_FAULT", "rename:1", 1);
    sb_status st = sb_manifest_write(made_dir, &m);
    unsetenv("SB_FAULT");
    sb_manifest_free(&m);
    assert_int_equal(st, SB_EIO);
    assert_int_equal(sb_manifest_read(made_dir, &m), SB_OK);
    assert_int_equal(m.source[0].stats.bad, 0);
    sb_manifest_free(&m);
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
        T(weights_count_pieces_and_draw_documents),
        T(damaged_counts_are_refused),
        T(counts_of_another_corpus_are_refused),
        T(a_split_without_documents_is_said_to_be_empty),
        T(a_failed_write_leaves_the_old_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
