/* SPDX-License-Identifier: MIT
 * shard_table.c - rows by exchange. */
#include "trainer/mlm/shard_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/mem.h"
#include "trainer/kernels/kernels.h"

#define NONE UINT32_MAX

/* Buffers of the exchanges; they grow in the first steps and then stay. */
typedef struct sb_route {
    size_t *send_n, *recv_n; /* [size]                           */
    uint32_t *place;         /* [ids of the pull]                */
    size_t place_cap;
    uint32_t *unique, *asked; /* ids sent, ids received           */
    size_t unique_cap, asked_cap;
    float *out, *in;        /* rows sent, rows received         */
    size_t out_cap, in_cap; /* floats                           */
    uint32_t *local;        /* asked ids as local row numbers   */
    size_t local_cap;
    uint64_t *rank_end; /* [size] first row behind a rank   */
    size_t *cut;        /* [size + 1] */
} sb_route;

uint64_t sb_table_rows(const sb_comm *c, uint64_t vocab, uint64_t block)
{
    uint64_t blocks = (vocab + block - 1) / block;
    int r = sb_comm_rank(c), p = sb_comm_size(c);
    uint64_t first = sb_share(blocks, r, p) * block;
    uint64_t last = sb_share(blocks, r + 1, p) * block;
    return (last < vocab ? last : vocab) - (first < vocab ? first : vocab);
}

uint64_t sb_table_bytes(const sb_comm *c, uint64_t vocab, uint64_t block,
                        size_t dim, int moments)
{
    return sb_table_rows(c, vocab, block) * (dim + 1) * sizeof(float) *
               (moments ? 4 : 1) +
           vocab * sizeof(uint32_t);
}

static sb_status route_open(sb_table *t)
{
    size_t size = (size_t)sb_comm_size(t->comm);
    SB_TRY(sb_alloc(1, sizeof *t->route, "row exchange", &t->route));
    sb_route *e = t->route;
    SB_TRY(sb_alloc(size, sizeof *e->send_n, "row exchange", &e->send_n));
    SB_TRY(sb_alloc(size, sizeof *e->recv_n, "row exchange", &e->recv_n));
    SB_TRY(sb_alloc(size, sizeof *e->rank_end, "row exchange", &e->rank_end));
    SB_TRY(sb_alloc(size + 1, sizeof *e->cut, "row exchange", &e->cut));
    for (size_t r = 0; r < size; r++)
        e->rank_end[r] =
            sb_table_block_row(t, sb_share(t->blocks, (int)r + 1, (int)size));
    return SB_OK;
}

static sb_status arrays_open(sb_table *t, int moments)
{
    size_t n = (size_t)(t->last - t->first);
    SB_TRY(sb_alloc(n, t->dim * sizeof(float), "token table", &t->rows));
    SB_TRY(sb_alloc(n, sizeof(float), "output bias", &t->bias));
    SB_TRY(sb_alloc(t->vocab, sizeof *t->slot_of, "row index", &t->slot_of));
    memset(t->slot_of, 0xff, t->vocab * sizeof *t->slot_of);
    if (moments) {
        float **wide[] = {&t->grad, &t->m, &t->v};
        float **thin[] = {&t->bias_grad, &t->bias_m, &t->bias_v};
        for (int i = 0; i < 3; i++) {
            SB_TRY(sb_alloc(n, t->dim * sizeof(float),
                            "token table's gradient and moments", wide[i]));
            SB_TRY(
                sb_alloc(n, sizeof(float), "output bias's moments", thin[i]));
        }
    }
    return route_open(t);
}

sb_status sb_table_open(sb_comm *c, uint64_t vocab, uint64_t block, size_t dim,
                        int moments, sb_table **table_out)
{
    sb_table *t = NULL;
    sb_status st = sb_alloc(1, sizeof *t, "token table", &t);
    if (st == SB_OK) {
        t->comm = c;
        t->vocab = vocab;
        t->block = block;
        t->blocks = (vocab + block - 1) / block;
        t->dim = dim;
        int r = sb_comm_rank(c), p = sb_comm_size(c);
        t->first_block = sb_share(t->blocks, r, p);
        t->last_block = sb_share(t->blocks, r + 1, p);
        t->first = sb_table_block_row(t, t->first_block);
        t->last = sb_table_block_row(t, t->last_block);
        st = arrays_open(t, moments);
    }
    st = sb_agree(c, st);
    if (st == SB_OK)
        *table_out = t;
    else
        sb_table_close(t);
    return st;
}

