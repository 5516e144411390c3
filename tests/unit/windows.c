/* SPDX-License-Identifier: MIT
 * Targets, their windows, and the groups that are trained together. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "trainer/word2vec/windows.h"

static const sb_special_ids special = {0, 1, 2, 3, 4};

/* A made text: word 5 + k has a share of 1 / (k + 1); ids below 5 come between
 * if `specials`. Sentences of 1 to 30 tokens. */
typedef struct text {
    uint32_t *ids;
    uint64_t *counts;
    sb_lengths lengths;
    sb_block block;
    sb_sampler sampler;
    sb_windows windows;
    uint32_t V;
} text;

static sb_fast_rng start(uint64_t number)
{
    return sb_fast_rng_start(sb_rng_key_make(7, SB_RNG_TEST), 0, number);
}

static uint32_t below(sb_fast_rng *rng, uint32_t n)
{
    return sb_rng_below((uint32_t)(sb_fast_rng_next(rng) >> 32), n);
}

static void draw_ids(text *t, uint32_t tokens, int specials)
{
    sb_fast_rng rng = start(0);
    double *share = calloc(t->V, sizeof *share), sum = 0;
    assert_non_null(share);
    for (uint32_t v = 5; v < t->V; v++) share[v] = sum += 1.0 / (v - 4);
    for (uint32_t i = 0; i < tokens; i++) {
        double x = (double)(sb_fast_rng_next(&rng) >> 11) * 0x1p-53 * sum;
        uint32_t low = 5, high = t->V - 1;
        while (low < high) {
            uint32_t mid = (low + high) / 2;
            if (share[mid] > x)
                high = mid;
            else
                low = mid + 1;
        }
        t->ids[i] = specials && below(&rng, 6) == 0 ? below(&rng, 5) : low;
        t->counts[t->ids[i]]++;
    }
    free(share);
}

/* Sentences of 1 .. `longest` tokens; 0: one sentence. */
static void cut(text *t, uint32_t tokens, uint32_t longest)
{
    sb_lengths *l = &t->lengths;
    sb_fast_rng rng = start(1);
    for (uint32_t end = 0; end < tokens;) {
        end += longest ? 1 + below(&rng, longest) : tokens;
        if (end > tokens) end = tokens;
        assert_int_equal(sb_lengths_sentence(l, end), SB_OK);
    }
    if (l->sentences) sb_lengths_document(l);
    t->block =
        (sb_block){t->ids, l->data, l->tokens, l->sentences, l->documents};
}

static text *make(uint32_t tokens, uint32_t V, int specials, uint32_t longest,
                  double sample)
{
    text *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->V = V;
    t->ids = calloc(tokens + 1, sizeof *t->ids);
    t->counts = calloc(V, sizeof *t->counts);
    assert_non_null(t->ids);
    assert_non_null(t->counts);
    draw_ids(t, tokens, specials);
    if (tokens == 0) t->counts[5] = 1; /* a sampler needs something */
    cut(t, tokens, longest);
    assert_int_equal(
        sb_sampler_open(t->counts, V, special, sample, 0.75, &t->sampler),
        SB_OK);
    assert_int_equal(sb_windows_open(&t->windows, tokens, V), SB_OK);
    return t;
}

static void drop(text *t)
{
    sb_windows_close(&t->windows);
    sb_sampler_close(&t->sampler);
    sb_free(t->lengths.data);
    free(t->ids);
    free(t->counts);
    free(t);
}

static void fill(text *t, uint32_t window, uint64_t number)
{
    sb_fast_rng rng = start(number);
    sb_windows_clear(&t->windows);
    sb_windows_add(&t->windows, &t->block, &t->sampler, window, &rng);
    sb_windows_index(&t->windows);
}

/* ---- windows ------------------------------------------------------------- */

