/* SPDX-License-Identifier: MIT
 * shard.c - tests of dataset/shard_write.c and dataset/shard_read.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/made_shard.h"

static sb_shard_reader *open_ok(void)
{
    sb_shard_reader *r = NULL;
    assert_int_equal(sb_shard_open(path, 0, &r), SB_OK);
    return r;
}

/* Sentences of `each` tokens (the last takes the rest) up to `tokens`, a
 * document ends behind each multiple of `document`. */
static sb_lengths lengths_of(uint32_t tokens, uint32_t each, uint32_t document)
{
    sb_lengths l = {0};
    while (l.tokens < tokens) {
        uint32_t end = tokens - l.tokens < each ? tokens : l.tokens + each;
        assert_int_equal(sb_lengths_sentence(&l, end), SB_OK);
        if (end % document == 0) sb_lengths_document(&l);
    }
    return l;
}

/* Frees l. */
static void append_ok(sb_shard_writer *w, const uint32_t *ids, sb_lengths *l)
{
    sb_block b = made_block(ids, l);
    assert_int_equal(sb_shard_append(w, &b), SB_OK);
    sb_free(l->data);
}

static void a_sealed_shard_gives_back_its_blocks(void **state)
{
    (void)state;
    sb_shard_info info;
    assert_int_equal(made_shard(path, 10, 5, 40, &info), SB_OK);
    assert_int_equal(info.blocks, 5);
    assert_int_equal(info.documents, 200);
    sb_shard_reader *r = open_ok();
    assert_memory_equal(sb_shard_get_info(r), &info, sizeof info);
    uint64_t d = 10;
    for (uint64_t i = 5; i-- > 0;) { /* any order, twice */
        sb_block b;
        assert_int_equal(sb_shard_read(r, i, &b), SB_OK);
        assert_int_equal(sb_shard_read(r, i, &b), SB_OK);
    }
    for (uint64_t i = 0; i < 5; i++) {
        sb_block b;
        assert_int_equal(sb_shard_read(r, i, &b), SB_OK);
        assert_int_equal(b.tokens, sb_shard_index(r)[i].tokens);
        assert_int_equal((uintptr_t)b.ids % 16, 0);
        sb_sentence s = sb_sentence_start(&b);
        for (uint32_t k = 0, from = 0; k < b.sentences; k++) {
            sb_sentence_next(&s);
            for (uint32_t t = s.begin; t < s.end; t++)
                assert_int_equal(b.ids[t], made_id(d, t - from));
            if (!s.last) continue;
            assert_int_equal(s.end - from, made_length(d++));
            from = s.end;
        }
        assert_int_equal(s.end, b.tokens);
    }
    assert_int_equal(d, 10 + 200);
    sb_block b;
    assert_int_equal(sb_shard_read(r, 5, &b), SB_EINVAL);
    sb_shard_close(r);
}

static void a_large_block_and_many_transactions_come_back(void **state)
{
    (void)state;
    enum { N = SB_BLOCK_TOKENS_MAX, BLOCKS = 12 };
    uint32_t *ids;
    assert_int_equal(sb_alloc(N, sizeof *ids, "ids", &ids), SB_OK);
    sb_shard_writer *w;
    assert_int_equal(sb_shard_create(path, 1 << 30, MADE_VOCAB, 1, &w), SB_OK);
    sb_lengths one = lengths_of(N, N, N);
    sb_block b = made_block(ids, &one);
    for (uint32_t k = 0; k < BLOCKS; k++) {
        for (uint32_t i = 0; i < N; i++) ids[i] = (i * 13 + k) % MADE_VOCAB;
        assert_int_equal(sb_shard_append(w, &b), SB_OK);
    }
    sb_shard_info info;
    assert_int_equal(sb_shard_seal(w, &info), SB_OK);
    sb_shard_reader *r = open_ok();
    for (uint32_t k = 0; k < BLOCKS; k++) {
        assert_int_equal(sb_shard_read(r, k, &b), SB_OK);
        for (uint32_t i = 0; i < N; i += 4093)
            assert_int_equal(b.ids[i], (i * 13 + k) % MADE_VOCAB);
    }
    sb_shard_close(r);
    sb_free(one.data);
    sb_free(ids);
}

