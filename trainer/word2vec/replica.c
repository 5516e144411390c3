/* SPDX-License-Identifier: MIT
 * replica.c - tables, and the sum of what the ranks did to them.
 *
 * Bitmaps are handled in words of 64 rows; panels and the shares inside them
 * begin and end at words. Word w of rank q's bitmap of table t is
 * bits[(2 q + t) words + w]. */
#include "trainer/word2vec/replica.h"

#include <math.h>
#include <string.h>

#include "comm/base/mem.h"
#include "comm/base/rng.h"
#include "trainer/kernels/kernels.h"

enum { PANEL_BYTES = 8 << 20 };

/* The mean of sigmoid' |row|^2 over the rows that an update meets: rows grow to
 * lengths of 3 to 4, most dot products are well below 0. */
static const double curvature = 1.0;

struct sb_replica {
    sb_w2v_tables tables;
    float *base[2];
    const float *updates[2]; /* expected per pair and row, or NULL */
    double pull;             /* pairs x alpha x curvature of this round */
    uint64_t *bits;          /* [size][2][words] touched rows of every rank */
    uint64_t *mine;          /* [2][words] */
    uint64_t *any;           /* [panel] by anybody */
    float *out, *in;         /* staging of rows to send, and received */
    size_t *cut;             /* [size + 1] */
    size_t *send_n, *recv_n; /* [size] rows */
    float **from;            /* [size] in `in` */
    size_t words, panel;     /* bitmap words of a table, of a panel */
    int rank, size;
};

static size_t panel_words(uint32_t V, uint32_t D, int size)
{
    size_t all = ((size_t)V + 63) / 64;
    size_t n = PANEL_BYTES / (64 * sizeof(float) * D) + 1;
    if (n < (size_t)size) n = (size_t)size; /* something for every rank */
    return n < all ? n : all;
}

/* Rows of staging for what arrives: each of `size` ranks may have touched all
 * of this rank's share of a panel. */
static size_t staging_rows(size_t panel, int size)
{
    return 64 * (panel + (size_t)size);
}

uint64_t sb_replica_bytes(const sb_comm *c, uint32_t V, uint32_t D)
{
    int size = sb_comm_size(c);
    uint32_t stride = (uint32_t)sb_w2v_stride(D);
    uint64_t table = (uint64_t)V * stride * sizeof(float);
    if (size == 1) return 2 * table;
    uint64_t panel = panel_words(V, stride, size);
    uint64_t rows = 64 * panel + staging_rows(panel, size);
    return 4 * table + rows * stride * sizeof(float) + 2 * (uint64_t)V +
           (uint64_t)(size + 1) * 2 * (V / 64 + 1) * 8;
}

static sb_status open_exchange(sb_replica *r)
{
    size_t V = r->tables.V, D = r->tables.stride, size = (size_t)r->size;
    size_t f = sizeof(float);
    r->words = (V + 63) / 64;
    r->panel = panel_words(r->tables.V, (uint32_t)r->tables.stride, r->size);
    for (int t = 0; t < 2; t++)
        SB_TRY(sb_alloc(V * D, f, "table before the round", &r->base[t]));
    SB_TRY(sb_alloc(V, 1, "touched rows", &r->tables.in_touched));
    SB_TRY(sb_alloc(V, 1, "touched rows", &r->tables.out_touched));
    SB_TRY(sb_alloc(2 * size * r->words, 8, "touched-row bitmaps", &r->bits));
    SB_TRY(sb_alloc(2 * r->words, 8, "touched-row bitmap", &r->mine));
    SB_TRY(sb_alloc(r->panel, 8, "touched-row bitmap", &r->any));
    SB_TRY(sb_alloc(64 * r->panel * D, f, "rows to send", &r->out));
    SB_TRY(sb_alloc(staging_rows(r->panel, r->size) * D, f, "rows received",
                    &r->in));
    SB_TRY(sb_alloc(size + 1, sizeof *r->cut, "offsets", &r->cut));
    SB_TRY(sb_alloc(size, sizeof *r->send_n, "counts", &r->send_n));
    SB_TRY(sb_alloc(size, sizeof *r->from, "received rows", &r->from));
    return sb_alloc(size, sizeof *r->recv_n, "counts", &r->recv_n);
}

