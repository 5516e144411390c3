/* SPDX-License-Identifier: MIT
 * xent.c - tests of trainer/kernels/xent.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/kernel_check.h"
#include "trainer/kernels/kernels.h"

enum { MAX_M = 9, MAX_V = 4100, MAX_BLOCKS = 6 };

static size_t M, V;
ROOM(block_room, MAX_M *MAX_V);
ROOM(max_room, MAX_BLOCKS *MAX_M);
ROOM(sum_room, MAX_BLOCKS *MAX_M);
ROOM(lse_room, MAX_M);
ROOM(top_room, MAX_M);
static float logits[MAX_M * MAX_V];
static double want[MAX_M * MAX_V], at[MAX_M * MAX_V];
static int32_t target[MAX_M];

static double log_sum(const double *row)
{
    double top = row[0], sum = 0;
    for (size_t i = 1; i < V; i++) top = fmax(top, row[i]);
    for (size_t i = 0; i < V; i++) sum += exp(row[i] - top);
    return top + log(sum);
}

/* Columns [from, to) of the logits, as one array of rows. */
static size_t take(float *block, size_t from, size_t to)
{
    for (size_t m = 0; m < M; m++)
        memcpy(block + m * (to - from), logits + m * V + from,
               (to - from) * sizeof *block);
    return to - from;
}

static void block_finds_maximum_and_sum(void **state)
{
    (void)state;
    const size_t widths[] = {1, 7, 15, 16, 17, 33, 65, 1023, 1024, 1025, 4100};
    M = 5;
    for (size_t k = 0; k < COUNT(widths); k++) {
        V = widths[k];
        check_state = k + 1;
        fill(logits, M * V, 9.0f);
        for (size_t s = 0; s < SHIFTS; s++) {
            memcpy(block_room + s, logits, M * V * sizeof *logits);
            sb_xent_block(max_room + s, sum_room + s, block_room + s, M, V);
            for (size_t m = 0; m < M; m++) {
                float top = logits[m * V];
                double sum = 0;
                for (size_t i = 0; i < V; i++)
                    top = fmaxf(top, logits[m * V + i]);
                for (size_t i = 0; i < V; i++)
                    sum += exp((double)logits[m * V + i] - (double)top);
                assert_true(max_room[s + m] == top);
                check_near("sum", m, (double)sum_room[s + m], sum, 0, 2e-6);
                if (s == 0) lse_room[m] = sum_room[m];
                check_bits("sum", sum_room + s + m, lse_room + m, 1);
            }
        }
    }
}

static void merged_blocks_give_the_log_sum_of_all_columns(void **state)
{
    (void)state;
    const size_t cuts[][MAX_BLOCKS + 1] = {
        {0, 4100, 4100, 4100, 4100, 4100, 4100}, /* blocks without columns */
        {0, 0, 0, 1, 2000, 4100, 4100},
        {0, 1000, 1000, 2000, 3000, 4000, 4100}};
    M = MAX_M, V = MAX_V;
    fill(logits, M * V, 20.0f);
    for (size_t k = 0; k < COUNT(cuts); k++) {
        for (size_t b = 0; b < MAX_BLOCKS; b++) {
            size_t W = take(block_room, cuts[k][b], cuts[k][b + 1]);
            sb_xent_block(max_room + b * M, sum_room + b * M, block_room, M, W);
        }
        sb_xent_merge(lse_room, top_room, max_room, sum_room, M, MAX_BLOCKS, M);
        to_double(want, logits, M * V);
        for (size_t m = 0; m < M; m++)
            check_near("lse", m, (double)lse_room[m], log_sum(want + m * V), 0,
                       2e-7);
        for (size_t m = 0; m < M; m++)
            for (size_t i = 0; i < V; i++)
                assert_true(logits[m * V + i] <= top_room[m]);
    }
}

static void a_block_without_columns_is_minus_infinity_and_nothing(void **state)
{
    (void)state;
    float max[2] = {1, 1}, sum[2] = {1, 1}, lse[2];
    sb_xent_block(max, sum, block_room, 2, 0);
    assert_true(isinf(max[0]) && max[0] < 0 && sum[0] == 0.0f);
    assert_true(isinf(max[1]) && max[1] < 0 && sum[1] == 0.0f);
    const float maxes[3] = {-INFINITY, -1e4f, -INFINITY};
    const float sums[3] = {0.0f, 1.0f, 0.0f};
    sb_xent_merge(lse, NULL, maxes, sums, 1, 3, 1);
    assert_true(lse[0] == -1e4f);
    sb_xent_merge(lse, NULL, max, sum, 1, 2, 1); /* no columns at all */
    assert_true(isinf(lse[0]) && lse[0] < 0);
}

