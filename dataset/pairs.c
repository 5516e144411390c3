/* SPDX-License-Identifier: MIT
 * pairs.c - pairs of neighbouring pieces, their counts, and the best of them.
 *
 * Pairs lie in an array, an open addressing table of their numbers finds them.
 *
 * Millions of pairs never come to be best, so the heap knows only those that
 * do not come behind `limit`. When it runs empty, all pairs are looked at
 * again for the next ones. Invariant: every pair that does not come behind
 * the limit and is not in the list of raised ones has an entry in the heap
 * whose count is not below its own; entries above it are put right when they
 * come to the top. */
#include "dataset/pairs.h"

#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"

enum { FIRST_SLOTS = 1 << 12, KEPT = 1 << 15, HEAP = 2 * KEPT };

void sb_pairs_close(sb_pairs *p)
{
    sb_free(p->of);
    sb_free(p->slots);
    sb_free(p->heap);
    sb_free(p->raised);
    *p = (sb_pairs){0};
}

/* ---- the table ----------------------------------------------------------- */

static size_t first_slot(const sb_pairs *p, uint64_t key)
{
    uint64_t h = key * 0x9e3779b97f4a7c15u;
    h ^= h >> 32;
    return (size_t)((h * 0xbf58476d1ce4e5b9u >> 32) * p->n_slots >> 32);
}

static size_t after(const sb_pairs *p, size_t slot)
{
    return slot + 1 < p->n_slots ? slot + 1 : 0;
}

/* The slot of the pair, or the free one where it belongs. */
static size_t slot_of(const sb_pairs *p, uint64_t key)
{
    size_t i = first_slot(p, key);
    while (p->slots[i] != SB_NO_PAIR && p->of[p->slots[i]].key != key)
        i = after(p, i);
    return i;
}

/* Steps of one half, not doubling: memory. The old table goes first. */
static sb_status widen(sb_pairs *p)
{
    size_t n = p->n_slots ? p->n_slots + p->n_slots / 2 : FIRST_SLOTS;
    SB_REQUIRE(n < UINT32_MAX, SB_ELIMIT, "too many pairs of pieces");
    sb_free(p->slots);
    p->slots = NULL;
    SB_TRY(sb_alloc(n, sizeof *p->slots, "pairs", &p->slots));
    memset(p->slots, 0xff, n * sizeof *p->slots);
    p->n_slots = n;
    for (uint32_t id = 0; id < p->n; id++)
        if (p->of[id].key) p->slots[slot_of(p, p->of[id].key)] = id;
    return SB_OK;
}

uint32_t sb_pairs_find(const sb_pairs *p, uint64_t key)
{
    return p->n_slots ? p->slots[slot_of(p, key)] : SB_NO_PAIR;
}

sb_status sb_pairs_add(sb_pairs *p, uint64_t key, uint32_t *out)
{
    if (p->live * 4 >= p->n_slots * 3) SB_TRY(widen(p));
    size_t slot = slot_of(p, key);
    uint32_t id = p->slots[slot];
    if (id == SB_NO_PAIR) {
        if (p->spare) {
            id = p->spare - 1;
            p->spare = p->of[id].head;
        } else {
            SB_TRY(sb_grow(&p->of, &p->cap, p->n + 1, sizeof *p->of, "pairs"));
            id = (uint32_t)p->n++;
        }
        p->of[id] = (sb_pair){.key = key, .head = SB_NO_PAIR};
        p->slots[slot] = id;
        p->live++;
    }
    *out = id;
    return SB_OK;
}

/* Whether `at` lies in (from, to], around the end if need be. */
static int between(size_t from, size_t at, size_t to)
{
    return from <= to ? from < at && at <= to : from < at || at <= to;
}

/* Those behind a slot that becomes free move up, so that searches go on. */
void sb_pairs_drop(sb_pairs *p, uint32_t id)
{
    size_t hole = slot_of(p, p->of[id].key);
    for (size_t i = after(p, hole); p->slots[i] != SB_NO_PAIR;
         i = after(p, i)) {
        if (between(hole, first_slot(p, p->of[p->slots[i]].key), i)) continue;
        p->slots[hole] = p->slots[i];
        hole = i;
    }
    p->slots[hole] = SB_NO_PAIR;
    p->of[id] = (sb_pair){.head = p->spare};
    p->spare = id + 1;
    p->live--;
}

