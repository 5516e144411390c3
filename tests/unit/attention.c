/* SPDX-License-Identifier: MIT
 * attention.c - tests of trainer/kernels/attention.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/kernel_check.h"
#include "trainer/kernels/kernels.h"

enum { MAX_T = 65, MAX_H = 3, MAX_K = 64, MAX_D = MAX_H * MAX_K };

static size_t T, H, K;
static const uint8_t *mask; /* what the reference takes */
static const float keep_scale = 1.25f;
ROOM(qkv_room, MAX_T * 3 * MAX_D);
ROOM(y_room, MAX_T *MAX_D);
ROOM(dy_room, MAX_T *MAX_D);
ROOM(dqkv_room, MAX_T * 3 * MAX_D);
ROOM(scratch_room, 3 * MAX_T * MAX_T);
static uint8_t keep[MAX_H * MAX_T * MAX_T + SHIFTS];
static double ref_prob[MAX_H * MAX_T * MAX_T], ref_y[MAX_T * MAX_D];
static double at[MAX_T * 3 * MAX_D];

static const size_t shapes[][3] = {{1, 1, 1},   {1, 2, 64},  {2, 1, 7},
                                   {7, 3, 15},  {15, 2, 16}, {16, 2, 17},
                                   {17, 3, 33}, {33, 1, 64}, {65, 3, 64}};

static void set_shape(const size_t *s)
{
    T = s[0];
    H = s[1];
    K = s[2];
}

static void fill_inputs(size_t s, float size)
{
    check_state = 11;
    fill(qkv_room + s, T * 3 * H * K, size);
    fill(dy_room + s, T * H * K, 1.0f);
    fill_mask(keep + s, H * T * T);
}

/* y from qkv, in double; the formula, and nothing else. */
static void reference(const double *qkv)
{
    const size_t D = H * K;
    for (size_t h = 0; h < H; h++)
        for (size_t t = 0; t < T; t++) {
            double *p = ref_prob + (h * T + t) * T, top = -1e300, sum = 0;
            for (size_t u = 0; u < T; u++) {
                double s = 0;
                for (size_t k = 0; k < K; k++)
                    s += qkv[t * 3 * D + h * K + k] *
                         qkv[u * 3 * D + D + h * K + k];
                p[u] = s / sqrt((double)K);
                top = fmax(top, p[u]);
            }
            for (size_t u = 0; u < T; u++) sum += p[u] = exp(p[u] - top);
            for (size_t u = 0; u < T; u++) p[u] /= sum;
            for (size_t k = 0; k < K; k++) {
                double y = 0;
                for (size_t u = 0; u < T; u++) {
                    double used = p[u];
                    if (mask)
                        used = mask[(h * T + t) * T + u]
                                   ? used * (double)keep_scale
                                   : 0;
                    y += used * qkv[u * 3 * D + 2 * D + h * K + k];
                }
                ref_y[t * D + h * K + k] = y;
            }
        }
}

static void forward(size_t s)
{
    sb_attention_forward(y_room + s, qkv_room + s, mask, keep_scale,
                         scratch_room + s, T, H, K);
}

static void backward(size_t s)
{
    sb_attention_backward(dqkv_room + s, dy_room + s, qkv_room + s, mask,
                          keep_scale, scratch_room + s, T, H, K);
}

static double loss(const double *qkv)
{
    double l = 0;
    reference(qkv);
    for (size_t i = 0; i < T * H * K; i++) l += (double)dy_room[i] * ref_y[i];
    return l;
}

static void forward_agrees_with_the_reference(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(shapes); k++)
        for (int dropped = 0; dropped < 2; dropped++) {
            set_shape(shapes[k]);
            fill_inputs(0, 2.0f);
            mask = dropped ? keep : NULL;
            for (size_t i = 0; i < COUNT(y_room); i++) y_room[i] = NAN;
            forward(0);
            to_double(at, qkv_room, T * 3 * H * K);
            reference(at);
            check_all("y", y_room, ref_y, T * H * K, 2e-6, 1e-5);
        }
}

static void backward_agrees_with_central_differences(void **state)
{
    (void)state;
    for (size_t k = 0; k + 2 < COUNT(shapes); k++)
        for (int dropped = 0; dropped < 2; dropped++) {
            set_shape(shapes[k]);
            fill_inputs(0, 1.0f);
            mask = dropped ? keep : NULL;
            for (size_t i = 0; i < COUNT(dqkv_room); i++) dqkv_room[i] = NAN;
            forward(0);
            backward(0);
            check_no_nan("dqkv", dqkv_room, T * 3 * H * K);
            to_double(at, qkv_room, T * 3 * H * K);
            size_t n = T * 3 * H * K, step = n / 150 + 1;
            for (size_t i = 0; i < n; i += step)
                check_near("dqkv", i, (double)dqkv_room[i], slope(loss, at, i),
                           1e-5, 1e-5);
        }
}

