/* SPDX-License-Identifier: MIT
 * report_summary.c - a run in a few numbers. */
#include <math.h>
#include <stdio.h>

#include "comm/base/log.h"
#include "launch/report.h"

/* A number and what it is; nothing if it is none. `below`: markup of ours. */
static void tile(sb_html *h, const char *what, const char *number,
                 const char *below)
{
    sb_html_printf(h, "<div><dt>%s</dt><dd>%s<small>%s</small></dd></div>\n",
                   what, number, below);
}

static void loss_tiles(const sb_curves *c, sb_html *h)
{
    char number[32], below[96] = "nats per masked token";
    double loss = sb_curve_last(c, "heldout_loss");
    double unigrams = sb_curve_last(c, "unigram_loss");
    double right = sb_curve_last(c, "heldout_accuracy");
    if (isnan(loss)) return;
    snprintf(number, sizeof number, fabs(loss) < 1e6 ? "%.4f" : "%.4g", loss);
    if (!isnan(unigrams))
        snprintf(below, sizeof below, "nats per masked token; unigrams %.3f",
                 unigrams);
    tile(h, "Held-out loss", number, below);
    if (isnan(right)) return;
    snprintf(number, sizeof number, "%.1f %%", 100 * right);
    snprintf(below, sizeof below, "of masked tokens; perplexity %.4g",
             exp(loss));
    tile(h, "Held-out accuracy", number, below);
}

static void step_tiles(const sb_curves *c, sb_html *h)
{
    const sb_curve *loss = sb_curves_find(c, "loss");
    char number[32], below[96];
    if (!loss) return;
    double seconds = sb_curve_sum(c, "seconds");
    double rate = isnan(seconds) ? sb_curve_mean(c, "tokens_per_s")
                                 : sb_curve_sum(c, "tokens") / seconds;
    snprintf(number, sizeof number, "%.0f", loss->point[loss->n - 1].x);
    snprintf(below, sizeof below, "training loss now %.4g",
             loss->point[loss->n - 1].y);
    if (!isnan(seconds))
        snprintf(below, sizeof below, "in %s of training",
                 sb_seconds_text(seconds));
    tile(h, "Steps", number, below);
    if (isnan(rate)) return;
    double blas = sb_curve_mean(c, "of_blas");
    double waiting = sb_curve_mean(c, "waiting");
    sb_number_text(rate, number);
    if (isnan(blas))
        snprintf(below, sizeof below, "%.0f %% waiting", 100 * waiting);
    else
        snprintf(below, sizeof below, "%.0f %% of BLAS, %.0f %% waiting",
                 100 * blas, 100 * waiting);
    tile(h, "Tokens/s", number, below);
}

static void word2vec_tile(const sb_curves *c, sb_html *h)
{
    char number[32], rate[24], below[96];
    double loss = sb_curve_last(c, "loss");
    if (isnan(loss)) return;
    snprintf(number, sizeof number, fabs(loss) < 1e6 ? "%.4f" : "%.4g", loss);
    sb_number_text(sb_curve_mean(c, "words_per_s"), rate);
    snprintf(below, sizeof below, "nats per pair; %s words/s", rate);
    tile(h, "word2vec loss", number, below);
}

static void corpus_tile(const sb_manifest *m, sb_html *h)
{
    char number[24], documents[24], pieces[24], below[96];
    double tokens = 0, all = 0;
    for (size_t i = 0; i < m->sources; i++) {
        tokens += (double)m->source[i].stats.tokens;
        all += (double)m->source[i].stats.documents;
    }
    sb_number_text(tokens, number);
    sb_number_text(all, documents);
    sb_number_text((double)m->vocab_size, pieces);
    snprintf(below, sizeof below, "%s documents, %zu source%s; %s pieces",
             documents, m->sources, m->sources == 1 ? "" : "s", pieces);
    tile(h, "Corpus tokens", number, below);
}

void sb_report_summary(const sb_report *r, sb_html *h)
{
    sb_html_put(h, "<dl class=\"tiles\">\n");
    if (r->mlm.there) {
        loss_tiles(&r->mlm_curves, h);
        step_tiles(&r->mlm_curves, h);
    }
    if (r->word2vec.there) word2vec_tile(&r->word2vec_curves, h);
    if (r->corpus.there) corpus_tile(r->manifest, h);
    sb_html_put(h, "</dl>\n");
}
