/* SPDX-License-Identifier: MIT
 * trim.c - tests of trainer/export/trim.c: rows that stay, and the rest. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/made_model.h"
#include "trainer/export/trim.h"

enum { V = 40, D = 8 };

static const made_model whole = {
    .shape = {.vocab = V,
              .dim = D,
              .layers = 1,
              .heads = 2,
              .ffn = 16,
              .positions = 12},
    .head = MADE_SEQUENCE,
    .labels = V, /* as many as pieces: only names tell what goes by row */
    .config = "heads = 2\n",
    .vocab_hash = 9,
    .moments = 1};

/* A vocabulary of n pieces. */
static sb_vocab *pieces(uint32_t n)
{
    return made_vocab(n);
}

static void expect(sb_ckpt *c, size_t i, const uint32_t *old)
{
    static float x[V * 64];
    const sb_tensor *t = sb_ckpt_tensor(c, i);
    uint64_t n = sb_tensor_elements(t), width = t->ndim == 2 ? t->dim[1] : 1;
    int by_row =
        !strcmp(t->name, SB_TABLE_NAME) || !strcmp(t->name, SB_BIAS_NAME);
    assert_int_equal(sb_ckpt_get(c, t, 0, n, x), SB_OK);
    for (uint64_t e = 0; e < n; e++) {
        uint64_t from = by_row ? old[e / width] * width + e % width : e;
        assert_true(x[e] == made_value(t->name, from));
    }
}

static void trim_to(const uint32_t *old, uint32_t n)
{
    sb_vocab *smaller = pieces(n);
    made_save(&whole, in_folder("ckpt"));
    sb_ckpt *from = made_open(in_folder("ckpt"));
    assert_int_equal(sb_trim_write(from, V, smaller, old, in_folder("new")),
                     SB_OK);
    sb_ckpt *c = made_open(in_folder("new"));
    const sb_ckpt_meta *m = sb_ckpt_get_meta(c);
    assert_int_equal(m->step, 7);
    assert_string_equal(m->phase, "mlm");
    assert_string_equal(m->config, "heads = 2\n");
    assert_true(m->vocab_hash == sb_vocab_hash(smaller));
    assert_int_equal(sb_ckpt_tensors(c), sb_ckpt_tensors(from) - 2);
    for (size_t i = 0; i < sb_ckpt_tensors(c); i++) expect(c, i, old);
    sb_ckpt_close(c);
    sb_ckpt_close(from);
    sb_vocab_close(smaller);
}

static void rows_that_stay_are_moved_and_the_rest_is_copied(void **state)
{
    (void)state;
    static const uint32_t old[] = {0, 1, 2, 3, 4, 7, 8, 21, 38, 39};
    trim_to(old, 10);
}

static void all_rows_may_stay(void **state)
{
    (void)state;
    uint32_t old[V];
    for (uint32_t i = 0; i < V; i++) old[i] = i;
    trim_to(old, V);
}

static void another_vocabulary_is_refused(void **state)
{
    (void)state;
    static const uint32_t old[] = {0, 1, 2, 3, 4};
    sb_vocab *smaller = pieces(5);
    made_save(&whole, in_folder("ckpt"));
    sb_ckpt *from = made_open(in_folder("ckpt"));
    assert_int_equal(sb_trim_write(from, V + 1, smaller, old, in_folder("new")),
                     SB_EFORMAT);
    assert_non_null(strstr(sb_error_last()->text, "has 40 rows"));
    sb_ckpt_close(from);
    sb_vocab_close(smaller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
        T(rows_that_stay_are_moved_and_the_rest_is_copied),
        T(all_rows_may_stay),
        T(another_vocabulary_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