void sb_table_close(sb_table *t)
{
    if (!t) return;
    float *owned[] = {t->rows, t->grad,      t->m,      t->v,
                      t->bias, t->bias_grad, t->bias_m, t->bias_v};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        sb_free(owned[i]);
    sb_free(t->slot_of);
    if (t->route) {
        sb_route *e = t->route;
        sb_free(e->send_n);
        sb_free(e->recv_n);
        sb_free(e->rank_end);
        sb_free(e->cut);
        void *grown[] = {e->place, e->unique, e->asked,
                         e->out,   e->in,     e->local};
        for (size_t i = 0; i < sizeof grown / sizeof grown[0]; i++)
            free(grown[i]);
        sb_free(e);
    }
    sb_free(t);
}

void sb_table_gather_blocks(sb_table *t, void *x, size_t bytes)
{
    int size = sb_comm_size(t->comm);
    for (int r = 0; r <= size; r++)
        t->route->cut[r] = (size_t)sb_share(t->blocks, r, size) * bytes;
    sb_comm_gather_cut(t->comm, x, t->route->cut);
}

static int owner(const sb_table *t, uint32_t id)
{
    int r = (int)((uint64_t)id * (unsigned)sb_comm_size(t->comm) / t->vocab);
    while (r > 0 && id < t->route->rank_end[r - 1]) r--;
    while (id >= t->route->rank_end[r]) r++;
    return r;
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static size_t total(const size_t *n, int size)
{
    size_t sum = 0;
    for (int r = 0; r < size; r++) sum += n[r];
    return sum;
}

/* e->unique <- the distinct ids, rising (so grouped by owner); e->send_n;
 * e->place. */
static sb_status dedupe(sb_table *t, const uint32_t *ids, size_t n,
                        size_t *distinct_out)
{
    sb_route *e = t->route;
    SB_TRY(
        sb_grow(&e->place, &e->place_cap, n, sizeof *e->place, "row exchange"));
    SB_TRY(sb_grow(&e->unique, &e->unique_cap, n, sizeof *e->unique,
                   "row exchange"));
    size_t k = 0;
    sb_status st = SB_OK;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] >= t->vocab) {
            st = sb_fail(SB_EINVAL, __FILE__, __LINE__,
                         "token %" PRIu32 " in a table of %" PRIu64 " rows",
                         ids[i], t->vocab);
            break;
        }
        if (t->slot_of[ids[i]] != NONE) continue;
        t->slot_of[ids[i]] = 0;
        e->unique[k++] = ids[i];
    }
    if (k) qsort(e->unique, k, sizeof *e->unique, by_id);
    memset(e->send_n, 0, (size_t)sb_comm_size(t->comm) * sizeof *e->send_n);
    for (size_t i = 0; i < k; i++) {
        t->slot_of[e->unique[i]] = (uint32_t)i;
        e->send_n[owner(t, e->unique[i])]++;
    }
    if (st == SB_OK)
        for (size_t i = 0; i < n; i++) e->place[i] = t->slot_of[ids[i]];
    for (size_t i = 0; i < k; i++) t->slot_of[e->unique[i]] = NONE;
    *distinct_out = k;
    return st;
}

/* Pass ids to their owners: e->unique, e->send_n -> e->asked, e->recv_n, and
 * e->local, the same as row numbers of this rank's shard. */
static sb_status send_ids(sb_table *t, size_t *asked_out)
{
    sb_route *e = t->route;
    sb_comm_exchange_counts(t->comm, e->send_n, e->recv_n);
    size_t n = total(e->recv_n, sb_comm_size(t->comm));
    sb_status st =
        sb_grow(&e->asked, &e->asked_cap, n, sizeof *e->asked, "row exchange");
    if (st == SB_OK)
        st = sb_grow(&e->local, &e->local_cap, n, sizeof *e->local,
                     "row exchange");
    SB_TRY(sb_agree(t->comm, st));
    sb_comm_exchange(t->comm, sizeof *e->unique, e->unique, e->send_n, e->asked,
                     e->recv_n);
    for (size_t i = 0; i < n; i++)
        e->local[i] = e->asked[i] - (uint32_t)t->first;
    *asked_out = n;
    return SB_OK;
}

static sb_status grow_rows(sb_table *t, float **rows, size_t *cap, size_t n)
{
    size_t floats;
    SB_REQUIRE(!__builtin_mul_overflow(n, t->dim, &floats), SB_ELIMIT,
               "%zu rows do not fit in memory", n);
    return sb_grow(rows, cap, floats, sizeof **rows, "row exchange");
}

