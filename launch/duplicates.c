/* SPDX-License-Identifier: MIT
 * duplicates.c - documents that equal an earlier one, in any source.
 *
 * Every rank reads the hashes of its share of units and sends each to the rank
 * that the hash names; there they are sorted, and of equal ones all but the
 * first are duplicates. What would not fit in memory is done in rounds, each
 * with another part of the hashes. */
#include "launch/duplicates.h"

#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/mem.h"
#include "dataset/unit_files.h"

typedef struct seen {
    uint64_t hash;
    uint64_t number; /* unit << 32 | document of the unit */
} seen;

typedef struct search {
    sb_comm *c;
    const sb_sources *s;
    const char *dir;
    int rank, size, drop;
    uint64_t round, rounds;
    size_t *n;       /* [2 * size] items for, from each rank */
    uint64_t *found; /* [founds] numbers of duplicates */
    size_t founds, found_cap;
    uint64_t *per_source;
} search;

static int owns(const search *d, size_t unit)
{
    return unit % (size_t)d->size == (size_t)d->rank;
}

static sb_status hashes_of(const search *d, size_t unit, uint64_t **hash_out,
                           size_t *n_out)
{
    void *data;
    size_t bytes;
    SB_TRY(sb_unit_get(d->dir, unit, "hash", sb_unit_identity(d->s, unit),
                       sizeof **hash_out, &data, &bytes));
    if (!data) {
        sb_fail(SB_EIO, __FILE__, __LINE__,
                "unit %zu was finished by another rank and is not in '%s'",
                unit, d->dir);
        return sb_hint("the corpus needs a folder that all nodes share");
    }
    *hash_out = data;
    *n_out = bytes / sizeof **hash_out;
    SB_REQUIRE(*n_out <= UINT32_MAX, SB_ELIMIT, "unit %zu has %zu documents",
               unit, *n_out);
    return SB_OK;
}

static int is_of_round(const search *d, uint64_t hash)
{
    return (hash >> 32) % d->rounds == d->round;
}

static int home(const search *d, uint64_t hash)
{
    return (int)((hash & UINT32_MAX) % (uint64_t)d->size);
}

static sb_status sum_hashes(search *d, uint64_t *sum_out)
{
    *sum_out = 0;
    for (size_t u = 0; u < sb_sources_units(d->s); u++) {
        uint64_t *hash;
        size_t n;
        if (!owns(d, u)) continue;
        SB_TRY(hashes_of(d, u, &hash, &n));
        sb_free(hash);
        *sum_out += n;
    }
    return SB_OK;
}

/* This round's hashes of this rank's units, grouped by the rank they go to.
 * d->n[0..size): how many go where. */
static sb_status collect(search *d, seen **send_out)
{
    seen *all = NULL, *send = NULL;
    size_t n_all = 0, cap = 0;
    uint64_t *hash = NULL;
    sb_status st = SB_OK;
    memset(d->n, 0, (size_t)d->size * sizeof *d->n);
    for (size_t u = 0; u < sb_sources_units(d->s); u++) {
        size_t n;
        if (!owns(d, u)) continue;
        SB_GOTO(st, hashes_of(d, u, &hash, &n), out);
        for (size_t i = 0; i < n; i++) {
            if (!is_of_round(d, hash[i])) continue;
            SB_GOTO(st, sb_grow(&all, &cap, n_all + 1, sizeof *all, "hashes"),
                    out);
            all[n_all++] = (seen){hash[i], (uint64_t)u << 32 | i};
            d->n[home(d, hash[i])]++;
        }
        sb_free(hash);
        hash = NULL;
    }
    SB_GOTO(st, sb_alloc(n_all, sizeof *send, "hashes", &send), out);
    size_t *at;
    SB_GOTO(st, sb_alloc((size_t)d->size, sizeof *at, "hashes", &at), out);
    for (int r = 1; r < d->size; r++) at[r] = at[r - 1] + d->n[r - 1];
    for (size_t i = 0; i < n_all; i++)
        send[at[home(d, all[i].hash)]++] = all[i];
    sb_free(at);
    *send_out = send;
    send = NULL;
out:
    sb_free(hash);
    sb_free(all);
    sb_free(send);
    return st;
}