static double loss(const double *row)
{
    double l = 0;
    for (size_t m = 0; m < M; m++)
        l += log_sum(row + m * V) -
             (target[m] >= 0 ? row[m * V + (size_t)target[m]] : 0);
    return 0.25 * l;
}

static void whole(size_t s)
{
    sb_xent_block(max_room + s, sum_room + s, block_room + s, M, V);
    sb_xent_merge(lse_room + s, NULL, max_room + s, sum_room + s, M, 1, M);
    sb_xent_grad(block_room + s, lse_room + s, target, 0.25f, M, V);
}

static void gradient_agrees_with_central_differences(void **state)
{
    (void)state;
    const size_t widths[] = {1, 7, 16, 17, 33, 65, 130};
    M = 4;
    for (size_t k = 0; k < COUNT(widths); k++) {
        V = widths[k];
        fill(block_room, M * V, 5.0f);
        to_double(at, block_room, M * V);
        for (size_t m = 0; m < M; m++)
            target[m] = m == 2 ? -1 : (int32_t)random_below(V);
        whole(0);
        for (size_t i = 0; i < M * V; i++)
            check_near("gradient", i, (double)block_room[i], slope(loss, at, i),
                       1e-7, 2e-6);
    }
}

static void gradient_of_a_block_knows_the_other_blocks_by_lse(void **state)
{
    (void)state;
    M = 3, V = 100;
    fill(logits, M * V, 5.0f);
    target[0] = 3, target[1] = 77, target[2] = 99;
    memcpy(block_room, logits, M * V * sizeof *logits);
    whole(0);
    to_double(want, block_room, M * V);
    int32_t local[3] = {-1, 77 - 60, 99 - 60};
    size_t W = take(block_room, 60, 100);
    sb_xent_grad(block_room, lse_room, local, 0.25f, M, W);
    for (size_t m = 0; m < M; m++)
        check_all("gradient", block_room + m * W, want + m * V + 60, W, 0, 0);
}

static void extreme_logits_stay_finite(void **state)
{
    (void)state;
    M = 2, V = 33;
    for (size_t i = 0; i < M * V; i++)
        block_room[i] = i % 3 ? -1e4f : (i < V ? 1e4f : -1e4f);
    target[0] = 1, target[1] = 0;
    whole(0);
    assert_true(sum_room[0] == 11.0f && sum_room[1] == 33.0f);
    check_near("lse", 0, (double)lse_room[0], 1e4 + log(11), 0, 1e-7);
    check_near("lse", 1, (double)lse_room[1], -1e4 + log(33), 0, 1e-7);
    assert_true(block_room[1] == -0.25f); /* a target without a chance */
    check_no_nan("gradient", block_room, M * V);
    /* lse has 1e-3 of rounding out there, and so has the softmax. */
    check_near("gradient", 0, (double)block_room[0], 0.25 / 11, 0, 1e-3);
}

/* exp through the gradient: lse 0, scale 1, no target. */
static void run_exp(float *x, size_t n)
{
    const float zero = 0.0f;
    const int32_t none = -1;
    sb_xent_grad(x, &zero, &none, 1.0f, 1, n);
}

static void exp_is_within_two_ulp(void **state)
{
    (void)state;
    double worst = 0;
    for (double from = -87; from < 88.7; from += 0.1) {
        for (size_t i = 0; i < 512; i++)
            block_room[i] = logits[i] = (float)(from + 0.1 * (double)i / 512);
        run_exp(block_room, 512);
        for (size_t i = 0; i < 512; i++) {
            double e = exp((double)logits[i]);
            if (logits[i] > 88.72f || logits[i] < -87.0f) continue;
            float up = nextafterf((float)e, INFINITY);
            double ulp = (double)up - (double)(float)e;
            worst = fmax(worst, fabs((double)block_room[i] - e) / ulp);
        }
    }
    print_message("exp within %.3f ulp\n", worst);
    assert_true(worst <= 2);
}

