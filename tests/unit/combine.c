/* SPDX-License-Identifier: MIT
 * combine.c - tests of trainer/word2vec/combine.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/kernel_check.h"
#include "trainer/word2vec/combine.h"

enum { D_MAX = 67, N_MAX = 5, RULES = 5 };
enum {
    SUM = SB_COMBINE_SUM,
    AVERAGE = SB_COMBINE_AVERAGE,
    WEIGHTED = SB_COMBINE_WEIGHTED,
    PROJECT = SB_COMBINE_PROJECT,
    DAMPED = SB_COMBINE_DAMPED
};

static const size_t lengths[] = {1, 3, 16, 20, D_MAX};

static float row[D_MAX], change[N_MAX][D_MAX];

/* What becomes of `row`, which stays. */
static const float *combined(int how, size_t n, double c, size_t D)
{
    static float out[D_MAX + 1], scratch[D_MAX + 1];
    const float *from[N_MAX];
    for (size_t k = 0; k < n; k++) from[k] = change[k];
    memcpy(out, row, D * sizeof *out);
    out[D] = scratch[D] = 77;
    sb_combine_changes((sb_combine)how, out, from, n, c, scratch, D);
    assert_true(out[D] == 77 && scratch[D] == 77);
    return out;
}

static double dot(const double *a, const float *b, size_t D)
{
    double s = 0;
    for (size_t i = 0; i < D; i++) s += a[i] * (double)b[i];
    return s;
}

/* The formulas of combine.h, in double. */
static void reference(int how, size_t n, double c, size_t D, double *want)
{
    double m[D_MAX] = {0}, q = (double)n, w = 1;
    if (how == AVERAGE) w = 1 / q;
    if (how == WEIGHTED && c > 0) w = (1 - exp(-q * c)) / (q * (1 - exp(-c)));
    double share = how == PROJECT ? 1 : how == DAMPED ? 1 - exp(-c) : 0;
    for (size_t k = 0; k < n; k++) {
        double length = 0, p = 0;
        for (size_t i = 0; i < D; i++) length += m[i] * m[i];
        if (length > 0) p = share * dot(m, change[k], D) / length;
        for (size_t i = 0; i < D; i++)
            m[i] = m[i] - p * m[i] + (double)change[k][i];
    }
    for (size_t i = 0; i < D; i++) want[i] = (double)row[i] + w * m[i];
}

static void fill_all(size_t D)
{
    fill(row, D, 1);
    for (size_t k = 0; k < N_MAX; k++) fill(change[k], D, 1);
}

static void check(const char *what, int how, size_t n, double c, size_t D,
                  const double *want)
{
    check_all(what, combined(how, n, c, D), want, D, 2e-5, 1e-5);
}

/* row + x change[0] + ... + x change[n - 1] */
static void check_multiple(const char *what, int how, size_t n, double c,
                           size_t D, double x)
{
    double want[D_MAX];
    for (size_t i = 0; i < D; i++) {
        want[i] = (double)row[i];
        for (size_t k = 0; k < n; k++) want[i] += x * (double)change[k][i];
    }
    check(what, how, n, c, D, want);
}

static void small_cases_are_as_computed_by_hand(void **state)
{
    (void)state;
    row[0] = 10;
    row[1] = 20;
    change[0][0] = 2;
    change[0][1] = 0;
    change[1][0] = 1;
    change[1][1] = 3;
    const double c = log(2); /* 1 - exp(-c) = 1/2, 1 - exp(-2 c) = 3/4 */
    check("sum", SUM, 2, c, 2, (const double[]){13, 23});
    check("average", AVERAGE, 2, c, 2, (const double[]){11.5, 21.5});
    /* w = 3/4 / (2 x 1/2) */
    check("weighted", WEIGHTED, 2, c, 2, (const double[]){12.25, 22.25});
    /* p = 2 / 4: (2, 0) + (1, 3) - (1, 0) */
    check("project", PROJECT, 2, c, 2, (const double[]){12, 23});
    check("damped", DAMPED, 2, c, 2, (const double[]){12.5, 23});
    /* m_2 = (2, 3), of which the third repeats all: nothing new. */
    change[2][0] = 2;
    change[2][1] = 3;
    check("project", PROJECT, 3, c, 2, (const double[]){12, 23});
    /* m_2 = (2.5, 3), p = (5 + 9) / 15.25, the half of it */
    double keep = 1 - 0.5 * 14 / 15.25;
    check("damped", DAMPED, 3, c, 2,
          (const double[]){12 + 2.5 * keep, 23 + 3 * keep});
}

