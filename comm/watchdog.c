/* SPDX-License-Identifier: MIT
 * watchdog.c - the thread that watches. */
#include "comm/watchdog.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "comm/agree.h"
#include "comm/base/life.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/internal.h"
#include "comm/lifeline.h"
#include "comm/roll.h"

#define TICK_MOST       2.0 /* seconds between two messages */
#define TURN_SECONDS    4.0 /* mpirun ends a job in 1 to 2 */
#define CONTACT_SECONDS 15. /* until a rank that was not heard of is told of */
enum { TURNS = 12, LAST_SECONDS = 3 };

struct sb_watchdog {
    struct sb_comm self; /* for messages: rank, size, host */
    char (*host)[sizeof(((sb_comm *)0)->host)]; /* [size] */
    double tick, opened;
    sb_roll roll; /* rank 0: of all ranks; the others: of rank 0 */
    sb_lifeline *line;
    pthread_t thread;
    int runs, stop; /* there is a thread; it shall end (atomic) */
    int warned;
};

/* ---- the end of the run -------------------------------------------------- */

static void leave(int signal_number)
{
    (void)signal_number;
    _exit(sb_status_exit(SB_EMPI));
}

/* Printing may block for ever: standard error may be what hangs. */
static void leave_soon(void)
{
    struct sigaction a = {.sa_handler = leave};
    sigset_t alarms;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    sigaction(SIGALRM, &a, NULL);
    pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
    alarm(LAST_SECONDS);
}

/* ", nor of 3 other ranks", or nothing. */
static void others_text(int n, char *text, size_t room)
{
    text[0] = 0;
    if (n == 1) snprintf(text, room, ", nor of another rank");
    if (n > 1) snprintf(text, room, ", nor of %d other ranks", n);
}

/* Ranks besides `rank` that may be silent for the same reason. */
static int also_silent(const sb_watchdog *w, int rank, double now)
{
    const sb_roll *r = &w->roll;
    int n = 0;
    for (int i = 0; i < r->size; i++) {
        const sb_roll_rank *x = &r->rank[i];
        n += i != rank && x->seen && !x->done && now - x->heard > r->limit / 2;
    }
    return n;
}

static void describe(const sb_watchdog *w, sb_verdict v, int rank,
                     const char *time, double now)
{
    const char *where = w->roll.rank[rank].life.where;
    int waits = w->roll.rank[rank].life.waiting != 0, first;
    char others[40];
    switch (v) {
    case SB_ROLL_SILENT:
        others_text(also_silent(w, rank, now), others, sizeof others);
        sb_fail(SB_EMPI, __FILE__, __LINE__,
                "no sign of life for %s%s; last seen in %s%s", time, others,
                where, waits ? ", waiting for others" : "");
        sb_hint("was it stopped, is its host down, or the network cut? the "
                "same command goes on from the last saved state");
        break;
    case SB_ROLL_STANDS:
        sb_fail(SB_EMPI, __FILE__, __LINE__,
                "alive, but has not moved for %s; it is in %s", time, where);
        sb_hint("look at that host's disks and memory; --stall-minutes allows "
                "longer pauses; the same command goes on from the last saved "
                "state");
        break;
    case SB_ROLL_UNSEEN:
        others_text(sb_roll_unseen(&w->roll, &first) - 1, others,
                    sizeof others);
        sb_fail(SB_EMPI, __FILE__, __LINE__,
                "not heard of since the start%s, and all that are watched have "
                "waited for %s",
                others, time);
        sb_hint("it hangs, or the network that MPI uses is cut; the same "
                "command goes on from the last saved state");
        break;
    default:
        sb_fail(SB_EMPI, __FILE__, __LINE__,
                "all ranks have waited for each other for %s, this one in %s",
                time, where);
        sb_hint("is the network that MPI uses cut? the same command goes on "
                "from the last saved state");
    }
}

/* One message, and the end of all ranks that can be reached. */
static _Noreturn void end(sb_watchdog *w, sb_verdict v, int rank,
                          double seconds, double now)
{
    const sb_life life = sb_life_now();
    leave_soon();
    describe(w, v, rank, sb_seconds_text(seconds), now);
    sb_error e = *sb_error_last();
    e.rank = rank;
    memcpy(e.host, w->host[rank], sizeof e.host);
    sb_error_print(&w->self, &e);
    for (int i = 0; i < w->roll.size; i++)
        sb_lifeline_send(w->line, i, SB_PULSE_END, &life);
    _exit(sb_status_exit(e.code));
}

/* ---- the thread ---------------------------------------------------------- */

static void take(sb_watchdog *w, const sb_pulse *p)
{
    if (p->kind == SB_PULSE_END) leave(0);
    if (p->kind == SB_PULSE_LEAVE) {
        sb_roll_leave(&w->roll, (int)p->rank);
        return;
    }
    sb_roll_hear(&w->roll, (int)p->rank, &p->life, sb_now());
    if (w->self.rank != 0) return;
    const sb_life life = sb_life_now();
    sb_lifeline_send(w->line, (int)p->rank, SB_PULSE_LIFE, &life);
}

