/* SPDX-License-Identifier: MIT
 * saved.c - phase 1's checkpoints. */
#include "trainer/word2vec/saved.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "comm/base/mem.h"
#include "trainer/build.h"

enum { INPUT, OUTPUT, COUNTS, OPTIONS, TENSORS };
enum { PANEL_BYTES = 8 << 20 };

static void make_table(const sb_w2v_saved *s, sb_tensor table[TENSORS])
{
    uint64_t V = s->tables->V, D = s->tables->D;
    table[INPUT] = (sb_tensor){SB_W2V_INPUT, SB_F32, 2, {V, D}};
    table[OUTPUT] = (sb_tensor){SB_W2V_OUTPUT, SB_F32, 2, {V, D}};
    table[COUNTS] = (sb_tensor){SB_W2V_COUNTS, SB_U64, 1, {V}};
    table[OPTIONS] = (sb_tensor){SB_W2V_OPTIONS, SB_U64, 1, {SB_W2V_OPTIONS_N}};
}

static uint64_t bits_of(double x)
{
    uint64_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

static double real_of(uint64_t b)
{
    double x;
    memcpy(&x, &b, sizeof x);
    return x;
}

static void pack_options(const sb_w2v_options *o,
                         uint64_t out[SB_W2V_OPTIONS_N])
{
    const uint64_t v[SB_W2V_OPTIONS_N] = {o->cbow != 0, o->window, o->negative,
                                          bits_of(o->sample),
                                          bits_of(o->power)};
    memcpy(out, v, sizeof v);
}

/* ---- writing ------------------------------------------------------------- */

static void own_rows(const sb_comm *c, uint32_t V, uint64_t *first_out,
                     uint64_t *n_out)
{
    int rank = sb_comm_rank(c), size = sb_comm_size(c);
    *first_out = sb_share(V, rank, size);
    *n_out = sb_share(V, rank + 1, size) - *first_out;
}

uint64_t sb_w2v_saved_bytes(const sb_comm *c, uint32_t V, uint32_t D)
{
    uint64_t first, n;
    own_rows(c, V, &first, &n);
    return n * (2 * D * sizeof(float) + sizeof(uint64_t)) +
           SB_W2V_OPTIONS_N * sizeof(uint64_t);
}

sb_status sb_w2v_save(sb_comm *c, sb_saver *saver, const sb_w2v_saved *s,
                      uint64_t cursor, sb_save_when when)
{
    const sb_w2v_options *o = s->options;
    uint64_t D = s->tables->D, first, n, options[SB_W2V_OPTIONS_N];
    sb_tensor table[TENSORS];
    make_table(s, table);
    pack_options(o, options);

    own_rows(c, s->tables->V, &first, &n);
    sb_piece piece[TENSORS];
    size_t pieces = 0;
    if (n > 0) {
        size_t stride = s->tables->stride, at = first * stride;
        piece[pieces++] =
            (sb_piece){INPUT, first * D, n * D, s->tables->in + at, D, stride};
        piece[pieces++] = (sb_piece){
            OUTPUT, first * D, n * D, s->tables->out + at, D, stride};
        piece[pieces++] = (sb_piece){COUNTS, first, n, s->counts + first, 0, 0};
    }
    if (sb_comm_rank(c) == 0)
        piece[pieces++] =
            (sb_piece){OPTIONS, 0, SB_W2V_OPTIONS_N, options, 0, 0};

    sb_ckpt_meta meta = {.phase = "word2vec",
                         .step = cursor,
                         .total = s->blocks * o->epochs,
                         .cursor = cursor,
                         .seed = o->seed,
                         .vocab_hash = s->vocab_hash};
    meta.config = (char *)(uintptr_t)o->config; /* only read by the saver */
    sb_build_name(0, meta.build);
    return sb_saver_save(saver, &meta, table, TENSORS, piece, pieces, when);
}

/* ---- reading ------------------------------------------------------------- */

#define HINT_OTHER                                                             \
    sb_hint("go on with the options it was started with, or begin anew in "    \
            "another folder")

static sb_status check_meta(const sb_ckpt_meta *m, const sb_w2v_saved *s)
{
    const sb_w2v_options *o = s->options;
    const char *dir = o->dir;
    SB_REQUIRE(strcmp(m->phase, "word2vec") == 0, SB_EINVAL,
               "'%s' holds a checkpoint of phase '%s', not 'word2vec'", dir,
               m->phase);
    SB_REQUIRE(m->vocab_hash == s->vocab_hash, SB_EINVAL,
               "the checkpoint in '%s' was made with another vocabulary (hash "
               "%016" PRIx64 ", now %016" PRIx64 ")",
               dir, m->vocab_hash, s->vocab_hash);
    SB_REQUIRE(m->seed == o->seed, SB_EINVAL,
               "the checkpoint in '%s' was made with seed %" PRIu64
               ", this run asks for %" PRIu64,
               dir, m->seed, o->seed);
    SB_REQUIRE(s->blocks && m->total % s->blocks == 0, SB_EINVAL,
               "the checkpoint in '%s' was made over another corpus (%" PRIu64
               " blocks is not a multiple of %" PRIu64 ")",
               dir, m->total, s->blocks);
    SB_REQUIRE(m->cursor <= s->blocks * o->epochs, SB_EINVAL,
               "the checkpoint in '%s' has %" PRIu64 " epochs behind it, this "
               "run asks for %u",
               dir, (m->cursor + s->blocks - 1) / s->blocks, o->epochs);
    return SB_OK;
}

static sb_status check_options(sb_ckpt *k, const sb_tensor *want,
                               const sb_w2v_options *o)
{
    static const char *const name[] = {"window", "negative", "subsample",
                                       "noise-power"};
    uint64_t was[SB_W2V_OPTIONS_N], now[SB_W2V_OPTIONS_N];
    pack_options(o, now);
    SB_TRY(sb_ckpt_get(k, want, 0, SB_W2V_OPTIONS_N, was));
    SB_REQUIRE(was[0] == now[0], SB_EINVAL,
               "the checkpoint in '%s' is of %s, this run asks for %s", o->dir,
               was[0] ? "CBOW" : "skip-gram", now[0] ? "CBOW" : "skip-gram");
    for (int i = 1; i < SB_W2V_OPTIONS_N; i++) {
        if (was[i] == now[i]) continue;
        double a = i < 3 ? (double)was[i] : real_of(was[i]);
        double b = i < 3 ? (double)now[i] : real_of(now[i]);
        SB_FAIL(SB_EINVAL,
                "the checkpoint in '%s' was made with %s %g, this run asks for "
                "%g",
                o->dir, name[i - 1], a, b);
    }
    return SB_OK;
}

static sb_status check_shape(sb_ckpt *k, const sb_w2v_saved *s)
{
    size_t i;
    SB_TRY(sb_ckpt_find(k, SB_W2V_INPUT, &i));
    const sb_tensor *t = sb_ckpt_tensor(k, i);
    uint64_t V = s->tables->V, D = s->tables->D;
    SB_REQUIRE(t->ndim == 2 && t->dim[0] == V && t->dim[1] == D, SB_EINVAL,
               "the checkpoint in '%s' holds vectors of [%" PRIu64 ", %" PRIu64
               "], this run asks for [%" PRIu64 ", %" PRIu64 "]",
               s->options->dir, t->dim[0], t->ndim > 1 ? t->dim[1] : 1, V, D);
    return SB_OK;
}

static sb_status check_counts(sb_ckpt *k, const sb_tensor *want,
                              const sb_w2v_saved *s)
{
    uint64_t *was, V = s->tables->V;
    SB_TRY(sb_alloc(V, sizeof *was, "counts", &was));
    sb_status st = sb_ckpt_get(k, want, 0, V, was);
    if (st == SB_OK && memcmp(was, s->counts, V * sizeof *was) != 0)
        st = sb_fail(SB_EINVAL, __FILE__, __LINE__,
                     "the checkpoint in '%s' was made over another corpus (its "
                     "counts differ)",
                     s->options->dir);
    sb_free(was);
    return st;
}

sb_status sb_w2v_check(sb_ckpt *k, const sb_w2v_saved *s)
{
    sb_tensor table[TENSORS];
    make_table(s, table);
    sb_status st = check_meta(sb_ckpt_get_meta(k), s);
    if (st == SB_OK) st = check_shape(k, s);
    if (st == SB_OK) st = check_options(k, &table[OPTIONS], s->options);
    if (st == SB_OK) st = check_counts(k, &table[COUNTS], s);
    return st == SB_EINVAL ? HINT_OTHER : st;
}

/* Through `rows`, room for `most` rows without gaps. */
static sb_status load_table(sb_ckpt *k, const sb_tensor *t, float *to,
                            size_t stride, uint32_t first, uint32_t last,
                            float *rows, uint32_t most)
{
    uint64_t D = t->dim[1];
    for (uint32_t v = first; v < last;) {
        uint32_t n = last - v < most ? last - v : most;
        SB_TRY(sb_ckpt_get(k, t, v * D, n * D, rows));
        for (uint32_t i = 0; i < n; i++, v++)
            memcpy(to + v * stride, rows + i * D, D * sizeof *to);
    }
    return SB_OK;
}

sb_status sb_w2v_load(sb_ckpt *k, const sb_w2v_saved *s, uint32_t first,
                      uint32_t last)
{
    const sb_w2v_tables *w = s->tables;
    sb_tensor table[TENSORS];
    make_table(s, table);
    uint32_t most = (uint32_t)(PANEL_BYTES / (w->D * sizeof(float))) + 1;
    float *rows;
    SB_TRY(sb_alloc((size_t)most * w->D, sizeof *rows, "rows of a checkpoint",
                    &rows));
    sb_status st =
        load_table(k, &table[INPUT], w->in, w->stride, first, last, rows, most);
    if (st == SB_OK)
        st = load_table(k, &table[OUTPUT], w->out, w->stride, first, last, rows,
                        most);
    sb_free(rows);
    return st;
}
