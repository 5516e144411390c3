/* SPDX-License-Identifier: MIT
 * to_file.c - tests of trainer/word2vec/to_file.c: what is written is read, in
 * the order of the counts, however little memory there is. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/made_model.h"
#include "trainer/vectors.h"
#include "trainer/word2vec/to_file.h"

enum { V = 30, D = 8 };

static const sb_tensor table[] = {{SB_W2V_INPUT, SB_F32, 2, {V, D}},
                                  {SB_W2V_OUTPUT, SB_F32, 2, {V, D}},
                                  {SB_W2V_COUNTS, SB_U64, 1, {V}}};

/* Special tokens are counted too; every fifth piece does not occur; some are
 * as frequent as others. */
static uint64_t count_of(uint32_t id)
{
    return id % 5 == 4 ? 0 : (id * 7) % 11 + 1;
}

static sb_ckpt *save(void)
{
    float x[V * D];
    uint64_t counts[V];
    sb_ckpt_part *p;
    void *desc;
    size_t bytes;
    sb_ckpt_meta meta = {"word2vec", 1, 1, 1, 1, 1, "a build", NULL};
    const char *dir = in_folder("ckpt");
    for (uint32_t i = 0; i < V; i++) counts[i] = count_of(i);
    assert_int_equal(sb_ckpt_begin(dir, 1), SB_OK);
    assert_int_equal(sb_ckpt_part_open(dir, 1, 0, table, 3, &p), SB_OK);
    for (size_t t = 0; t < 2; t++) {
        for (uint64_t i = 0; i < V * D; i++)
            x[i] = made_value(table[t].name, i) / 3;
        assert_int_equal(sb_ckpt_put(p, t, 0, V * D, x), SB_OK);
    }
    assert_int_equal(sb_ckpt_put(p, 2, 0, V, counts), SB_OK);
    assert_int_equal(sb_ckpt_part_close(p, &desc, &bytes), SB_OK);
    assert_int_equal(sb_ckpt_commit(dir, &meta, table, 3,
                                    (const void *const[]){desc}, &bytes, 1),
                     SB_OK);
    sb_free(desc);
    return made_open(dir);
}

static void check(const sb_vectors *v, const sb_vocab *vocab,
                  const char *tensor)
{
    uint64_t before = UINT64_MAX;
    uint32_t last = 0;
    assert_int_equal(v->n, 20);
    assert_int_equal(v->dim, D);
    for (uint32_t i = 0; i < v->n; i++) {
        size_t n;
        const char *word = sb_word_index_word(v->words, i, &n);
        uint32_t id = sb_vocab_find(vocab, word, n, 0);
        assert_true(id != SB_NO_ID && id >= 5 && count_of(id) > 0);
        assert_true(count_of(id) < before ||
                    (count_of(id) == before && id > last));
        before = count_of(id);
        last = id;
        for (uint32_t k = 0; k < D; k++)
            assert_true(v->table[i * D + k] ==
                        made_value(tensor, id * D + k) / 3);
    }
}

static void what_is_written_is_read_in_the_order_of_the_counts(void **state)
{
    (void)state;
    static const size_t memory[] = {1, 3 * D * 4, 1 << 20};
    sb_vocab *vocab = made_vocab(V);
    sb_ckpt *c = save();
    for (int binary = 0; binary < 2; binary++)
        for (int k = 0; k < 3; k++) {
            sb_w2v_file how = {k == 1 ? SB_W2V_OUTPUT : SB_W2V_INPUT, binary,
                               memory[k]};
            sb_vectors v;
            size_t rows;
            assert_int_equal(
                sb_w2v_to_file(c, vocab, &how, in_folder("v"), &rows), SB_OK);
            assert_int_equal(rows, 20);
            assert_int_equal(sb_vectors_read(in_folder("v"), &v), SB_OK);
            check(&v, vocab, how.tensor);
            sb_vectors_free(&v);
        }
    sb_ckpt_close(c);
    sb_vocab_close(vocab);
}

static void the_same_bytes_however_little_memory_there_is(void **state)
{
    (void)state;
    sb_vocab *vocab = made_vocab(V);
    sb_ckpt *c = save();
    char *text[2];
    size_t n[2], rows;
    for (size_t k = 0; k < 2; k++) {
        sb_w2v_file how = {SB_W2V_INPUT, 0, k ? 1 : 1 << 20};
        assert_int_equal(sb_w2v_to_file(c, vocab, &how, in_folder("v"), &rows),
                         SB_OK);
        assert_int_equal(sb_file_read(in_folder("v"), 1 << 20, &text[k], &n[k]),
                         SB_OK);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(text[0], text[1], n[0]);
    sb_free(text[0]);
    sb_free(text[1]);
    sb_ckpt_close(c);
    sb_vocab_close(vocab);
}

static void a_piece_with_a_blank_cannot_be_named(void **state)
{
    (void)state;
    char text[512] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nnew york\n";
    sb_vocab *vocab;
    sb_w2v_file how = {SB_W2V_INPUT, 0, 1};
    size_t rows;
    for (int i = 6; i < V; i++) sprintf(text + strlen(text), "w%d\n", i);
    assert_int_equal(sb_vocab_parse(text, strlen(text), "t", &vocab), SB_OK);
    sb_ckpt *c = save();
    assert_int_equal(sb_w2v_to_file(c, vocab, &how, in_folder("v"), &rows),
                     SB_EFORMAT);
    assert_non_null(strstr(sb_error_last()->text, "'new york'"));
    assert_false(sb_file_exists(in_folder("v")));
    assert_false(sb_file_exists(in_folder("v.tmp")));
    sb_ckpt_close(c);
    sb_vocab_close(vocab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
        T(what_is_written_is_read_in_the_order_of_the_counts),
        T(the_same_bytes_however_little_memory_there_is),
        T(a_piece_with_a_blank_cannot_be_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
