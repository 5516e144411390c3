/* SPDX-License-Identifier: MIT
 * flight.c - MPI requests, in pieces that MPI can count. */
#include "comm/flight.h"

#include <stdlib.h>

#include "comm/agree.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/internal.h"

sb_status sb_flight_open(sb_comm *c, int tag, sb_flight **flight_out)
{
    sb_flight *f;
    SB_TRY(sb_alloc(1, sizeof *f, "messages", &f));
    f->comm = c;
    f->tag = tag;
    *flight_out = f;
    return SB_OK;
}

void sb_flight_close(sb_flight *f)
{
    if (!f) return;
    free(f->request);
    sb_free(f);
}

static MPI_Request *new_request(sb_flight *f)
{
    if (sb_grow(&f->request, &f->cap, f->n + 1, sizeof *f->request,
                "message handles") != SB_OK)
        sb_fatal(f->comm);
    return &f->request[f->n++];
}

void sb_flight_send(sb_flight *f, const void *buf, size_t bytes, int to)
{
    sb_comm *c = f->comm;
    const char *p = buf;
    size_t piece = sb_mpi_piece();
    c->sent += bytes;
    for (size_t n; bytes; bytes -= n, p += n) {
        n = bytes < piece ? bytes : piece;
        sb_mpi_check(
            c,
            MPI_Isend(p, (int)n, MPI_BYTE, to, f->tag, c->all, new_request(f)),
            "MPI_Isend");
    }
}

void sb_flight_recv(sb_flight *f, void *buf, size_t bytes, int from)
{
    sb_comm *c = f->comm;
    char *p = buf;
    size_t piece = sb_mpi_piece();
    for (size_t n; bytes; bytes -= n, p += n) {
        n = bytes < piece ? bytes : piece;
        sb_mpi_check(c,
                     MPI_Irecv(p, (int)n, MPI_BYTE, from, f->tag, c->all,
                               new_request(f)),
                     "MPI_Irecv");
    }
}

/* From the next rank on, so that not all send to rank 0 first. */
void sb_flight_gather(sb_flight *f, void *buf, const size_t *cut)
{
    char *p = buf;
    int me = sb_comm_rank(f->comm), size = sb_comm_size(f->comm);
    for (int k = 1; k < size; k++) {
        int from = (me + size - k) % size;
        sb_flight_recv(f, p + cut[from], cut[from + 1] - cut[from], from);
    }
    for (int k = 1; k < size; k++)
        sb_flight_send(f, p + cut[me], cut[me + 1] - cut[me], (me + k) % size);
}

int sb_flight_done(sb_flight *f)
{
    int done = 1;
    if (f->n)
        sb_mpi_check(
            f->comm,
            MPI_Testall((int)f->n, f->request, &done, MPI_STATUSES_IGNORE),
            "MPI_Testall");
    if (done) f->n = 0;
    return done;
}

void sb_flight_wait(sb_flight *f)
{
    double t = sb_mpi_waits();
    sb_mpi_wait(f->comm, f->request, f->n);
    f->n = 0;
    sb_mpi_waited(f->comm, t);
}
