/* SPDX-License-Identifier: MIT
 * queue.c - numbered tasks that ranks take when they are free.
 *
 * Every message to rank 0 is a `note`; one that wants a task is answered with
 * its number, or NO_TASK, after which its sender asks no more. */
#include "comm/queue.h"

#include <time.h>

#include "comm/agree.h"
#include "comm/base/life.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/internal.h"

enum { TAG_NOTE = 71, TAG_TASK = 72 };
#define NO_TASK         UINT64_MAX
#define SERVE_SECONDS   0.002 /* between rank 0's looks at its mail */
#define REPORT_SECONDS  0.5
#define PATIENT_SECONDS 0.05

typedef struct note {
    uint64_t wants, stops;
    sb_done done;
} note;

struct sb_queue {
    sb_comm *c;
    uint64_t next, tasks;
    int over;     /* this rank knows that nothing is left */
    int stopped;  /* this rank wants nothing handed out any more */
    int waiting;  /* rank 0: ranks that have not been told NO_TASK */
    double last;  /* time of the last look or report */
    sb_done *all; /* rank 0: [size] */
    sb_done mine;
};

sb_status sb_queue_open(sb_comm *c, size_t tasks, sb_queue **queue_out)
{
    sb_queue *q;
    sb_status st = sb_alloc(1, sizeof *q, "task queue", &q);
    if (st == SB_OK) {
        q->c = c;
        q->tasks = tasks;
        q->waiting = c->size - 1;
        st = sb_alloc((size_t)c->size, sizeof *q->all, "task queue", &q->all);
        if (st != SB_OK) sb_free(q);
    }
    SB_TRY(sb_agree(c, st));
    *queue_out = q;
    return SB_OK;
}

void sb_queue_close(sb_queue *q)
{
    if (!q) return;
    sb_free(q->all);
    sb_free(q);
}

const sb_done *sb_queue_progress(const sb_queue *q)
{
    return q->all;
}

/* ---- rank 0 -------------------------------------------------------------- */

static uint64_t take(sb_queue *q)
{
    return q->next < q->tasks ? q->next++ : NO_TASK;
}

static void answer(sb_queue *q)
{
    note n;
    MPI_Status from;
    sb_mpi_check(q->c,
                 MPI_Recv(&n, sizeof n, MPI_BYTE, MPI_ANY_SOURCE, TAG_NOTE,
                          q->c->all, &from),
                 "MPI_Recv");
    q->all[from.MPI_SOURCE] = n.done;
    if (n.stops) q->next = q->tasks;
    if (!n.wants) return;
    uint64_t task = take(q);
    if (task == NO_TASK) q->waiting--;
    sb_mpi_check(q->c,
                 MPI_Send(&task, sizeof task, MPI_BYTE, from.MPI_SOURCE,
                          TAG_TASK, q->c->all),
                 "MPI_Send");
}

static int has_mail(sb_queue *q)
{
    int yes = 0;
    sb_mpi_check(q->c,
                 MPI_Iprobe(MPI_ANY_SOURCE, TAG_NOTE, q->c->all, &yes,
                            MPI_STATUS_IGNORE),
                 "MPI_Iprobe");
    return yes;
}

/* ---- the others ---------------------------------------------------------- */

static void tell(sb_queue *q, int wants)
{
    note n = {(uint64_t)wants, (uint64_t)q->stopped, q->mine};
    sb_mpi_check(q->c, MPI_Send(&n, sizeof n, MPI_BYTE, 0, TAG_NOTE, q->c->all),
                 "MPI_Send");
}

static uint64_t ask(sb_queue *q)
{
    uint64_t task;
    double t = sb_mpi_waits();
    tell(q, 1);
    MPI_Request answer;
    sb_mpi_check(q->c,
                 MPI_Irecv(&task, sizeof task, MPI_BYTE, 0, TAG_TASK, q->c->all,
                           &answer),
                 "MPI_Irecv");
    sb_mpi_wait(q->c, &answer, 1);
    sb_mpi_waited(q->c, t);
    return task;
}

/* ---- everybody ----------------------------------------------------------- */

int sb_queue_next(sb_queue *q, size_t *task_out)
{
    if (q->over) return 0;
    uint64_t task = q->c->rank == 0 ? take(q) : ask(q);
    if (task == NO_TASK) {
        q->over = 1;
        return 0;
    }
    *task_out = (size_t)task;
    return 1;
}

void sb_queue_report(sb_queue *q, sb_done mine)
{
    double now = sb_now();
    sb_life_beat();
    q->mine = mine;
    if (q->c->rank == 0) q->all[0] = mine;
    if (now - q->last < (q->c->rank == 0 ? SERVE_SECONDS : REPORT_SECONDS))
        return;
    q->last = now;
    sb_life_wait(1);
    if (q->c->rank != 0)
        tell(q, 0);
    else
        while (q->waiting > 0 && has_mail(q)) answer(q);
    sb_life_wait(0);
}

void sb_queue_stop(sb_queue *q)
{
    q->stopped = 1;
    if (q->c->rank == 0) q->next = q->tasks;
}

void sb_queue_finish(sb_queue *q, void (*progress)(void *arg), void *arg)
{
    size_t ignored;
    struct timespec nap = {0, 200000};
    if (q->c->rank != 0 && !q->over) {
        q->stopped = 1; /* a task that crosses this note is nobody's */
        while (sb_queue_next(q, &ignored)) continue;
    }
    double shown = sb_mpi_waits();
    while (q->c->rank == 0 && q->waiting > 0) {
        if (has_mail(q))
            answer(q);
        else
            nanosleep(&nap, NULL);
        if (!progress || sb_now() - shown < PATIENT_SECONDS) continue;
        shown = sb_now();
        progress(arg);
    }
    sb_life_wait(0);
}