sb_status sb_replica_open(const sb_comm *c, uint32_t V, uint32_t D,
                          sb_replica **replica_out)
{
    sb_replica *r;
    SB_TRY(sb_alloc(1, sizeof *r, "replica", &r));
    r->tables.V = V;
    r->tables.D = D;
    r->tables.stride = sb_w2v_stride(D);
    r->rank = sb_comm_rank(c);
    r->size = sb_comm_size(c);
    sb_status st;
    size_t n = (size_t)V * r->tables.stride;
    SB_GOTO(st, sb_alloc(n, sizeof(float), "input table", &r->tables.in), out);
    SB_GOTO(st, sb_alloc(n, sizeof(float), "output table", &r->tables.out),
            out);
    if (r->size > 1) SB_GOTO(st, open_exchange(r), out);
    *replica_out = r;
    return SB_OK;
out:
    sb_replica_close(r);
    return st;
}

void sb_replica_close(sb_replica *r)
{
    if (!r) return;
    void *const all[] = {r->tables.in,
                         r->tables.out,
                         r->tables.in_touched,
                         r->tables.out_touched,
                         r->base[0],
                         r->base[1],
                         r->bits,
                         r->mine,
                         r->any,
                         r->out,
                         r->in,
                         r->cut,
                         r->send_n,
                         r->recv_n,
                         r->from};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) sb_free(all[i]);
    sb_free(r);
}

const sb_w2v_tables *sb_replica_tables(const sb_replica *r)
{
    return &r->tables;
}

void sb_replica_init(sb_replica *r, uint64_t seed)
{
    sb_rng_key key = sb_rng_key_make(seed, SB_RNG_WORD2VEC_INIT);
    uint32_t V = r->tables.V, D = r->tables.D;
    for (uint32_t row = 0; row < V; row++) {
        float *x = r->tables.in + row * r->tables.stride;
        sb_rng4 four = {{0}};
        for (uint32_t i = 0; i < D; i++) {
            if (i % 4 == 0) four = sb_rng_at(key, row, i / 4, 0);
            x[i] = (sb_rng_unit(four.v[i % 4]) - 0.5f) / (float)D;
        }
    }
    memset(r->tables.out, 0, V * r->tables.stride * sizeof(float));
}

void sb_replica_begin(sb_replica *r)
{
    if (r->size == 1) return;
    size_t bytes = r->tables.V * r->tables.stride * sizeof(float);
    memcpy(r->base[0], r->tables.in, bytes);
    memcpy(r->base[1], r->tables.out, bytes);
    memset(r->tables.in_touched, 0, r->tables.V);
    memset(r->tables.out_touched, 0, r->tables.V);
}

/* ---- bitmaps ------------------------------------------------------------- */

static size_t count_rows(const uint64_t *bits, size_t first, size_t last)
{
    size_t n = 0;
    for (size_t w = first; w < last; w++)
        n += (size_t)__builtin_popcountll(bits[w]);
    return n;
}

/* What to do with touched row `row` (floats a of table, base, staging). */
typedef void (*row_fn)(float *table, float *base, float *staged, size_t D);

/* fn for every row in words [first, last), staging rows one after another;
 * returns the staging position behind the last. bits[0] is word `origin`. */
static float *each_row(sb_replica *r, int t, const uint64_t *bits,
                       size_t origin, size_t first, size_t last, float *staged,
                       row_fn fn)
{
    size_t D = r->tables.stride;
    float *table = t == 0 ? r->tables.in : r->tables.out;
    for (size_t w = first; w < last; w++) {
        for (uint64_t b = bits[w - origin]; b; b &= b - 1) {
            size_t row = 64 * w + (size_t)__builtin_ctzll(b);
            fn(table + row * D, r->base[t] + row * D, staged, D);
            staged += D;
        }
    }
    return staged;
}

static void stage_change(float *table, float *base, float *staged, size_t D)
{
    for (size_t i = 0; i < D; i++) staged[i] = table[i] - base[i];
}

static void take_new(float *table, float *base, float *staged, size_t D)
{
    memcpy(table, staged, D * sizeof *staged);
    memcpy(base, staged, D * sizeof *staged);
}

/* Every rank's bitmaps to all; the byte maps are cleared. */
static void share_touched(sb_comm *c, sb_replica *r)
{
    memset(r->mine, 0, 2 * r->words * sizeof *r->mine);
    for (size_t t = 0; t < 2; t++) {
        uint8_t *map = t == 0 ? r->tables.in_touched : r->tables.out_touched;
        uint64_t *bits = r->mine + t * r->words;
        for (size_t v = 0; v < r->tables.V; v++)
            bits[v / 64] |= (uint64_t)map[v] << (v % 64);
        memset(map, 0, r->tables.V);
    }
    sb_comm_gather(c, r->mine, 2 * r->words * sizeof *r->mine, r->bits);
}

