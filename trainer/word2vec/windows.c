/* SPDX-License-Identifier: MIT
 * windows.c - targets, windows, and the lists of who waits for which word. */
#include "trainer/word2vec/windows.h"

#include <string.h>

#include "comm/base/mem.h"

enum { REDRAWS = 8 };

sb_status sb_windows_open(sb_windows *w, size_t tokens, uint32_t V)
{
    *w = (sb_windows){.V = V};
    SB_REQUIRE(tokens < UINT32_MAX, SB_ELIMIT, "%zu tokens at a time", tokens);
    w->room = (uint32_t)tokens;
    sb_status st;
    SB_GOTO(st, sb_alloc(tokens, sizeof *w->word, "words", &w->word), out);
    SB_GOTO(st, sb_alloc(tokens, sizeof *w->reach, "windows", &w->reach), out);
    SB_GOTO(st, sb_alloc(tokens, sizeof *w->order, "places", &w->order), out);
    SB_GOTO(st, sb_alloc(tokens, 1, "windows taken", &w->taken), out);
    SB_GOTO(st, sb_alloc(V, sizeof *w->waiting, "lists", &w->waiting), out);
out:
    if (st != SB_OK) sb_windows_close(w);
    return st;
}

void sb_windows_close(sb_windows *w)
{
    sb_free(w->word);
    sb_free(w->reach);
    sb_free(w->order);
    sb_free(w->taken);
    sb_free(w->waiting);
    *w = (sb_windows){0};
}

void sb_windows_clear(sb_windows *w)
{
    w->n = w->leader = w->done = 0;
}

/* Windows of the words [first, w->n), one sentence. */
static void cut_windows(sb_windows *w, uint32_t first, uint32_t window,
                        sb_fast_rng *rng)
{
    for (uint32_t i = first; i < w->n; i++) {
        uint32_t r = (uint32_t)(sb_fast_rng_next(rng) >> 32);
        uint32_t reach = 1 + sb_rng_below(r, window);
        uint32_t left = i - first, right = w->n - 1 - i;
        w->reach[i].left = (uint16_t)(left < reach ? left : reach);
        w->reach[i].right = (uint16_t)(right < reach ? right : reach);
    }
}

void sb_windows_add(sb_windows *w, const sb_block *block,
                    const sb_sampler *sampler, uint32_t window,
                    sb_fast_rng *rng)
{
    sb_sentence s = sb_sentence_start(block);
    for (uint32_t k = 0; k < block->sentences; k++) {
        sb_sentence_next(&s);
        uint32_t first = w->n;
        for (uint32_t i = s.begin; i < s.end && w->n < w->room; i++)
            if (sb_sampler_keeps(sampler, block->ids[i], rng))
                w->word[w->n++] = block->ids[i];
        cut_windows(w, first, window, rng);
    }
}

void sb_windows_index(sb_windows *w)
{
    memset(w->waiting, 0, w->V * sizeof *w->waiting);
    memset(w->taken, 0, w->n);
    for (uint32_t i = 0; i < w->n; i++) w->waiting[w->word[i]].end++;
    uint32_t sum = 0;
    for (uint32_t v = 0; v < w->V; v++) {
        uint32_t count = w->waiting[v].end;
        w->waiting[v] = (sb_waiting){sum, sum};
        sum += count;
    }
    for (uint32_t i = 0; i < w->n; i++)
        w->order[w->waiting[w->word[i]].end++] = i;
}

/* ---- groups -------------------------------------------------------------- */

static int is_there(const sb_group *g, uint32_t id)
{
    for (uint32_t j = 0; j < g->outs; j++)
        if (g->out[j] == id) return 1;
    return 0;
}

/* Lists and texts lie anywhere in megabytes: all of a group's are asked for
 * before the first is used. */
static void draw_negatives(const sb_windows *w, sb_group *g,
                           const sb_sampler *sampler, uint32_t negative,
                           sb_fast_rng *rng)
{
    for (uint32_t k = 0; k < negative; k++) {
        uint32_t id = sb_sampler_noise(sampler, rng);
        for (int again = 0; is_there(g, id) && again < REDRAWS; again++)
            id = sb_sampler_noise(sampler, rng);
        if (is_there(g, id)) continue;
        g->out[g->outs++] = id;
        __builtin_prefetch(&w->waiting[id]);
    }
    for (uint32_t j = 0; j < g->outs; j++)
        __builtin_prefetch(&w->order[w->waiting[g->out[j]].first]);
}

static void take(sb_windows *w, sb_group *g, uint32_t j)
{
    uint32_t place = w->order[w->waiting[g->out[j]].first++];
    w->taken[place] = 1;
    __builtin_prefetch(&w->reach[place]);
    __builtin_prefetch(&w->word[place]);
    w->done++;
    g->label[g->windows] = (uint8_t)j;
    g->place[g->windows++] = place;
}

/* A window for every output that has one waiting. */
static void take_round(sb_windows *w, sb_group *g)
{
    for (uint32_t j = 0; j < g->outs; j++) {
        const sb_waiting *list = &w->waiting[g->out[j]];
        if (list->first < list->end && g->windows < SB_GROUP_WINDOWS)
            take(w, g, j);
    }
}

int sb_windows_next(sb_windows *w, const sb_sampler *sampler, uint32_t negative,
                    sb_fast_rng *rng, sb_group *group_out)
{
    sb_group *g = group_out;
    while (w->leader < w->n && w->taken[w->leader]) w->leader++;
    if (w->leader == w->n) return 0;
    g->windows = 0;
    g->outs = 1;
    g->out[0] = w->word[w->leader];
    draw_negatives(w, g, sampler, negative, rng);
    for (uint32_t r = 0; r < SB_GROUP_ROUNDS; r++) {
        take_round(w, g);
        g->round[r] = g->windows;
    }
    return 1;
}