static void special_and_subsampled_words_are_taken_out(void **state)
{
    (void)state;
    text *t = make(50000, 300, 1, 30, 1e-3);
    fill(t, 5, 2);
    const sb_windows *w = &t->windows;
    double want = 0, variance = 0;
    for (uint32_t v = 5; v < t->V; v++) {
        double p = sb_sampler_keep(t->counts[v], t->sampler.words, 1e-3);
        want += p * (double)t->counts[v];
        variance += p * (1 - p) * (double)t->counts[v];
    }
    assert_true(fabs(w->n - want) < 5 * sqrt(variance));
    uint32_t at = 0; /* what is left is in the order of the text */
    for (uint32_t i = 0; i < w->n; i++) {
        assert_true(w->word[i] >= 5);
        while (at < 50000 && t->ids[at] != w->word[i]) at++;
        assert_true(at++ < 50000);
    }
    drop(t);
}

/* Nothing subsampled: each sentence's words are known. */
static void windows_reach_over_special_tokens_but_not_over_sentences(
    void **state)
{
    (void)state;
    for (uint32_t window = 1; window <= 9; window += 4) {
        text *t = make(20000, 300, 1, 30, 0);
        fill(t, window, 2);
        const sb_windows *w = &t->windows;
        sb_sentence s = sb_sentence_start(&t->block);
        uint32_t end = 0;
        for (uint32_t k = 0; k < t->block.sentences; k++) {
            sb_sentence_next(&s);
            uint32_t first = end;
            for (uint32_t i = s.begin; i < s.end; i++) {
                if (t->ids[i] < 5) continue;
                assert_true(end < w->n);
                assert_int_equal(w->word[end++], t->ids[i]);
            }
            for (uint32_t i = first; i < end; i++) {
                uint32_t left = w->reach[i].left, right = w->reach[i].right;
                uint32_t before = i - first, behind = end - 1 - i;
                uint32_t reach = left > right ? left : right;
                assert_true(reach <= window);
                assert_true(left == (before < reach ? before : reach));
                assert_true(right == (behind < reach ? behind : reach));
                if (before > 0 || behind > 0) assert_true(reach > 0);
            }
        }
        assert_int_equal(end, w->n);
        drop(t);
    }
}

/* Chi-square of `cells` cells, far above what chance does. */
static void check_chi_square(double sum, double cells)
{
    if (!(sum < cells + 6 * sqrt(2 * cells) + 10))
        fail_msg("chi-square %.1f for %.0f cells", sum, cells);
}

static void reaches_are_even(void **state)
{
    (void)state;
    enum { WINDOW = 7 };
    text *t = make(70000, 300, 0, 0, 0);
    fill(t, WINDOW, 2);
    const sb_windows *w = &t->windows;
    double seen[WINDOW + 1] = {0}, sum = 0, mean = 0;
    assert_int_equal(w->n, 70000);
    for (uint32_t i = WINDOW; i + WINDOW < w->n; i++) {
        assert_int_equal(w->reach[i].left, w->reach[i].right);
        assert_true(w->reach[i].left <= WINDOW);
        seen[w->reach[i].left]++;
    }
    mean = (w->n - 2.0 * WINDOW) / WINDOW;
    assert_true(seen[0] == 0);
    for (int r = 1; r <= WINDOW; r++)
        sum += (seen[r] - mean) * (seen[r] - mean) / mean;
    check_chi_square(sum, WINDOW);
    drop(t);
}

/* ---- groups -------------------------------------------------------------- */

/* Marks the group's windows in `taken`; they must be the first of their words
 * that were not, the leader's the first of all. */
static void check_group(const text *t, const sb_group *g, uint32_t negative,
                        uint8_t *taken)
{
    const sb_windows *w = &t->windows;
    assert_in_range(g->outs, 1, negative + 1);
    assert_in_range(g->windows, 1, SB_GROUP_WINDOWS);
    for (uint32_t j = 0; j < g->outs; j++) {
        assert_true(g->out[j] < t->V && t->counts[g->out[j]] > 0);
        assert_true(g->out[j] >= 5);
        for (uint32_t k = 0; k < j; k++) assert_true(g->out[j] != g->out[k]);
    }
    assert_int_equal(g->label[0], 0);
    uint32_t leader = 0;
    while (taken[leader]) leader++;
    assert_int_equal(g->place[0], leader);
    for (uint32_t k = 0; k < g->windows; k++) {
        uint32_t place = g->place[k], first = leader;
        assert_true(place < w->n && !taken[place]);
        assert_true(g->label[k] < g->outs);
        assert_int_equal(g->out[g->label[k]], w->word[place]);
        while (taken[first] || w->word[first] != w->word[place]) first++;
        assert_int_equal(place, first);
        taken[place] = 1;
    }
}

