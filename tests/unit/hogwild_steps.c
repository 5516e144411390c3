/* SPDX-License-Identifier: MIT
 * hogwild_steps.c - what a stretch does to the tables, against a reference
 * that takes group after group in double; and stretches in parts. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "tests/unit/made_stretch.h"
#include "tests/unit/sgns_reference.h"

typedef struct model {
    double in[V * STRIDE], out[V * STRIDE], loss;
    uint64_t pairs;
} model;

static void skip_gram(model *x, sgns_problem *p, double *const *row,
                      const uint8_t *label, size_t n, double lr)
{
    for (size_t i = 0; i < n; i += p->n) {
        p->n = n - i < SB_SGNS_INPUTS ? n - i : SB_SGNS_INPUTS;
        memcpy(p->in, row + i, p->n * sizeof *row);
        memcpy(p->label, label + i, p->n);
        x->loss += sgns_reference(p, lr);
    }
    x->pairs += n;
}

/* Rows that follow each other with the same window are one input. */
static void cbow(model *x, sgns_problem *p, double *const *row,
                 const uint8_t *label, const uint32_t *window, size_t n,
                 double lr)
{
    static double mean[SB_GROUP_WINDOWS][D], was[SB_GROUP_WINDOWS][D];
    double count[SB_GROUP_WINDOWS] = {0};
    memset(mean, 0, sizeof mean);
    for (size_t i = 0; i < n; i++) count[window[i]]++;
    p->n = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t k = window[i];
        for (size_t c = 0; c < D; c++) mean[k][c] += row[i][c] / count[k];
        if (i > 0 && k == window[i - 1]) continue;
        p->in[p->n] = mean[k];
        p->label[p->n++] = label[i];
    }
    memcpy(was, mean, sizeof was);
    x->loss += sgns_reference(p, lr);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < D; c++)
            row[i][c] += mean[window[i]][c] - was[window[i]][c];
    x->pairs += p->n;
}

static void train_round(model *x, const sb_w2v_task *t, const sb_windows *w,
                        const sb_group *g, uint32_t from, uint32_t to,
                        double lr)
{
    static double *row[SB_GROUP_WINDOWS * 2 * 40];
    static uint8_t label[SB_GROUP_WINDOWS * 2 * 40];
    static uint32_t window[SB_GROUP_WINDOWS * 2 * 40];
    static sgns_problem p;
    size_t n = 0;
    p.n = 0, p.m = g->outs, p.D = D;
    for (uint32_t j = 0; j < g->outs; j++)
        p.out[j] = x->out + g->out[j] * STRIDE;
    for (uint32_t k = from; k < to; k++) {
        uint32_t at = g->place[k];
        for (uint32_t i = at - w->reach[at].left; i <= at + w->reach[at].right;
             i++) {
            if (i == at) continue;
            row[n] = x->in + w->word[i] * STRIDE;
            window[n] = k;
            label[n++] = g->label[k];
        }
    }
    if (t->cbow)
        cbow(x, &p, row, label, window, n, lr);
    else
        skip_gram(x, &p, row, label, n, lr);
}

static void train_group(model *x, const sb_w2v_task *t, const sb_windows *w,
                        const sb_group *g, double lr)
{
    for (uint32_t r = 0, from = 0; r < SB_GROUP_ROUNDS; from = g->round[r++])
        if (g->round[r] > from) train_round(x, t, w, g, from, g->round[r], lr);
}

/* What the task is about to do, to a copy of its tables. */
static void reference(const world *w, model *x)
{
    const sb_w2v_task *t = &w->task;
    sb_fast_rng rng = t->rng;
    sb_windows windows;
    sb_group g;
    memset(x, 0, sizeof *x);
    for (size_t i = 0; i < V * STRIDE; i++) {
        x->in[i] = (double)w->in[i];
        x->out[i] = (double)w->out[i];
    }
    assert_int_equal(sb_windows_open(&windows, TOKENS, V), SB_OK);
    sb_windows_clear(&windows);
    for (size_t p = 0; p < t->pieces; p++) {
        sb_fast_rng of_piece = t->piece[p].rng;
        sb_windows_add(&windows, &t->piece[p].block, t->sampler, t->window,
                       &of_piece);
    }
    sb_windows_index(&windows);
    while (sb_windows_next(&windows, t->sampler, t->negative, &rng, &g)) {
        double done = (double)windows.done / windows.n;
        double span = (double)(t->words_last - t->words_first);
        double words = (double)t->words_first + floor(done * span);
        double share = words / (double)t->rate->total;
        train_group(x, t, &windows, &g,
                    t->rate->alpha +
                        (t->rate->min_alpha - t->rate->alpha) * share);
    }
    sb_windows_close(&windows);
}

