/* SPDX-License-Identifier: MIT
 * ingest_blocks.c - how dataset/ingest.c fills blocks, and what it does with
 * documents that no block can hold. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/made_ingest.h"

enum { MAX = SB_BLOCK_TOKENS_MAX };

/* A file of `tokens` letters in lines of `each`, none of which ends in
 * [from, to). */
static void put_but(const char *name, size_t tokens, size_t each, size_t from,
                    size_t to)
{
    char *text;
    assert_int_equal(sb_alloc(2 * tokens, 1, "text", &text), SB_OK);
    for (size_t i = 0; i < tokens; i++) {
        text[2 * i] = (char)('a' + (i * i + i / 7) % 10);
        int ends = (i + 1) % each == 0 && (i < from || i >= to);
        text[2 * i + 1] = ends ? '\n' : ' ';
    }
    put(name, text, 2 * tokens);
    sb_free(text);
}

static void put_letters(const char *name, size_t tokens, size_t each)
{
    put_but(name, tokens, each, 0, 0);
}

/* The ids of all files, encoded as one text. */
static sb_ids encode_files(void)
{
    sb_ids ids = {0};
    sb_encoder *e;
    assert_int_equal(sb_encoder_open(vocab, &e), SB_OK);
    for (size_t i = 1; i < 4; i++) {
        char *path = sb_format("%s/%zu.txt", folder, i), *text;
        size_t n;
        if (sb_file_exists(path)) {
            assert_int_equal(sb_file_read(path, 1 << 28, &text, &n), SB_OK);
            assert_int_equal(sb_encode(e, text, n, 0, &ids), SB_OK);
            sb_free(text);
        }
        sb_free(path);
    }
    sb_encoder_close(e);
    return ids;
}

/* Ingest the files into one split; all their ids are there, in so many
 * sentences, documents and blocks. */
static void expect_parts(sb_split split, size_t block_tokens,
                         uint64_t sentences, uint64_t documents,
                         uint64_t blocks)
{
    sb_source_stats s;
    sb_ingest_options o = usual();
    o.block_tokens = block_tokens;
    o.held_out = split == SB_HELDOUT ? 1 - 0x1p-53 : 0;
    ingest_all(o, &s);
    content c = read_split(split);
    sb_ids want = encode_files();
    assert_int_equal(c.ids.n, want.n);
    assert_int_equal(s.tokens, want.n);
    assert_memory_equal(c.ids.id, want.id, want.n * sizeof *want.id);
    assert_int_equal(c.sentences, sentences);
    assert_int_equal(c.documents, documents);
    assert_int_equal(c.blocks, blocks);
    sb_free(want.id);
    free_content(&c);
}

static void a_document_of_one_line_fills_a_block_or_is_cut(void **state)
{
    (void)state;
    static const struct {
        size_t tokens;
        uint64_t parts;
    } tests[] = {{MAX - 1, 1},     {MAX, 1},     {MAX + 1, 2},
                 {2 * MAX - 1, 2}, {2 * MAX, 2}, {5 * MAX / 2, 3}};
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        uint64_t n = tests[i].parts;
        put_letters("1.txt", tests[i].tokens, 1 << 30);
        up_sources(SB_DOC_FILE, 0);
        expect_parts(SB_TRAIN, 1024, n, n, n);
    }
}

/* 1048 lines of 1000 fit a block, 1024 lines of 1024 fill it. */
static void a_document_of_lines_is_cut_between_them(void **state)
{
    (void)state;
    static const struct {
        size_t lines, each;
        uint64_t parts;
    } tests[] = {{1048, 1000, 1}, {1049, 1000, 2}, {2096, 1000, 2},
                 {2097, 1000, 3}, {1024, 1024, 1}, {1025, 1024, 2},
                 {2048, 1024, 2}, {3, MAX, 3}};
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        put_letters("1.txt", tests[i].lines * tests[i].each, tests[i].each);
        up_sources(SB_DOC_FILE, 0);
        expect_parts(SB_TRAIN, 1024, tests[i].lines, tests[i].parts,
                     tests[i].parts);
    }
}

