/* SPDX-License-Identifier: MIT
 * hogwild.c - skip-gram and CBOW with negative sampling over a stretch of
 * text. Why several threads may do this to the same tables: hogwild.h.
 *
 * Two batches take turns: while one is trained, the rows of the next are on
 * their way from memory. */
#include "trainer/word2vec/hogwild.h"

#include <math.h>
#include <string.h>

#include "comm/base/mem.h"
#include "trainer/kernels/kernels.h"

enum { LINE = 16 }; /* floats of a cache line */

/* ThreadSanitizer is told where the deliberate race is (functions of its
 * runtime, without a header): any other race shows. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
void __tsan_ignore_thread_begin(void);
void __tsan_ignore_thread_end(void);
#define RACE_BEGIN() __tsan_ignore_thread_begin()
#define RACE_END()   __tsan_ignore_thread_end()
#else
#define RACE_BEGIN() (void)0
#define RACE_END()   (void)0
#endif

/* The context rows of window k are context[cut[k] .. cut[k + 1]). */
struct sb_w2v_batch {
    sb_group group;
    float *out[SB_GROUP_OUTPUTS];
    size_t n, cut[SB_GROUP_WINDOWS + 1];
    uint8_t *label;  /* [n] */
    float **context; /* [n] */
};

/* ---- scratch ------------------------------------------------------------- */

static size_t contexts_of(uint32_t window)
{
    return SB_GROUP_WINDOWS * 2 * (size_t)window;
}

static sb_status open_batch(sb_w2v_batch **batch_out, size_t contexts)
{
    sb_w2v_batch *b;
    SB_TRY(sb_alloc(1, sizeof *b, "batch", batch_out));
    b = *batch_out;
    SB_TRY(sb_alloc(contexts, 1, "labels", &b->label));
    return sb_alloc(contexts, sizeof *b->context, "context rows", &b->context);
}

static void close_batch(sb_w2v_batch *b)
{
    if (!b) return;
    sb_free(b->label);
    sb_free(b->context);
    sb_free(b);
}

uint64_t sb_w2v_task_bytes(size_t tokens, uint32_t V, uint32_t D,
                           uint32_t window, uint32_t negative)
{
    return 13 * (uint64_t)tokens + 8 * (uint64_t)V +
           18 * (uint64_t)contexts_of(window) +
           4 * SB_SGNS_INPUTS * (negative + 3 + (uint64_t)sb_w2v_columns(D));
}

sb_status sb_w2v_task_open(sb_w2v_task *t, size_t tokens,
                           const sb_w2v_tables *tables, uint32_t window,
                           uint32_t negative)
{
    *t =
        (sb_w2v_task){.tables = tables, .window = window, .negative = negative};
    size_t columns = sb_w2v_columns(tables->D), outs = (size_t)negative + 1;
    sb_status st;
    SB_GOTO(st, sb_windows_open(&t->windows, tokens, tables->V), out);
    for (int i = 0; i < 2; i++)
        SB_GOTO(st, open_batch(&t->batch[i], contexts_of(window)), out);
    SB_GOTO(st, sb_alloc(SB_SGNS_INPUTS * outs, sizeof *t->g, "factors", &t->g),
            out);
    SB_GOTO(
        st,
        sb_alloc(SB_SGNS_INPUTS * columns, sizeof *t->rows, "rows", &t->rows),
        out);
    SB_GOTO(st, sb_alloc(SB_SGNS_INPUTS, sizeof *t->aside, "rows", &t->aside),
            out);
    for (size_t i = 0; i < SB_SGNS_INPUTS; i++)
        t->aside[i] = t->rows + i * columns;
out:
    if (st != SB_OK) sb_w2v_task_close(t);
    return st;
}

void sb_w2v_task_close(sb_w2v_task *t)
{
    sb_windows_close(&t->windows);
    for (int i = 0; i < 2; i++) close_batch(t->batch[i]);
    sb_free(t->g);
    sb_free(t->rows);
    sb_free(t->aside);
    *t = (sb_w2v_task){0};
}

/* ---- batches ------------------------------------------------------------- */

/* Looks first: a line that is only read stays in every core's cache. */
static inline void touch(uint8_t *map, uint32_t row)
{
    if (map && !__atomic_load_n(&map[row], __ATOMIC_RELAXED))
        __atomic_store_n(&map[row], 1, __ATOMIC_RELAXED);
}

static void add_window(sb_w2v_task *t, sb_w2v_batch *b, uint32_t k)
{
    const sb_w2v_tables *w = t->tables;
    uint32_t place = b->group.place[k];
    sb_reach reach = t->windows.reach[place];
    for (uint32_t i = place - reach.left; i <= place + reach.right; i++) {
        if (i == place) continue;
        uint32_t id = t->windows.word[i];
        touch(w->in_touched, id);
        b->label[b->n] = b->group.label[k];
        b->context[b->n++] = w->in + id * w->stride;
    }
    b->cut[k + 1] = b->n;
}

