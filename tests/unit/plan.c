/* SPDX-License-Identifier: MIT
 * plan.c - tests of trainer/word2vec/plan.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "tests/unit/made_corpus.h"
#include "trainer/word2vec/plan.h"

enum { PER = 6, BLOCKS = 4, SEED = 9, EPOCHS = 5, WORKERS = 7 };
enum { STRETCH = 64 }; /* at most, of these small corpora */

/* Three blocks of the first source, one of the second. */
static sb_corpus *corpus_of(double first, double second)
{
    made_weight[0] = first;
    made_weight[1] = second;
    sb_corpus *c = NULL;
    assert_int_equal(made_corpus(made_dir, PER), SB_OK);
    made_weight[0] = made_weight[1] = 1;
    assert_int_equal(sb_corpus_open(made_dir, SB_TRAIN, &c), SB_OK);
    assert_int_equal(sb_corpus_blocks(c), BLOCKS);
    return c;
}

static sb_w2v_plan plan_of(sb_corpus *c, uint32_t epochs, uint32_t workers)
{
    sb_w2v_plan p;
    assert_int_equal(sb_w2v_plan_open(&p, c, SEED, epochs, workers), SB_OK);
    assert_int_equal(p.blocks, sb_mix_places(sb_corpus_block_mix(c)));
    assert_int_equal(p.total, epochs * p.blocks);
    assert_true(p.stretch >= 1 && p.stretch <= STRETCH);
    return p;
}

static uint64_t number_of(sb_corpus *c, const sb_block *block)
{
    for (uint64_t i = 0; i < BLOCKS; i++) {
        sb_block b = {0};
        assert_int_equal(sb_corpus_block(c, i, &b), SB_OK);
        if (b.ids == block->ids) return i;
    }
    fail_msg("a block that the corpus has not");
    return 0;
}

