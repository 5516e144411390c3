/* SPDX-License-Identifier: MIT
 * adamw.c - tests of trainer/kernels/adamw.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/kernel_check.h"
#include "trainer/kernels/kernels.h"

enum { MAX = 300 };

ROOM(w_room, MAX);
ROOM(m_room, MAX);
ROOM(v_room, MAX);
ROOM(g_room, MAX);
static double w[MAX], m[MAX], v[MAX];

static const size_t sizes[] = {0, 1, 7, 15, 16, 17, 33, 65, 300};
static const sb_adamw usual = {.lr = 1e-3f,
                               .beta1 = 0.9f,
                               .beta2 = 0.999f,
                               .eps = 1e-8f,
                               .decay = 0.01f,
                               .clip = 1.0f,
                               .t = 1};

/* torch.optim.AdamW, line by line, in double. */
static void reference(const float *grad, const sb_adamw *o, size_t n)
{
    double b1 = (double)o->beta1, b2 = (double)o->beta2, t = (double)o->t;
    for (size_t i = 0; i < n; i++) {
        double g = (double)o->clip * (double)grad[i];
        w[i] *= 1 - (double)o->lr * (double)o->decay;
        m[i] = m[i] * b1 + (1 - b1) * g;
        v[i] = v[i] * b2 + (1 - b2) * g * g;
        double denom = sqrt(v[i]) / sqrt(1 - pow(b2, t)) + (double)o->eps;
        w[i] -= (double)o->lr / (1 - pow(b1, t)) * m[i] / denom;
    }
}

static void fill_inputs(size_t s, size_t n)
{
    check_state = 9;
    fill(w_room + s, n + 1, 1.0f);
    fill(m_room + s, n + 1, 0.1f);
    fill(v_room + s, n + 1, 0.1f);
    fill(g_room + s, n + 1, 1.0f);
    for (size_t i = 0; i <= n; i++) v_room[s + i] *= v_room[s + i];
}

static void a_step_agrees_with_the_reference(void **state)
{
    (void)state;
    const uint64_t times[] = {1, 2, 10, 1000, 123456789};
    for (size_t k = 0; k < COUNT(sizes); k++)
        for (size_t j = 0; j < COUNT(times); j++) {
            size_t n = sizes[k];
            sb_adamw o = usual;
            o.t = times[j];
            o.clip = 0.37f;
            fill_inputs(0, n);
            float after[3] = {w_room[n], m_room[n], v_room[n]};
            to_double(w, w_room, n);
            to_double(m, m_room, n);
            to_double(v, v_room, n);
            sb_adamw_step(w_room, m_room, v_room, g_room, &o, n);
            reference(g_room, &o, n);
            check_all("w", w_room, w, n, 1e-8, 2e-7);
            check_all("m", m_room, m, n, 1e-8, 2e-7);
            check_all("v", v_room, v, n, 1e-10, 2e-7);
            assert_true(w_room[n] == after[0] && m_room[n] == after[1] &&
                        v_room[n] == after[2]);
        }
}

static void a_thousand_steps_stay_with_the_reference(void **state)
{
    (void)state;
    enum { N = 33 };
    sb_adamw o = usual;
    fill(w_room, N, 1.0f);
    memset(m_room, 0, sizeof m_room);
    memset(v_room, 0, sizeof v_room);
    memset(m, 0, sizeof m);
    memset(v, 0, sizeof v);
    to_double(w, w_room, N);
    for (o.t = 1; o.t <= 1000; o.t++) {
        fill(g_room, N, 0.01f);
        for (size_t i = 0; i < N; i++) g_room[i] += 0.01f * (float)i;
        sb_adamw_step(w_room, m_room, v_room, g_room, &o, N);
        reference(g_room, &o, N);
    }
    check_all("w", w_room, w, N, 1e-5, 1e-5);
    check_all("m", m_room, m, N, 1e-7, 1e-5);
    check_all("v", v_room, v, N, 1e-9, 1e-5);
}

