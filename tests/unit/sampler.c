/* SPDX-License-Identifier: MIT
 * Subsampling, the noise distribution, and the generator of a block. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "trainer/word2vec/sampler.h"

enum { V = 12 };

static const sb_special_ids special = {0, 1, 2, 3, 4};
static const uint64_t counts[V] = {900, 50,   7,   7,  0, 4000,
                                   0,   1000, 250, 40, 9, 1};

static sb_sampler make(double sample, double power)
{
    sb_sampler s;
    assert_int_equal(sb_sampler_open(counts, V, special, sample, power, &s),
                     SB_OK);
    return s;
}

static void keep_probabilities_are_those_of_gensim(void **state)
{
    (void)state;
    /* gensim 4: threshold_count = sample * retain_total;
     * (sqrt(v / threshold_count) + 1) * (threshold_count / v) */
    assert_true(fabs(sb_sampler_keep(4000, 5300, 1e-3) - 0.03772554944640259) <
                1e-15);
    assert_true(fabs(sb_sampler_keep(250, 5300, 1e-3) - 0.16680219778561037) <
                1e-15);
    assert_true(sb_sampler_keep(9, 5300, 1e-3) == 1);
    assert_true(sb_sampler_keep(9, 5300, 0) == 1);

    sb_sampler s = make(1e-3, 0.75);
    assert_int_equal(s.words, 5300);
    for (uint32_t id = 5; id < V; id++) {
        double p = sb_sampler_keep(counts[id], s.words, 1e-3);
        assert_true(fabs((double)s.keep[id] / 0x1p32 - p) < 1e-9);
    }
    sb_sampler_close(&s);
}

static void special_tokens_are_never_kept_and_never_noise(void **state)
{
    (void)state;
    sb_sampler s = make(0, 0.75);
    sb_fast_rng g = sb_fast_rng_start(sb_rng_key_make(1, SB_RNG_TEST), 0, 0);
    assert_int_equal(s.usable, 6); /* ids 5 to 11 but 6, which never occurs */
    for (uint32_t id = 0; id < 5; id++)
        for (int i = 0; i < 100; i++)
            assert_false(sb_sampler_keeps(&s, id, &g));
    assert_true(sb_sampler_keeps(&s, 5, &g));
    for (int i = 0; i < 100000; i++) {
        uint32_t id = sb_sampler_noise(&s, &g);
        assert_true(id >= 5 && id < V && counts[id] > 0);
    }
    sb_sampler_close(&s);
}

static void words_are_kept_as_often_as_they_should(void **state)
{
    (void)state;
    sb_sampler s = make(1e-3, 0.75);
    sb_fast_rng g = sb_fast_rng_start(sb_rng_key_make(2, SB_RNG_TEST), 0, 0);
    const int n = 400000;
    for (uint32_t id = 5; id < 9; id++) {
        int kept = 0;
        for (int i = 0; i < n; i++) kept += sb_sampler_keeps(&s, id, &g);
        double p = sb_sampler_keep(counts[id], s.words, 1e-3);
        double sd = sqrt(p * (1 - p) / n) + 1e-9;
        assert_true(fabs(kept / (double)n - p) < 5 * sd);
    }
    sb_sampler_close(&s);
}

static void noise_follows_the_power_of_the_counts(void **state)
{
    (void)state;
    static const double powers[] = {0, 0.5, 0.75, 1};
    for (int k = 0; k < 4; k++) {
        sb_sampler s = make(0, powers[k]);
        sb_fast_rng g =
            sb_fast_rng_start(sb_rng_key_make(3, SB_RNG_TEST), 0, 0);
        const int n = 400000;
        int seen[V] = {0};
        double sum = 0;
        for (int i = 0; i < n; i++) seen[sb_sampler_noise(&s, &g)]++;
        for (uint32_t id = 5; id < V; id++)
            if (counts[id]) sum += pow((double)counts[id], powers[k]);
        for (uint32_t id = 5; id < V; id++) {
            double p =
                counts[id] ? pow((double)counts[id], powers[k]) / sum : 0;
            double sd = sqrt(p * (1 - p) / n) + 1e-9;
            assert_true(fabs(seen[id] / (double)n - p) < 5 * sd);
        }
        sb_sampler_close(&s);
    }
}

