/* SPDX-License-Identifier: MIT
 * replica.c - tables in shared memory, and turns.
 *
 * One piece of shared memory holds all that the ranks of a replica have in
 * common. A turn has three steps, each done by all threads of all ranks of the
 * replica on even shares of bitmap words, with a sync between: take in, mark,
 * set aside. What is due follows from the number of the turn, on every rank
 * for itself. */
#include "trainer/word2vec/replica.h"

#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/mem.h"
#include "comm/base/rng.h"
#include "comm/group.h"
#include "comm/shared.h"
#include "trainer/word2vec/exchange.h"

enum { PAGE = 4096 };

/* The mean of sigmoid' |row|^2 over the rows that an update meets: rows grow to
 * lengths of 3 to 4, most dot products are well below 0. */
static const double curvature = 1.0;

/* In shared memory, [2] for the two tables. */
typedef struct common {
    float *table[2], *base[2];   /* [V, stride] */
    uint8_t *touched[2];         /* [V] */
    uint64_t *mine[2], *any[2];  /* [words] of the exchange under way */
    float *change[2], *fresh[2]; /* [most, D] rows of mine, of any */
    size_t bytes;
} common;

struct sb_replica {
    sb_replica_options o;
    sb_w2v_tables tables;
    sb_comm *all, *node, *leaders;
    sb_shared *memory;
    common m;
    sb_exchange *exchange; /* leaders' */
    uint64_t *hot[2];      /* [words] */
    uint64_t *due[2];      /* [words] */
    float *updates[2];     /* [V] expected per pair between two turns */
    size_t words, most;
    uint64_t turn;
    double pull;
    int replicas, rank, ranks;
    int pending; /* set aside, not yet taken in */
};

/* ---- memory -------------------------------------------------------------- */

static size_t words_of(uint32_t V)
{
    return ((size_t)V + 63) / 64;
}

/* Rows of a table that can be due at once. */
static size_t most_due(const sb_replica_options *o)
{
    size_t cold = 64 * (words_of(o->V) / o->cycle + 1);
    return o->hot + cold < o->V ? o->hot + cold : o->V;
}

static void *carve(char *start, size_t *at, size_t bytes)
{
    void *p = start + *at;
    *at += (bytes + PAGE - 1) / PAGE * PAGE;
    return p;
}

/* Where everything lies behind `start`; NULL: to learn the bytes. */
static common lay_out(const sb_replica_options *o, int replicas, char *start)
{
    common m = {0};
    size_t at = 0, f = sizeof(float), words = words_of(o->V);
    size_t table = o->V * sb_w2v_stride(o->D) * f;
    size_t rows = most_due(o) * o->D * f;
    for (int t = 0; t < 2; t++) {
        m.table[t] = carve(start, &at, table);
        if (replicas == 1) continue;
        m.base[t] = carve(start, &at, table);
        m.touched[t] = carve(start, &at, 64 * words);
        m.mine[t] = carve(start, &at, 8 * words);
        m.any[t] = carve(start, &at, 8 * words);
        m.change[t] = carve(start, &at, rows);
        m.fresh[t] = carve(start, &at, rows);
    }
    m.bytes = at;
    return m;
}

uint64_t sb_replica_bytes(const sb_replica_options *o, int replicas)
{
    static char nothing[1];
    uint64_t bytes = lay_out(o, replicas, nothing).bytes;
    if (replicas == 1) return bytes;
    return bytes + 8 * (uint64_t)o->V +
           sb_exchange_bytes(replicas, words_of(o->V), o->D, most_due(o));
}

static sb_status open_groups(sb_replica *r, sb_comm *c)
{
    SB_TRY(sb_comm_split_nodes(c, r->o.ranks, &r->node, &r->leaders));
    r->rank = sb_comm_rank(r->node);
    r->ranks = sb_comm_size(r->node);
    if (r->leaders) r->replicas = sb_comm_size(r->leaders);
    sb_comm_bcast(r->node, &r->replicas, sizeof r->replicas, 0);
    return SB_OK;
}

