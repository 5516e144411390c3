/* SPDX-License-Identifier: MIT
 * check.h - assertions under MPI: a failed one ends all ranks at once, so that
 * none waits for it. */
#ifndef SB_TESTS_MPI_CHECK_H
#define SB_TESTS_MPI_CHECK_H

#include "comm/agree.h"
#include "comm/comm.h"

static sb_comm *comm;

#define CHECK(cond)                                                            \
    do {                                                                       \
        if (!(cond)) {                                                         \
            sb_fail(SB_EBUG, __FILE__, __LINE__, "CHECK(%s)", #cond);          \
            sb_fatal(comm);                                                    \
        }                                                                      \
    } while (0)

/* A call that must succeed; its own message is shown if it does not. */
#define OK(call)                                                               \
    do {                                                                       \
        if ((call) != SB_OK) sb_fatal(comm);                                   \
    } while (0)

#endif
