/* SPDX-License-Identifier: MIT
 * reduce.c - the tree across ranks.
 *
 * Every rank sends, from each of its partial sums, the segment that a peer
 * owns; the peer then finishes the tree over all partials in leaf order. The
 * vector is worked on in buckets, so that what is received stays small. */
#include "comm/reduce.h"

#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/mem.h"

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

typedef struct reduction {
    sb_comm *c;
    const sb_tree *t;
    const size_t *cut;
    partial *p; /* [np] of all ranks, in leaf order */
    size_t np, width;
    float *recv, *scratch;
} reduction;

/* Elements [from, from + width) of every rank's segment; own ones to out. */
static void bucket(const reduction *x, size_t from, float *out)
{
    int me = sb_comm_rank(x->c), size = sb_comm_size(x->c);
    size_t mine = 0;
    for (int r = 0; r < size; r++) {
        size_t len = x->cut[r + 1] - x->cut[r];
        size_t n = from >= len             ? 0
                   : len - from < x->width ? len - from
                                           : x->width;
        if (r == me) mine = n;
        for (size_t i = 0; r != me && i < x->np; i++)
            if (x->p[i].rank == me)
                sb_comm_send_begin(
                    x->c, sb_tree_partial(x->t, x->p[i].k) + x->cut[r] + from,
                    n * sizeof(float), r);
    }
    float *recv = x->recv;
    for (size_t i = 0; i < x->np; i++) {
        partial *p = &x->p[i];
        if (p->rank == me) {
            p->data = sb_tree_partial(x->t, p->k) + x->cut[me] + from;
            continue;
        }
        sb_comm_recv_begin(x->c, recv, mine * sizeof(float), p->rank);
        p->data = recv;
        recv += mine;
    }
    sb_comm_wait_all(x->c);
    uint64_t leaves = sb_tree_leaves(x->t);
    sb_node root = {sb_tree_height(leaves), 0};
    if (mine) finish(x->p, x->np, leaves, root, out + from, x->scratch, mine);
}

sb_status sb_reduce_scatter(sb_comm *c, const sb_tree *t, const size_t *cut,
                            float *out)
{
    int size = sb_comm_size(c), me = sb_comm_rank(c);
    uint64_t leaves = sb_tree_leaves(t);
    reduction x = {.c = c, .t = t, .cut = cut};
    size_t longest = 0, own = cut[me + 1] - cut[me];
    for (int r = 0; r < size; r++)
        if (cut[r + 1] - cut[r] > longest) longest = cut[r + 1] - cut[r];
    x.np = all_partials(size, leaves, NULL);
    x.width = RECEIVED / x.np > BUCKET_MIN ? RECEIVED / x.np : BUCKET_MIN;
    size_t room = own < x.width ? own : x.width;
    sb_status st;
    SB_GOTO(st, sb_alloc(x.np, sizeof *x.p, "partial sums", &x.p), agree);
    SB_GOTO(st, sb_alloc(x.np * room, sizeof(float), "partial sums", &x.recv),
            agree);
    st = sb_alloc((sb_tree_height(leaves) + 1) * room, sizeof(float),
                  "partial sums", &x.scratch);
agree:
    SB_GOTO(st, sb_agree(c, st), out);
    all_partials(size, leaves, x.p);
    for (size_t from = 0; from < longest; from += x.width)
        bucket(&x, from, out);
out:
    sb_free(x.scratch);
    sb_free(x.recv);
    sb_free(x.p);
    return st;
}

sb_status sb_gather_parts(sb_comm *c, float *x, const size_t *cut)
{
    size_t *bytes = NULL;
    int size = sb_comm_size(c);
    sb_status st =
        sb_alloc((size_t)size + 1, sizeof *bytes, "gather offsets", &bytes);
    SB_GOTO(st, sb_agree(c, st), out);
    for (int r = 0; r <= size; r++) bytes[r] = cut[r] * sizeof *x;
    sb_comm_gather_cut(c, x, bytes);
out:
    sb_free(bytes);
    return st;
}
