/* SPDX-License-Identifier: MIT
 * internal.h - what the files of comm/ share: the communicator itself. */
#ifndef SB_COMM_INTERNAL_H
#define SB_COMM_INTERNAL_H

#include <mpi.h>

#include "comm/comm.h"

struct sb_comm {
    MPI_Comm all;
    int rank, size;
    int world_rank, world_size; /* in the whole job: for messages to people */
    int patient;
    char host[64];
    MPI_Request *request;
    size_t requests, request_cap;
    double seconds;
    uint64_t sent;
};

/* Ends the job unless rc is MPI_SUCCESS. */
void sb_mpi_check(sb_comm *c, int rc, const char *call);

/* Ends when all n requests are done. Everything that waits for another rank
 * waits here, and so naps where the communicator is patient. */
void sb_mpi_wait(sb_comm *c, MPI_Request *request, size_t n);

#endif
