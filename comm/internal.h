/* SPDX-License-Identifier: MIT
 * internal.h - what the files of comm/ share: the communicator itself. */
#ifndef SB_COMM_INTERNAL_H
#define SB_COMM_INTERNAL_H

#include <mpi.h>

#include "comm/comm.h"
#include "comm/flight.h"

struct sb_flight {
    sb_comm *comm;
    int tag;
    MPI_Request *request;
    size_t n, cap;
};

struct sb_comm {
    MPI_Comm all;
    int rank, size;
    int world_rank, world_size; /* in the whole job: for messages to people */
    int patient;
    char host[64];
    sb_flight flight; /* of comm.c's own messages: tag 0 */
    int cause;
    double seconds[SB_COMM_CAUSES]; /* waited, by cause */
    uint64_t sent;
};

/* Ends the job unless rc is MPI_SUCCESS. */
void sb_mpi_check(sb_comm *c, int rc, const char *call);

/* Ends when all n requests are done. Everything that waits for another rank
 * waits here, and so naps where the communicator is patient. */
void sb_mpi_wait(sb_comm *c, MPI_Request *request, size_t n);

/* The most bytes one MPI call moves per rank. */
size_t sb_mpi_piece(void);

/* Around a call that may wait for other ranks: its time is counted, and a
 * watchdog need not see this rank move in it. */
double sb_mpi_waits(void);
void sb_mpi_waited(sb_comm *c, double since);

#endif