sb_status sb_table_pull(sb_table *t, const uint32_t *ids, size_t n,
                        const float **rows_out, const uint32_t **place_out)
{
    sb_route *e = t->route;
    size_t distinct = 0, asked = 0, row = t->dim * sizeof(float);
    SB_TRY(sb_agree(t->comm, dedupe(t, ids, n, &distinct)));
    SB_TRY(send_ids(t, &asked));
    sb_status st = grow_rows(t, &e->out, &e->out_cap, asked);
    if (st == SB_OK) st = grow_rows(t, &e->in, &e->in_cap, distinct);
    SB_TRY(sb_agree(t->comm, st));
    sb_rows_get(e->out, t->rows, e->local, asked, t->dim);
    sb_comm_exchange(t->comm, row, e->out, e->recv_n, e->in, e->send_n);
    *rows_out = e->in;
    *place_out = e->place;
    return SB_OK;
}

/* ---- push ---------------------------------------------------------------- */

/* Where the slots' distinct rows go: counts per owner into e->send_n. */
static size_t count_push(sb_table *t, const sb_slot_grad *s, size_t nslots,
                         uint32_t skip)
{
    sb_route *e = t->route;
    size_t n = 0;
    memset(e->send_n, 0, (size_t)sb_comm_size(t->comm) * sizeof *e->send_n);
    for (size_t k = 0; k < nslots; k++) {
        for (size_t i = 0; i < s[k].n; i++) {
            uint32_t id = s[k].ids[i];
            if (id == skip || t->slot_of[id] == k) continue;
            t->slot_of[id] = (uint32_t)k;
            e->send_n[owner(t, id)]++;
            n++;
        }
    }
    for (size_t k = 0; k < nslots; k++)
        for (size_t i = 0; i < s[k].n; i++) t->slot_of[s[k].ids[i]] = NONE;
    return n;
}

/* Fill e->unique and e->out, grouped by owner, inside an owner by slot, inside
 * a slot by first position; one vector per distinct row and slot. */
static void fill_push(sb_table *t, const sb_slot_grad *s, size_t nslots,
                      uint32_t skip, size_t *next)
{
    sb_route *e = t->route;
    size_t D = t->dim;
    for (size_t k = 0; k < nslots; k++) {
        for (size_t i = 0; i < s[k].n; i++) {
            uint32_t id = s[k].ids[i], at = t->slot_of[id];
            const float *g = s[k].grad + i * D;
            if (id == skip) continue;
            if (at == NONE) {
                size_t to = next[owner(t, id)]++;
                t->slot_of[id] = (uint32_t)to;
                e->unique[to] = id;
                memcpy(e->out + to * D, g, D * sizeof *g);
            } else {
                sb_add(e->out + (size_t)at * D, g, D);
            }
        }
        for (size_t i = 0; i < s[k].n; i++) t->slot_of[s[k].ids[i]] = NONE;
    }
}

sb_status sb_table_push(sb_table *t, const sb_slot_grad *slots, size_t nslots,
                        uint32_t skip)
{
    sb_route *e = t->route;
    int size = sb_comm_size(t->comm);
    size_t n = count_push(t, slots, nslots, skip), asked = 0, *next = NULL;
    sb_status st = sb_alloc((size_t)size, sizeof *next, "row exchange", &next);
    if (st == SB_OK && n >= NONE)
        st = sb_fail(SB_ELIMIT, __FILE__, __LINE__,
                     "%zu row gradients in one step of one rank", n);
    if (st == SB_OK)
        st = sb_grow(&e->unique, &e->unique_cap, n, sizeof *e->unique,
                     "row exchange");
    if (st == SB_OK) st = grow_rows(t, &e->out, &e->out_cap, n);
    SB_GOTO(st, sb_agree(t->comm, st), out);
    for (int r = 1; r < size; r++) next[r] = next[r - 1] + e->send_n[r - 1];
    fill_push(t, slots, nslots, skip, next);
    SB_GOTO(st, send_ids(t, &asked), out);
    st = grow_rows(t, &e->in, &e->in_cap, asked);
    SB_GOTO(st, sb_agree(t->comm, st), out);
    sb_comm_exchange(t->comm, t->dim * sizeof(float), e->out, e->send_n, e->in,
                     e->recv_n);
    sb_rows_add(t->grad, e->in, e->local, asked, t->dim);
out:
    sb_free(next);
    return st;
}
