/* SPDX-License-Identifier: MIT
 * pool.h - a few threads that share out numbered tasks.
 *
 * The caller is worker 0; a pool of one worker starts no thread. Workers sleep
 * between calls. One pool, one caller: calls must not overlap, and between
 * sb_pool_start and sb_pool_wait there is no other call.
 */
#ifndef SB_BASE_POOL_H
#define SB_BASE_POOL_H

#include <stddef.h>

#include "comm/base/status.h"

typedef struct sb_pool sb_pool;

/* task in [0, n), worker in [0, workers). */
typedef sb_status (*sb_task)(void *context, size_t task, int worker);

SB_MUST_USE sb_status sb_pool_open(int workers, sb_pool **pool_out);
void sb_pool_close(sb_pool *pool); /* NULL is fine */
int sb_pool_workers(const sb_pool *pool);

/* Run fn for every task, handed out in rising order to whoever is free;
 * returns when all are done. After a failure no new task starts, and the
 * failed one with the lowest number among those run is reported. */
SB_MUST_USE sb_status sb_pool_run(sb_pool *pool, size_t n, sb_task fn,
                                  void *context);

/* The same in two halves, for a caller that does something else in between:
 * workers 1 and up do all tasks, the caller none. Needs a pool of at least 2
 * workers to that end; with 1 there is nobody, and sb_pool_wait runs them. */
void sb_pool_start(sb_pool *pool, size_t n, sb_task fn, void *context);
SB_MUST_USE sb_status sb_pool_wait(sb_pool *pool);

/* From now on the caller of sb_pool_run does no task: while the others work, it
 * calls `watch` again and again as long as that returns 1, and after a 0 it
 * sleeps until they are done. For a thread that has messages to move; open the
 * pool with one worker more. Does nothing to a pool of one worker. */
typedef int (*sb_watcher)(void *context);
void sb_pool_watch(sb_pool *pool, sb_watcher watch, void *context);

#endif