static void every_window_is_in_exactly_one_group(void **state)
{
    (void)state;
    const uint32_t negative[] = {0, 1, 5, 20, 63};
    for (size_t k = 0; k < sizeof negative / sizeof *negative; k++) {
        text *t = make(5000, 300, 1, 30, 1e-2);
        fill(t, 5, 2);
        uint8_t *taken = calloc(t->windows.n + 1, 1);
        assert_non_null(taken);
        sb_fast_rng rng = start(3);
        sb_group g;
        uint32_t done = 0;
        assert_true(t->windows.n > 2000);
        while (
            sb_windows_next(&t->windows, &t->sampler, negative[k], &rng, &g)) {
            check_group(t, &g, negative[k], taken);
            done += g.windows;
            assert_int_equal(t->windows.done, done);
        }
        assert_int_equal(done, t->windows.n);
        free(taken);
        drop(t);
    }
}

/* One negative: of a leader L it is v with the share noise(v) among what is
 * not L. */
static void negatives_follow_the_sampler(void **state)
{
    (void)state;
    enum { V = 205 };
    text *t = make(400000, V, 0, 0, 0);
    double noise[V] = {0}, sum = 0, seen[V] = {0}, want[V] = {0}, chi = 0;
    for (uint32_t v = 5; v < V; v++)
        sum += noise[v] = pow((double)t->counts[v], 0.75);
    fill(t, 5, 2);
    sb_fast_rng rng = start(3);
    sb_group g;
    while (sb_windows_next(&t->windows, &t->sampler, 1, &rng, &g)) {
        assert_int_equal(g.outs, 2);
        seen[g.out[1]]++;
        for (uint32_t v = 5; v < V; v++)
            if (v != g.out[0]) want[v] += noise[v] / (sum - noise[g.out[0]]);
    }
    for (uint32_t v = 5; v < V; v++) {
        assert_true(want[v] > 20);
        chi += (seen[v] - want[v]) * (seen[v] - want[v]) / want[v];
    }
    check_chi_square(chi, V - 5);
    drop(t);
}

static double group_size(double sample)
{
    text *t = make(200000, 20000, 0, 30, sample);
    fill(t, 5, 2);
    sb_fast_rng rng = start(3);
    sb_group g;
    double groups = 0;
    while (sb_windows_next(&t->windows, &t->sampler, 5, &rng, &g)) groups++;
    double mean = t->windows.n / groups;
    print_message("%u windows, %.2f in a group\n", t->windows.n, mean);
    drop(t);
    return mean;
}

static void groups_are_nearly_full_on_a_text_like_zipfs(void **state)
{
    (void)state;
    assert_true(group_size(0) > 6);
    group_size(1e-3);
}

static void the_same_draws_give_the_same_groups(void **state)
{
    (void)state;
    text *a = make(20000, 300, 1, 30, 1e-2), *b = make(20000, 300, 1, 30, 1e-2);
    sb_fast_rng first = start(3), second = start(3);
    fill(a, 5, 2);
    fill(b, 3, 9); /* another text before leaves nothing */
    sb_group g, h;
    for (int i = 0; i < 50; i++)
        assert_int_equal(
            sb_windows_next(&b->windows, &b->sampler, 7, &first, &h), 1);
    first = start(3);
    fill(b, 5, 2);
    int more;
    do {
        memset(&g, 0, sizeof g);
        memset(&h, 0, sizeof h);
        more = sb_windows_next(&a->windows, &a->sampler, 5, &first, &g);
        assert_int_equal(
            more, sb_windows_next(&b->windows, &b->sampler, 5, &second, &h));
        assert_memory_equal(&g, &h, sizeof g);
    } while (more);
    drop(a);
    drop(b);
}

