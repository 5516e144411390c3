/* SPDX-License-Identifier: MIT
 * Messages beside MPI: they come to rank 0 and back, those of strangers are
 * dropped, and a watchdog does nothing to ranks that are well. */
#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/lifeline.h"
#include "comm/watchdog.h"
#include "tests/mpi/check.h"

static int rank, size;

#define A_WHILE 20.0 /* seconds: a machine may be busy */

static sb_life life_of(int r)
{
    sb_life l = {.beats = 100 + (uint64_t)r, .waiting = r % 2 != 0};
    memset(l.where, 'a' + r, 10);
    return l;
}

static void check_pulse(const sb_pulse *p, int from, sb_pulse_kind kind)
{
    sb_life l = life_of(from);
    CHECK((int)p->rank == from && p->kind == (uint32_t)kind);
    CHECK(p->life.beats == l.beats && p->life.waiting == l.waiting);
    CHECK(strcmp(p->life.where, l.where) == 0);
}

/* Everybody writes until the answer is there. */
static void write_until_answered(sb_lifeline *l)
{
    sb_life me = life_of(rank);
    double end = sb_now() + A_WHILE;
    int answered = 0;
    for (sb_pulse p; !answered && sb_now() < end;) {
        sb_lifeline_send(l, 0, SB_PULSE_LIFE, &me);
        answered = sb_lifeline_receive(l, 0.05, &p);
        if (answered) check_pulse(&p, 0, SB_PULSE_LEAVE);
    }
    CHECK(answered);
}

static void answer_all(sb_lifeline *l)
{
    sb_life me = life_of(0);
    int *heard, n = 1;
    double end = sb_now() + A_WHILE;
    OK(sb_alloc((size_t)size, sizeof *heard, "test", &heard));
    for (sb_pulse p; n < size && sb_now() < end;) {
        if (!sb_lifeline_receive(l, 0.5, &p)) continue;
        check_pulse(&p, (int)p.rank, SB_PULSE_LIFE);
        n += !heard[p.rank]++;
        sb_lifeline_send(l, (int)p.rank, SB_PULSE_LEAVE, &me);
    }
    CHECK(n == size);
    sb_free(heard);
}

static void messages_come_and_are_answered(sb_lifeline *l)
{
    if (rank == 0)
        answer_all(l);
    else
        write_until_answered(l);
}

/* As it would look like if it were ours, but for one thing. */
static void send_wrong(int fd, unsigned port, int which)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char bytes[sizeof(sb_pulse) + 8] = {0};
    sb_pulse p = {.kind = SB_PULSE_END,
                  .rank = 1,
                  .size = (uint32_t)size,
                  .token = 12345};
    memcpy(bytes, &p, sizeof p);
    size_t n = which == 0   ? sizeof p
               : which == 1 ? sizeof p - 1
               : which == 2 ? sizeof bytes
                            : 0;
    CHECK(sendto(fd, bytes, n, 0, (struct sockaddr *)&to, sizeof to) ==
          (ssize_t)n);
}

static void strangers_are_not_heard(sb_lifeline *l)
{
    unsigned port = sb_lifeline_port(l);
    CHECK((port != 0) == (size > 1));
    sb_comm_barrier(comm);
    sb_pulse p;
    while (sb_lifeline_receive(l, 0.2, &p)) continue;
    if (rank == 0 && port) {
        int fd = socket(AF_INET, SOCK_DGRAM, 0);
        CHECK(fd >= 0);
        for (int i = 0; i < 4; i++) send_wrong(fd, port, i);
        CHECK(!sb_lifeline_receive(l, 0.2, &p));
        close(fd);
    }
    sb_comm_barrier(comm);
}

static void *wake(void *arg)
{
    sb_lifeline_wake(arg);
    return NULL;
}

static void who_waits_can_be_woken(sb_lifeline *l)
{
    pthread_t t;
    sb_pulse p;
    double start = sb_now();
    CHECK(pthread_create(&t, NULL, wake, l) == 0);
    CHECK(!sb_lifeline_receive(l, 1000, &p));
    CHECK(sb_now() - start < 500);
    CHECK(pthread_join(t, NULL) == 0);
}

static void those_who_are_well_are_left_alone(void)
{
    sb_watchdog *w, *none;
    OK(sb_watchdog_open(comm, 0, &none));
    CHECK(none == NULL);
    sb_watchdog_close(none);
    OK(sb_watchdog_open(comm, 10, &w));
    sb_comm_barrier(comm);
    double start = sb_now();
    sb_watchdog_close(w);
    CHECK(sb_now() - start < 500); /* seconds: it does not wait for the limit */
}

int main(int argc, char **argv)
{
    sb_lifeline *l;
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    rank = sb_comm_rank(comm);
    size = sb_comm_size(comm);
    OK(sb_lifeline_open(comm, 1, &l));
    messages_come_and_are_answered(l);
    strangers_are_not_heard(l);
    who_waits_can_be_woken(l);
    sb_lifeline_close(l);
    those_who_are_well_are_left_alone();
    sb_comm_close(comm);
    return 0;
}
