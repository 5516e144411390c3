/* SPDX-License-Identifier: MIT
 * evaluate.c - held-out loss and accuracy. */
#include "trainer/mlm/evaluate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/base/log.h"
#include "comm/base/mem.h"

enum { OF_ALL = 5 }; /* numbers of a line that are not of a source */

/* ---- the set ------------------------------------------------------------- */

/* Of `n` documents, how many the first `before` of `all` stand for. */
static uint64_t quota(uint64_t n, uint64_t before, uint64_t all)
{
    return (uint64_t)((__extension__(unsigned __int128) n) * before / all);
}

static void add_part(sb_heldout *h, const sb_corpus_source *s,
                     uint64_t documents)
{
    sb_heldout_part *p = &h->part[h->parts++];
    *p = (sb_heldout_part){.source = s->name,
                           .first = s->first_document,
                           .documents = documents ? documents : 1};
    snprintf(p->loss_name, sizeof p->loss_name, "heldout_loss/%s", s->name);
    snprintf(p->accuracy_name, sizeof p->accuracy_name, "heldout_accuracy/%s",
             s->name);
    h->documents += p->documents;
}

sb_status sb_heldout_open(sb_corpus *corpus, uint64_t samples,
                          sb_heldout *heldout_out)
{
    size_t sources = sb_corpus_sources(corpus), names = OF_ALL + 2 * sources;
    uint64_t all = sb_corpus_documents(corpus);
    uint64_t n = samples < all ? samples : all;
    sb_heldout h = {.corpus = corpus};
    sb_status st;
    SB_GOTO(st, sb_alloc(sources, sizeof *h.part, "held-out set", &h.part),
            fail);
    SB_GOTO(st, sb_alloc(names, sizeof *h.name, "held-out set", &h.name), fail);
    SB_GOTO(st, sb_alloc(names, sizeof *h.value, "held-out set", &h.value),
            fail);
    for (size_t i = 0; i < sources; i++) {
        const sb_corpus_source *s = sb_corpus_source_at(corpus, i);
        uint64_t first = s->first_document, end = first + s->documents;
        if (s->documents)
            add_part(&h, s, quota(n, end, all) - quota(n, first, all));
    }
    *heldout_out = h;
    return SB_OK;
fail:
    sb_heldout_close(&h);
    return st;
}

void sb_heldout_close(sb_heldout *h)
{
    sb_free(h->part);
    sb_free(h->name);
    sb_free(h->value);
    memset(h, 0, sizeof *h);
}

/* ---- scores -------------------------------------------------------------- */

/* While they are summed up, a score's loss and accuracy are sums, not means. */
static void mean(sb_score *s)
{
    s->loss /= (double)s->masked;
    s->accuracy /= (double)s->masked;
}

static void add(sb_score *s, const sb_score *t)
{
    s->loss += t->loss;
    s->accuracy += t->accuracy;
    s->masked += t->masked;
}

/* The positions of the last forward. */
static sb_score score_wave(const sb_mlm *m, const sb_wave *w)
{
    sb_score s = {.masked = w->masked};
    for (size_t k = 0; k < w->masked; k++) {
        s.loss += sb_head_loss(m->head)[k];
        s.accuracy += sb_head_correct(m->head)[k];
    }
    return s;
}

/* The counts' logarithm of probability, without the part that all pieces
 * share. */
static double unigrams(const sb_mlm *m, const sb_wave *w,
                       const uint64_t *counts)
{
    double sum = 0;
    for (size_t k = 0; k < w->masked; k++)
        sum += log((double)counts[m->at.target[k]] + 1);
    return sum;
}

static sb_status evaluate_part(sb_mlm *m, const sb_heldout *h,
                               sb_heldout_part *p, const uint64_t *counts,
                               double *known, int *stop_out)
{
    uint64_t end = p->first + p->documents;
    p->score = (sb_score){0};
    for (uint64_t at = p->first; at < end; at += m->o->batch) {
        sb_wave w;
        SB_TRY(sb_mlm_forward(m, h->corpus, SB_WAVE_HELDOUT, at, end, &w));
        *stop_out = w.stop;
        if (w.stop) return SB_OK;
        sb_score s = score_wave(m, &w);
        add(&p->score, &s);
        *known += unigrams(m, &w, counts);
    }
    return SB_OK;
}

sb_status sb_mlm_evaluate(sb_mlm *m, sb_heldout *h, const uint64_t *counts,
                          int *stop_out)
{
    uint64_t V = m->o->shape.vocab;
    double total = (double)V, known = 0;
    for (uint64_t i = 0; i < V; i++) total += (double)counts[i];
    h->score = (sb_score){0};
    for (size_t i = 0; i < h->parts; i++) {
        sb_heldout_part *p = &h->part[i];
        SB_TRY(evaluate_part(m, h, p, counts, &known, stop_out));
        if (*stop_out) return SB_OK;
        add(&h->score, &p->score);
        mean(&p->score);
    }
    SB_REQUIRE(h->score.masked, SB_EINVAL,
               "%" PRIu64 " held-out documents hold no masked token",
               h->documents);
    h->unigram = log(total) - known / (double)h->score.masked;
    h->random = log((double)V);
    mean(&h->score);
    return SB_OK;
}

/* ---- telling ------------------------------------------------------------- */

static void put(sb_heldout *h, int *n, const char *name, double value)
{
    h->name[*n] = name;
    h->value[(*n)++] = value;
}

static void log_scores(const sb_heldout *h, uint64_t step)
{
    sb_log(SB_LOG_INFO,
           "held-out loss %.4f, perplexity %.2f, accuracy %.1f %% after "
           "%" PRIu64 " steps (%" PRIu64 " masked tokens of %" PRIu64
           " documents; unigram %.4f, random %.4f)",
           h->score.loss, exp(h->score.loss), 100 * h->score.accuracy, step,
           h->score.masked, h->documents, h->unigram, h->random);
    if (h->parts < 2) return;
    char line[512] = "";
    size_t n = 0;
    for (size_t i = 0; i < h->parts && n < sizeof line; i++)
        n += (size_t)snprintf(line + n, sizeof line - n, "%s %s %.4f (%.1f %%)",
                              i ? "," : "", h->part[i].source,
                              h->part[i].score.loss,
                              100 * h->part[i].score.accuracy);
    sb_log(SB_LOG_INFO, "by source:%s%s", line,
           n < sizeof line ? "" : " ... (metrics.jsonl has them all)");
}

void sb_heldout_tell(sb_heldout *h, uint64_t step, sb_metrics *metrics)
{
    int n = 0;
    put(h, &n, "heldout_loss", h->score.loss);
    put(h, &n, "heldout_perplexity", exp(h->score.loss));
    put(h, &n, "heldout_accuracy", h->score.accuracy);
    put(h, &n, "unigram_loss", h->unigram);
    put(h, &n, "random_loss", h->random);
    for (size_t i = 0; h->parts > 1 && i < h->parts; i++) {
        const sb_heldout_part *p = &h->part[i];
        put(h, &n, p->loss_name, p->score.loss);
        put(h, &n, p->accuracy_name, p->score.accuracy);
    }
    sb_metrics_line(metrics, step, h->name, h->value, n);
    log_scores(h, step);
}
