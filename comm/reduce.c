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

enum { BUCKET = 1 << 20 }; /* elements of the own segment at a time */

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

static unsigned height(uint64_t leaves)
{
    unsigned h = 0;
    while ((uint64_t)1 << h < leaves) h++;
    return h;
}

/* One bucket: elements [from, from + BUCKET) of every rank's segment. */
static void bucket(sb_comm *c, const sb_tree *t, const size_t *cut, size_t from,
                   partial *p, size_t np, float *recv, float *scratch,
                   float *out)
{
    int me = sb_comm_rank(c), size = sb_comm_size(c);
    size_t mine = 0;
    for (int r = 0; r < size; r++) {
        size_t len = cut[r + 1] - cut[r];
        size_t n = from >= len ? 0 : len - from < BUCKET ? len - from : BUCKET;
        if (r == me) {
            mine = n;
            continue;
        }
        for (size_t i = 0; i < np; i++)
            if (p[i].rank == me)
                sb_comm_send_begin(c,
                                   sb_tree_partial(t, p[i].k) + cut[r] + from,
                                   n * sizeof(float), r);
    }
    for (size_t i = 0; i < np; i++) {
        if (p[i].rank == me) {
            p[i].data = sb_tree_partial(t, p[i].k) + cut[me] + from;
            continue;
        }
        sb_comm_recv_begin(c, recv, mine * sizeof(float), p[i].rank);
        p[i].data = recv;
        recv += mine;
    }
    sb_comm_wait_all(c);
    uint64_t leaves = sb_tree_leaves(t);
    sb_node root = {height(leaves), 0};
    if (mine) finish(p, np, leaves, root, out + from, scratch, mine);
}

sb_status sb_reduce_scatter(sb_comm *c, const sb_tree *t, const size_t *cut,
                            float *out)
{
    int size = sb_comm_size(c), me = sb_comm_rank(c);
    uint64_t leaves = sb_tree_leaves(t);
    size_t np = all_partials(size, leaves, NULL), longest = 0;
    for (int r = 0; r < size; r++)
        if (cut[r + 1] - cut[r] > longest) longest = cut[r + 1] - cut[r];
    size_t own = cut[me + 1] - cut[me];
    size_t width = own < BUCKET ? own : BUCKET;
    partial *p = NULL;
    float *recv = NULL, *scratch = NULL;
    sb_status st;
    SB_GOTO(st, sb_alloc(np, sizeof *p, "partial sums", &p), agree);
    SB_GOTO(st, sb_alloc(np * width, sizeof *recv, "partial sums", &recv),
            agree);
    st = sb_alloc((height(leaves) + 1) * width, sizeof *scratch, "partial sums",
                  &scratch);
agree:
    SB_GOTO(st, sb_agree(c, st), out);
    all_partials(size, leaves, p);
    for (size_t from = 0; from < longest; from += BUCKET)
        bucket(c, t, cut, from, p, np, recv, scratch, out);
out:
    sb_free(scratch);
    sb_free(recv);
    sb_free(p);
    return st;
}

sb_status sb_gather_parts(sb_comm *c, float *x, const size_t *cut)
{
    size_t *bytes;
    int size = sb_comm_size(c);
    SB_TRY(sb_agree(c, sb_alloc((size_t)size + 1, sizeof *bytes,
                                "gather offsets", &bytes)));
    for (int r = 0; r <= size; r++) bytes[r] = cut[r] * sizeof *x;
    sb_comm_gather_cut(c, x, bytes);
    sb_free(bytes);
    return SB_OK;
}
