/* SPDX-License-Identifier: MIT
 * onednn.c - tests of trainer/kernels/onednn.c. On fp32 operands everywhere
 * where oneDNN was built with: sizes, strides, transposes and sums are then
 * those of bf16. On bf16 operands where the processor can. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>

#include "tests/kernel_check.h"
#include "trainer/kernels/kernels.h"
#include "trainer/kernels/onednn.h"

enum { MOST = 130, THREADS = 3 };

static const size_t shapes[][3] = {
    {1, 1, 1},    {1, 7, 15},    {7, 1, 15},   {7, 15, 1},   {1, 64, 1},
    {64, 1, 1},   {1, 1, 64},    {2, 16, 17},  {16, 16, 16}, {17, 65, 63},
    {33, 31, 65}, {65, 96, 130}, {130, 48, 7}, {48, 8, 130}};

static float a[MOST * MOST], b[MOST * MOST], c[MOST * MOST + 1];
static uint16_t a16[MOST * MOST], b16[MOST * MOST];
static double want[MOST * MOST];

static double of_a(size_t i, size_t l, int ta, size_t m, size_t k)
{
    return (double)(ta ? a[l * m + i] : a[i * k + l]);
}

static double of_b(size_t l, size_t j, int tb, size_t n, size_t k)
{
    return (double)(tb ? b[j * k + l] : b[l * n + j]);
}

static void reference(int ta, int tb, int add, size_t m, size_t n, size_t k)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double s = add ? (double)c[i * n + j] : 0;
            for (size_t l = 0; l < k; l++)
                s += of_a(i, l, ta, m, k) * of_b(l, j, tb, n, k);
            want[i * n + j] = s;
        }
}

/* Operands that bf16 holds exactly, so that one reference does for both. */
static void fill_operands(size_t m, size_t n, size_t k)
{
    fill(a, m * k, 1);
    fill(b, k * n, 1);
    sb_round(a16, a, m * k, SB_BF16);
    sb_round(b16, b, k * n, SB_BF16);
    sb_round(a, a, m * k, SB_BF16_EMULATED);
    sb_round(b, b, k * n, SB_BF16_EMULATED);
}

static sb_onednn *open_or_skip(sb_onednn_type type)
{
    const char *why = sb_onednn_lacks(type);
    if (why) {
        print_message("skipped: %s\n", why);
        skip();
    }
    sb_onednn *x = sb_onednn_open(type);
    assert_non_null(x);
    return x;
}

static void all_products(sb_onednn_type type)
{
    sb_onednn *x = open_or_skip(type);
    const void *left = type == SB_ONEDNN_BF16 ? (const void *)a16 : a;
    const void *right = type == SB_ONEDNN_BF16 ? (const void *)b16 : b;
    for (size_t s = 0; s < COUNT(shapes); s++)
        for (int way = 0; way < 8; way++) {
            size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
            int ta = way >> 2, tb = way >> 1 & 1, add = way & 1;
            fill_operands(m, n, k);
            for (size_t i = 0; i < m * n; i++)
                c[i] = add ? random_float() : NAN;
            c[m * n] = 5;
            reference(ta, tb, add, m, n, k);
            assert_true(
                sb_onednn_product(x, c, add, left, ta, right, tb, m, n, k));
            check_all("c", c, want, m * n, 1e-5, 1e-6);
            assert_true(c[m * n] == 5);
        }
    sb_onednn_close(x);
}

static void fp32_products_of_all_shapes_and_ways(void **state)
{
    (void)state;
    all_products(SB_ONEDNN_FP32);
}

static void bf16_products_of_all_shapes_and_ways(void **state)
{
    (void)state;
    all_products(SB_ONEDNN_BF16);
}

/* Large enough that more threads would cut it in another way. */
enum { M = 96, N = 2000, K = 700 };
static float big_a[M * K], big_b[K * N], first[M * N];

typedef struct job {
    pthread_t thread;
    float c[M * N];
    int ok;
} job;