/* Every other sentence ends a document, and the last. */
static void expect_lengths_back(const uint32_t *size, uint32_t n)
{
    static uint32_t ids[SB_BLOCK_TOKENS_MAX];
    sb_shard_writer *w;
    sb_shard_info info;
    sb_lengths l = {0};
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(sb_lengths_sentence(&l, l.tokens + size[i]), SB_OK);
        if (i % 2 || i == n - 1) sb_lengths_document(&l);
    }
    assert_int_equal(sb_shard_create(path, MADE_MAP, MADE_VOCAB, 1, &w), SB_OK);
    append_ok(w, ids, &l);
    assert_int_equal(sb_shard_seal(w, &info), SB_OK);
    sb_shard_reader *r = open_ok();
    sb_block b;
    assert_int_equal(sb_shard_read(r, 0, &b), SB_OK);
    assert_int_equal(b.sentences, n);
    assert_int_equal(b.documents, (n + 1) / 2);
    sb_sentence s = sb_sentence_start(&b);
    for (uint32_t i = 0, at = 0; i < n; at += size[i++]) {
        sb_sentence_next(&s);
        assert_int_equal(s.begin, at);
        assert_int_equal(s.end, at + size[i]);
        assert_int_equal(s.last, i % 2 || i == n - 1);
    }
    sb_shard_close(r);
}

/* One to four bytes each. */
static void lengths_of_any_size_come_back(void **state)
{
    (void)state;
    static const uint32_t mixed[] = {1, 63, 64, 65, 8191, 8192, 8193, 2, 1};
    static const uint32_t two[] = {1, SB_BLOCK_TOKENS_MAX - 1};
    static const uint32_t one[] = {SB_BLOCK_TOKENS_MAX};
    expect_lengths_back(mixed, 9);
    expect_lengths_back(two, 2);
    expect_lengths_back(one, 1);
}

/* A short sentence takes a byte; beside its pages' rest, a block has 32 bytes
 * more than its ids, and a shard a handful of pages of LMDB's own. */
static void a_shard_is_hardly_larger_than_its_ids(void **state)
{
    (void)state;
    enum { N = 1 << 16, BLOCKS = 64, SENTENCE = 16 };
    uint32_t *ids;
    assert_int_equal(sb_alloc(N, sizeof *ids, "ids", &ids), SB_OK);
    sb_shard_writer *w;
    sb_shard_info info;
    uint64_t bytes;
    assert_int_equal(sb_shard_create(path, 1 << 30, MADE_VOCAB, 1, &w), SB_OK);
    for (int k = 0; k < BLOCKS; k++) {
        sb_lengths l = lengths_of(N, SENTENCE, 4 * SENTENCE);
        assert_int_equal(l.n, N / SENTENCE);
        append_ok(w, ids, &l);
    }
    assert_int_equal(sb_shard_seal(w, &info), SB_OK);
    assert_int_equal(info.documents, BLOCKS * N / SENTENCE / 4);
    assert_int_equal(sb_file_size(path, &bytes), SB_OK);
    assert_true(bytes <= BLOCKS * (4ull * N + N / SENTENCE + 4096) + 40 * 4096);
    sb_free(ids);
}

static void the_waste_of_a_block_is_what_its_pages_leave_free(void **state)
{
    (void)state;
    enum { TOKENS = 2030, HEAD = 32, PAGE_HEAD = 16 };
    size_t rest = 2 * 4096 - PAGE_HEAD - HEAD - 4 * TOKENS;
    assert_int_equal(sb_shard_waste(TOKENS, rest), 0);
    assert_int_equal(sb_shard_waste(TOKENS, rest - 1), 1);
    assert_int_equal(sb_shard_waste(TOKENS, rest + 1), 4095);
}