static int by_hash(const void *a, const void *b)
{
    const seen *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Of equal hashes all but the first. */
static sb_status compare(search *d, seen *all, size_t n)
{
    qsort(all, n, sizeof *all, by_hash);
    for (size_t i = 1; i < n; i++) {
        if (all[i].hash != all[i - 1].hash) continue;
        size_t unit = (size_t)(all[i].number >> 32);
        d->per_source[sb_sources_unit(d->s, unit).source]++;
        if (!d->drop) continue;
        SB_TRY(sb_grow(&d->found, &d->found_cap, d->founds + 1,
                       sizeof *d->found, "duplicates"));
        d->found[d->founds++] = all[i].number;
    }
    return SB_OK;
}

/* Send items to where d->n says; *got_out: new memory. Collective. */
static sb_status exchange(search *d, size_t item, const void *send,
                          void **got_out, size_t *n_out)
{
    size_t *from = d->n + d->size, n = 0;
    sb_comm_exchange_counts(d->c, d->n, from);
    for (int r = 0; r < d->size; r++) n += from[r];
    SB_TRY(sb_agree(d->c, sb_alloc(n, item, "hashes", got_out)));
    sb_comm_exchange(d->c, item, send, d->n, *got_out, from);
    *n_out = n;
    return SB_OK;
}

static sb_status one_round(search *d)
{
    seen *send = NULL;
    void *got = NULL;
    size_t n = 0;
    SB_TRY(sb_agree(d->c, collect(d, &send)));
    sb_status st = exchange(d, sizeof *send, send, &got, &n);
    sb_free(send);
    SB_TRY(st);
    st = compare(d, got, n);
    sb_free(got);
    return sb_agree(d->c, st);
}

/* ---- the lists ----------------------------------------------------------- */

/* number: [n] sorted; write those of every unit of this rank, also if there
 * are none: an older list must not stay. */
static sb_status write_lists(const search *d, uint64_t *number, size_t n)
{
    size_t i = 0;
    for (size_t u = 0; u < sb_sources_units(d->s); u++) {
        if (!owns(d, u)) continue;
        size_t first = i;
        for (; i < n && number[i] >> 32 == u; i++) number[i] &= UINT32_MAX;
        SB_TRY(sb_unit_put(d->dir, u, "drop", sb_unit_identity(d->s, u),
                           number + first, (i - first) * sizeof *number));
    }
    return SB_OK;
}

static sb_status send_lists(search *d)
{
    uint64_t *send;
    void *got;
    size_t *at, n;
    sb_status st = sb_alloc(d->founds, sizeof *send, "duplicates", &send);
    if (st == SB_OK)
        st = sb_alloc((size_t)d->size, sizeof *at, "duplicates", &at);
    SB_TRY(sb_agree(d->c, st));
    memset(d->n, 0, (size_t)d->size * sizeof *d->n);
    for (size_t i = 0; i < d->founds; i++)
        d->n[(d->found[i] >> 32) % (uint64_t)d->size]++;
    for (int r = 1; r < d->size; r++) at[r] = at[r - 1] + d->n[r - 1];
    for (size_t i = 0; i < d->founds; i++)
        send[at[(d->found[i] >> 32) % (uint64_t)d->size]++] = d->found[i];
    st = exchange(d, sizeof *send, send, &got, &n);
    sb_free(at);
    sb_free(send);
    SB_TRY(st);
    qsort(got, n, sizeof *send, by_number);
    st = write_lists(d, got, n);
    sb_free(got);
    return sb_agree(d->c, st);
}

sb_status sb_duplicates_find(sb_comm *c, const sb_sources *s, const char *dir,
                             uint64_t memory, int drop,
                             uint64_t *per_source_out)
{
    search d = {.c = c,
                .s = s,
                .dir = dir,
                .rank = sb_comm_rank(c),
                .size = sb_comm_size(c),
                .drop = drop,
                .per_source = per_source_out};
    uint64_t all = 0;
    memset(per_source_out, 0, sb_sources_count(s) * sizeof *per_source_out);
    sb_status st = sb_alloc(2 * (size_t)d.size, sizeof *d.n, "hashes", &d.n);
    if (st == SB_OK) st = sum_hashes(&d, &all);
    SB_GOTO(st, sb_agree(c, st), out);
    /* collected (doubling), sent, received: at most four at a time */
    sb_comm_max_u64(c, &all, 1);
    d.rounds = 1 + all * 4 * sizeof(seen) / memory;
    for (; d.round < d.rounds && st == SB_OK; d.round++) st = one_round(&d);
    if (st == SB_OK && drop) st = send_lists(&d);
    if (st == SB_OK) sb_comm_sum_u64(c, per_source_out, sb_sources_count(s));
out:
    sb_free(d.n);
    sb_free(d.found);
    return st;
}
