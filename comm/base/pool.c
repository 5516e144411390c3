/* SPDX-License-Identifier: MIT
 * pool.c - worker threads. */
#include "comm/base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comm/base/life.h"
#include "comm/base/mem.h"

enum { WATCH_EVERY = 100000 }; /* nanoseconds */

typedef struct worker {
    sb_pool *pool;
    pthread_t thread;
    int number;
} worker;

struct sb_pool {
    int workers;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    uint64_t round; /* rises with every run; workers wait for the change */
    int busy;
    int quit;
    sb_watcher watch; /* or NULL */
    void *watched;
    sb_task fn;
    void *context;
    size_t n, next; /* next is taken atomically */
    size_t failed_task;
    sb_error error; /* of failed_task, under the lock */
    worker worker[];
};

static void drain(sb_pool *p, int number)
{
    for (;;) {
        size_t t = __atomic_fetch_add(&p->next, 1, __ATOMIC_RELAXED);
        if (t >= p->n) return;
        sb_status st = p->fn(p->context, t, number);
        sb_life_beat();
        if (st == SB_OK) continue;
        __atomic_store_n(&p->next, p->n, __ATOMIC_RELAXED);
        pthread_mutex_lock(&p->lock);
        if (p->error.code == SB_OK || t < p->failed_task) {
            p->failed_task = t;
            p->error = *sb_error_last();
        }
        pthread_mutex_unlock(&p->lock);
    }
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    sb_pool *p = w->pool;
    uint64_t seen = 0;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (p->round == seen && !p->quit)
            pthread_cond_wait(&p->wake, &p->lock);
        if (p->quit) break;
        seen = p->round;
        pthread_mutex_unlock(&p->lock);
        drain(p, w->number);
        pthread_mutex_lock(&p->lock);
        if (--p->busy == 0) pthread_cond_signal(&p->done);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

sb_status sb_pool_open(int workers, sb_pool **pool_out)
{
    SB_REQUIRE(workers >= 1 && workers <= 1024, SB_EINVAL,
               "%d threads: the number must lie between 1 and 1024", workers);
    sb_pool *p;
    SB_TRY(sb_alloc(1, sizeof *p + (size_t)workers * sizeof(worker),
                    "thread pool", &p));
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    p->workers = 1;
    /* Signals are the main thread's business. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int bad = 0;
    for (int i = 1; i < workers && !bad; i++) {
        p->worker[i] = (worker){.pool = p, .number = i};
        bad = pthread_create(&p->worker[i].thread, NULL, worker_main,
                             &p->worker[i]);
        if (!bad) p->workers++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (bad) {
        int got = p->workers;
        sb_pool_close(p);
        SB_FAIL(SB_ELIMIT, "cannot start thread %d of %d: %s", got, workers,
                strerror(bad));
    }
    *pool_out = p;
    return SB_OK;
}

void sb_pool_close(sb_pool *p)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->quit = 1;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 1; i < p->workers; i++)
        pthread_join(p->worker[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    sb_free(p);
}

int sb_pool_workers(const sb_pool *p)
{
    return p->workers;
}

static void set_tasks(sb_pool *p, size_t n, sb_task fn, void *context)
{
    p->fn = fn;
    p->context = context;
    p->n = n;
    p->next = 0;
    p->error.code = SB_OK;
}

static void wake_workers(sb_pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->busy = p->workers - 1;
    p->round++;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

void sb_pool_start(sb_pool *p, size_t n, sb_task fn, void *context)
{
    set_tasks(p, n, fn, context);
    if (n) wake_workers(p);
}

/* The lock is held. */
static void wait_and_watch(sb_pool *p)
{
    while (p->busy) {
        pthread_mutex_unlock(&p->lock);
        int again = p->watch(p->watched);
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += WATCH_EVERY;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        pthread_mutex_lock(&p->lock);
        if (p->busy && again)
            pthread_cond_timedwait(&p->done, &p->lock, &until);
        else if (p->busy)
            pthread_cond_wait(&p->done, &p->lock);
    }
}

sb_status sb_pool_wait(sb_pool *p)
{
    if (p->workers == 1) drain(p, 0);
    pthread_mutex_lock(&p->lock);
    if (p->watch) wait_and_watch(p);
    while (p->busy) pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
    return p->error.code == SB_OK ? SB_OK : sb_error_set(&p->error);
}

sb_status sb_pool_run(sb_pool *p, size_t n, sb_task fn, void *context)
{
    set_tasks(p, n, fn, context);
    if (n > 1 || (n && p->watch)) wake_workers(p);
    if (!p->watch) drain(p, 0);
    return sb_pool_wait(p);
}

void sb_pool_watch(sb_pool *p, sb_watcher watch, void *context)
{
    p->watch = p->workers > 1 ? watch : NULL;
    p->watched = context;
}