/* Fill b with the next group that has a context; 0: none is left. */
static int next_batch(sb_w2v_task *t, sb_w2v_batch *b)
{
    const sb_w2v_tables *w = t->tables;
    do {
        if (!sb_windows_next(&t->windows, t->sampler, t->negative, &t->rng,
                             &b->group))
            return 0;
        b->n = 0;
        for (uint32_t k = 0; k < b->group.windows; k++) add_window(t, b, k);
    } while (b->n == 0);
    t->moved += b->n + b->group.outs;
    for (uint32_t j = 0; j < b->group.outs; j++) {
        touch(w->out_touched, b->group.out[j]);
        b->out[j] = w->out + b->group.out[j] * w->stride;
        for (size_t c = 0; c < w->D; c += LINE)
            __builtin_prefetch(b->out[j] + c, 1, 2);
    }
    return 1;
}

/* ---- training ------------------------------------------------------------ */

/* Inputs [first, last) of b in one step. Of the next batch's rows, those at
 * the same places are fetched, and with the last step the rest. */
static void skip_gram_step(sb_w2v_task *t, const sb_w2v_batch *b, size_t first,
                           size_t last, const sb_w2v_batch *soon, float lr)
{
    size_t from = first < soon->n ? first : soon->n;
    size_t to = last < soon->n && last < b->n ? last : soon->n;
    sb_sgns step = {b->context + first,
                    b->label + first,
                    b->out,
                    soon->context + from,
                    last - first,
                    b->group.outs,
                    to - from,
                    sb_w2v_columns(t->tables->D)};
    t->loss += sb_sgns_step(&step, lr, t->g, t->aside);
}

static void skip_gram(sb_w2v_task *t, const sb_w2v_batch *b,
                      const sb_w2v_batch *soon, float lr)
{
    size_t first = 0;
    for (uint32_t r = 0; r < SB_GROUP_ROUNDS; r++) {
        size_t end = b->cut[b->group.round[r]];
        while (first < end) {
            size_t left = end - first;
            size_t n = left < SB_SGNS_INPUTS ? left : SB_SGNS_INPUTS;
            skip_gram_step(t, b, first, first + n, soon, lr);
            first += n;
        }
    }
    t->pairs += b->n;
}

/* Windows [first, last) of b in one step. Their means are the first rows of
 * t->aside, what they were the next; the rest is the kernel's. */
static void cbow_step(sb_w2v_task *t, const sb_w2v_batch *b, uint32_t first,
                      uint32_t last, const sb_w2v_batch *soon, float lr)
{
    size_t D = sb_w2v_columns(t->tables->D), n = 0;
    float *const *mean = t->aside, *const *was = mean + SB_GROUP_WINDOWS;
    uint8_t label[SB_GROUP_WINDOWS];
    for (uint32_t k = first; k < last; k++) {
        size_t from = b->cut[k], to = b->cut[k + 1];
        if (from == to) continue;
        memset(mean[n], 0, D * sizeof *mean[n]);
        for (size_t i = from; i < to; i++)
            sb_axpy(mean[n], 1.0f / (float)(to - from), b->context[i], D);
        memcpy(was[n], mean[n], D * sizeof *mean[n]);
        label[n++] = b->group.label[k];
    }
    if (n == 0) return;
    sb_sgns step = {mean, label,         b->out,  soon->context,
                    n,    b->group.outs, soon->n, D};
    t->loss += sb_sgns_step(&step, lr, t->g, t->aside + 2 * SB_GROUP_WINDOWS);
    t->pairs += n;
    n = 0;
    for (uint32_t k = first; k < last; k++) {
        if (b->cut[k] == b->cut[k + 1]) continue;
        sb_axpy(mean[n], -1.0f, was[n], D);
        for (size_t i = b->cut[k]; i < b->cut[k + 1]; i++)
            sb_add(b->context[i], mean[n], D);
        n++;
    }
}

static void cbow(sb_w2v_task *t, const sb_w2v_batch *b,
                 const sb_w2v_batch *soon, float lr)
{
    uint32_t first = 0;
    for (uint32_t r = 0; r < SB_GROUP_ROUNDS; r++) {
        cbow_step(t, b, first, b->group.round[r], soon, lr);
        first = b->group.round[r];
    }
}

static float rate_now(const sb_w2v_task *t)
{
    double share = (double)t->windows.done / (double)t->windows.n;
    double words = share * (double)(t->words_last - t->words_first);
    return sb_w2v_rate_at(t->rate, t->words_first + (uint64_t)words);
}

static void cut_windows(sb_w2v_task *t)
{
    sb_windows_clear(&t->windows);
    for (size_t i = 0; i < t->pieces; i++)
        sb_windows_add(&t->windows, &t->piece[i].block, t->sampler, t->window,
                       &t->piece[i].rng);
    sb_windows_index(&t->windows);
}

void sb_w2v_train_part(sb_w2v_task *t, uint32_t part, uint32_t parts)
{
    if (part == 0) cut_windows(t);
    uint64_t end = (uint64_t)t->windows.n * (part + 1) / parts;
    sb_w2v_batch *now = t->batch[0], *soon = t->batch[1];
    if (t->windows.done >= end || !next_batch(t, now)) return;
    for (int more = 1; more && isfinite(t->loss);) {
        float lr = rate_now(t);
        more = t->windows.done < end && next_batch(t, soon);
        if (!more) soon->n = 0;
        RACE_BEGIN();
        if (t->cbow)
            cbow(t, now, soon, lr);
        else
            skip_gram(t, now, soon, lr);
        RACE_END();
        sb_w2v_batch *b = now;
        now = soon;
        soon = b;
    }
}