static void exp_ends_in_zero_infinity_and_nan(void **state)
{
    (void)state;
    float x[] = {0.0f, -0.0f, -87.1f, -1e4f,  -3e38f,      -INFINITY, 88.8f,
                 1e4f, 3e38f, NAN,    1e-40f, 88.7228317f, -NAN,      INFINITY};
    run_exp(x, COUNT(x));
    assert_true(x[0] == 1.0f && x[1] == 1.0f && x[10] == 1.0f);
    for (size_t i = 2; i < 6; i++) assert_true(x[i] == 0.0f);
    for (size_t i = 6; i < 9; i++) assert_true(isinf(x[i]) && x[i] > 0);
    assert_true(isnan(x[9]) && isnan(x[12]));
    assert_true(isfinite(x[11]) && x[11] > 3.3e38f);
    assert_true(isinf(x[13]));
    for (uint32_t payload = 0; payload < 512; payload++) {
        uint32_t bits = 0x7fc00000u + payload;
        memcpy(x, &bits, sizeof bits);
        run_exp(x, 1);
        check_nan("exp", x, 1);
    }
}

static void nan_reaches_the_loss_and_the_gradient(void **state)
{
    (void)state;
    const float bad[] = {NAN, INFINITY};
    M = 3, V = 65;
    for (size_t b = 0; b < COUNT(bad); b++)
        for (size_t i = 0; i < V; i++) {
            fill(block_room, M * V, 3.0f);
            block_room[V + i] = bad[b];
            target[0] = target[1] = target[2] = 5;
            whole(0);
            check_nan("lse", lse_room + 1, 1);
            check_nan("gradient", block_room + V, V);
            check_no_nan("gradient", block_room, V);
            check_no_nan("gradient", block_room + 2 * V, V);
        }
    for (size_t i = 0; i < M * V; i++) block_room[i] = NAN;
    whole(0);
    check_nan("lse", lse_room, M);
    /* One block of NaN between two that are well. */
    const float max[3] = {1, -INFINITY, 2}, sum[3] = {1, NAN, 1};
    float lse;
    sb_xent_merge(&lse, NULL, max, sum, 1, 3, 1);
    check_nan("lse", &lse, 1);
    const float max2[2] = {NAN, 1}, sum2[2] = {3, 1};
    sb_xent_merge(&lse, NULL, max2, sum2, 1, 2, 1);
    check_nan("lse", &lse, 1);
}

static void bits_are_the_same_at_every_alignment(void **state)
{
    (void)state;
    static float grad[4 * 130], lse[4];
    const size_t widths[] = {1, 7, 15, 16, 17, 33, 65, 130};
    M = 4;
    for (size_t k = 0; k < COUNT(widths); k++)
        for (size_t s = 0; s < SHIFTS; s++) {
            V = widths[k];
            check_state = 3;
            fill(block_room + s, M * V, 6.0f);
            for (size_t m = 0; m < M; m++)
                target[m] = m == 3 ? -1 : (int32_t)random_below(V);
            float after = block_room[s + M * V] = 9.0f;
            whole(s);
            if (s == 0) {
                memcpy(grad, block_room, M * V * sizeof *grad);
                memcpy(lse, lse_room, sizeof lse);
            }
            check_bits("gradient", block_room + s, grad, M * V);
            check_bits("lse", lse_room + s, lse, M);
            assert_true(block_room[s + M * V] == after);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_finds_maximum_and_sum),
        cmocka_unit_test(merged_blocks_give_the_log_sum_of_all_columns),
        cmocka_unit_test(a_block_without_columns_is_minus_infinity_and_nothing),
        cmocka_unit_test(gradient_agrees_with_central_differences),
        cmocka_unit_test(gradient_of_a_block_knows_the_other_blocks_by_lse),
        cmocka_unit_test(extreme_logits_stay_finite),
        cmocka_unit_test(exp_is_within_two_ulp),
        cmocka_unit_test(exp_ends_in_zero_infinity_and_nan),
        cmocka_unit_test(nan_reaches_the_loss_and_the_gradient),
        cmocka_unit_test(bits_are_the_same_at_every_alignment),
    };
    sb_kernels_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