/* Sum over the columns gives each piece's probability: no sampling error. */
static void the_alias_table_is_exact_for_many_pieces(void **state)
{
    (void)state;
    enum { N = 5000 };
    static uint64_t many[N];
    static double mass[N];
    double sum = 0;
    for (uint32_t id = 5; id < N; id++) {
        many[id] = 1 + 1000000 / (id - 4);
        sum += pow((double)many[id], 0.75);
    }
    sb_sampler s;
    assert_int_equal(sb_sampler_open(many, N, special, 0, 0.75, &s), SB_OK);
    for (uint32_t i = 0; i < s.usable; i++) {
        double own = (double)s.alias[i].cut / (double)UINT32_MAX;
        mass[s.alias[i].id] += own;
        mass[s.alias[i].other] += 1 - own;
    }
    for (uint32_t id = 5; id < N; id++) {
        double p = pow((double)many[id], 0.75) / sum;
        assert_true(fabs(mass[id] / s.usable - p) < 1e-9);
    }
    sb_sampler_close(&s);
}

static void a_block_names_its_numbers(void **state)
{
    (void)state;
    sb_rng_key key = sb_rng_key_make(7, SB_RNG_WORD2VEC);
    sb_rng_key other = sb_rng_key_make(8, SB_RNG_WORD2VEC);
    sb_fast_rng a = sb_fast_rng_start(key, 2, 17), first = a;
    sb_fast_rng b = sb_fast_rng_start(key, 2, 17);
    for (int i = 0; i < 100; i++)
        assert_int_equal(sb_fast_rng_next(&a), sb_fast_rng_next(&b));
    sb_fast_rng elsewhere[] = {sb_fast_rng_start(key, 3, 17),
                               sb_fast_rng_start(key, 2, 18),
                               sb_fast_rng_start(other, 2, 17)};
    for (int i = 0; i < 3; i++)
        assert_true(memcmp(&first, &elsewhere[i], sizeof first) != 0);
}

static void only_special_tokens_is_an_error(void **state)
{
    (void)state;
    const uint64_t none[V] = {5, 5, 5, 5, 5};
    sb_sampler s;
    assert_int_equal(sb_sampler_open(none, V, special, 0, 0.75, &s), SB_EINVAL);
}

static void expected_updates_add_up_to_the_dot_products_of_a_pair(void **state)
{
    (void)state;
    const uint64_t occurs[8] = {5, 9, 0, 7, 7, 1000, 10, 1};
    const sb_special_ids five = {0, 1, 2, 3, 4};
    float in[8], out[8];
    double sum_in = 0, sum_out = 0;
    sb_sampler s;
    assert_int_equal(sb_sampler_open(occurs, 8, five, 0.1, 0.75, &s), SB_OK);
    sb_sampler_updates(&s, occurs, 8, 0.75, 5, in, out);
    for (int v = 0; v < 8; v++) {
        if (v < 5) assert_true(in[v] == 0 && out[v] == 0);
        sum_in += (double)in[v];
        sum_out += (double)out[v];
    }
    assert_true(fabs(sum_in - 6) < 1e-5 && fabs(sum_out - 6) < 1e-5);
    assert_true(in[5] > in[6] && in[6] > in[7] && out[5] > out[6]);
    sb_sampler_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keep_probabilities_are_those_of_gensim),
        cmocka_unit_test(special_tokens_are_never_kept_and_never_noise),
        cmocka_unit_test(words_are_kept_as_often_as_they_should),
        cmocka_unit_test(noise_follows_the_power_of_the_counts),
        cmocka_unit_test(the_alias_table_is_exact_for_many_pieces),
        cmocka_unit_test(a_block_names_its_numbers),
        cmocka_unit_test(only_special_tokens_is_an_error),
        cmocka_unit_test(expected_updates_add_up_to_the_dot_products_of_a_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
