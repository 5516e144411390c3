/* SPDX-License-Identifier: MIT
 * Ranks that hang in all ways, for stall.sh.
 * usage: fault_stall MODE RANK MINUTES */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/agree.h"
#include "comm/base/life.h"
#include "comm/base/log.h"
#include "comm/flight.h"
#include "comm/watchdog.h"

static sb_comm *comm;
static int rank, bad;

static void compute_for_ever(void)
{
    for (volatile unsigned i = 0;; i++) continue;
}

/* Longer than the limit. */
static void work_for_long(double minutes)
{
    double end = sb_now() + 1.5 * 60 * minutes;
    while (sb_now() < end) sb_life_beat();
}

/* All wait for a message that nobody sends. */
static void wait_for_ever(void)
{
    sb_flight *f;
    char byte;
    if (sb_flight_open(comm, 1, &f) != SB_OK) sb_fatal(comm);
    sb_flight_recv(f, &byte, 1, (rank + 1) % sb_comm_size(comm));
    sb_flight_wait(f);
}

static void play(const char *mode, double minutes)
{
    int work = strcmp(mode, "work") == 0;
    sb_life_at("stall: act", 7);
    if (strcmp(mode, "knot") == 0) wait_for_ever();
    if (rank == bad && work) work_for_long(minutes);
    if (rank == bad && !work && strcmp(mode, "end") != 0) compute_for_ever();
    sb_comm_barrier(comm);
    if (rank == bad && !work) compute_for_ever();
}

int main(int argc, char **argv)
{
    sb_watchdog *w;
    if (argc != 4 || sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    const char *mode = argv[1];
    bad = atoi(argv[2]);
    rank = sb_comm_rank(comm);
    sb_log_open(rank, SB_LOG_INFO);
    if (strcmp(mode, "unseen") == 0 && rank == bad &&
        unshare(CLONE_NEWNET) != 0) /* a firewall on all sides */
        return 77;
    if (sb_watchdog_open(comm, atof(argv[3]), &w) != SB_OK) sb_fatal(comm);
    play(mode, atof(argv[3]));
    sb_comm_close(comm);
    sb_watchdog_close(w);
    return 0;
}
