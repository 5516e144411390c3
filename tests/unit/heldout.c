/* SPDX-License-Identifier: MIT
 * heldout.c - which documents trainer/mlm/evaluate.c chooses, and what sources
 * are called. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/made_corpus.h"
#include "trainer/mlm/evaluate.h"

enum { PER = 9 }; /* source 0 has 27 documents to train with, source 1 has 9 */

static int up(void **state)
{
    return made_dir_up(state) || made_corpus(made_dir, PER) != SB_OK;
}

static void choose(sb_split split, uint64_t samples, sb_corpus **c,
                   sb_heldout *h)
{
    assert_int_equal(sb_corpus_open(made_dir, split, c), SB_OK);
    assert_int_equal(sb_heldout_open(*c, samples, h), SB_OK);
}

static void one_source_gives_the_first_documents(void **state)
{
    (void)state;
    for (uint64_t samples = 1; samples < 2 * PER; samples++) {
        sb_corpus *c;
        sb_heldout h;
        choose(SB_HELDOUT, samples, &c, &h);
        assert_int_equal(h.parts, 1);
        assert_int_equal(h.part[0].first, 0);
        assert_int_equal(h.documents, samples < PER ? samples : PER);
        assert_int_equal(h.part[0].documents, h.documents);
        sb_heldout_close(&h);
        sb_corpus_close(c);
    }
}

/* The training split, which has two. */
static void sources_have_their_share_and_one_at_least(void **state)
{
    (void)state;
    static const struct {
        uint64_t samples, first, second;
    } want[] = {{1, 1, 1},  {2, 1, 1},   {4, 3, 1},   {8, 6, 2},
                {10, 7, 3}, {35, 26, 9}, {36, 27, 9}, {1000, 27, 9}};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        sb_corpus *c;
        sb_heldout h;
        choose(SB_TRAIN, want[i].samples, &c, &h);
        assert_int_equal(h.parts, 2);
        assert_int_equal(h.part[0].first, 0);
        assert_int_equal(h.part[0].documents, want[i].first);
        assert_int_equal(h.part[1].first, 27);
        assert_int_equal(h.part[1].documents, want[i].second);
        assert_int_equal(h.documents, want[i].first + want[i].second);
        sb_heldout_close(&h);
        sb_corpus_close(c);
    }
}

static void sources_of_a_kind_are_told_apart_by_number(void **state)
{
    (void)state;
    sb_corpus *c;
    sb_heldout h;
    choose(SB_TRAIN, 9, &c, &h);
    assert_string_equal(h.part[0].source, "made-1");
    assert_string_equal(h.part[1].source, "made-2");
    assert_string_equal(h.part[1].loss_name, "heldout_loss/made-2");
    assert_string_equal(h.part[1].accuracy_name, "heldout_accuracy/made-2");
    sb_heldout_close(&h);
    sb_corpus_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_source_gives_the_first_documents,
                                        up, made_dir_down),
        cmocka_unit_test_setup_teardown(
            sources_have_their_share_and_one_at_least, up, made_dir_down),
        cmocka_unit_test_setup_teardown(
            sources_of_a_kind_are_told_apart_by_number, up, made_dir_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
