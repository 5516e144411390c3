/* SPDX-License-Identifier: MIT
 * tree.c - the local part of the fixed-order sum. */
#include "comm/tree.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"

/* A finished node that waits for its sibling, or for other ranks. */
typedef struct parked {
    sb_node node;
    float *vector;
} parked;

struct sb_tree {
    uint64_t n, first, last;
    unsigned height;  /* the root's level */
    size_t len, room; /* floats in use, floats a buffer holds */
    pthread_mutex_t lock;
    parked *parked;
    size_t nparked, parked_cap;
    float **spare;
    size_t nspare, spare_cap;
    size_t buffers; /* vectors made: spare, parked, or out being filled */
    sb_node partial[SB_TREE_PARTIALS_MAX];
    size_t npartial;
};

static uint64_t clip(uint64_t x, uint64_t n)
{
    return x < n ? x : n;
}

static uint64_t begin(sb_node v, uint64_t n)
{
    return clip(v.index << v.level, n);
}

static uint64_t end(sb_node v, uint64_t n)
{
    return clip((v.index + 1) << v.level, n);
}

unsigned sb_tree_height(uint64_t n)
{
    unsigned h = 0;
    while ((uint64_t)1 << h < n) h++;
    return h;
}

size_t sb_tree_partials(uint64_t n, uint64_t first, uint64_t last,
                        sb_node *nodes_out)
{
    size_t k = 0;
    unsigned height = sb_tree_height(n);
    for (uint64_t at = first; at < last;) {
        sb_node v = {0, at};
        while (v.level < height) {
            sb_node up = {v.level + 1, v.index / 2};
            if (begin(up, n) < at || end(up, n) > last) break;
            v = up;
        }
        nodes_out[k++] = v;
        at = end(v, n);
    }
    return k;
}

sb_status sb_tree_open(uint64_t n, uint64_t first, uint64_t last, size_t len,
                       sb_tree **tree_out)
{
    SB_REQUIRE(first <= last && last <= n, SB_EBUG, "leaves %zu..%zu of %zu",
               (size_t)first, (size_t)last, (size_t)n);
    sb_tree *t;
    SB_TRY(sb_alloc(1, sizeof *t, "sum tree", &t));
    t->n = n;
    t->first = first;
    t->last = last;
    t->height = sb_tree_height(n);
    t->len = t->room = len;
    t->npartial = sb_tree_partials(n, first, last, t->partial);
    pthread_mutex_init(&t->lock, NULL);
    *tree_out = t;
    return SB_OK;
}

static void spare_free(sb_tree *t)
{
    t->buffers -= t->nspare;
    while (t->nspare) sb_free(t->spare[--t->nspare]);
}

void sb_tree_close(sb_tree *t)
{
    if (!t) return;
    for (size_t i = 0; i < t->nparked; i++) sb_free(t->parked[i].vector);
    spare_free(t);
    free(t->parked);
    free(t->spare);
    pthread_mutex_destroy(&t->lock);
    sb_free(t);
}

void sb_tree_reset(sb_tree *t, size_t len)
{
    while (t->nparked) t->spare[t->nspare++] = t->parked[--t->nparked].vector;
    if (len > t->room) {
        spare_free(t);
        t->room = len;
    }
    t->len = len;
}

sb_status sb_tree_leaf(sb_tree *t, float **leaf_out)
{
    float *v = NULL;
    sb_status st = SB_OK;
    pthread_mutex_lock(&t->lock);
    if (t->nspare) {
        v = t->spare[--t->nspare];
    } else { /* room in both lists is made here, where failing is allowed */
        st = sb_grow(&t->spare, &t->spare_cap, t->buffers + 1, sizeof *t->spare,
                     "sum tree");
        if (st == SB_OK)
            st = sb_grow(&t->parked, &t->parked_cap, t->buffers + 1,
                         sizeof *t->parked, "sum tree");
        if (st == SB_OK) t->buffers++;
    }
    pthread_mutex_unlock(&t->lock);
    SB_TRY(st);
    if (!v) SB_TRY(sb_alloc(t->room, sizeof *v, "gradient buffer", &v));
    *leaf_out = v;
    return SB_OK;
}

static float *take(sb_tree *t, sb_node v)
{
    for (size_t i = 0; i < t->nparked; i++) {
        if (t->parked[i].node.level != v.level ||
            t->parked[i].node.index != v.index)
            continue;
        float *vector = t->parked[i].vector;
        t->parked[i] = t->parked[--t->nparked];
        return vector;
    }
    return NULL;
}

void sb_tree_add(sb_tree *t, uint64_t leaf, float *vector)
{
    sb_node v = {0, leaf};
    pthread_mutex_lock(&t->lock);
    while (v.level < t->height) {
        sb_node up = {v.level + 1, v.index / 2};
        if (begin(up, t->n) < t->first || end(up, t->n) > t->last) break;
        sb_node sibling = {v.level, v.index ^ 1};
        if (begin(sibling, t->n) < end(sibling, t->n)) {
            float *other = take(t, sibling);
            if (!other) break;
            pthread_mutex_unlock(&t->lock);
            /* a + b == b + a: who came first does not matter */
            for (size_t i = 0; i < t->len; i++) vector[i] += other[i];
            pthread_mutex_lock(&t->lock);
            t->spare[t->nspare++] = other;
        }
        v = up;
    }
    t->parked[t->nparked++] = (parked){v, vector};
    pthread_mutex_unlock(&t->lock);
}

const float *sb_tree_partial(const sb_tree *t, size_t k)
{
    for (size_t i = 0; i < t->nparked; i++)
        if (t->parked[i].node.level == t->partial[k].level &&
            t->parked[i].node.index == t->partial[k].index)
            return t->parked[i].vector;
    return NULL;
}

uint64_t sb_tree_leaves(const sb_tree *t)
{
    return t->n;
}
