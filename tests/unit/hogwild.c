/* SPDX-License-Identifier: MIT
 * One stretch on one pair of tables: what is trained, and what is learnt. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "comm/base/pool.h"
#include "tests/unit/made_stretch.h"

static double cosine(const float *a, const float *b)
{
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < D; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

static void learns_who_stands_beside_whom(int is_cbow)
{
    world *w = make(is_cbow, 5, 5);
    double first = mean_loss(w, 0), last = first;
    /* All dots are 0 at the start: log 2 for each of 6 rows. */
    assert_true(first < 6 * log(2) + 1e-3);
    for (uint32_t e = 1; e < 30; e++) last = mean_loss(w, e);
    /* The best there is: of the draws of its own group, 5 * 14/29 = 2.41 are
     * negatives and p = 1 / 3.41 are true: -log p - 2.41 log(1 - p) = 2.065
     * (an epoch that trains may go below). */
    print_message("mean loss %.3f\n", last);
    assert_true(last < first && last < 2.2 && last > 2.0);
    double same = 0, other = 0;
    for (int i = 5; i < 20; i++)
        for (int j = 5; j < 20; j++) {
            if (i == j) continue;
            same += cosine(w->in + i * STRIDE, w->in + j * STRIDE);
            other += cosine(w->in + i * STRIDE, w->in + (j + 15) * STRIDE);
        }
    assert_true(same / 210 > other / 210 + 0.3);
    drop(w);
}

static void skip_gram_learns_who_stands_beside_whom(void **state)
{
    (void)state;
    learns_who_stands_beside_whom(0);
}

static void cbow_learns_who_stands_beside_whom(void **state)
{
    (void)state;
    learns_who_stands_beside_whom(1);
}

static void special_and_unseen_pieces_are_not_touched(void **state)
{
    (void)state;
    for (int is_cbow = 0; is_cbow < 2; is_cbow++) {
        world *w = make(is_cbow, 5, 5);
        float before[V * STRIDE];
        memcpy(before, w->in, sizeof before);
        mean_loss(w, 0);
        for (int v = 0; v < V; v++) {
            int usable = v >= 5 && v < 35;
            float *in = w->in + v * STRIDE, *out = w->out + v * STRIDE;
            int changed =
                memcmp(in, before + v * STRIDE, STRIDE * sizeof *in) != 0;
            assert_int_equal(changed, usable);
            assert_int_equal(w->in_touched[v], usable);
            assert_int_equal(w->out_touched[v], usable);
            assert_int_equal(out[0] != 0.0f, usable);
            for (int c = D; c < STRIDE; c++)
                assert_true(in[c] == 0.0f && out[c] == 0.0f);
        }
        drop(w);
    }
}

/* With a window of 1, every pair is known beforehand: neighbours inside the
 * sentence once the special tokens are gone. */
static uint64_t neighbours(const world *w)
{
    uint64_t pairs = 0;
    for (uint32_t i = 0; i < TOKENS;) {
        uint64_t n = 0;
        do n += w->ids[i] >= 5;
        while (++i % SENTENCE);
        if (n > 1) pairs += 2 * (n - 1);
    }
    return pairs;
}

static void windows_reach_over_special_tokens_but_not_over_sentences(
    void **state)
{
    (void)state;
    world *w = make(0, 1, 5);
    mean_loss(w, 0);
    assert_int_equal(w->task.pairs, neighbours(w));
    drop(w);
    /* Sentences of one word have no pair at all. */
    for (int is_cbow = 0; is_cbow < 2; is_cbow++) {
        w = make(is_cbow, 5, 5);
        cut(w, TOKENS, 1, PIECES);
        sb_w2v_train_part(&w->task, 0, 1);
        assert_int_equal(w->task.pairs, 0);
        assert_true(w->task.loss == 0);
        for (int v = 0; v < V; v++)
            assert_false(w->in_touched[v] || w->out_touched[v]);
        drop(w);
    }
}

static void windows_shrink_evenly(void **state)
{
    (void)state;
    world *w = make(0, 5, 1);
    for (uint32_t i = 0; i < TOKENS; i++) w->ids[i] = 5 + i % 30;
    cut(w, TOKENS, TOKENS, 1);
    sb_w2v_train_part(&w->task, 0, 1);
    /* A centre has 2 (1 + ... + 5) / 5 = 6 contexts in the mean. */
    double mean = (double)w->task.pairs / TOKENS;
    assert_true(fabs(mean - 6) < 5 * 2 * sqrt(2.0 / TOKENS) + 0.01);
    drop(w);
}