/* Two lines of 10, one of 2 MAX + 88, 90 lines of 10: cut before the long one
 * and inside it; its rest and what follows stay together. */
static void a_line_that_no_block_holds_is_cut_the_others_are_not(void **state)
{
    (void)state;
    put_but("1.txt", 2 * MAX + 1008, 10, 20, 2 * MAX + 100);
    up_sources(SB_DOC_FILE, 0);
    expect_parts(SB_HELDOUT, 1024, 2 + 3 + 90, 4, 4);
}

/* Whatever is in the block already. */
static void a_document_that_fits_a_block_is_never_cut(void **state)
{
    (void)state;
    static const struct {
        size_t tokens;
        uint64_t blocks;
    } tests[] = {{MAX, 3},     {MAX - 4, 3}, {MAX - 6, 3},
                 {MAX - 8, 3}, {MAX / 2, 2}, {MAX / 4, 1}};
    put_letters("1.txt", 6, 1);
    put_letters("3.txt", 6, 6);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        put_letters("2.txt", tests[i].tokens, tests[i].tokens / 2);
        up_sources(SB_DOC_FILE, 1 << 30);
        assert_int_equal(sb_sources_units(sources), 1);
        expect_parts(SB_TRAIN, MAX, 6 + 2 + 1, 3, tests[i].blocks);
    }
}

/* Lines of 1 to 200 letters, one in fifty has 5000. */
static void put_lines(void)
{
    sb_buffer b = {0};
    uint32_t x = 1;
    for (int line = 0; line < 5000; line++) {
        x = x * 1664525u + 1013904223u;
        uint32_t words = line % 50 == 49 ? 5000 : 1 + (x >> 16) % 200;
        for (uint32_t k = 0; k < words; k++)
            add_text(&b, k + 1 < words ? "a " : "b\n");
    }
    put("1.txt", b.data, b.n);
    sb_free(b.data);
}

/* Tokens of a block without its last document. */
static uint32_t before_last_document(const sb_block *b)
{
    uint32_t end = 0, before = 0;
    sb_sentence s = sb_sentence_start(b);
    for (uint32_t i = 0; i < b->sentences; i++) {
        sb_sentence_next(&s);
        if (!s.last) continue;
        before = end;
        end = s.end;
    }
    return before;
}

static size_t waste(const sb_block *b)
{
    sb_sentence s = sb_sentence_start(b);
    for (uint32_t i = 0; i < b->sentences; i++) sb_sentence_next(&s);
    return sb_shard_waste(b->tokens, (size_t)(s.at - b->lengths));
}

static void blocks_are_filled_with_little_waste(void **state)
{
    (void)state;
    static const size_t sizes[] = {1024, 1500, 4096, 32768};
    sb_source_stats stats;
    put_lines();
    up_sources(SB_DOC_LINE, 0);
    for (int k = 0; k < 4; k++) {
        sb_ingest_options o = usual();
        size_t full = o.block_tokens = sizes[k];
        ingest_all(o, &stats);
        char *path = shard_of(corpus, SB_TRAIN, 0);
        sb_shard_reader *r;
        assert_int_equal(sb_shard_open(path, 0, &r), SB_OK);
        uint64_t n = sb_shard_get_info(r)->blocks;
        for (uint64_t i = 0; i < n; i++) {
            sb_block b;
            assert_int_equal(sb_shard_read(r, i, &b), SB_OK);
            assert_true(before_last_document(&b) < full + full / 4);
            if (i == n - 1) break;
            assert_true(b.tokens >= full);
            assert_true(b.tokens >= full + full / 4 || waste(&b) < 512);
        }
        sb_shard_close(r);
        sb_free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
        T(a_document_of_one_line_fills_a_block_or_is_cut),
        T(a_document_of_lines_is_cut_between_them),
        T(a_line_that_no_block_holds_is_cut_the_others_are_not),
        T(a_document_that_fits_a_block_is_never_cut),
        T(blocks_are_filled_with_little_waste),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