/* ---- the heap ------------------------------------------------------------ */

static int before(const sb_pair_entry *a, const sb_pair_entry *b)
{
    return a->count != b->count ? a->count > b->count : a->key < b->key;
}

static int by_rank(const void *a, const void *b)
{
    return before(b, a) - before(a, b);
}

static void sift_down(sb_pairs *p, sb_pair_entry e)
{
    size_t i = 0;
    for (size_t k; (k = 2 * i + 1) < p->n_heap; i = k) {
        if (k + 1 < p->n_heap && before(&p->heap[k + 1], &p->heap[k])) k++;
        if (!before(&p->heap[k], &e)) break;
        p->heap[i] = p->heap[k];
    }
    p->heap[i] = e;
}

/* Keep the best; what is sorted is a heap. */
static void cut(sb_pairs *p)
{
    qsort(p->heap, p->n_heap, sizeof *p->heap, by_rank);
    if (p->n_heap <= KEPT) return;
    p->n_heap = KEPT;
    p->limit = p->heap[KEPT - 1];
}

static void push(sb_pairs *p, sb_pair_entry e)
{
    if (!p->heap || before(&p->limit, &e)) return;
    if (p->n_heap == HEAP) cut(p);
    if (before(&p->limit, &e)) return;
    size_t i = p->n_heap++;
    for (; i && before(&e, &p->heap[(i - 1) / 2]); i = (i - 1) / 2)
        p->heap[i] = p->heap[(i - 1) / 2];
    p->heap[i] = e;
}

static sb_status refill(sb_pairs *p, int64_t least)
{
    if (!p->heap) SB_TRY(sb_alloc(HEAP, sizeof *p->heap, "pairs", &p->heap));
    p->limit = (sb_pair_entry){least, UINT64_MAX};
    for (size_t i = 0; i < p->n; i++) {
        sb_pair_entry e = {p->of[i].count, p->of[i].key};
        if (before(&p->limit, &e)) continue;
        if (p->n_heap == HEAP) cut(p);
        p->heap[p->n_heap++] = e;
    }
    cut(p);
    return SB_OK;
}

sb_status sb_pairs_raised(sb_pairs *p, uint32_t id)
{
    if (p->of[id].raised) return SB_OK;
    SB_TRY(sb_grow(&p->raised, &p->raised_cap, p->n_raised + 1,
                   sizeof *p->raised, "pairs"));
    p->raised[p->n_raised++] = id;
    p->of[id].raised = 1;
    return SB_OK;
}

void sb_pairs_file(sb_pairs *p)
{
    for (size_t i = 0; i < p->n_raised; i++) {
        sb_pair *pair = &p->of[p->raised[i]];
        pair->raised = 0;
        if (pair->count)
            push(p, (sb_pair_entry){pair->count, pair->key});
        else
            sb_pairs_drop(p, p->raised[i]);
    }
    p->n_raised = 0;
}

/* The best pair that does not come behind the limit. An entry that does, now
 * that its pair's count has fallen, goes. */
static uint32_t top(sb_pairs *p)
{
    while (p->n_heap) {
        sb_pair_entry e = p->heap[0];
        uint32_t id = sb_pairs_find(p, e.key);
        int64_t was = e.count;
        e.count = id == SB_NO_PAIR ? 0 : p->of[id].count;
        if (e.count == was) return id;
        if (before(&p->limit, &e)) e = p->heap[--p->n_heap];
        if (p->n_heap) sift_down(p, e);
    }
    return SB_NO_PAIR;
}

sb_status sb_pairs_best(sb_pairs *p, int64_t least, uint32_t *out)
{
    *out = top(p);
    if (*out != SB_NO_PAIR) return SB_OK;
    SB_TRY(refill(p, least));
    *out = top(p);
    return SB_OK;
}
