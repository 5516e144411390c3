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

/* Says twice that there is something to do, then that there is nothing. */
static int look(void *context)
{
    int *looks = context;
    return ++*looks < 3;
}

static void a_caller_that_watches_does_no_task(void **state)
{
    (void)state;
    for (int workers = 2; workers <= 4; workers++) {
        sb_pool *p;
        assert_int_equal(sb_pool_open(workers, &p), SB_OK);
        int looks = 0;
        sb_pool_watch(p, look, &looks);
        for (int round = 0; round < 20; round++) {
            memset(done, 0, sizeof done);
            memset(worker_seen, 0, sizeof worker_seen);
            size_t n = round % 4 == 0 ? 0 : TASKS;
            looks = 0;
            assert_int_equal(sb_pool_run(p, n, count, NULL), SB_OK);
            for (size_t i = 0; i < TASKS; i++)
                assert_int_equal(done[i], i < n ? 1 : 0);
            assert_int_equal(worker_seen[0], 0);
            if (n) assert_in_range(looks, 0, 3);
        }
        assert_int_equal(sb_pool_run(p, 100, fail_some, NULL), SB_EFORMAT);
        assert_string_equal(sb_error_last()->text, "task 7 fails");
        assert_int_equal(sb_pool_run(p, 7, fail_some, NULL), SB_OK);
        sb_pool_close(p);
    }
}

static int freed;
static sb_status wait_until_freed(void *context, size_t task, int worker)
{
    (void)context;
    (void)task;
    (void)worker;
    while (!__atomic_load_n(&freed, __ATOMIC_RELAXED)) sched_yield();
    return SB_OK;
}

static int set_free(void *context)
{
    (void)context;
    __atomic_store_n(&freed, 1, __ATOMIC_RELAXED);
    return 0;
}

static void a_watcher_moves_while_tasks_wait_for_it(void **state)
{
    (void)state;
    sb_pool *p;
    assert_int_equal(sb_pool_open(3, &p), SB_OK);
    sb_pool_watch(p, set_free, NULL);
    assert_int_equal(sb_pool_run(p, 2, wait_until_freed, NULL), SB_OK);
    sb_pool_close(p);
}

static void a_pool_of_one_does_its_tasks_itself_and_watches_nothing(
    void **state)
{
    (void)state;
    sb_pool *p;
    int looks = 0;
    assert_int_equal(sb_pool_open(1, &p), SB_OK);
    sb_pool_watch(p, look, &looks);
    memset(done, 0, sizeof done);
    assert_int_equal(sb_pool_run(p, 5, count, NULL), SB_OK);
    for (size_t i = 0; i < 5; i++) assert_int_equal(done[i], 1);
    assert_int_equal(looks, 0);
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
        cmocka_unit_test(a_caller_that_watches_does_no_task),
        cmocka_unit_test(a_watcher_moves_while_tasks_wait_for_it),
        cmocka_unit_test(
            a_pool_of_one_does_its_tasks_itself_and_watches_nothing),
        cmocka_unit_test(an_impossible_number_of_threads_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
