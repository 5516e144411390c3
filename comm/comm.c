/* SPDX-License-Identifier: MIT
 * comm.c - MPI behind 64-bit counts. */
#include "comm/comm.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/life.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/internal.h"

/* The most bytes one MPI call moves per rank, and the most one collective may
 * gather before a ring of messages takes over (MPI's displacements are ints).
 * Tests lower both: SB_COMM_PIECE. */
static size_t piece = (size_t)1 << 28;

size_t sb_mpi_piece(void)
{
    return piece;
}

void sb_mpi_check(sb_comm *c, int rc, const char *call)
{
    if (rc == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING] = "";
    int n = 0;
    MPI_Error_string(rc, text, &n);
    sb_fail(SB_EMPI, __FILE__, __LINE__, "%s: %s", call, text);
    sb_fatal(c);
}

sb_status sb_comm_open(int *argc, char ***argv, sb_comm **comm_out)
{
    sb_comm *c;
    SB_TRY(sb_alloc(1, sizeof *c, "communicator", &c));
    gethostname(c->host, sizeof c->host - 1);
    int given = 0;
    if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &given) !=
        MPI_SUCCESS) {
        sb_free(c);
        SB_FAIL(SB_EMPI, "MPI does not start");
    }
    c->all = MPI_COMM_WORLD;
    c->flight.comm = c;
    MPI_Comm_set_errhandler(c->all, MPI_ERRORS_RETURN);
    MPI_Comm_rank(c->all, &c->rank);
    MPI_Comm_size(c->all, &c->size);
    const char *limit = getenv("SB_COMM_PIECE");
    if (limit && atol(limit) > 0) piece = (size_t)atol(limit);
    c->world_rank = c->rank;
    c->world_size = c->size;
    sb_fault_rank(c->rank);
    *comm_out = c;
    if (given >= MPI_THREAD_FUNNELED) return SB_OK;
    sb_fail(SB_EMPI, __FILE__, __LINE__,
            "this MPI has no support for threads (MPI_THREAD_FUNNELED)");
    sb_fatal(c);
}

void sb_comm_close(sb_comm *c)
{
    sb_life_at("the end", SB_LIFE_PLAIN);
    sb_comm_barrier(c); /* mpirun may crash if it ends a job in MPI_Finalize */
    sb_life_wait(1);
    MPI_Finalize();
    sb_life_wait(0);
    free(c->flight.request);
    sb_free(c);
}

int sb_comm_rank(const sb_comm *c)
{
    return c->rank;
}

int sb_comm_size(const sb_comm *c)
{
    return c->size;
}

double sb_comm_seconds(const sb_comm *c)
{
    double s = 0;
    for (int i = 0; i < SB_COMM_CAUSES; i++) s += c->seconds[i];
    return s;
}

void sb_comm_cause(sb_comm *c, int cause)
{
    c->cause = cause;
}

double sb_comm_waited(const sb_comm *c, int cause)
{
    return c->seconds[cause];
}

double sb_mpi_waits(void)
{
    sb_life_wait(1);
    return sb_now();
}

void sb_mpi_waited(sb_comm *c, double since)
{
    sb_life_wait(0);
    c->seconds[c->cause] += sb_now() - since;
}

uint64_t sb_comm_sent(const sb_comm *c)
{
    return c->sent;
}

/* ---- waiting ------------------------------------------------------------- */

enum { NAP_MIN = 5000, NAP_MAX = 200000 }; /* nanoseconds */

void sb_comm_patient(sb_comm *c, int on)
{
    c->patient = on;
}

/* Until the request is done. Naps grow from *nap on. */
static void nap_until(sb_comm *c, MPI_Request *request, long *nap)
{
    for (;;) {
        int done = 0;
        sb_mpi_check(c, MPI_Test(request, &done, MPI_STATUS_IGNORE),
                     "MPI_Test");
        if (done) return;
        nanosleep(&(struct timespec){.tv_nsec = *nap}, NULL);
        *nap = 2 * *nap < NAP_MAX ? 2 * *nap : NAP_MAX;
    }
}

void sb_mpi_wait(sb_comm *c, MPI_Request *request, size_t n)
{
    long nap = NAP_MIN;
    for (size_t i = 0; i < n; i++) {
        if (c->patient)
            nap_until(c, &request[i], &nap);
        else
            sb_mpi_check(c, MPI_Wait(&request[i], MPI_STATUS_IGNORE),
                         "MPI_Wait");
        sb_life_beat();
    }
}