static void *multiply(void *context)
{
    job *j = context;
    sb_onednn *x = sb_onednn_open(SB_ONEDNN_FP32);
    j->ok = x != NULL;
    for (int i = 0; x && i < 5; i++)
        j->ok &= sb_onednn_product(x, j->c, 0, big_a, 0, big_b, 0, M, N, K);
    sb_onednn_close(x);
    return NULL;
}

static void threads_get_the_same_bits_at_once(void **state)
{
    (void)state;
    static job j[THREADS];
    sb_onednn *x = open_or_skip(SB_ONEDNN_FP32);
    fill(big_a, M * K, 1);
    fill(big_b, K * N, 1);
    assert_true(sb_onednn_product(x, first, 0, big_a, 0, big_b, 0, M, N, K));
    sb_onednn_close(x);
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&j[t].thread, NULL, multiply, &j[t]),
                         0);
    for (int t = 0; t < THREADS; t++) {
        pthread_join(j[t].thread, NULL);
        assert_true(j[t].ok);
        check_bits("c", j[t].c, first, M * N);
    }
}

static int threads_here(void)
{
    DIR *d = opendir("/proc/self/task");
    int n = 0;
    while (d && readdir(d)) n++;
    if (d) closedir(d);
    return n;
}

static void a_product_starts_no_thread(void **state)
{
    (void)state;
    int before = threads_here();
    assert_true(before > 0);
    sb_onednn *x = open_or_skip(SB_ONEDNN_FP32);
    assert_true(sb_onednn_product(x, first, 0, big_a, 0, big_b, 0, M, N, K));
    assert_int_equal(threads_here(), before);
    sb_onednn_close(x);
}

static void the_order_of_products_changes_nothing(void **state)
{
    (void)state;
    sb_onednn *x = open_or_skip(SB_ONEDNN_FP32);
    fill_operands(33, 31, 65);
    assert_true(sb_onednn_product(x, first, 0, a, 0, b, 1, 33, 31, 65));
    assert_true(sb_onednn_product(x, c, 0, a, 1, b, 0, 65, 31, 33));
    assert_true(sb_onednn_product(x, c, 1, a, 1, b, 0, 65, 31, 33));
    assert_true(sb_onednn_product(x, c, 0, a, 0, b, 1, 33, 31, 65));
    check_bits("c", c, first, 33 * 31);
    sb_onednn_close(x);
}

static void nan_reaches_its_row(void **state)
{
    (void)state;
    sb_onednn *x = open_or_skip(SB_ONEDNN_FP32);
    fill_operands(8, 8, 8);
    a[8] = NAN;
    assert_true(sb_onednn_product(x, c, 0, a, 0, b, 0, 8, 8, 8));
    check_no_nan("c", c, 8);
    check_nan("c", c + 8, 8);
    check_no_nan("c", c + 16, 48);
    sb_onednn_close(x);
}

/* What a handle cannot be opened for, is said, and nothing is there to close. */
static void what_is_lacking_cannot_be_opened(void **state)
{
    (void)state;
    static const sb_onednn_type type[] = {SB_ONEDNN_FP32, SB_ONEDNN_BF16};
    for (int i = 0; i < 2; i++) {
        const char *why = sb_onednn_lacks(type[i]);
        sb_onednn *x = sb_onednn_open(type[i]);
        assert_true((why == NULL) == (x != NULL));
        print_message("%s: %s\n", i ? "bf16" : "fp32", why ? why : "there");
        sb_onednn_close(x);
    }
    char version[16];
    assert_true(sb_kernels_onednn(version) ==
                (sb_onednn_lacks(type[0]) == NULL));
    assert_true(!*version || strncmp(version, "2.", 2) == 0);
    sb_onednn_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fp32_products_of_all_shapes_and_ways),
        cmocka_unit_test(bf16_products_of_all_shapes_and_ways),
        cmocka_unit_test(threads_get_the_same_bits_at_once),
        cmocka_unit_test(a_product_starts_no_thread),
        cmocka_unit_test(the_order_of_products_changes_nothing),
        cmocka_unit_test(nan_reaches_its_row),
        cmocka_unit_test(what_is_lacking_cannot_be_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