static void one_token_sees_itself(void **state)
{
    (void)state;
    T = 1, H = 3, K = 16;
    mask = NULL;
    fill_inputs(0, 100.0f);
    forward(0);
    check_bits("y", y_room, qkv_room + 2 * H * K, H * K);
    backward(0);
    for (size_t i = 0; i < 2 * H * K; i++) assert_true(dqkv_room[i] == 0.0f);
    check_bits("dv", dqkv_room + 2 * H * K, dy_room, H * K);
}

static void no_tokens_change_nothing(void **state)
{
    (void)state;
    T = 0, H = 3, K = 16;
    mask = NULL;
    y_room[0] = dqkv_room[0] = 5.0f;
    forward(0);
    backward(0);
    assert_true(y_room[0] == 5.0f && dqkv_room[0] == 5.0f);
}

static void huge_scores_choose_one_token(void **state)
{
    (void)state;
    T = 33, H = 1, K = 1;
    mask = NULL;
    for (size_t t = 0; t < T; t++) {
        qkv_room[3 * t] = t % 2 ? -100.0f : 100.0f;
        qkv_room[3 * t + 1] = 100.0f * ((float)t - 16) / 16.0f;
        qkv_room[3 * t + 2] = (float)t;
        dy_room[t] = 1.0f;
    }
    forward(0); /* scores from -1e4 to 1e4 */
    for (size_t t = 0; t < T; t++)
        assert_true(y_room[t] == (t % 2 ? 0.0f : 32.0f));
    backward(0);
    check_no_nan("dqkv", dqkv_room, 3 * T);
}

static void a_row_that_is_dropped_whole_gives_nothing(void **state)
{
    (void)state;
    T = 17, H = 2, K = 8;
    fill_inputs(0, 1.0f);
    mask = keep;
    memset(keep, 0, T); /* head 0, token 0 */
    forward(0);
    for (size_t k = 0; k < K; k++) assert_true(y_room[k] == 0.0f);
    memset(keep, 0, H * T * T);
    forward(0);
    backward(0);
    for (size_t i = 0; i < T * 3 * H * K; i++)
        assert_true(dqkv_room[i] == 0.0f);
}

static void nan_reaches_its_head_and_no_other(void **state)
{
    (void)state;
    T = 17, H = 3, K = 16;
    mask = NULL;
    const size_t D = H * K;
    for (size_t part = 0; part < 3; part++) {
        const size_t t = 5, h = 1;
        fill_inputs(0, 1.0f);
        qkv_room[t * 3 * D + part * D + h * K + 2] = NAN;
        forward(0);
        for (size_t u = 0; u < T; u++) {
            check_no_nan("y", y_room + u * D, K);
            check_no_nan("y", y_room + u * D + 2 * K, K);
            if (part == 0 && u != t) /* a query is its own row */
                check_no_nan("y", y_room + u * D + h * K, K);
            else if (part == 2)
                check_nan("y", y_room + u * D + h * K + 2, 1);
            else
                check_nan("y", y_room + u * D + h * K, K);
        }
        backward(0);
        check_nan("dqkv", dqkv_room + t * 3 * D + h * K, 1);
        check_no_nan("dqkv", dqkv_room + t * 3 * D, K);
    }
    fill_inputs(0, 1.0f);
    forward(0);
    dy_room[3 * D + 2 * K] = NAN;
    backward(0);
    check_nan("dq", dqkv_room + 3 * 3 * D + 2 * K, K);
    check_no_nan("dq", dqkv_room, 2 * K);
}

static void bits_are_the_same_at_every_alignment(void **state)
{
    (void)state;
    static float y[MAX_T * MAX_D], dqkv[MAX_T * 3 * MAX_D];
    for (size_t k = 0; k < COUNT(shapes); k++)
        for (size_t s = 0; s < SHIFTS; s++) {
            set_shape(shapes[k]);
            fill_inputs(s, 2.0f);
            mask = keep + s;
            forward(s);
            backward(s);
            if (s == 0) {
                memcpy(y, y_room, sizeof y);
                memcpy(dqkv, dqkv_room, sizeof dqkv);
            }
            check_bits("y", y_room + s, y, T * H * K);
            check_bits("dqkv", dqkv_room + s, dqkv, T * 3 * H * K);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_agrees_with_the_reference),
        cmocka_unit_test(backward_agrees_with_central_differences),
        cmocka_unit_test(one_token_sees_itself),
        cmocka_unit_test(no_tokens_change_nothing),
        cmocka_unit_test(huge_scores_choose_one_token),
        cmocka_unit_test(a_row_that_is_dropped_whole_gives_nothing),
        cmocka_unit_test(nan_reaches_its_head_and_no_other),
        cmocka_unit_test(bits_are_the_same_at_every_alignment),
    };
    sb_kernels_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
