/* SPDX-License-Identifier: MIT
 * exchange.c - changed rows to their owners, new rows to all. */
#include "trainer/word2vec/exchange.h"

#include <string.h>

#include "comm/base/mem.h"

struct sb_exchange {
    sb_comm *c;
    size_t words, stride, D;
    int rank, size;
    sb_combine how;
    uint64_t *mine; /* [2][words] */
    uint64_t *bits; /* [size][2][words] */
    size_t *own;    /* [size + 1] words: rank r owns [own r, own r+1) */
    size_t *cut;    /* [size + 1] bytes of new rows */
    size_t *send_n, *recv_n; /* [size] rows */
    float *in;               /* rows received */
    const float **from;      /* [size] next row of each in `in` */
    const float **change;    /* [size] of one row */
    float *scratch;          /* [D] */
};

/* Rows that may arrive at one owner: own words hold at most its share of what
 * is due and two words more (cut_shares). */
static size_t most_received(int size, size_t most)
{
    return most + 128 * (size_t)size;
}

uint64_t sb_exchange_bytes(int size, size_t words, size_t D, size_t most)
{
    return most_received(size, most) * D * sizeof(float) +
           (uint64_t)(size + 1) * 2 * words * 8;
}

sb_status sb_exchange_open(sb_comm *leaders, size_t words, size_t stride,
                           size_t D, size_t most, sb_combine how,
                           sb_exchange **out)
{
    sb_exchange *x;
    SB_TRY(sb_alloc(1, sizeof *x, "exchange", &x));
    x->c = leaders;
    x->words = words;
    x->stride = stride;
    x->D = D;
    x->how = how;
    x->rank = sb_comm_rank(leaders);
    x->size = sb_comm_size(leaders);
    size_t n = (size_t)x->size;
    sb_status st;
    SB_GOTO(st, sb_alloc(2 * words, 8, "bitmaps", &x->mine), out);
    SB_GOTO(st, sb_alloc(2 * n * words, 8, "bitmaps", &x->bits), out);
    SB_GOTO(st, sb_alloc(n + 1, sizeof *x->own, "shares", &x->own), out);
    SB_GOTO(st, sb_alloc(n + 1, sizeof *x->cut, "offsets", &x->cut), out);
    SB_GOTO(st, sb_alloc(n, sizeof *x->send_n, "counts", &x->send_n), out);
    SB_GOTO(st, sb_alloc(n, sizeof *x->recv_n, "counts", &x->recv_n), out);
    SB_GOTO(st, sb_alloc(n, sizeof *x->from, "rows received", &x->from), out);
    SB_GOTO(st, sb_alloc(n, sizeof *x->change, "changes", &x->change), out);
    SB_GOTO(st, sb_alloc(D, sizeof *x->scratch, "row", &x->scratch), out);
    SB_GOTO(st,
            sb_alloc(most_received(x->size, most), D * sizeof *x->in,
                     "rows received", &x->in),
            out);
    *out = x;
    return SB_OK;
out:
    sb_exchange_close(x);
    return st;
}

void sb_exchange_close(sb_exchange *x)
{
    if (!x) return;
    sb_free(x->mine);
    sb_free(x->bits);
    sb_free(x->own);
    sb_free(x->cut);
    sb_free(x->send_n);
    sb_free(x->recv_n);
    sb_free(x->from);
    sb_free(x->change);
    sb_free(x->scratch);
    sb_free(x->in);
    sb_free(x);
}

size_t sb_count_rows(const uint64_t *bits, size_t first, size_t last)
{
    size_t n = 0;
    for (size_t w = first; w < last; w++)
        n += (size_t)__builtin_popcountll(bits[w]);
    return n;
}

static const uint64_t *bits_of(const sb_exchange *x, int rank, int t)
{
    return x->bits + (2 * (size_t)rank + (size_t)t) * x->words;
}

static void share_bits(sb_exchange *x, const sb_exchange_set *s)
{
    size_t bytes = x->words * sizeof *x->mine;
    memcpy(x->mine, s->mine[0], bytes);
    memcpy(x->mine + x->words, s->mine[1], bytes);
    sb_comm_gather(x->c, x->mine, 2 * bytes, x->bits);
    for (int t = 0; t < 2; t++) {
        memset(s->any[t], 0, bytes);
        for (int q = 0; q < x->size; q++)
            for (size_t w = 0; w < x->words; w++)
                s->any[t][w] |= bits_of(x, q, t)[w];
    }
}

/* The due rows in even shares, cut between words. */
static void cut_shares(sb_exchange *x, const uint64_t *due)
{
    size_t all = sb_count_rows(due, 0, x->words), seen = 0, w = 0;
    for (int q = 0; q <= x->size; q++) {
        size_t want = (size_t)sb_share(all, q, x->size);
        while (w < x->words && seen < want)
            seen += (size_t)__builtin_popcountll(due[w++]);
        x->own[q] = q == x->size ? x->words : w;
    }
}

/* New rows of this owner's words, in order, to `fresh`. */
static void combine_rows(sb_exchange *x, const sb_exchange_set *s, int t,
                         float *fresh)
{
    size_t D = x->D;
    const float *from = x->in;
    for (int q = 0; q < x->size; q++) {
        x->from[q] = from;
        from += x->recv_n[q] * D;
    }
    for (size_t w = x->own[x->rank]; w < x->own[x->rank + 1]; w++) {
        for (uint64_t b = s->any[t][w]; b; b &= b - 1, fresh += D) {
            uint64_t bit = b & -b;
            size_t row = 64 * w + (size_t)__builtin_ctzll(b), n = 0;
            for (int q = 0; q < x->size; q++) {
                if (!(bits_of(x, q, t)[w] & bit)) continue;
                x->change[n++] = x->from[q];
                x->from[q] += D;
            }
            double c = s->updates[t] ? (double)s->updates[t][row] : 0;
            memcpy(fresh, s->base[t] + row * x->stride, D * sizeof *fresh);
            sb_combine_changes(x->how, fresh, x->change, n, c * s->pull[t],
                               x->scratch, D);
        }
    }
}

static void run_table(sb_exchange *x, const sb_exchange_set *s, int t)
{
    size_t row_bytes = x->D * sizeof(float), *own = x->own;
    cut_shares(x, s->due[t]);
    x->cut[0] = 0;
    for (int q = 0; q < x->size; q++) {
        x->send_n[q] = sb_count_rows(s->mine[t], own[q], own[q + 1]);
        x->recv_n[q] =
            sb_count_rows(bits_of(x, q, t), own[x->rank], own[x->rank + 1]);
        x->cut[q + 1] = x->cut[q] + row_bytes * sb_count_rows(s->any[t], own[q],
                                                              own[q + 1]);
    }
    if (x->cut[x->size] == 0) return; /* the same on all replicas */
    sb_comm_exchange(x->c, row_bytes, s->change[t], x->send_n, x->in,
                     x->recv_n);
    combine_rows(x, s, t, s->fresh[t] + x->cut[x->rank] / sizeof(float));
    sb_comm_gather_cut(x->c, s->fresh[t], x->cut);
}

void sb_exchange_run(sb_exchange *x, const sb_exchange_set *s)
{
    share_bits(x, s);
    for (int t = 0; t < 2; t++) run_table(x, s, t);
}