static void the_first_step_is_the_learning_rate_and_a_sign(void **state)
{
    (void)state;
    float x[3] = {1, 1, 1}, p[3] = {0}, q[3] = {0};
    const float grad[3] = {5.0f, -1e-3f, 0.0f};
    sb_adamw o = usual;
    o.decay = 0.0f;
    sb_adamw_step(x, p, q, grad, &o, 3);
    check_near("w", 0, (double)x[0], 1 - 1e-3, 1e-7, 0);
    check_near("w", 1, (double)x[1], 1 + 1e-3, 1e-7, 0);
    assert_true(x[2] == 1.0f);
}

static void decay_shrinks_a_weight_without_gradient(void **state)
{
    (void)state;
    float x = 2.0f, p = 0, q = 0, grad = 0;
    sb_adamw o = usual;
    o.lr = 0.5f;
    o.decay = 0.25f;
    sb_adamw_step(&x, &p, &q, &grad, &o, 1);
    assert_true(x == 1.75f && p == 0.0f && q == 0.0f);
}

static void a_gradient_is_clipped_before_the_moments(void **state)
{
    (void)state;
    sb_adamw o = usual;
    static float one[3][65], two[3][65];
    for (int k = 0; k < 3; k++) {
        memset(one[k], 0, sizeof one[k]);
        memset(two[k], 0, sizeof two[k]);
    }
    fill(g_room, 65, 1.0f);
    o.clip = 0.5f;
    sb_adamw_step(one[0], one[1], one[2], g_room, &o, 65);
    for (size_t i = 0; i < 65; i++) g_room[i] *= 0.5f;
    o.clip = 1.0f;
    sb_adamw_step(two[0], two[1], two[2], g_room, &o, 65);
    for (int k = 0; k < 3; k++) check_bits("state", one[k], two[k], 65);
}

static void nan_in_a_gradient_reaches_its_element_alone(void **state)
{
    (void)state;
    const float bad[] = {NAN, INFINITY};
    for (size_t b = 0; b < COUNT(bad); b++)
        for (size_t i = 0; i < 33; i++) {
            fill_inputs(0, 33);
            g_room[i] = bad[b];
            sb_adamw_step(w_room, m_room, v_room, g_room, &usual, 33);
            check_nan("w", w_room + i, 1);
            assert_true(!isfinite(m_room[i]) && !isfinite(v_room[i]));
            check_no_nan("w", w_room, i);
            check_no_nan("w", w_room + i + 1, 32 - i);
        }
}

/* An owner may cut its segment anywhere: the same bits. */
static void an_element_does_not_know_its_place(void **state)
{
    (void)state;
    static float alone[3][MAX];
    sb_adamw o = usual;
    o.t = 3;
    o.clip = 0.7f;
    fill_inputs(0, 65);
    for (size_t i = 0; i < 65; i++) {
        alone[0][i] = w_room[i];
        alone[1][i] = m_room[i];
        alone[2][i] = v_room[i];
        sb_adamw_step(&alone[0][i], &alone[1][i], &alone[2][i], g_room + i, &o,
                      1);
    }
    for (size_t n = 1; n <= 65; n++)
        for (size_t s = 0; s < SHIFTS; s++) {
            fill_inputs(0, 65);
            memmove(w_room + s, w_room, n * sizeof *w_room);
            memmove(m_room + s, m_room, n * sizeof *m_room);
            memmove(v_room + s, v_room, n * sizeof *v_room);
            memmove(g_room + s, g_room, n * sizeof *g_room);
            sb_adamw_step(w_room + s, m_room + s, v_room + s, g_room + s, &o,
                          n);
            check_bits("w", w_room + s, alone[0], n);
            check_bits("m", m_room + s, alone[1], n);
            check_bits("v", v_room + s, alone[2], n);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_agrees_with_the_reference),
        cmocka_unit_test(a_thousand_steps_stay_with_the_reference),
        cmocka_unit_test(the_first_step_is_the_learning_rate_and_a_sign),
        cmocka_unit_test(decay_shrinks_a_weight_without_gradient),
        cmocka_unit_test(a_gradient_is_clipped_before_the_moments),
        cmocka_unit_test(nan_in_a_gradient_reaches_its_element_alone),
        cmocka_unit_test(an_element_does_not_know_its_place),
    };
    sb_kernels_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