static sb_status open_private(sb_replica *r)
{
    if (r->replicas == 1) return SB_OK;
    for (int t = 0; t < 2; t++) {
        SB_TRY(sb_alloc(r->words, 8, "hot rows", &r->hot[t]));
        SB_TRY(sb_alloc(r->words, 8, "due rows", &r->due[t]));
        SB_TRY(sb_alloc(r->o.V, sizeof(float), "expected updates",
                        &r->updates[t]));
    }
    if (!r->leaders) return SB_OK;
    sb_comm_patient(r->leaders, 1);
    return sb_exchange_open(r->leaders, r->words, r->tables.stride, r->o.D,
                            r->most, r->o.how, &r->exchange);
}

static sb_status open_shared(sb_replica *r)
{
    static char nothing[1];
    size_t bytes = lay_out(&r->o, r->replicas, nothing).bytes;
    SB_TRY(sb_shared_open(r->node, bytes, "word2vec's tables", &r->memory));
    r->m = lay_out(&r->o, r->replicas, sb_shared_at(r->memory));
    r->tables.in = r->m.table[0];
    r->tables.out = r->m.table[1];
    r->tables.in_touched = r->m.touched[0];
    r->tables.out_touched = r->m.touched[1];
    return SB_OK;
}

sb_status sb_replica_open(sb_comm *c, const sb_replica_options *o,
                          sb_replica **replica_out)
{
    sb_replica *r;
    SB_TRY(sb_agree(c, sb_alloc(1, sizeof *r, "replica", &r)));
    r->o = *o;
    r->all = c;
    r->tables.V = o->V;
    r->tables.D = o->D;
    r->tables.stride = sb_w2v_stride(o->D);
    r->words = words_of(o->V);
    r->most = most_due(o);
    sb_status st;
    SB_GOTO(st, open_groups(r, c), out);
    SB_GOTO(st, sb_agree(c, open_shared(r)), out);
    SB_GOTO(st, sb_agree(c, open_private(r)), out);
    *replica_out = r;
    return SB_OK;
out:
    sb_replica_close(r);
    return st;
}

void sb_replica_close(sb_replica *r)
{
    if (!r) return;
    sb_exchange_close(r->exchange);
    sb_shared_close(r->memory);
    sb_comm_free(r->leaders);
    sb_comm_free(r->node);
    for (int t = 0; t < 2; t++) {
        sb_free(r->hot[t]);
        sb_free(r->due[t]);
        sb_free(r->updates[t]);
    }
    sb_free(r);
}

const sb_w2v_tables *sb_replica_tables(const sb_replica *r)
{
    return &r->tables;
}

int sb_replica_count(const sb_replica *r)
{
    return r->replicas;
}

int sb_replica_ranks(const sb_replica *r)
{
    return r->ranks;
}

sb_comm *sb_replica_comm(const sb_replica *r)
{
    return r->node;
}

void sb_replica_share(const sb_replica *r, uint32_t *first, uint32_t *last)
{
    *first = (uint32_t)sb_share(r->o.V, r->rank, r->ranks);
    *last = (uint32_t)sb_share(r->o.V, r->rank + 1, r->ranks);
}

/* ---- the start ----------------------------------------------------------- */

void sb_replica_init(sb_replica *r, uint64_t seed)
{
    sb_rng_key key = sb_rng_key_make(seed, SB_RNG_WORD2VEC_INIT);
    uint32_t first, last, D = r->o.D;
    sb_replica_share(r, &first, &last);
    for (uint32_t row = first; row < last; row++) {
        float *x = r->tables.in + row * r->tables.stride;
        sb_rng4 four = {{0}};
        for (uint32_t i = 0; i < D; i++) {
            if (i % 4 == 0) four = sb_rng_at(key, row, i / 4, 0);
            x[i] = (sb_rng_unit(four.v[i % 4]) - 0.5f) / (float)D;
        }
    }
}

