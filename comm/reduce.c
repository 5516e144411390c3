/* SPDX-License-Identifier: MIT
 * reduce.c - the tree across ranks.
 *
 * Every rank sends, from each of its partial sums, the segment that a peer
 * owns; the peer then finishes the tree over all partials in leaf order. The
 * vector is worked on in buckets, so that what is received stays small; a bucket
 * begins when the one before has arrived. */
#include "comm/reduce.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/flight.h"
#include "comm/internal.h"

/* Elements of the own segment at a time: what arrives, one such piece of every
 * rank's every partial, is about this much in all. */
enum { RECEIVED = 1 << 22, BUCKET_MIN = 1024 };

typedef struct partial {
    sb_node node;
    int rank;
    size_t k;          /* which of that rank's partials */
    const float *data; /* the bucket's elements */
} partial;

/* The sum of node v over n floats, from partials; into out. `scratch` holds
 * one vector per level below v. Returns 0 if v has no leaf. */
static int finish(const partial *p, size_t np, uint64_t leaves, sb_node v,
                  float *out, float *scratch, size_t n)
{
    if (v.index << v.level >= leaves) return 0;
    for (size_t i = 0; i < np; i++) {
        if (p[i].node.level != v.level || p[i].node.index != v.index) continue;
        memcpy(out, p[i].data, n * sizeof *out);
        return 1;
    }
    sb_node left = {v.level - 1, 2 * v.index};
    sb_node right = {v.level - 1, 2 * v.index + 1};
    finish(p, np, leaves, left, out, scratch, n);
    if (finish(p, np, leaves, right, scratch, scratch + n, n))
        for (size_t i = 0; i < n; i++) out[i] += scratch[i];
    return 1;
}

static size_t all_partials(int size, uint64_t leaves, partial *p)
{
    sb_node nodes[SB_TREE_PARTIALS_MAX];
    size_t np = 0;
    for (int r = 0; r < size; r++) {
        size_t n = sb_tree_partials(leaves, sb_share(leaves, r, size),
                                    sb_share(leaves, r + 1, size), nodes);
        for (size_t k = 0; k < n; k++, np++)
            if (p) p[np] = (partial){nodes[k], r, k, NULL};
    }
    return np;
}

struct sb_reduction {
    sb_comm *c;
    sb_flight *flight;
    uint64_t leaves;
    size_t most, width; /* elements: of a segment, of a bucket */
    partial *p;         /* [np] of all ranks, in leaf order */
    size_t np;
    float *recv, *scratch;
    /* SB_REDUCE_FAST, with several ranks */
    int fast;
    float *whole; /* [len] the sum of the own partials */
    int *counts;  /* [size] */
    MPI_Request request;
    /* the sum under way */
    const sb_tree *t;
    size_t *cut; /* [size + 1] */
    size_t longest, from;
    float *out;
};

/* Elements of a bucket, and floats to receive and to add up. */
static size_t plan(const sb_comm *c, uint64_t leaves, size_t most,
                   size_t *recv_out, size_t *scratch_out)
{
    size_t np = all_partials(sb_comm_size(c), leaves, NULL);
    size_t width = RECEIVED / np > BUCKET_MIN ? RECEIVED / np : BUCKET_MIN;
    if (width > most) width = most;
    *recv_out = sb_comm_size(c) > 1 ? np * width : 0;
    *scratch_out = (sb_tree_height(leaves) + 1) * width;
    return width;
}

uint64_t sb_reduction_bytes(const sb_comm *c, uint64_t leaves, size_t len,
                            size_t most, sb_reduce how)
{
    size_t recv, scratch;
    if (how == SB_REDUCE_FAST && sb_comm_size(c) > 1)
        return len * sizeof(float);
    plan(c, leaves, most, &recv, &scratch);
    return (recv + scratch) * sizeof(float);
}

static sb_status open_fast(sb_reduction *x, size_t len)
{
    size_t size = (size_t)sb_comm_size(x->c);
    x->fast = 1;
    SB_REQUIRE(len <= INT_MAX, SB_ELIMIT, "MPI cannot add %zu floats at once",
               len);
    SB_TRY(sb_alloc(size, sizeof *x->counts, "partial sums", &x->counts));
    return sb_alloc(len, sizeof(float), "partial sums", &x->whole);
}

static sb_status open_exact(sb_reduction *x)
{
    size_t recv, scratch;
    x->width = plan(x->c, x->leaves, x->most, &recv, &scratch);
    SB_TRY(sb_alloc(x->np, sizeof *x->p, "partial sums", &x->p));
    SB_TRY(sb_alloc(recv, sizeof(float), "partial sums", &x->recv));
    SB_TRY(sb_alloc(scratch, sizeof(float), "partial sums", &x->scratch));
    all_partials(sb_comm_size(x->c), x->leaves, x->p);
    return SB_OK;
}

sb_status sb_reduction_open(sb_comm *c, uint64_t leaves, size_t len,
                            size_t most, sb_reduce how, int tag,
                            sb_reduction **reduction_out)
{
    int size = sb_comm_size(c);
    sb_reduction *x = NULL;
    sb_status st = sb_alloc(1, sizeof *x, "partial sums", &x);
    if (st != SB_OK) return sb_agree(c, st);
    x->c = c;
    x->leaves = leaves;
    x->most = most;
    x->np = all_partials(size, leaves, NULL);
    x->request = MPI_REQUEST_NULL;
    st = sb_flight_open(c, tag, &x->flight);
    if (st == SB_OK)
        st =
            sb_alloc((size_t)size + 1, sizeof *x->cut, "partial sums", &x->cut);
    if (st == SB_OK)
        st = how == SB_REDUCE_FAST && size > 1 ? open_fast(x, len)
                                               : open_exact(x);
    st = sb_agree(c, st);
    if (st == SB_OK)
        *reduction_out = x;
    else
        sb_reduction_close(x);
    return st;
}

