/* SPDX-License-Identifier: MIT
 * shared.c - memory that the ranks of a group have in common.
 *
 * Rank 0's part of the window is all of it. The window stays locked for all
 * from open to close, as MPI asks for plain loads and stores (MPI 3.1, 11.5.4
 * and 11.7: unified memory, MPI_Win_sync around a barrier). */
#include "comm/shared.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "comm/agree.h"
#include "comm/base/life.h"
#include "comm/base/mem.h"
#include "comm/internal.h"

#define HINT                                                                   \
    "enlarge %s (docker run --shm-size, mount -o remount,size=), or give the " \
    "ranks copies of their own with --ranks-per-replica 1, or use threads "    \
    "instead of ranks"

struct sb_shared {
    sb_comm *node;
    MPI_Win win;
    void *own; /* of a group of one rank */
    char *at;
};

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static char *next_page(char *p)
{
    return p + (-(uintptr_t)p & (page_size() - 1));
}

/* Where Open MPI keeps such memory, unless told otherwise. */
static const char *backing_directory(void)
{
    const char *dir = getenv("OMPI_MCA_osc_sm_backing_directory");
    return dir ? dir : "/dev/shm";
}

/* MPI says it with a signal or not at all. */
static sb_status room_for(size_t bytes, const char *what)
{
    const char *dir = backing_directory();
    struct statvfs fs;
    if (statvfs(dir, &fs) != 0) return SB_OK; /* another MPI, another place */
    uint64_t there = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (bytes <= there) return SB_OK;
    sb_fail(SB_ENOMEM, __FILE__, __LINE__,
            "out of shared memory: %s needs %s, %s has %s", what,
            sb_bytes_text(bytes), dir, sb_bytes_text(there));
    return sb_hint(HINT, dir);
}

/* Zero n bytes. Several groups may have found the same room. A store to a page
 * that cannot be had raises SIGBUS; asked for first, Linux (5.14) says so. */
static sb_status clear(char *p, size_t n, const char *what)
{
#ifdef MADV_POPULATE_WRITE
    size_t before = (uintptr_t)p & (page_size() - 1);
    if (n && madvise(p - before, n + before, MADV_POPULATE_WRITE) != 0 &&
        (errno == EFAULT || errno == ENOMEM)) {
        sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                "out of shared memory: %s is full before this rank's %s of %s "
                "are there",
                backing_directory(), sb_bytes_text(n), what);
        return sb_hint(HINT, backing_directory());
    }
#else
    (void)what;
#endif
    memset(p, 0, n);
    return SB_OK;
}

/* The same byte on all ranks, at the start of a page. */
static char *open_window(sb_shared *s, size_t padded)
{
    sb_comm *c = s->node;
    MPI_Aint size = c->rank == 0 ? (MPI_Aint)padded : 0;
    char *base = NULL;
    int unit = 1;
    sb_life_wait(1);
    sb_mpi_check(c,
                 MPI_Win_allocate_shared(size, unit, MPI_INFO_NULL, c->all,
                                         &base, &s->win),
                 "MPI_Win_allocate_shared");
    MPI_Win_set_errhandler(s->win, MPI_ERRORS_RETURN);
    sb_mpi_check(c, MPI_Win_shared_query(s->win, 0, &size, &unit, &base),
                 "MPI_Win_shared_query");
    sb_mpi_check(c, MPI_Win_lock_all(MPI_MODE_NOCHECK, s->win),
                 "MPI_Win_lock_all");
    sb_life_wait(0);
    size_t skip = (size_t)(next_page(base) - base);
    sb_comm_bcast(c, &skip, sizeof skip, 0);
    return base + skip;
}

static sb_status zeroed_window(sb_shared *s, size_t bytes, const char *what)
{
    sb_comm *c = s->node;
    s->at = open_window(s, bytes + page_size());
    sb_ask_huge(s->at, bytes);
    size_t from = (size_t)sb_share(bytes, c->rank, c->size);
    size_t to = (size_t)sb_share(bytes, c->rank + 1, c->size);
    SB_TRY(sb_agree(c, clear(s->at + from, to - from, what)));
    sb_shared_sync(s);
    return SB_OK;
}

static sb_status take(sb_shared *s, size_t bytes, const char *what)
{
    sb_comm *c = s->node;
    size_t padded = 0;
    sb_status st = SB_OK;
    if (!sb_comm_same(c, bytes))
        st = sb_fail(SB_EBUG, __FILE__, __LINE__,
                     "%s: ranks ask for different sizes", what);
    else if (__builtin_add_overflow(bytes, page_size(), &padded) ||
             padded > PTRDIFF_MAX)
        st =
            sb_fail(SB_ELIMIT, __FILE__, __LINE__,
                    "%s: %zu bytes is more than can be addressed", what, bytes);
    else if (c->size == 1)
        st = sb_alloc(padded, 1, what, &s->own);
    else if (c->rank == 0)
        st = room_for(padded, what);
    SB_TRY(sb_agree(c, st));
    if (c->size > 1) return zeroed_window(s, bytes, what);
    s->at = next_page(s->own);
    return SB_OK;
}

sb_status sb_shared_open(sb_comm *node, size_t bytes, const char *what,
                         sb_shared **shared_out)
{
    sb_shared *s = NULL;
    sb_status st = sb_agree(node, sb_alloc(1, sizeof *s, what, &s));
    if (st != SB_OK) {
        sb_free(s);
        return st;
    }
    s->node = node;
    s->win = MPI_WIN_NULL;
    st = take(s, bytes, what);
    if (st == SB_OK)
        *shared_out = s;
    else
        sb_shared_close(s);
    return st;
}

void *sb_shared_at(const sb_shared *s)
{
    return s->at;
}

void sb_shared_sync(sb_shared *s)
{
    if (s->win == MPI_WIN_NULL) return;
    sb_mpi_check(s->node, MPI_Win_sync(s->win), "MPI_Win_sync");
    sb_comm_barrier(s->node);
    sb_mpi_check(s->node, MPI_Win_sync(s->win), "MPI_Win_sync");
}

void sb_shared_close(sb_shared *s)
{
    if (!s) return;
    if (s->win != MPI_WIN_NULL) {
        sb_comm_barrier(s->node); /* MPI_Win_free waits without naps */
        sb_life_wait(1);
        sb_mpi_check(s->node, MPI_Win_unlock_all(s->win), "MPI_Win_unlock_all");
        sb_mpi_check(s->node, MPI_Win_free(&s->win), "MPI_Win_free");
        sb_life_wait(0);
    }
    sb_free(s->own);
    sb_free(s);
}
