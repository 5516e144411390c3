/* SPDX-License-Identifier: MIT
 * judge.c - sums over what the scorer says. */
#include "trainer/mlm/judge.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/mem.h"
#include "dataset/piece_counts.h"

/* ---- bands --------------------------------------------------------------- */

/* band_of [V]. Bands that no piece has are empty: from > to. */
static void cut_bands(const uint64_t *counts, const uint32_t *order, uint32_t V,
                      sb_band *band, uint8_t *band_of)
{
    static const uint64_t last[SB_BANDS] = {100,    1000,       10000,
                                            100000, UINT64_MAX, UINT64_MAX};
    uint64_t seen = 0;
    int b = 0;
    while (seen < V && counts[order[seen]]) seen++;
    for (uint64_t i = 0; i < V; i++) {
        while (b < SB_BANDS - 1 && (i >= last[b] || i >= seen)) b++;
        if (band[b].from > band[b].to) band[b].from = i + 1;
        band[b].to = i + 1;
        band_of[order[i]] = (uint8_t)b;
    }
}

static sb_status make_bands(const uint64_t *counts, uint32_t V, sb_band *band,
                            uint8_t **band_of)
{
    uint32_t *order;
    for (int b = 0; b < SB_BANDS; b++) band[b] = (sb_band){.from = 1};
    SB_TRY(sb_alloc(V, 1, "frequency bands", band_of));
    SB_TRY(sb_alloc(V, sizeof *order, "frequency bands", &order));
    for (uint32_t id = 0; id < V; id++) order[id] = id;
    sb_status st = sb_piece_counts_sort(counts, order, V);
    if (st == SB_OK) cut_bands(counts, order, V, band, *band_of);
    sb_free(order);
    return st;
}

/* ---- held-out text ------------------------------------------------------- */

typedef struct job {
    sb_heldout *h;
    const sb_batch_options *o;
    const uint64_t *counts;
    uint8_t *band_of; /* [V] */
    sb_band *band;
    double known; /* sum of log(count + 1) of what was masked */
} job;

static sb_status fill_document(void *context, uint64_t i, sb_batch *b)
{
    const job *j = context;
    return sb_batch_heldout(b, j->h->corpus, j->o, i, 1);
}

static void add(sb_score *s, const sb_scores *x, size_t k)
{
    s->loss += x->loss[k];
    s->accuracy += x->correct[k];
    s->masked++;
}

static void mean(sb_score *s)
{
    if (!s->masked) return;
    s->loss /= (double)s->masked;
    s->accuracy /= (double)s->masked;
}

static void take(job *j, sb_heldout_part *p, const sb_scores *x)
{
    for (size_t k = 0; k < x->masked; k++) {
        uint32_t id = x->target[k];
        add(&j->h->score, x, k);
        add(&p->score, x, k);
        add(&j->band[j->band_of[id]].score, x, k);
        j->known += log((double)j->counts[id] + 1);
    }
}

static sb_status judge_part(sb_scorer *s, job *j, sb_heldout_part *p)
{
    uint64_t end = p->first + p->documents;
    p->score = (sb_score){0};
    for (uint64_t at = p->first; at < end; at += SB_SCORER_WAVE) {
        uint64_t n = end - at < SB_SCORER_WAVE ? end - at : SB_SCORER_WAVE;
        sb_scores x;
        SB_TRY(sb_scorer_run(s, fill_document, j, at, (size_t)n, &x));
        take(j, p, &x);
    }
    mean(&p->score);
    return SB_OK;
}

static sb_status judge_all(sb_scorer *s, job *j)
{
    sb_heldout *h = j->h;
    uint32_t V = sb_scorer_shape(s)->vocab;
    double total = (double)V;
    for (uint32_t id = 0; id < V; id++) total += (double)j->counts[id];
    h->score = (sb_score){0};
    for (size_t i = 0; i < h->parts; i++) SB_TRY(judge_part(s, j, &h->part[i]));
    SB_REQUIRE(h->score.masked, SB_EINVAL,
               "%" PRIu64 " held-out documents hold no masked token",
               h->documents);
    h->unigram = log(total) - j->known / (double)h->score.masked;
    h->random = log((double)V);
    mean(&h->score);
    for (int b = 0; b < SB_BANDS; b++) mean(&j->band[b].score);
    return SB_OK;
}

sb_status sb_judge_heldout(sb_comm *c, sb_scorer *s, sb_heldout *h,
                           const sb_batch_options *o, const uint64_t *counts,
                           sb_band *band)
{
    job j = {.h = h, .o = o, .counts = counts, .band = band};
    uint32_t V = sb_scorer_shape(s)->vocab;
    sb_status st = sb_agree(c, make_bands(counts, V, band, &j.band_of));
    if (st == SB_OK) st = judge_all(s, &j);
    sb_free(j.band_of);
    return st;
}

/* ---- a sentence ---------------------------------------------------------- */

typedef struct sentence {
    const uint32_t *ids;
    size_t n;
    uint32_t mask;
} sentence;

/* The sentence with token i + 1 masked. */
static sb_status fill_masked(void *context, uint64_t i, sb_batch *b)
{
    const sentence *t = context;
    memcpy(b->ids, t->ids, t->n * sizeof *b->ids);
    b->tokens = t->n;
    b->sequences = 1;
    b->seq_begin[0] = 0;
    b->seq_begin[1] = (uint32_t)t->n;
    b->nmasked = 1;
    b->masked[0] = (uint32_t)i + 1;
    b->target[0] = t->ids[i + 1];
    b->ids[i + 1] = t->mask;
    return SB_OK;
}

sb_status sb_judge_sentence(sb_scorer *s, const uint32_t *ids, size_t n,
                            uint32_t mask, double *out)
{
    sentence t = {ids, n, mask};
    double sum = 0;
    for (size_t at = 0; at + 2 < n; at += SB_SCORER_WAVE) {
        sb_scores x;
        size_t k = n - 2 - at < SB_SCORER_WAVE ? n - 2 - at : SB_SCORER_WAVE;
        SB_TRY(sb_scorer_run(s, fill_masked, &t, at, k, &x));
        for (size_t i = 0; i < k; i++) sum -= x.loss[i];
    }
    *out = sum;
    return SB_OK;
}
