/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <string.h>

#include "comm/base/pool.h"

enum { TASKS = 1000 };
static int done[TASKS], worker_seen[8];

static sb_status count(void *context, size_t task, int worker)
{
    (void)context;
    __atomic_fetch_add(&done[task], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&worker_seen[worker], 1, __ATOMIC_RELAXED);
    return SB_OK;
}

static void every_task_runs_once(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 8; workers++) {
        sb_pool *p;
        assert_int_equal(sb_pool_open(workers, &p), SB_OK);
        assert_int_equal(sb_pool_workers(p), workers);
        for (int round = 0; round < 20; round++) {
            memset(done, 0, sizeof done);
            size_t n = round % 3 == 0 ? (size_t)round : TASKS;
            assert_int_equal(sb_pool_run(p, n, count, NULL), SB_OK);
            for (size_t i = 0; i < TASKS; i++)
                assert_int_equal(done[i], i < n ? 1 : 0);
        }
        sb_pool_close(p);
    }
}

static void the_caller_may_do_something_else(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 8; workers++) {
        sb_pool *p;
        assert_int_equal(sb_pool_open(workers, &p), SB_OK);
        for (int round = 0; round < 20; round++) {
            memset(done, 0, sizeof done);
            memset(worker_seen, 0, sizeof worker_seen);
            size_t n = round % 3 == 0 ? (size_t)round / 3 : TASKS;
            sb_pool_start(p, n, count, NULL);
            if (workers > 1) /* the tasks end without the caller */
                for (size_t i = 0; i < n; i++)
                    while (!__atomic_load_n(&done[i], __ATOMIC_RELAXED))
                        sched_yield();
            assert_int_equal(sb_pool_wait(p), SB_OK);
            for (size_t i = 0; i < TASKS; i++)
                assert_int_equal(done[i], i < n ? 1 : 0);
            if (workers > 1) assert_int_equal(worker_seen[0], 0);
            assert_int_equal(sb_pool_run(p, 3, count, NULL), SB_OK);
        }
        sb_pool_close(p);
    }
}

static sb_status fail_some(void *context, size_t task, int worker)
{
    (void)context;
    (void)worker;
    SB_REQUIRE(task % 10 != 7, SB_EFORMAT, "task %zu fails", task);
    return SB_OK;
}

static void a_failure_comes_back_with_its_message(void **state)
{
    (void)state;
    sb_pool *p;
    assert_int_equal(sb_pool_open(3, &p), SB_OK);
    assert_int_equal(sb_pool_run(p, 100, fail_some, NULL), SB_EFORMAT);
    assert_string_equal(sb_error_last()->text, "task 7 fails");
    assert_int_equal(sb_pool_run(p, 7, fail_some, NULL), SB_OK);
    sb_pool_start(p, 100, fail_some, NULL);
    assert_int_equal(sb_pool_wait(p), SB_EFORMAT);
    assert_string_equal(sb_error_last()->text, "task 7 fails");
    sb_pool_start(p, 7, fail_some, NULL);
    assert_int_equal(sb_pool_wait(p), SB_OK);
    sb_pool_close(p);
}

static void an_impossible_number_of_threads_is_refused(void **state)
{
    (void)state;
    sb_pool *p;
    assert_int_equal(sb_pool_open(0, &p), SB_EINVAL);
    assert_int_equal(sb_pool_open(100000, &p), SB_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once),
        cmocka_unit_test(the_caller_may_do_something_else),
        cmocka_unit_test(a_failure_comes_back_with_its_message),
        cmocka_unit_test(an_impossible_number_of_threads_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
