/* SPDX-License-Identifier: MIT
 * queue.c - every task goes to one rank, whoever is slow; a rank that stops
 * ends it for all; the reports add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
/* after the above */
#include <cmocka.h>

#include "comm/base/mem.h"
#include "comm/queue.h"

static sb_comm *comm;

static void nap(long us)
{
    struct timespec t = {0, us * 1000};
    nanosleep(&t, NULL);
}

/* taken[i] += 1 for every task that this rank got. */
static void work(sb_queue *q, uint64_t *taken, long us, size_t stop_after)
{
    size_t task, n = 0;
    sb_done done = {0};
    while (sb_queue_next(q, &task)) {
        taken[task]++;
        nap(us);
        done.bytes += task;
        done.items++;
        sb_queue_report(q, done);
        if (++n == stop_after) {
            sb_queue_stop(q);
            break;
        }
    }
}

static void everything_once(void **state)
{
    (void)state;
    enum { TASKS = 200 };
    for (int slow = 0; slow < sb_comm_size(comm); slow++) {
        uint64_t taken[TASKS] = {0}, bytes = 0, items = 0;
        sb_queue *q;
        assert_int_equal(sb_queue_open(comm, TASKS, &q), SB_OK);
        work(q, taken, slow == sb_comm_rank(comm) ? 3000 : 100, 0);
        sb_queue_finish(q, NULL, NULL);
        for (int r = 0; sb_comm_rank(comm) == 0 && r < sb_comm_size(comm);
             r++) {
            bytes += sb_queue_progress(q)[r].bytes;
            items += sb_queue_progress(q)[r].items;
        }
        sb_queue_close(q);
        sb_comm_sum_u64(comm, taken, TASKS);
        for (int i = 0; i < TASKS; i++) assert_int_equal(taken[i], 1);
        if (sb_comm_rank(comm) != 0) continue;
        assert_int_equal(items, TASKS);
        assert_int_equal(bytes, TASKS * (TASKS - 1) / 2);
    }
}

static void count_calls(void *arg)
{
    ++*(int *)arg;
}

static void no_tasks(void **state)
{
    (void)state;
    sb_queue *q;
    size_t task;
    assert_int_equal(sb_queue_open(comm, 0, &q), SB_OK);
    assert_int_equal(sb_queue_next(q, &task), 0);
    assert_int_equal(sb_queue_next(q, &task), 0);
    if (sb_comm_rank(comm) == sb_comm_size(comm) - 1) nap(300000);
    int calls = 0;
    sb_queue_finish(q, count_calls, &calls);
    sb_queue_close(q);
}

static void one_stops(void **state)
{
    (void)state;
    enum { TASKS = 100000 };
    for (int who = 0; who < sb_comm_size(comm); who++) {
        uint64_t *taken, all = 0;
        sb_queue *q;
        assert_int_equal(sb_alloc(TASKS, sizeof *taken, "tasks", &taken),
                         SB_OK);
        assert_int_equal(sb_queue_open(comm, TASKS, &q), SB_OK);
        work(q, taken, 100, who == sb_comm_rank(comm) ? 3 : 0);
        sb_queue_finish(q, NULL, NULL);
        sb_queue_close(q);
        sb_comm_sum_u64(comm, taken, TASKS);
        for (int i = 0; i < TASKS; i++) {
            assert_true(taken[i] <= 1);
            all += taken[i];
        }
        assert_true(all >= 3 && all < TASKS);
        sb_free(taken);
    }
}

int main(int argc, char **argv)
{
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything_once),
                                       cmocka_unit_test(no_tasks),
                                       cmocka_unit_test(one_stops)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sb_comm_close(comm);
    return failed;
}