static void check_near(const char *what, double got, double want, double near)
{
    if (!(fabs(got - want) <= near))
        fail_msg("%s is %.9g, wanted %.9g", what, got, want);
}

/* Three stretches; rounding errors of the one are in the next. */
static void check_against_reference(int is_cbow, uint32_t window,
                                    uint32_t negative)
{
    static model x;
    world *w = make(is_cbow, window, negative);
    if (window > 5) {
        cut(w, TOKENS, 100, 2);
        w->rate.alpha = alpha / 8;
    }
    w->rate.total = 3 * TOKENS;
    for (uint32_t e = 0; e < 3; e++) {
        w->task.words_first = e * TOKENS;
        w->task.words_last = (e + 1) * TOKENS;
        start(&w->task, e, 0);
        reference(w, &x);
        sb_w2v_train_part(&w->task, 0, 1);
        assert_int_equal(w->task.pairs, x.pairs);
        check_near("loss", w->task.loss / x.loss, 1, 1e-5);
        for (uint32_t i = 0; i < V * STRIDE; i++) {
            check_near("in", (double)w->in[i], x.in[i], 1e-4);
            check_near("out", (double)w->out[i], x.out[i], 1e-4);
        }
    }
    drop(w);
}

static void a_stretch_agrees_with_the_reference(void **state)
{
    (void)state;
    for (int is_cbow = 0; is_cbow < 2; is_cbow++) {
        check_against_reference(is_cbow, 5, 5);
        check_against_reference(is_cbow, 2, 6); /* more than a tile */
        check_against_reference(is_cbow, 1, 0);
    }
}

/* More contexts than the kernel takes at a time: 8 windows of 2 x 40. */
static void wide_windows_and_many_negatives_are_trained(void **state)
{
    (void)state;
    for (int is_cbow = 0; is_cbow < 2; is_cbow++) {
        check_against_reference(is_cbow, 40, 5);
        check_against_reference(is_cbow, 40, SB_GROUP_OUTPUTS - 1);
        check_against_reference(is_cbow, 5, SB_GROUP_OUTPUTS - 1);
    }
}

/* ---- parts --------------------------------------------------------------- */

static void parts_train_what_the_whole_does(void **state)
{
    (void)state;
    for (int is_cbow = 0; is_cbow < 2; is_cbow++) {
        world *a = make(is_cbow, 5, 5), *b = make(is_cbow, 5, 5);
        for (uint32_t e = 0; e < 2; e++) {
            mean_loss(a, e);
            start(&b->task, e, 0);
            uint64_t before = 0;
            for (uint32_t part = 0; part < 4; part++) {
                sb_w2v_train_part(&b->task, part, 4);
                double pairs = (double)(b->task.pairs - before);
                assert_true(fabs(pairs / (double)a->task.pairs - 0.25) < 0.05);
                before = b->task.pairs;
            }
            assert_int_equal(a->task.pairs, b->task.pairs);
            assert_true(a->task.loss == b->task.loss);
            assert_memory_equal(a->in, b->in, sizeof a->in);
            assert_memory_equal(a->out, b->out, sizeof a->out);
            assert_memory_equal(a->in_touched, b->in_touched, V);
            assert_memory_equal(a->out_touched, b->out_touched, V);
        }
        drop(a);
        drop(b);
    }
}

/* More parts than groups: most of them have nothing to do. */
static void a_part_may_be_empty(void **state)
{
    (void)state;
    world *w = make(0, 1, 5);
    cut(w, 20, SENTENCE, 2);
    mean_loss(w, 0);
    uint64_t pairs = w->task.pairs;
    start(&w->task, 0, 0);
    for (uint32_t part = 0; part < 100; part++)
        sb_w2v_train_part(&w->task, part, 100);
    assert_int_equal(w->task.pairs, pairs);
    w->task.pieces = 0;
    start(&w->task, 0, 0);
    sb_w2v_train_part(&w->task, 0, 1);
    assert_int_equal(w->task.pairs, 0);
    drop(w);
}

static void results_are_added_to(void **state)
{
    (void)state;
    world *w = make(0, 5, 5);
    w->rate = (sb_w2v_rate){0, 0, TOKENS}; /* nothing moves */
    mean_loss(w, 0);
    uint64_t pairs = w->task.pairs;
    double loss = w->task.loss;
    start(&w->task, 0, 0);
    w->task.loss = 100;
    w->task.pairs = 7;
    sb_w2v_train_part(&w->task, 0, 1);
    assert_int_equal(w->task.pairs, pairs + 7);
    check_near("loss", w->task.loss, loss + 100, 1e-6);
    drop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stretch_agrees_with_the_reference),
        cmocka_unit_test(wide_windows_and_many_negatives_are_trained),
        cmocka_unit_test(parts_train_what_the_whole_does),
        cmocka_unit_test(a_part_may_be_empty),
        cmocka_unit_test(results_are_added_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
