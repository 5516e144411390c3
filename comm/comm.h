/* SPDX-License-Identifier: MIT
 * comm.h - the only door to MPI.
 *
 * Everything here is collective unless the comment says "local". Counts are
 * size_t and may exceed INT_MAX: calls are cut into pieces MPI can count. MPI
 * errors cannot be survived, so these functions do not return them: they end
 * the job through sb_fatal(). What they do return is the caller's mistake,
 * found before any message leaves.
 *
 * MPI 3.1 calls only; no MPI-IO, and of one-sided communication only memory
 * that ranks of one host share (why: see docs/architecture.md). Exact sums of
 * floats: comm/reduce.h. Groups of ranks and their memory: comm/group.h,
 * comm/shared.h.
 */
#ifndef SB_COMM_COMM_H
#define SB_COMM_COMM_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

typedef struct sb_comm sb_comm;

/* Start MPI (funneled threads). Call once, early in main. */
SB_MUST_USE sb_status sb_comm_open(int *argc, char ***argv, sb_comm **comm_out);
/* Wait for all ranks and stop MPI; frees c. */
void sb_comm_close(sb_comm *c);

int sb_comm_rank(const sb_comm *c); /* local; 0 <= rank < size     */
int sb_comm_size(const sb_comm *c); /* local; >= 1                 */

/* While on (0 or 1), this rank's waiting in calls on c naps between looks, 5
 * to 200 microseconds long, instead of burning a core that threads of the same
 * process could use. Results are the same bits; answers come later by a nap or
 * a few. Local, but all ranks must change it between the same two calls on c,
 * because a patient rank makes other MPI calls. Off at first. */
void sb_comm_patient(sb_comm *c, int on);

/* The first of the items [0, n) that `rank` of `size` owns when contiguous
 * ranges are dealt out evenly; rank == size gives n. Local. n < 2^53. */
static inline uint64_t sb_share(uint64_t n, int rank, int size)
{
    return (uint64_t)((__extension__(unsigned __int128) n) * (unsigned)rank /
                      (unsigned)size);
}

void sb_comm_barrier(sb_comm *c);

/* Copy `bytes` bytes of `buf` from `root` to every rank. */
void sb_comm_bcast(sb_comm *c, void *buf, size_t bytes, int root);

/* Sums and maxima over ranks, in place. Integers, or doubles whose sum need
 * not be the same for another number of ranks (times, counters). */
void sb_comm_sum_u64(sb_comm *c, uint64_t *x, size_t n);
void sb_comm_max_u64(sb_comm *c, uint64_t *x, size_t n);
void sb_comm_sum_f64(sb_comm *c, double *x, size_t n);

/* 1 on every rank if x is the same on all, else 0 on every rank. */
int sb_comm_same(sb_comm *c, uint64_t x);

/* The same number of bytes from every rank to every rank, in rank order:
 * recv holds size x bytes. */
void sb_comm_gather(sb_comm *c, const void *send, size_t bytes, void *recv);

/* Rank r's bytes [cut[r], cut[r + 1]) of `buf` to every rank, in place.
 * cut: [size + 1] byte offsets, equal on all ranks. */
void sb_comm_gather_cut(sb_comm *c, void *buf, const size_t *cut);

/* Variable exchange of items of `item` bytes. Rank r receives, in rank order,
 * what every rank addressed to r.
 *   send        items grouped by destination
 *   send_n      [size] items for each destination
 *   recv_n      [size] items from each source (see sb_comm_exchange_counts)
 *   recv        room for their sum */
void sb_comm_exchange(sb_comm *c, size_t item, const void *send,
                      const size_t *send_n, void *recv, const size_t *recv_n);
/* recv_n[s] <- what rank s has in its send_n for this rank. */
void sb_comm_exchange_counts(sb_comm *c, const size_t *send_n, size_t *recv_n);

/* Seconds this rank spent inside collectives and bytes it sent, since start. */
double sb_comm_seconds(const sb_comm *c);
/* What the calls from now on wait for: a number of the caller's, below
 * SB_COMM_CAUSES, 0 at first. */
enum { SB_COMM_CAUSES = 8 };
void sb_comm_cause(sb_comm *c, int cause);
double sb_comm_waited(const sb_comm *c, int cause); /* seconds, of a cause */
uint64_t sb_comm_sent(const sb_comm *c);

#endif