/* A non-blocking collective, and waiting for it. */
#define BEGIN_AND_WAIT(c, begin, ...)                                          \
    do {                                                                       \
        MPI_Request request_ = MPI_REQUEST_NULL;                               \
        sb_mpi_check((c), begin(__VA_ARGS__, &request_), #begin);              \
        sb_mpi_wait((c), &request_, 1);                                        \
    } while (0)

/* A blocking collective, or its non-blocking twin where c is patient. */
#define COLLECTIVE(c, call, begin, ...)                                        \
    do {                                                                       \
        if ((c)->patient)                                                      \
            BEGIN_AND_WAIT((c), begin, __VA_ARGS__);                           \
        else                                                                   \
            sb_mpi_check((c), call(__VA_ARGS__), #call);                       \
    } while (0)

/* ---- collectives --------------------------------------------------------- */

void sb_comm_barrier(sb_comm *c)
{
    double t = sb_mpi_waits();
    COLLECTIVE(c, MPI_Barrier, MPI_Ibarrier, c->all);
    sb_mpi_waited(c, t);
}

void sb_comm_bcast(sb_comm *c, void *buf, size_t bytes, int root)
{
    double t = sb_mpi_waits();
    char *p = buf;
    for (size_t n; bytes; bytes -= n, p += n) {
        n = bytes < piece ? bytes : piece;
        COLLECTIVE(c, MPI_Bcast, MPI_Ibcast, p, (int)n, MPI_BYTE, root, c->all);
        if (c->rank == root && c->size > 1) c->sent += n;
    }
    sb_mpi_waited(c, t);
}

/* Doubles go through the non-blocking call always: MPI adds in another order
 * there, and patience must not change a bit. */
static void allreduce(sb_comm *c, void *x, size_t n, MPI_Datatype type,
                      MPI_Op op)
{
    double t = sb_mpi_waits();
    char *p = x;
    size_t most = piece / 8 ? piece / 8 : 1;
    for (size_t k; n; n -= k, p += 8 * k) {
        k = n < most ? n : most;
        if (type == MPI_DOUBLE)
            BEGIN_AND_WAIT(c, MPI_Iallreduce, MPI_IN_PLACE, p, (int)k, type, op,
                           c->all);
        else
            COLLECTIVE(c, MPI_Allreduce, MPI_Iallreduce, MPI_IN_PLACE, p,
                       (int)k, type, op, c->all);
        if (c->size > 1) c->sent += 8 * k;
    }
    sb_mpi_waited(c, t);
}

void sb_comm_sum_u64(sb_comm *c, uint64_t *x, size_t n)
{
    allreduce(c, x, n, MPI_UINT64_T, MPI_SUM);
}

void sb_comm_max_u64(sb_comm *c, uint64_t *x, size_t n)
{
    allreduce(c, x, n, MPI_UINT64_T, MPI_MAX);
}

void sb_comm_sum_f64(sb_comm *c, double *x, size_t n)
{
    allreduce(c, x, n, MPI_DOUBLE, MPI_SUM);
}

int sb_comm_same(sb_comm *c, uint64_t x)
{
    uint64_t most[2] = {x, ~x}; /* largest, and complement of the smallest */
    sb_comm_max_u64(c, most, 2);
    return most[0] == ~most[1];
}

/* ---- gathers ------------------------------------------------------------- */

/* Every rank passes its newest part to the right, size - 1 times. */
static void ring(sb_comm *c, char *buf, const size_t *cut)
{
    int right = (c->rank + 1) % c->size;
    int left = (c->rank + c->size - 1) % c->size;
    for (int s = 0; s < c->size - 1; s++) {
        int out = (c->rank - s + c->size) % c->size;
        int in = (out - 1 + c->size) % c->size;
        sb_flight_recv(&c->flight, buf + cut[in], cut[in + 1] - cut[in], left);
        sb_flight_send(&c->flight, buf + cut[out], cut[out + 1] - cut[out],
                       right);
        sb_flight_wait(&c->flight);
    }
}

void sb_comm_gather_cut(sb_comm *c, void *buf, const size_t *cut)
{
    if (c->size == 1) return;
    if (cut[c->size] - cut[0] > piece) {
        ring(c, buf, cut);
        return;
    }
    double t = sb_mpi_waits();
    int *n;
    if (sb_alloc(2 * (size_t)c->size, sizeof *n, "gather counts", &n) != SB_OK)
        sb_fatal(c);
    int *at = n + c->size;
    for (int r = 0; r < c->size; r++) {
        n[r] = (int)(cut[r + 1] - cut[r]);
        at[r] = (int)(cut[r] - cut[0]);
    }
    COLLECTIVE(c, MPI_Allgatherv, MPI_Iallgatherv, MPI_IN_PLACE, 0,
               MPI_DATATYPE_NULL, (char *)buf + cut[0], n, at, MPI_BYTE,
               c->all);
    c->sent += (size_t)n[c->rank] * (size_t)(c->size - 1);
    sb_free(n);
    sb_mpi_waited(c, t);
}

void sb_comm_gather(sb_comm *c, const void *send, size_t bytes, void *recv)
{
    size_t *cut;
    if (sb_alloc((size_t)c->size + 1, sizeof *cut, "gather offsets", &cut) !=
        SB_OK)
        sb_fatal(c);
    for (int r = 0; r <= c->size; r++) cut[r] = bytes * (size_t)r;
    memcpy((char *)recv + cut[c->rank], send, bytes);
    sb_comm_gather_cut(c, recv, cut);
    sb_free(cut);
}

/* ---- exchange ------------------------------------------------------------ */

void sb_comm_exchange_counts(sb_comm *c, const size_t *send_n, size_t *recv_n)
{
    double t = sb_mpi_waits();
    COLLECTIVE(c, MPI_Alltoall, MPI_Ialltoall, send_n, sizeof(size_t), MPI_BYTE,
               recv_n, sizeof(size_t), MPI_BYTE, c->all);
    c->sent += sizeof(size_t) * (size_t)(c->size - 1);
    sb_mpi_waited(c, t);
}

/* Messages rather than MPI_Alltoallv: its int displacements overflow, and
 * Open MPI's own does the same pairwise sends underneath. */
void sb_comm_exchange(sb_comm *c, size_t item, const void *send,
                      const size_t *send_n, void *recv, const size_t *recv_n)
{
    const char *from = send;
    char *to = recv;
    const char *mine = NULL;
    for (int r = 0; r < c->size; r++) {
        if (r != c->rank)
            sb_flight_send(&c->flight, from, send_n[r] * item, r);
        else
            mine = from;
        from += send_n[r] * item;
    }
    for (int r = 0; r < c->size; r++) {
        size_t bytes = recv_n[r] * item;
        if (r != c->rank)
            sb_flight_recv(&c->flight, to, bytes, r);
        else if (bytes)
            memcpy(to, mine, bytes);
        to += bytes;
    }
    sb_flight_wait(&c->flight);
}