/* Rank 0, once: who is not watched. */
static void warn_of_unseen(sb_watchdog *w, double now)
{
    double patience = w->roll.limit / 2 < CONTACT_SECONDS ? w->roll.limit / 2
                                                          : CONTACT_SECONDS;
    int first, n;
    if (w->warned || now - w->opened < patience) return;
    w->warned = 1;
    if (!(n = sb_roll_unseen(&w->roll, &first))) return;
    sb_log(SB_LOG_WARN,
           "%d of %d ranks cannot be watched, the first is rank %d (%s): no "
           "UDP message of theirs comes to port %u of %s; if one of them "
           "hangs, the message will be less exact",
           n, w->roll.size, first, w->host[first], sb_lifeline_port(w->line),
           w->self.host);
}

static void look(sb_watchdog *w, double now)
{
    const sb_life life = sb_life_now();
    int first = w->self.rank == 0, rank;
    double seconds;
    if (first) {
        sb_roll_hear(&w->roll, 0, &life, now);
        warn_of_unseen(w, now);
    } else {
        sb_lifeline_send(w->line, 0, SB_PULSE_LIFE, &life);
    }
    sb_verdict v = sb_roll_judge(&w->roll, now, &rank, &seconds);
    if (v == SB_ROLL_SILENT || (first && v != SB_ROLL_WELL))
        end(w, v, rank, seconds, now);
}

static int stopped(const sb_watchdog *w)
{
    return __atomic_load_n(&w->stop, __ATOMIC_RELAXED);
}

/* Messages until the next look is due. */
static void listen_until(sb_watchdog *w, double due)
{
    sb_pulse p;
    for (double left; !stopped(w) && (left = due - sb_now()) > 0;)
        if (sb_lifeline_receive(w->line, left, &p)) take(w, &p);
}

static void *watch(void *arg)
{
    sb_watchdog *w = arg;
    double last = sb_now();
    while (!stopped(w)) {
        double now = sb_now();
        if (now - last > w->tick + w->roll.limit / 2)
            sb_roll_forgive(&w->roll, now);
        last = now;
        look(w, now);
        listen_until(w, now + w->tick);
    }
    const sb_life life = sb_life_now();
    for (int i = 0; i < w->roll.size; i++)
        sb_lifeline_send(w->line, i, SB_PULSE_LEAVE, &life);
    return NULL;
}

/* ---- open and close ------------------------------------------------------ */

/* When rank 0 is silent, how many seconds later than others this rank speaks.
 * The ranks of rank 0's host come last: their host may be what is cut off. */
static double turn_of(const sb_watchdog *w)
{
    int me = w->self.rank, turn = 1;
    int near = strcmp(w->host[me], w->host[0]) == 0;
    for (int i = 1; i < w->self.size; i++) {
        int too = strcmp(w->host[i], w->host[0]) == 0;
        turn += too < near || (too == near && i < me);
    }
    return TURN_SECONDS * (turn < TURNS ? turn : TURNS);
}

static sb_status open_local(const sb_comm *c, double minutes, sb_watchdog *w)
{
    double limit = 60 * minutes;
    w->self = (struct sb_comm){.rank = c->rank,
                               .size = c->size,
                               .world_rank = c->world_rank,
                               .world_size = c->world_size};
    memcpy(w->self.host, c->host, sizeof c->host);
    w->tick = limit / 10 < TICK_MOST ? limit / 10 : TICK_MOST;
    SB_TRY(sb_roll_open(c->rank ? 1 : c->size, limit, &w->roll));
    return sb_alloc((size_t)c->size, sizeof *w->host, "names of hosts",
                    &w->host);
}

/* Signals are the main thread's business. */
static void start(sb_watchdog *w)
{
    sigset_t all, old;
    sigfillset(&all);
    w->opened = sb_now();
    pthread_sigmask(SIG_SETMASK, &all, &old);
    w->runs = pthread_create(&w->thread, NULL, watch, w) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!w->runs)
        sb_log(SB_LOG_WARN, "no thread can be started to watch the ranks: a "
                            "rank that hangs will not be noticed");
}

sb_status sb_watchdog_open(sb_comm *c, double minutes, sb_watchdog **w_out)
{
    sb_watchdog *w = NULL;
    *w_out = NULL;
    if (minutes <= 0) return SB_OK;
    sb_status st = sb_alloc(1, sizeof *w, "watchdog", &w);
    if (st == SB_OK) st = open_local(c, minutes, w);
    st = sb_agree(c, st);
    if (st == SB_OK) {
        sb_comm_gather(c, c->host, sizeof c->host, w->host);
        if (c->rank) w->roll.limit += turn_of(w);
        int near = strcmp(c->host, w->host[0]) == 0;
        st = sb_lifeline_open(c, near, &w->line);
    }
    if (st == SB_OK) {
        start(w);
        *w_out = w;
    } else {
        sb_watchdog_close(w);
    }
    return st;
}

void sb_watchdog_close(sb_watchdog *w)
{
    if (!w) return;
    if (w->runs) {
        __atomic_store_n(&w->stop, 1, __ATOMIC_RELAXED);
        sb_lifeline_wake(w->line);
        pthread_join(w->thread, NULL);
    }
    sb_lifeline_close(w->line);
    sb_roll_close(&w->roll);
    sb_free(w->host);
    sb_free(w);
}
