/* SPDX-License-Identifier: MIT
 * queue.h - numbered tasks that ranks take when they are free, and how far
 * each rank is.
 *
 * Rank 0 holds the queue and works like the others: it answers them whenever
 * it calls sb_queue_report, so it must do so every few milliseconds of its
 * work. Who gets which task depends on timing; results must not.
 */
#ifndef SB_COMM_QUEUE_H
#define SB_COMM_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "comm/comm.h"

typedef struct sb_queue sb_queue;

/* What a rank has done so far: work in the unit of the caller's total. */
typedef struct sb_done {
    uint64_t work, bytes, items;
} sb_done;

/* Tasks 0 .. tasks - 1, handed out in rising order. Collective. */
SB_MUST_USE sb_status sb_queue_open(sb_comm *c, size_t tasks,
                                    sb_queue **queue_out);

/* 1 and the next task, or 0: none is left. Local; waits for rank 0. */
int sb_queue_next(sb_queue *q, size_t *task_out);

/* Say what this rank has done; on rank 0, answer the others. Local and cheap:
 * call it as often as you like. */
void sb_queue_report(sb_queue *q, sb_done mine);

/* Hand out nothing more: this rank has failed, or was asked to stop. Local. */
void sb_queue_stop(sb_queue *q);

/* On rank 0: [size] what the ranks last reported. Local. */
const sb_done *sb_queue_progress(const sb_queue *q);

/* Wait until every rank knows that nothing is left; rank 0 answers them until
 * then. On rank 0 `progress` (NULL: none) is called about every 50 ms with
 * `arg` while it waits. sb_queue_progress is final then. Collective. */
void sb_queue_finish(sb_queue *q, void (*progress)(void *arg), void *arg);

void sb_queue_close(sb_queue *q); /* Local; NULL is fine */

#endif