static void a_bad_block_is_refused(void **state)
{
    (void)state;
    sb_shard_writer *w;
    assert_int_equal(sb_shard_create(path, MADE_MAP, MADE_VOCAB, 1, &w), SB_OK);
    uint32_t ids[4] = {1, 2, 3, 4};
    sb_lengths l = lengths_of(4, 2, 4);
    sb_block good = made_block(ids, &l), b = good;
    b.tokens = 0;
    assert_int_equal(sb_shard_append(w, &b), SB_EINVAL);
    b.tokens = SB_BLOCK_TOKENS_MAX + 1;
    assert_int_equal(sb_shard_append(w, &b), SB_EINVAL);
    b.tokens = 3; /* the last sentence ends elsewhere */
    assert_int_equal(sb_shard_append(w, &b), SB_EINVAL);
    b = good;
    b.sentences = 0;
    assert_int_equal(sb_shard_append(w, &b), SB_EINVAL);
    ids[2] = MADE_VOCAB;
    assert_int_equal(sb_shard_append(w, &good), SB_EINVAL);
    ids[2] = MADE_VOCAB - 1;
    append_ok(w, ids, &l);
    sb_shard_abandon(w);
    assert_false(sb_file_exists(path));
}

static void a_full_map_says_what_to_do_and_leaves_nothing(void **state)
{
    (void)state;
    sb_shard_writer *w;
    assert_int_equal(sb_shard_create(path, 1 << 20, MADE_VOCAB, 1, &w), SB_OK);
    sb_status st = SB_OK;
    for (int i = 0; i < 400 && st == SB_OK; i++) st = made_append(w, 0, 40);
    assert_int_equal(st, SB_ELIMIT);
    assert_true(sb_error_last()->hint[0]);
    sb_shard_info info;
    assert_int_equal(sb_shard_seal(w, &info), SB_EBUG);
    char **names;
    size_t n;
    assert_int_equal(sb_dir_list(made_dir, &names, &n), SB_OK);
    assert_int_equal(n, 0);
    sb_names_free(names, n);
}

static void an_unsealed_shard_is_not_there_and_is_replaced(void **state)
{
    (void)state;
    sb_shard_writer *w;
    assert_int_equal(sb_shard_create(path, MADE_MAP, MADE_VOCAB, 1, &w), SB_OK);
    assert_int_equal(made_append(w, 0, 40), SB_OK);
    assert_false(sb_file_exists(path));
    assert_int_equal(open_status(0), SB_ENOENT);
    sb_shard_info info;
    /* As after a kill: the old .tmp is still there (and here even open). */
    assert_int_equal(made_shard(path, 0, 1, 10, &info), SB_OK);
    assert_int_equal(read_all(), SB_OK);
    sb_shard_abandon(w);
    assert_int_equal(read_all(), SB_OK);
}

static void a_failed_rename_fails_the_seal(void **state)
{
    (void)state;
    setenv("SB_FAULT", "rename:1", 1);
    sb_shard_info info;
    sb_status st = made_shard(path, 0, 1, 10, &info);
    unsetenv("SB_FAULT");
    assert_int_equal(st, SB_EIO);
    assert_false(sb_file_exists(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, made_dir_down)
        T(a_sealed_shard_gives_back_its_blocks),
        T(a_large_block_and_many_transactions_come_back),
        T(lengths_of_any_size_come_back),
        T(a_shard_is_hardly_larger_than_its_ids),
        T(the_waste_of_a_block_is_what_its_pages_leave_free),
        T(a_bad_block_is_refused),
        T(a_full_map_says_what_to_do_and_leaves_nothing),
        T(an_unsealed_shard_is_not_there_and_is_replaced),
        T(a_failed_rename_fails_the_seal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