static const uint64_t *bits_of(const sb_replica *r, int rank, int t)
{
    return r->bits + (2 * (size_t)rank + (size_t)t) * r->words;
}

/* The weight of a sum over q ranks (replica.h). */
static double weight(const sb_replica *r, int t, size_t row, int q)
{
    if (q < 2) return 1;
    if (!r->updates[t]) return 1.0 / q;
    double c = r->pull * (double)r->updates[t][row];
    return c > 1e-9 ? expm1(-q * c) / (q * expm1(-c)) : 1;
}

/* sum <- what the ranks did to one row. from[q] points to rank q's next row. */
static void sum_changes(sb_replica *r, int t, size_t row, float *sum)
{
    size_t D = r->tables.stride;
    int n = 0;
    memset(sum, 0, D * sizeof *sum);
    for (int q = 0; q < r->size; q++) {
        if (!(bits_of(r, q, t)[row / 64] >> row % 64 & 1)) continue;
        sb_add(sum, r->from[q], D);
        r->from[q] += D;
        n++;
    }
    float w = (float)weight(r, t, row, n);
    for (size_t i = 0; i < D; i++) sum[i] *= w;
}

/* The new rows of this rank's words [begin, end), touched by anybody, into
 * `part`. */
static void sum_rows(sb_replica *r, int t, size_t begin, size_t end,
                     const uint64_t *any, float *part)
{
    size_t D = r->tables.stride;
    float *from = r->in;
    for (int q = 0; q < r->size; q++) {
        r->from[q] = from;
        from += r->recv_n[q] * D;
    }
    for (size_t w = begin; w < end; w++) {
        for (uint64_t b = any[w - begin]; b; b &= b - 1, part += D) {
            size_t row = 64 * w + (size_t)__builtin_ctzll(b);
            sum_changes(r, t, row, part);
            sb_add(part, r->base[t] + row * D, D);
        }
    }
}

/* Words [first, last) of table t. Rank q owns [own(q), own(q + 1)). */
static void combine_panel(sb_comm *c, sb_replica *r, int t, size_t first,
                          size_t last)
{
#define own(q) (first + (size_t)sb_share(last - first, (q), r->size))
    size_t D = r->tables.stride, row_bytes = D * sizeof(float);
    size_t begin = own(r->rank), end = own(r->rank + 1);
    memset(r->any, 0, (last - first) * sizeof *r->any);
    for (int q = 0; q < r->size; q++) {
        const uint64_t *b = bits_of(r, q, t);
        for (size_t w = first; w < last; w++) r->any[w - first] |= b[w];
        r->send_n[q] = count_rows(bits_of(r, r->rank, t), own(q), own(q + 1));
        r->recv_n[q] = count_rows(b, begin, end);
    }
    r->cut[0] = 0;
    for (int q = 0; q < r->size; q++)
        r->cut[q + 1] =
            r->cut[q] +
            row_bytes * count_rows(r->any, own(q) - first, own(q + 1) - first);
#undef own
    if (r->cut[r->size] == 0) return; /* the same on all ranks */

    const uint64_t *mine = bits_of(r, r->rank, t);
    each_row(r, t, mine + first, first, first, last, r->out, stage_change);
    sb_comm_exchange(c, row_bytes, r->out, r->send_n, r->in, r->recv_n);
    sum_rows(r, t, begin, end, r->any + (begin - first),
             r->out + r->cut[r->rank] / sizeof(float));
    sb_comm_gather_cut(c, r->out, r->cut);
    each_row(r, t, r->any, first, first, last, r->out, take_new);
}

void sb_replica_expect(sb_replica *r, const float *in, const float *out)
{
    r->updates[0] = in;
    r->updates[1] = out;
}

void sb_replica_combine(sb_comm *c, sb_replica *r, double pairs, double alpha)
{
    if (r->size == 1) return;
    r->pull = pairs * alpha * curvature;
    share_touched(c, r);
    for (int t = 0; t < 2; t++)
        for (size_t w = 0; w < r->words; w += r->panel)
            combine_panel(c, r, t, w,
                          r->words - w > r->panel ? w + r->panel : r->words);
}