static int falling(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* The o.hot rows with the most expected updates; of equal ones the first. */
static sb_status choose_hot(sb_replica *r, int t, const float *updates)
{
    uint32_t V = r->o.V, hot = r->o.hot < V ? r->o.hot : V, n = 0;
    if (hot == 0) return SB_OK;
    float *sorted;
    SB_TRY(sb_alloc(V, sizeof *sorted, "expected updates", &sorted));
    memcpy(sorted, updates, V * sizeof *sorted);
    qsort(sorted, V, sizeof *sorted, falling);
    float least = sorted[hot - 1];
    sb_free(sorted);
    for (int equal = 0; equal < 2; equal++)
        for (uint32_t v = 0; v < V && n < hot; v++) {
            if (equal ? updates[v] != least : updates[v] <= least) continue;
            r->hot[t][v / 64] |= (uint64_t)1 << v % 64;
            n++;
        }
    return SB_OK;
}

sb_status sb_replica_begin(sb_replica *r, const float *in, const float *out)
{
    if (r->replicas > 1) {
        uint32_t first, last;
        sb_replica_share(r, &first, &last);
        size_t s = r->tables.stride, n = (last - first) * s * sizeof(float);
        const float *updates[2] = {in, out};
        for (int t = 0; t < 2; t++) {
            memcpy(r->m.base[t] + first * s, r->m.table[t] + first * s, n);
            SB_TRY(choose_hot(r, t, updates[t]));
            for (uint32_t v = 0; v < r->o.V; v++) {
                uint64_t hot = r->hot[t][v / 64] >> v % 64 & 1;
                float turns = hot ? 1 : (float)r->o.cycle;
                r->updates[t][v] = turns * updates[t][v];
            }
        }
    }
    sb_shared_sync(r->memory);
    return SB_OK;
}

/* ---- turns --------------------------------------------------------------- */

/* What is to be done to the words [first, last) of table t. */
typedef void (*words_fn)(sb_replica *r, int t, size_t first, size_t last);

typedef struct step {
    sb_replica *r;
    words_fn fn;
    int parts; /* of this rank */
} step;

static sb_status run_part(void *context, size_t i, int worker)
{
    (void)worker;
    const step *s = context;
    sb_replica *r = s->r;
    int parts = r->ranks * s->parts, part = r->rank * s->parts + (int)i;
    size_t first = (size_t)sb_share(r->words, part, parts);
    size_t last = (size_t)sb_share(r->words, part + 1, parts);
    for (int t = 0; t < 2; t++) s->fn(r, t, first, last);
    return SB_OK;
}

/* fn over all words, by all threads of all ranks of the replica; then all see
 * what was done. */
static void everywhere(sb_replica *r, sb_pool *pool, words_fn fn)
{
    step s = {r, fn, sb_pool_workers(pool)};
    sb_status st = sb_pool_run(pool, (size_t)s.parts, run_part, &s);
    (void)st; /* run_part does not fail */
    sb_shared_sync(r->memory);
}

static void take_in(sb_replica *r, int t, size_t first, size_t last)
{
    size_t D = r->o.D, s = r->tables.stride;
    const float *fresh = r->m.fresh[t], *change = r->m.change[t];
    fresh += D * sb_count_rows(r->m.any[t], 0, first);
    change += D * sb_count_rows(r->m.mine[t], 0, first);
    for (size_t w = first; w < last; w++) {
        for (uint64_t b = r->m.any[t][w]; b; b &= b - 1, fresh += D) {
            uint64_t bit = b & -b;
            size_t at = (64 * w + (size_t)__builtin_ctzll(b)) * s;
            float *row = r->m.table[t] + at, *base = r->m.base[t] + at;
            if (r->m.mine[t][w] & bit) {
                for (size_t i = 0; i < D; i++)
                    row[i] = fresh[i] + (row[i] - base[i] - change[i]);
                change += D;
            } else {
                for (size_t i = 0; i < D; i++)
                    row[i] = fresh[i] + (row[i] - base[i]);
            }
            memcpy(base, fresh, D * sizeof *base);
        }
    }
}

static void mark(sb_replica *r, int t, size_t first, size_t last)
{
    for (size_t w = first; w < last; w++) {
        uint64_t bits = 0;
        uint8_t *touched = r->m.touched[t] + 64 * w;
        for (uint64_t b = r->due[t][w]; b; b &= b - 1) {
            int i = __builtin_ctzll(b);
            bits |= (uint64_t)touched[i] << i;
            touched[i] = 0;
        }
        r->m.mine[t][w] = bits;
    }
}

static void set_aside(sb_replica *r, int t, size_t first, size_t last)
{
    size_t D = r->o.D, s = r->tables.stride;
    float *change = r->m.change[t];
    change += D * sb_count_rows(r->m.mine[t], 0, first);
    for (size_t w = first; w < last; w++) {
        for (uint64_t b = r->m.mine[t][w]; b; b &= b - 1, change += D) {
            size_t at = (64 * w + (size_t)__builtin_ctzll(b)) * s;
            const float *row = r->m.table[t] + at, *base = r->m.base[t] + at;
            for (size_t i = 0; i < D; i++) change[i] = row[i] - base[i];
        }
    }
}

/* The first word of share k. */
static size_t share_start(const sb_replica *r, uint64_t k)
{
    return (size_t)(r->words * k / r->o.cycle);
}

/* The share `k` of all rows and, if `hot`, the hot ones. */
static void choose_due(sb_replica *r, uint64_t k, int hot)
{
    size_t first = share_start(r, k), last = share_start(r, k + 1);
    for (int t = 0; t < 2; t++) {
        memset(r->due[t], 0, r->words * sizeof *r->due[t]);
        if (hot) memcpy(r->due[t], r->hot[t], r->words * sizeof *r->due[t]);
        for (size_t w = first; w < last; w++) r->due[t][w] = ~(uint64_t)0;
    }
    if (last == r->words && r->o.V % 64)
        for (int t = 0; t < 2; t++)
            r->due[t][last - 1] &= ((uint64_t)1 << r->o.V % 64) - 1;
}

static void prepare(sb_replica *r, sb_pool *pool, double pull)
{
    r->pull = pull * curvature;
    everywhere(r, pool, mark);
    everywhere(r, pool, set_aside);
    r->pending = 1;
}

static void finish(sb_replica *r, sb_pool *pool)
{
    sb_shared_sync(r->memory);
    if (r->pending) everywhere(r, pool, take_in);
    r->pending = 0;
}

void sb_replica_turn(sb_replica *r, sb_pool *pool, double pull)
{
    if (r->replicas == 1) return;
    finish(r, pool);
    choose_due(r, r->turn++ % r->o.cycle, 1);
    prepare(r, pool, pull);
}

void sb_replica_exchange(sb_replica *r)
{
    if (!r->pending || !r->leaders) return;
    sb_exchange_set s = {.pull = {r->pull, r->pull}};
    for (int t = 0; t < 2; t++) {
        s.due[t] = r->due[t];
        s.mine[t] = r->m.mine[t];
        s.change[t] = r->m.change[t];
        s.base[t] = r->m.base[t];
        s.updates[t] = r->updates[t];
        s.any[t] = r->m.any[t];
        s.fresh[t] = r->m.fresh[t];
    }
    sb_exchange_run(r->exchange, &s);
}

void sb_replica_settle(sb_replica *r, sb_pool *pool, double pull)
{
    if (r->replicas == 1) return;
    finish(r, pool);
    for (uint64_t k = 0; k < r->o.cycle; k++) {
        if (share_start(r, k) == share_start(r, k + 1)) continue;
        choose_due(r, k, 0);
        prepare(r, pool, pull);
        sb_replica_exchange(r);
        finish(r, pool);
    }
    r->turn = 0;
}

double sb_replica_seconds(const sb_replica *r)
{
    return r->leaders ? sb_comm_seconds(r->leaders) : 0;
}

uint64_t sb_replica_sent(const sb_replica *r)
{
    return r->leaders ? sb_comm_sent(r->leaders) : 0;
}