/* Two pieces: the negative of one is always the other, never itself. */
static void a_negative_is_never_the_centre(void **state)
{
    (void)state;
    world *w = make(0, 1, 1);
    memset(w->counts, 0, sizeof w->counts);
    w->counts[5] = 1000000;
    w->counts[6] = 1;
    sb_sampler_close(&w->sampler);
    assert_int_equal(sb_sampler_open(w->counts, V, special, 0, 1, &w->sampler),
                     SB_OK);
    w->ids[0] = w->ids[1] = 5;
    cut(w, 2, 2, 1);
    sb_w2v_train_part(&w->task, 0, 1);
    assert_int_equal(w->task.pairs, 2);
    /* Had 5 been a negative of itself, its output row would have moved back. */
    float *in = w->in + 5 * STRIDE, *out = w->out + 5 * STRIDE;
    assert_true(cosine(in, out) > 0.99);
    drop(w);
}

static void the_same_stretch_gives_the_same_bits(void **state)
{
    (void)state;
    for (int is_cbow = 0; is_cbow < 2; is_cbow++) {
        world *a = make(is_cbow, 5, 5), *b = make(is_cbow, 5, 5);
        mean_loss(a, 3);
        mean_loss(b, 3);
        assert_memory_equal(a->in, b->in, sizeof a->in);
        assert_memory_equal(a->out, b->out, sizeof a->out);
        assert_true(a->task.loss == b->task.loss);
        mean_loss(b, 4);
        assert_true(memcmp(a->in, b->in, sizeof a->in) != 0);
        drop(a);
        drop(b);
    }
}

static void the_rate_falls_from_alpha_to_min_alpha(void **state)
{
    (void)state;
    sb_w2v_rate r = {0.025, 0.0001, 1000};
    assert_float_equal(sb_w2v_rate_at(&r, 0), 0.025, 1e-8);
    assert_float_equal(sb_w2v_rate_at(&r, 500), 0.01255, 1e-8);
    assert_float_equal(sb_w2v_rate_at(&r, 1000), 0.0001, 1e-8);
    assert_float_equal(sb_w2v_rate_at(&r, 2000), 0.0001, 1e-8);
}

static void a_table_with_nan_shows_in_the_loss(void **state)
{
    (void)state;
    world *w = make(0, 5, 5);
    w->in[7 * STRIDE] = NAN;
    sb_w2v_train_part(&w->task, 0, 1);
    assert_true(!isfinite(w->task.loss));
    drop(w);
}

/* The span of the rate is the stretch's place in the run. */
static void the_rate_is_that_of_the_place_in_the_run(void **state)
{
    (void)state;
    world *w = make(0, 5, 5);
    float before[V * STRIDE];
    memcpy(before, w->in, sizeof before);
    w->rate.min_alpha = 0;
    w->task.words_first = TOKENS; /* the run is over */
    w->task.words_last = 2 * TOKENS;
    sb_w2v_train_part(&w->task, 0, 1);
    assert_memory_equal(w->in, before, sizeof before);
    drop(w);
}

static sb_status run_task(void *context, size_t i, int worker)
{
    (void)worker;
    sb_w2v_train_part(&((sb_w2v_task *)context)[i], 0, 1);
    return SB_OK;
}

static void several_threads_learn_on_the_same_tables(void **state)
{
    (void)state;
    world *w = make(0, 5, 5);
    sb_w2v_task task[3];
    sb_w2v_piece piece[3][PIECES];
    for (int i = 0; i < 3; i++) {
        open_task(w, &task[i], 5, 5);
        memcpy(piece[i], w->piece, sizeof piece[i]);
        task[i].piece = piece[i];
        task[i].pieces = PIECES;
    }
    sb_pool *pool;
    assert_int_equal(sb_pool_open(3, &pool), SB_OK);
    double last = 0;
    for (uint32_t e = 0; e < 10; e++) {
        for (uint32_t i = 0; i < 3; i++) start(&task[i], e, i);
        assert_int_equal(sb_pool_run(pool, 3, run_task, task), SB_OK);
        last = task[0].loss / (double)task[0].pairs;
    }
    print_message("mean loss %.3f\n", last);
    assert_true(last < 2.2); /* from 6 log 2 = 4.16 */
    sb_pool_close(pool);
    for (int i = 0; i < 3; i++) sb_w2v_task_close(&task[i]);
    drop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skip_gram_learns_who_stands_beside_whom),
        cmocka_unit_test(cbow_learns_who_stands_beside_whom),
        cmocka_unit_test(special_and_unseen_pieces_are_not_touched),
        cmocka_unit_test(
            windows_reach_over_special_tokens_but_not_over_sentences),
        cmocka_unit_test(windows_shrink_evenly),
        cmocka_unit_test(a_negative_is_never_the_centre),
        cmocka_unit_test(the_same_stretch_gives_the_same_bits),
        cmocka_unit_test(the_rate_falls_from_alpha_to_min_alpha),
        cmocka_unit_test(the_rate_is_that_of_the_place_in_the_run),
        cmocka_unit_test(a_table_with_nan_shows_in_the_loss),
        cmocka_unit_test(several_threads_learn_on_the_same_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
