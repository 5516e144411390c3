/* SPDX-License-Identifier: MIT
 * hogwild.c - skip-gram and CBOW with negative sampling over one block. Why
 * several threads may do this to the same tables: hogwild.h. */
#include "trainer/word2vec/hogwild.h"

#include <math.h>
#include <string.h>

#include "comm/base/mem.h"
#include "trainer/kernels/kernels.h"

enum {
    REDRAWS = 8, /* of a negative that equals the centre */
    SPAN = 512,  /* centres between two looks at the learning rate */
    LINE = 16    /* floats of a cache line */
};

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

sb_status sb_w2v_task_open(sb_w2v_task *t, uint32_t tokens, uint32_t window,
                           uint32_t negative, uint32_t D)
{
    *t = (sb_w2v_task){.window = window, .negative = negative};
    if (window > tokens) window = tokens; /* pairs of a centre, at most */
    size_t pairs = 2 * (size_t)window, rows = pairs * ((size_t)negative + 1);
    sb_status st;
    SB_GOTO(st, sb_alloc(tokens, sizeof *t->sentence, "sentence", &t->sentence),
            out);
    SB_GOTO(st, sb_alloc(rows, sizeof *t->row, "rows of a centre", &t->row),
            out);
    SB_GOTO(st, sb_alloc(pairs, sizeof *t->rows, "row counts", &t->rows), out);
    SB_GOTO(st, sb_alloc(D, sizeof *t->mean, "context mean", &t->mean), out);
    SB_GOTO(st, sb_alloc(D, sizeof *t->din, "input step", &t->din), out);
out:
    if (st != SB_OK) sb_w2v_task_close(t);
    return st;
}

void sb_w2v_task_close(sb_w2v_task *t)
{
    sb_free(t->sentence);
    sb_free(t->row);
    sb_free(t->rows);
    sb_free(t->mean);
    sb_free(t->din);
    *t = (sb_w2v_task){0};
}

/* Looks first: a line that is only read stays in every core's cache. */
static inline void touch(uint8_t *map, uint32_t row)
{
    if (!__atomic_load_n(&map[row], __ATOMIC_RELAXED))
        __atomic_store_n(&map[row], 1, __ATOMIC_RELAXED);
}

/* Ask for a row that is needed soon: its first lines; the processor's own
 * prefetcher follows from there. */
static inline void fetch(const float *row, size_t D)
{
    for (size_t i = 0; i < D && i < 4 * LINE; i += LINE)
        __builtin_prefetch(row + i, 1);
}

/* row[0] the centre, then negatives; returns how many. */
static size_t draw_rows(sb_w2v_task *t, uint32_t centre, uint32_t *row)
{
    const sb_w2v_tables *w = t->tables;
    size_t n = 0;
    row[n++] = centre;
    for (uint32_t k = 0; k < t->negative; k++) {
        uint32_t id = sb_sampler_noise(t->sampler, &t->rng);
        for (int again = 0; id == centre && again < REDRAWS; again++)
            id = sb_sampler_noise(t->sampler, &t->rng);
        if (id == centre) continue;
        row[n++] = id;
        fetch(w->out + (size_t)id * w->D, w->D);
    }
    if (w->out_touched)
        for (size_t i = 0; i < n; i++) touch(w->out_touched, row[i]);
    return n;
}

static float *input_row(const sb_w2v_task *t, uint32_t id)
{
    if (t->tables->in_touched) touch(t->tables->in_touched, id);
    return t->tables->in + (size_t)id * t->tables->D;
}

/* All rows of a centre are drawn before the first is used, so that they are
 * on their way from memory by then. */
static void skip_gram(sb_w2v_task *t, size_t first, size_t last, size_t centre,
                      float lr)
{
    size_t D = t->tables->D, width = (size_t)t->negative + 1, pairs = 0;
    fetch(t->tables->out + (size_t)t->sentence[centre] * D, D);
    for (size_t i = first; i < last; i++)
        fetch(t->tables->in + (size_t)t->sentence[i] * D, D);
    for (size_t i = first; i + 1 < last; i++)
        t->rows[i - first] =
            draw_rows(t, t->sentence[centre], t->row + (i - first) * width);
    for (size_t i = first; i < last; i++) {
        if (i == centre) continue;
        float *in = input_row(t, t->sentence[i]);
        const uint32_t *row = t->row + pairs * width;
        memset(t->din, 0, D * sizeof *t->din);
        RACE_BEGIN();
        t->loss += (double)sb_sgns_step(t->din, in, t->tables->out, row,
                                        t->rows[pairs], lr, D);
        sb_add(in, t->din, D);
        RACE_END();
        pairs++;
    }
    t->pairs += pairs;
}

static void cbow(sb_w2v_task *t, size_t first, size_t last, size_t centre,
                 float lr)
{
    size_t D = t->tables->D;
    if (last - first < 2) return; /* no context */
    float share = 1.0f / (float)(last - first - 1);
    size_t n = draw_rows(t, t->sentence[centre], t->row);
    memset(t->mean, 0, D * sizeof *t->mean);
    memset(t->din, 0, D * sizeof *t->din);
    RACE_BEGIN();
    for (size_t i = first; i < last; i++)
        if (i != centre)
            sb_axpy(t->mean, share, input_row(t, t->sentence[i]), D);
    t->loss +=
        (double)sb_sgns_step(t->din, t->mean, t->tables->out, t->row, n, lr, D);
    for (size_t i = first; i < last; i++)
        if (i != centre) sb_add(input_row(t, t->sentence[i]), t->din, D);
    RACE_END();
    t->pairs++;
}

/* Centres [from, to) of a sentence of n words, at one learning rate. */
static void span(sb_w2v_task *t, size_t n, size_t from, size_t to, float lr)
{
    for (size_t c = from; c < to; c++) {
        uint64_t r = sb_fast_rng_next(&t->rng) >> 32;
        size_t reach = 1 + (size_t)sb_rng_below((uint32_t)r, t->window);
        size_t first = c > reach ? c - reach : 0;
        size_t last = n - c > reach ? c + reach + 1 : n;
        if (t->cbow)
            cbow(t, first, last, c, lr);
        else
            skip_gram(t, first, last, c, lr);
    }
}

static float rate_after(const sb_w2v_task *t, uint64_t done)
{
    uint64_t words = t->words_first + done * t->workers;
    if (words > t->words_last) words = t->words_last;
    return sb_w2v_rate_at(t->rate, words);
}

/* The words of tokens [begin, end) that are trained on; returns how many. */
static size_t gather_words(sb_w2v_task *t, uint32_t begin, uint32_t end)
{
    size_t n = 0;
    for (uint32_t i = begin; i < end; i++) {
        uint32_t id = t->block.ids[i];
        if (sb_sampler_keeps(t->sampler, id, &t->rng)) t->sentence[n++] = id;
    }
    return n;
}

void sb_w2v_block(sb_w2v_task *t)
{
    t->loss = 0;
    t->pairs = 0;
    sb_sentence s = sb_sentence_start(&t->block);
    for (uint32_t i = 0; i < t->block.sentences; i++) {
        sb_sentence_next(&s);
        uint32_t begin = s.begin, end = s.end;
        size_t n = gather_words(t, begin, end);
        for (size_t from = 0; from < n; from += SPAN) {
            size_t to = n - from > SPAN ? from + SPAN : n;
            uint64_t done = begin + (uint64_t)(end - begin) * from / n;
            span(t, n, from, to, rate_after(t, done));
            if (!isfinite(t->loss)) return;
        }
    }
}