void sb_reduction_close(sb_reduction *x)
{
    if (!x) return;
    sb_flight_close(x->flight);
    sb_free(x->p);
    sb_free(x->recv);
    sb_free(x->scratch);
    sb_free(x->whole);
    sb_free(x->counts);
    sb_free(x->cut);
    sb_free(x);
}

/* Elements of rank r's segment that the bucket has. */
static size_t part(const sb_reduction *x, int r)
{
    size_t len = x->cut[r + 1] - x->cut[r];
    if (x->from >= len) return 0;
    return len - x->from < x->width ? len - x->from : x->width;
}

/* Send and receive the elements [from, from + width) of every rank's segment. */
static void begin_bucket(sb_reduction *x)
{
    int me = sb_comm_rank(x->c), size = sb_comm_size(x->c);
    size_t mine = part(x, me);
    float *recv = x->recv;
    for (size_t i = 0; i < x->np; i++) {
        partial *p = &x->p[i];
        if (p->rank == me) {
            p->data = sb_tree_partial(x->t, p->k) + x->cut[me] + x->from;
            continue;
        }
        sb_flight_recv(x->flight, recv, mine * sizeof(float), p->rank);
        p->data = recv;
        recv += mine;
    }
    for (int k = 1; k < size; k++) {
        int to = (me + k) % size;
        for (size_t i = 0; i < x->np; i++)
            if (x->p[i].rank == me)
                sb_flight_send(x->flight,
                               sb_tree_partial(x->t, x->p[i].k) + x->cut[to] +
                                   x->from,
                               part(x, to) * sizeof(float), to);
    }
}

/* The bucket has arrived: add it up, and begin the next one. */
static void next_bucket(sb_reduction *x)
{
    sb_node root = {sb_tree_height(x->leaves), 0};
    size_t mine = part(x, sb_comm_rank(x->c));
    if (mine)
        finish(x->p, x->np, x->leaves, root, x->out + x->from, x->scratch,
               mine);
    x->from += x->width;
    if (x->from < x->longest)
        begin_bucket(x);
    else
        x->t = NULL;
}

/* Own partials in leaf order into x->whole, and MPI adds those of the ranks in
 * an order of its own. */
static void begin_fast(sb_reduction *x)
{
    int me = sb_comm_rank(x->c), size = sb_comm_size(x->c);
    uint64_t first = sb_share(x->leaves, me, size),
             last = sb_share(x->leaves, me + 1, size);
    sb_node nodes[SB_TREE_PARTIALS_MAX];
    size_t np = sb_tree_partials(x->leaves, first, last, nodes);
    size_t n = x->cut[size] - x->cut[0];
    if (np == 0) memset(x->whole, 0, n * sizeof *x->whole);
    for (size_t k = 0; k < np; k++) {
        const float *v = sb_tree_partial(x->t, k) + x->cut[0];
        for (size_t i = 0; k && i < n; i++) x->whole[i] += v[i];
        if (k == 0) memcpy(x->whole, v, n * sizeof *v);
    }
    for (int r = 0; r < size; r++)
        x->counts[r] = (int)(x->cut[r + 1] - x->cut[r]);
    x->c->sent += (n - (size_t)x->counts[me]) * sizeof(float);
    sb_mpi_check(x->c,
                 MPI_Ireduce_scatter(x->whole, x->out, x->counts, MPI_FLOAT,
                                     MPI_SUM, x->c->all, &x->request),
                 "MPI_Ireduce_scatter");
}

void sb_reduction_begin(sb_reduction *x, const sb_tree *t, const size_t *cut,
                        float *out)
{
    int size = sb_comm_size(x->c);
    sb_reduction_end(x);
    x->out = out;
    x->from = x->longest = 0;
    memcpy(x->cut, cut, ((size_t)size + 1) * sizeof *cut);
    for (int r = 0; r < size; r++)
        if (cut[r + 1] - cut[r] > x->longest) x->longest = cut[r + 1] - cut[r];
    if (!x->longest) return;
    x->t = t;
    if (x->fast)
        begin_fast(x);
    else
        begin_bucket(x);
}

static int poll_fast(sb_reduction *x)
{
    int done = 0;
    sb_mpi_check(x->c, MPI_Test(&x->request, &done, MPI_STATUS_IGNORE),
                 "MPI_Test");
    if (done) x->t = NULL;
    return !done;
}

int sb_reduction_poll(sb_reduction *x)
{
    if (!x->t) return 0;
    if (x->fast) return poll_fast(x);
    if (sb_flight_done(x->flight)) next_bucket(x);
    return x->t != NULL;
}

void sb_reduction_end(sb_reduction *x)
{
    if (x->t && x->fast) {
        double since = sb_mpi_waits();
        sb_mpi_wait(x->c, &x->request, 1);
        sb_mpi_waited(x->c, since);
        x->t = NULL;
    }
    while (x->t) {
        sb_flight_wait(x->flight);
        next_bucket(x);
    }
}