static void random_changes_are_combined_as_the_formulas_say(void **state)
{
    (void)state;
    static const double often[] = {0, 1e-12, 1e-6, 0.1, 1, 5, 50, 1e6};
    double want[D_MAX];
    for (size_t l = 0; l < COUNT(lengths); l++)
        for (size_t n = 1; n <= N_MAX; n++)
            for (size_t o = 0; o < COUNT(often); o++) {
                fill_all(lengths[l]);
                for (int how = 0; how < RULES; how++) {
                    /* One number: sums of projections may cancel. */
                    if (lengths[l] == 1 && how >= PROJECT) continue;
                    /* 1 - exp(-c) in double has lost all its digits */
                    double c = often[o] == 1e-12 ? 0 : often[o];
                    reference(how, n, c, lengths[l], want);
                    check("row", how, n, often[o], lengths[l], want);
                }
            }
}

static void one_change_is_added_as_it_is(void **state)
{
    (void)state;
    for (size_t l = 0; l < COUNT(lengths); l++)
        for (int how = 0; how < RULES; how++) {
            size_t D = lengths[l];
            fill_all(D);
            for (double c = 0; c < 100; c = 3 * c + 0.01) {
                const float *out = combined(how, 1, c, D);
                for (size_t i = 0; i < D; i++)
                    assert_true(out[i] == row[i] + change[0][i]);
            }
        }
}

static void of_equal_changes_a_rule_takes_its_share(void **state)
{
    (void)state;
    for (size_t l = 0; l < COUNT(lengths); l++)
        for (size_t n = 2; n <= N_MAX; n++) {
            size_t D = lengths[l];
            double q = (double)n, c = 0.3, less = exp(-c), m = 1;
            fill_all(D);
            for (size_t k = 1; k < N_MAX; k++)
                memcpy(change[k], change[0], sizeof change[0]);
            check_multiple("sum", SUM, n, c, D, 1);
            check_multiple("average", AVERAGE, n, c, D, 1 / q);
            check_multiple("project", PROJECT, n, c, D, 1 / q);
            double w = (1 - exp(-q * c)) / (q * (1 - less));
            check_multiple("weighted", WEIGHTED, n, c, D, w);
            /* <m, d> / |m|^2 m = d: each adds exp(-c) of it */
            for (size_t k = 1; k < n; k++) m += less;
            check_multiple("damped", DAMPED, n, c, D, m / q);
            assert_true(m > 1 && m < q);
        }
}

static void orthogonal_changes_are_added_up(void **state)
{
    (void)state;
    fill_all(D_MAX);
    for (size_t k = 0; k < N_MAX; k++)
        for (size_t i = 0; i < D_MAX; i++)
            if (i % N_MAX != k) change[k][i] = 0;
    for (size_t n = 1; n <= N_MAX; n++) {
        check_multiple("project", PROJECT, n, 3, D_MAX, 1);
        check_multiple("damped", DAMPED, n, 3, D_MAX, 1);
        check_multiple("sum", SUM, n, 3, D_MAX, 1);
        check_multiple("average", AVERAGE, n, 3, D_MAX, 1 / (double)n);
    }
}

static void changes_of_zero_change_nothing(void **state)
{
    (void)state;
    for (int how = 0; how < RULES; how++) {
        fill_all(D_MAX);
        memset(change, 0, sizeof change);
        for (size_t n = 1; n <= N_MAX; n++)
            assert_memory_equal(combined(how, n, 1, D_MAX), row, sizeof row);
        if (how == AVERAGE || how == WEIGHTED) continue;
        fill(change[2], D_MAX, 1); /* the only one */
        check_multiple("one", how, N_MAX, 1, D_MAX, 1);
    }
}

static void without_updates_all_is_summed(void **state)
{
    (void)state;
    for (size_t n = 1; n <= N_MAX; n++) {
        fill_all(D_MAX);
        check_multiple("weighted", WEIGHTED, n, 0, D_MAX, 1);
        check_multiple("weighted", WEIGHTED, n, 1e-8, D_MAX, 1);
        check_multiple("damped", DAMPED, n, 0, D_MAX, 1);
        check_multiple("damped", DAMPED, n, 1e-8, D_MAX, 1);
    }
}

static void with_many_updates_weighted_averages_and_damped_projects(
    void **state)
{
    (void)state;
    static const double huge[] = {100, 1e6, 1e300, INFINITY};
    for (size_t n = 1; n <= N_MAX; n++) {
        fill_all(D_MAX);
        float want[D_MAX];
        memcpy(want, combined(PROJECT, n, 0, D_MAX), sizeof want);
        for (size_t i = 0; i < COUNT(huge); i++) {
            check_multiple("weighted", WEIGHTED, n, huge[i], D_MAX,
                           1 / (double)n);
            assert_memory_equal(combined(DAMPED, n, huge[i], D_MAX), want,
                                sizeof want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_cases_are_as_computed_by_hand),
        cmocka_unit_test(random_changes_are_combined_as_the_formulas_say),
        cmocka_unit_test(one_change_is_added_as_it_is),
        cmocka_unit_test(of_equal_changes_a_rule_takes_its_share),
        cmocka_unit_test(orthogonal_changes_are_added_up),
        cmocka_unit_test(changes_of_zero_change_nothing),
        cmocka_unit_test(without_updates_all_is_summed),
        cmocka_unit_test(
            with_many_updates_weighted_averages_and_damped_projects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