/* ---- edges --------------------------------------------------------------- */

static void an_empty_block_has_no_windows(void **state)
{
    (void)state;
    text *t = make(0, 20, 0, 30, 0);
    sb_fast_rng rng = start(3);
    sb_group g;
    fill(t, 5, 2);
    assert_int_equal(t->windows.n, 0);
    assert_int_equal(sb_windows_next(&t->windows, &t->sampler, 5, &rng, &g), 0);
    drop(t);
    t = make(100, 20, 0, 30, 0); /* nothing but special tokens */
    for (int i = 0; i < 100; i++) t->ids[i] = (uint32_t)i % 5;
    fill(t, 5, 2);
    assert_int_equal(t->windows.n, 0);
    assert_int_equal(sb_windows_next(&t->windows, &t->sampler, 5, &rng, &g), 0);
    drop(t);
}

static void a_sentence_of_one_word_has_a_window_without_contexts(void **state)
{
    (void)state;
    text *t = make(1000, 300, 0, 1, 0);
    fill(t, 5, 2);
    assert_int_equal(t->windows.n, 1000);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(t->windows.reach[i].left + t->windows.reach[i].right,
                         0);
    drop(t);
}

static void a_vocabulary_of_one_piece_has_no_negatives(void **state)
{
    (void)state;
    text *t = make(100, 6, 1, 30, 0);
    uint8_t taken[101] = {0};
    sb_fast_rng rng = start(3);
    sb_group g;
    fill(t, 5, 2);
    assert_int_equal(t->sampler.usable, 1);
    while (sb_windows_next(&t->windows, &t->sampler, 1, &rng, &g)) {
        check_group(t, &g, 1, taken);
        assert_int_equal(g.outs, 1);
    }
    assert_int_equal(t->windows.done, t->windows.n);
    drop(t);
}

/* Two blocks fill the room to the last token; a third finds none. */
static void a_full_room_keeps_to_itself(void **state)
{
    (void)state;
    text *t = make(3000, 300, 0, 30, 0);
    sb_windows w;
    sb_fast_rng rng = start(2);
    assert_int_equal(sb_windows_open(&w, 6000, 300), SB_OK);
    sb_windows_clear(&w);
    for (int i = 0; i < 3; i++)
        sb_windows_add(&w, &t->block, &t->sampler, 5, &rng);
    assert_int_equal(w.n, 6000);
    assert_memory_equal(w.word, t->ids, 3000 * sizeof *w.word);
    assert_memory_equal(w.word + 3000, t->ids, 3000 * sizeof *w.word);
    assert_int_equal(w.reach[2999].right, 0);
    assert_int_equal(w.reach[3000].left, 0);
    assert_int_equal(w.reach[5999].right, 0);
    sb_windows_index(&w);
    sb_group g;
    uint32_t done = 0;
    while (sb_windows_next(&w, &t->sampler, 5, &rng, &g)) done += g.windows;
    assert_int_equal(done, 6000);
    sb_windows_close(&w);
    sb_windows_close(&w); /* a zeroed one */
    drop(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_and_subsampled_words_are_taken_out),
        cmocka_unit_test(
            windows_reach_over_special_tokens_but_not_over_sentences),
        cmocka_unit_test(reaches_are_even),
        cmocka_unit_test(every_window_is_in_exactly_one_group),
        cmocka_unit_test(negatives_follow_the_sampler),
        cmocka_unit_test(groups_are_nearly_full_on_a_text_like_zipfs),
        cmocka_unit_test(the_same_draws_give_the_same_groups),
        cmocka_unit_test(an_empty_block_has_no_windows),
        cmocka_unit_test(a_sentence_of_one_word_has_a_window_without_contexts),
        cmocka_unit_test(a_vocabulary_of_one_piece_has_no_negatives),
        cmocka_unit_test(a_full_room_keeps_to_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