static int same_start(const sb_fast_rng *a, const sb_fast_rng *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Piece of position g: draws of its own. */
static void check_piece(const sb_w2v_plan *p, uint64_t g,
                        const sb_w2v_piece *piece)
{
    sb_rng_key text = sb_rng_key_make(SEED, SB_RNG_WORD2VEC);
    uint64_t epoch = g / p->blocks, place = g % p->blocks;
    uint64_t number = sb_mix_number(p->mix, p->order, epoch, place);
    sb_fast_rng want = sb_fast_rng_start(text, (uint32_t)epoch, number);
    assert_true(same_start(&piece->rng, &want));
    assert_int_equal(number_of(p->corpus, &piece->block),
                     sb_mix_item(p->mix, p->order, epoch, place));
}

/* One round from `cursor`; which block each position has, to block[g]. */
static uint64_t one_round(const sb_w2v_plan *p, uint64_t cursor,
                          uint64_t *words, uint64_t *block)
{
    uint64_t last = sb_w2v_plan_next(p, cursor), g = cursor, sum = 0;
    assert_true(last > cursor && last <= p->total);
    assert_true(last == p->total || last - cursor == p->workers * p->stretch);
    sb_w2v_piece piece[STRETCH];
    sb_fast_rng noise[WORKERS];
    size_t least = SIZE_MAX, most = 0;
    for (uint32_t w = 0; w < p->workers; w++) {
        sb_w2v_task t = {.piece = piece, .loss = 5, .pairs = 5};
        assert_int_equal(sb_w2v_plan_give(p, cursor, last, *words, w, &t),
                         SB_OK);
        assert_true(t.loss == 0 && t.pairs == 0 && t.pieces <= p->stretch);
        assert_ptr_equal(t.rate, &p->rate);
        assert_int_equal(t.words_first, *words);
        assert_int_equal(t.words_last, sb_w2v_plan_before(p, last));
        noise[w] = t.rng;
        for (uint32_t u = 0; u < w && t.pieces > 0 && least > 0; u++)
            assert_false(same_start(&noise[u], &noise[w]));
        if (t.pieces < least) least = t.pieces;
        if (t.pieces > most) most = t.pieces;
        uint64_t tokens = 0;
        for (size_t i = 0; i < t.pieces; i++, g++) {
            check_piece(p, g, &piece[i]);
            block[g] = number_of(p->corpus, &piece[i].block);
            tokens += piece[i].block.tokens;
        }
        assert_true(tokens <= sb_w2v_plan_most(p));
        sum += tokens;
    }
    assert_int_equal(g, last); /* all of them, none twice */
    assert_true(most - least <= 1);
    assert_int_equal(sum, sb_w2v_plan_words(p, cursor, last));
    *words += sum;
    return last;
}

/* All rounds. */
static void whole_run(const sb_w2v_plan *p, uint64_t *block)
{
    uint64_t words = 0, cursor = 0;
    while (cursor < p->total) cursor = one_round(p, cursor, &words, block);
    assert_int_equal(cursor, p->total);
    assert_int_equal(words, p->rate.total);
    assert_int_equal(words, sb_w2v_plan_before(p, p->total));
}

/* An epoch has block b floor(weight) times or once more, a source round(weight
 * x blocks) altogether. */
static void check_epoch(const uint64_t *block, uint64_t places,
                        const double weight[2])
{
    double times[BLOCKS] = {0};
    for (uint64_t i = 0; i < places; i++) times[block[i]]++;
    for (int b = 0; b < BLOCKS; b++) {
        double w = weight[b == 3];
        assert_true(times[b] >= floor(w) && times[b] <= floor(w) + 1);
    }
    double first = times[0] + times[1] + times[2];
    assert_true(first == fmax(1, round(weight[0] * 3)) || weight[0] == 0);
    assert_true(times[3] == fmax(1, round(weight[1])) || weight[1] == 0);
    assert_true(first + times[3] == (double)places);
}

static void any_number_of_workers_does_every_position_once(void **state)
{
    (void)state;
    static const double weight[][2] = {{1, 1},     {2, 3}, {7.4, 9},
                                       {0.4, 2.5}, {0, 1}, {0.1, 0}};
    for (size_t i = 0; i < sizeof weight / sizeof *weight; i++) {
        sb_corpus *c = corpus_of(weight[i][0], weight[i][1]);
        uint64_t alone[EPOCHS * STRETCH], block[EPOCHS * STRETCH];
        for (uint32_t workers = 1; workers <= WORKERS; workers++) {
            sb_w2v_plan p = plan_of(c, EPOCHS, workers);
            memset(block, 0xff, sizeof block);
            whole_run(&p, block);
            for (uint64_t e = 0; e < EPOCHS; e++)
                check_epoch(block + e * p.blocks, p.blocks, weight[i]);
            if (workers == 1) memcpy(alone, block, sizeof alone);
            assert_memory_equal(alone, block, p.total * sizeof *block);
            sb_w2v_plan_close(&p);
        }
        sb_corpus_close(c);
    }
}

static void words_before_a_position_are_counted_exactly(void **state)
{
    (void)state;
    sb_corpus *c = corpus_of(2.4, 1.5);
    sb_w2v_plan p = plan_of(c, EPOCHS, 2);
    uint64_t sum = 0;
    for (uint64_t g = 0; g < p.total; g++) {
        assert_int_equal(sb_w2v_plan_before(&p, g), sum);
        assert_int_equal(sb_w2v_plan_words(&p, 0, g), sum);
        uint64_t item = sb_mix_item(p.mix, p.order, g / p.blocks, g % p.blocks);
        assert_int_equal(sb_w2v_plan_words(&p, g, g + 1),
                         sb_corpus_block_tokens(c, item));
        sum += sb_corpus_block_tokens(c, item);
    }
    assert_int_equal(sb_w2v_plan_words(&p, 3, 3), 0);
    assert_int_equal(p.rate.total, sum);
    sb_w2v_plan_close(&p);
    sb_corpus_close(c);
}

/* Every worker has work in every round but the last, if there are blocks. */
static void a_small_corpus_is_cut_small(void **state)
{
    (void)state;
    sb_corpus *c = corpus_of(7.4, 9); /* 22 and 9 places */
    for (uint32_t workers = 1; workers <= 100; workers++) {
        sb_w2v_plan p = plan_of(c, 1, workers);
        assert_int_equal(p.blocks, 31);
        assert_int_equal(p.stretch, workers < 31 ? 31 / workers : 1);
        sb_w2v_plan_close(&p);
    }
    sb_corpus_close(c);
}

static void workers_without_a_position_get_nothing(void **state)
{
    (void)state;
    sb_corpus *c = corpus_of(1, 1);
    sb_w2v_plan p = plan_of(c, 1, 7);
    sb_w2v_piece piece[STRETCH];
    size_t all = 0;
    assert_int_equal(sb_w2v_plan_next(&p, 0), BLOCKS);
    for (uint32_t w = 0; w < 7; w++) {
        sb_w2v_task t = {.piece = piece};
        assert_int_equal(sb_w2v_plan_give(&p, 0, BLOCKS, 0, w, &t), SB_OK);
        assert_true(t.pieces <= 1);
        all += t.pieces;
    }
    assert_int_equal(all, BLOCKS);
    sb_w2v_plan_close(&p);
    sb_w2v_plan_close(&p);
    sb_corpus_close(c);
}

static void epochs_and_seeds_have_orders_of_their_own(void **state)
{
    (void)state;
    sb_corpus *c = corpus_of(7.4, 9);
    sb_w2v_plan p = plan_of(c, 2, 1), q;
    assert_int_equal(sb_w2v_plan_open(&q, c, SEED + 1, 2, 1), SB_OK);
    uint64_t a[2 * STRETCH], b[2 * STRETCH];
    whole_run(&p, a);
    q.seed = SEED; /* check_piece's; the order is chosen already */
    whole_run(&q, b);
    assert_memory_not_equal(a, a + p.blocks, p.blocks * sizeof *a);
    assert_memory_not_equal(a, b, p.blocks * sizeof *a);
    sb_w2v_plan_close(&p);
    sb_w2v_plan_close(&q);
    sb_corpus_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, made_dir_up, made_dir_down)
        T(any_number_of_workers_does_every_position_once),
        T(words_before_a_position_are_counted_exactly),
        T(a_small_corpus_is_cut_small),
        T(workers_without_a_position_get_nothing),
        T(epochs_and_seeds_have_orders_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
