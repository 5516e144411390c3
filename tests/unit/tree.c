/* SPDX-License-Identifier: MIT
 * The fixed-order sum, locally: the same bits whatever the order, the threads
 * and the cut between ranks. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "comm/base/pool.h"
#include "comm/base/rng.h"
#include "comm/tree.h"

enum { LEN = 37, LEAVES_MAX = 23 };

static float value(uint64_t leaf, size_t i)
{
    sb_rng_key key = sb_rng_key_make(1, SB_RNG_TEST);
    return sb_rng_unit(sb_rng_at(key, leaf, (uint32_t)i, 0).v[0]) *
           (leaf % 3 ? 1.0f : 1e6f);
}

/* The definition, in plain recursion. */
static float sum(uint64_t n, unsigned level, uint64_t index, size_t i)
{
    if (index << level >= n) return 0;
    if (level == 0) return value(index, i);
    float left = sum(n, level - 1, 2 * index, i);
    if ((2 * index + 1) << (level - 1) >= n) return left;
    return left + sum(n, level - 1, 2 * index + 1, i);
}

static void add_leaf(sb_tree *t, uint64_t leaf)
{
    float *v;
    assert_int_equal(sb_tree_leaf(t, &v), SB_OK);
    for (size_t i = 0; i < LEN; i++) v[i] = value(leaf, i);
    sb_tree_add(t, leaf, v);
}

static void check(const sb_tree *t, uint64_t n, uint64_t first, uint64_t last)
{
    sb_node node[SB_TREE_PARTIALS_MAX];
    size_t k = sb_tree_partials(n, first, last, node);
    for (size_t p = 0; p < k; p++) {
        const float *v = sb_tree_partial(t, p);
        assert_non_null(v);
        for (size_t i = 0; i < LEN; i++)
            assert_true(v[i] == sum(n, node[p].level, node[p].index, i));
    }
}

static void partial_sums_follow_the_definition_in_any_order(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= LEAVES_MAX; n++) {
        for (uint64_t first = 0; first <= n; first++) {
            for (uint64_t last = first; last <= n; last++) {
                sb_tree *t;
                assert_int_equal(sb_tree_open(n, first, last, LEN, &t), SB_OK);
                for (int round = 0; round < 2; round++) {
                    sb_tree_reset(t, LEN);
                    uint64_t own = last - first;
                    for (uint64_t k = 0; k < own; k++) /* up, then down */
                        add_leaf(t, round ? last - 1 - k : first + k);
                    check(t, n, first, last);
                }
                sb_tree_close(t);
            }
        }
    }
}

static void partials_cover_the_leaves_of_a_rank_in_order(void **state)
{
    (void)state;
    sb_node node[SB_TREE_PARTIALS_MAX];
    for (uint64_t n = 1; n <= 40; n++) {
        for (uint64_t first = 0; first <= n; first++) {
            for (uint64_t last = first; last <= n; last++) {
                size_t k = sb_tree_partials(n, first, last, node);
                uint64_t at = first;
                for (size_t p = 0; p < k; p++) {
                    assert_int_equal(node[p].index << node[p].level, at);
                    uint64_t end = (node[p].index + 1) << node[p].level;
                    at = end < n ? end : n;
                }
                assert_int_equal(at, last);
            }
        }
    }
}

static sb_status leaf_task(void *context, size_t task, int worker)
{
    (void)worker;
    float *v;
    SB_TRY(sb_tree_leaf(context, &v));
    for (size_t i = 0; i < LEN; i++) v[i] = value(task, i);
    sb_tree_add(context, task, v);
    return SB_OK;
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    sb_pool *pool;
    sb_tree *t;
    assert_int_equal(sb_pool_open(4, &pool), SB_OK);
    assert_int_equal(sb_tree_open(LEAVES_MAX, 0, LEAVES_MAX, LEN, &t), SB_OK);
    for (int round = 0; round < 50; round++) {
        sb_tree_reset(t, LEN);
        assert_int_equal(sb_pool_run(pool, LEAVES_MAX, leaf_task, t), SB_OK);
        check(t, LEAVES_MAX, 0, LEAVES_MAX);
    }
    sb_tree_close(t);
    sb_pool_close(pool);
}

static void the_length_may_change_between_rounds(void **state)
{
    (void)state;
    sb_tree *t;
    assert_int_equal(sb_tree_open(3, 0, 3, 0, &t), SB_OK);
    for (size_t len = 1; len < 3000; len = 3 * len + 1) {
        sb_tree_reset(t, len);
        for (uint64_t leaf = 0; leaf < 3; leaf++) {
            float *v;
            assert_int_equal(sb_tree_leaf(t, &v), SB_OK);
            for (size_t i = 0; i < len; i++) v[i] = 1;
            sb_tree_add(t, leaf, v);
        }
        for (size_t i = 0; i < len; i++)
            assert_true(sb_tree_partial(t, 0)[i] == 3);
    }
    sb_tree_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partial_sums_follow_the_definition_in_any_order),
        cmocka_unit_test(partials_cover_the_leaves_of_a_rank_in_order),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(the_length_may_change_between_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
