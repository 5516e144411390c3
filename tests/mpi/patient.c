/* SPDX-License-Identifier: MIT
 * Patience changes no bit, and who waits patiently leaves the core to others
 * (tests/mpi/comm.c runs all calls both ways). */
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "comm/base/rng.h"
#include "tests/mpi/check.h"

static int rank, size;

/* Sums whose bits depend on the order, and every other call, hashed. */
static uint64_t bits_of_everything(size_t n)
{
    sb_rng_key key = sb_rng_key_make(3, SB_RNG_TEST);
    double *x, *all;
    OK(sb_alloc(n, sizeof *x, "test", &x));
    OK(sb_alloc(n * (size_t)size, sizeof *x, "test", &all));
    for (size_t i = 0; i < n; i++) {
        sb_rng4 b = sb_rng_at(key, (uint64_t)rank, (uint32_t)i, 1);
        x[i] =
            (double)sb_rng_unit(b.v[0]) / (1e-3 + (double)sb_rng_unit(b.v[1]));
    }
    sb_comm_gather(comm, x, n * sizeof *x, all);
    uint64_t h = sb_hash64(all, n * (size_t)size * sizeof *all);
    sb_comm_sum_f64(comm, x, n);
    h = 31 * h + sb_hash64(x, n * sizeof *x);
    sb_comm_max_u64(comm, &h, 1);
    sb_comm_bcast(comm, x, n * sizeof *x, size - 1);
    h = 31 * h + sb_hash64(x, n * sizeof *x);
    sb_free(all);
    sb_free(x);
    return h;
}

static void patience_changes_no_bit(void)
{
    static const size_t lengths[] = {1, 3, 17, 1000, 100000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        sb_comm_patient(comm, 0);
        uint64_t h = bits_of_everything(lengths[i]);
        CHECK(sb_comm_same(comm, h));
        for (int again = 0; again < 3; again++) {
            sb_comm_patient(comm, !(again % 2));
            CHECK(bits_of_everything(lengths[i]) == h);
        }
    }
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void waiting_burns_no_core(void)
{
    sb_comm_patient(comm, 1);
    sb_comm_barrier(comm);
    double before = cpu_seconds(), waited = sb_comm_seconds(comm);
    if (rank == 0) nanosleep(&(struct timespec){1, 0}, NULL);
    sb_comm_barrier(comm);
    CHECK(rank == 0 || sb_comm_seconds(comm) - waited > 0.8);
    CHECK(cpu_seconds() - before < 0.5);
}

int main(int argc, char **argv)
{
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    rank = sb_comm_rank(comm);
    size = sb_comm_size(comm);
    patience_changes_no_bit();
    waiting_burns_no_core();
    sb_comm_close(comm);
    return 0;
}
