/* SPDX-License-Identifier: MIT
 * report_train.c - the curves of both training phases. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "launch/plot.h"
#include "launch/report.h"

enum {
    MANY = 16, /* curves of one kind in a plot */
    LONG = 200 /* points, from which on a curve has a running mean */
};

/* ---- figures ------------------------------------------------------------- */

double sb_curve_sum(const sb_curves *c, const char *name)
{
    const sb_curve *v = sb_curves_find(c, name);
    double sum = 0;
    for (size_t i = 0; v && i < v->n; i++) sum += v->point[i].y;
    return v ? sum : (double)NAN;
}

double sb_curve_mean(const sb_curves *c, const char *name)
{
    const sb_curve *v = sb_curves_find(c, name);
    return v ? sb_curve_sum(c, name) / (double)v->n : (double)NAN;
}

double sb_curve_last(const sb_curves *c, const char *name)
{
    const sb_curve *v = sb_curves_find(c, name);
    return v ? v->point[v->n - 1].y : (double)NAN;
}

/* ---- plots --------------------------------------------------------------- */

/* One curve, with its running mean if it is long; y begins at 0. */
static void one(sb_html *h, const sb_curves *c, const char *name,
                const char *title, const char *unit, const char *x,
                double factor)
{
    const sb_curve *v = sb_curves_find(c, name);
    sb_plot *p = sb_plot_open(h, title, unit, x);
    sb_plot_zero(p);
    if (v && v->n >= LONG)
        sb_plot_smooth(p, "running mean", v, factor, 0);
    else
        sb_plot_add(p, title, v, factor, 0, SB_LINE);
    sb_plot_end(p);
}

/* One curve, as it is. */
static void plain(sb_html *h, const sb_curves *c, const char *name,
                  const char *title, const char *unit, const char *x)
{
    sb_plot *p = sb_plot_open(h, title, unit, x);
    sb_plot_add(p, title, sb_curves_find(c, name), 1, 0, SB_LINE);
    sb_plot_end(p);
}

/* Which of the curves called PREFIX... to draw, at most `most` of them, evenly
 * chosen. Returns how many there are. */
static size_t choose(const sb_curves *c, const char *prefix, size_t most,
                     const sb_curve **chosen, size_t *chosen_n)
{
    size_t all = 0, seen = 0, k = 0, length = strlen(prefix);
    for (size_t i = 0; i < c->n; i++)
        all += strncmp(c->curve[i].name, prefix, length) == 0 && c->curve[i].n;
    for (size_t i = 0; i < c->n; i++) {
        const sb_curve *v = &c->curve[i];
        if (strncmp(v->name, prefix, length) != 0 || !v->n) continue;
        size_t due = all <= most ? k : (k * (all - 1)) / (most - 1);
        if (seen++ == due && k < most) chosen[k++] = v;
    }
    *chosen_n = k;
    return all;
}

/* The curves called PREFIX..., beside `whole` if that is not NULL. */
static void several(sb_plot *p, const sb_curves *c, const char *prefix,
                    const char *whole, double factor, sb_line_style style)
{
    const sb_curve *chosen[MANY];
    size_t n;
    choose(c, prefix, MANY, chosen, &n);
    if (whole)
        sb_plot_add(p, "all", sb_curves_find(c, whole), factor,
                    n ? SB_PLOT_ALL : 0, SB_MARKS);
    for (size_t i = 0; i < n; i++)
        sb_plot_add(p, chosen[i]->name + strlen(prefix), chosen[i], factor,
                    (int)i, style);
}

static void losses(sb_html *h, const sb_curves *c)
{
    sb_plot *p = sb_plot_open(h, "Loss", "nats per masked token", "step");
    sb_plot_smooth(p, "training, running mean", sb_curves_find(c, "loss"), 1,
                   0);
    sb_plot_add(p, "held out", sb_curves_find(c, "heldout_loss"), 1, 1,
                SB_MARKS);
    double unigrams = sb_curve_last(c, "unigram_loss");
    if (!isnan(unigrams)) sb_plot_level(p, "unigrams", unigrams);
    sb_plot_end(p);
}

static void held_out(sb_html *h, const sb_curves *c)
{
    sb_plot *p =
        sb_plot_open(h, "Held-out loss", "nats per masked token", "step");
    several(p, c, "heldout_loss/", "heldout_loss", 1, SB_MARKS);
    sb_plot_end(p);
    p = sb_plot_open(h, "Held-out accuracy", "% of masked tokens", "step");
    sb_plot_zero(p);
    several(p, c, "heldout_accuracy/", "heldout_accuracy", 100, SB_MARKS);
    sb_plot_end(p);
}

static void norms(sb_html *h, const sb_curves *c)
{
    sb_plot *p = sb_plot_open(h, "Gradient norm", "before clipping", "step");
    sb_plot_log(p);
    sb_plot_smooth(p, "running mean", sb_curves_find(c, "grad_norm"), 1, 0);
    sb_plot_end(p);
    p = sb_plot_open(h, "Gradient norms by group", "before clipping", "step");
    sb_plot_log(p);
    several(p, c, "grad_norm/", NULL, 1, SB_MEAN);
    sb_plot_end(p);
}

static void speed(sb_html *h, const sb_curves *c)
{
    one(h, c, "tokens_per_s", "Speed", "tokens/s", "step", 1);
    one(h, c, "of_blas", "Share of BLAS", "%", "step", 100);
    sb_plot *p = sb_plot_open(h, "Waiting by cause",
                              "% of the time, rank 0, stacked", "step");
    if (sb_curves_find(c, "waiting/gradients"))
        several(p, c, "waiting/", NULL, 100, SB_BAND);
    else /* of an older run, whose lines have no causes */
        sb_plot_add(p, "waiting", sb_curves_find(c, "waiting"), 100, 0,
                    SB_BAND);
    sb_plot_zero(p);
    sb_plot_end(p);
}

/* ---- sections ------------------------------------------------------------ */

static void unreadable(sb_html *h, const sb_curves *c)
{
    if (c->unreadable)
        sb_html_printf(h,
                       "<p class=\"missing\">%llu of %llu lines of "
                       "metrics.jsonl cannot be read and are left out.</p>",
                       (unsigned long long)c->unreadable,
                       (unsigned long long)c->lines);
}

void sb_report_mlm(const sb_report *r, sb_html *h)
{
    const sb_curves *c = &r->mlm_curves;
    sb_html_put(h, "<h2 id=\"mlm\">Masked language model</h2>\n");
    if (!r->mlm.there) {
        sb_part_missing(h, &r->mlm, "metrics of mlm", "mlm");
        return;
    }
    unreadable(h, c);
    sb_html_put(h, "<div class=\"plots\">\n");
    losses(h, c);
    held_out(h, c);
    plain(h, c, "lr", "Learning rate", "", "step");
    speed(h, c);
    norms(h, c);
    sb_html_put(h, "</div>\n");
}

/* Judgements while the vectors were trained. */
static void judged(sb_html *h, const sb_curves *c)
{
    sb_plot *p =
        sb_plot_open(h, "Analogies answered", "% of the questions", "block");
    sb_plot_zero(p);
    sb_plot_add(p, "right", sb_curves_find(c, "analogies"), 100, 0, SB_MARKS);
    sb_plot_end(p);
    p = sb_plot_open(h, "Similarity of words", "rank correlation", "block");
    several(p, c, "similarity_", NULL, 1, SB_MARKS);
    sb_plot_end(p);
    if (!sb_curves_find(c, "analogies"))
        sb_html_put(h,
                    "<p class=\"missing\">No analogies: they are asked while "
                    "vectors are trained with <code>--analogies FILE "
                    "--evaluations N</code>.</p>\n");
}

void sb_report_word2vec(const sb_report *r, sb_html *h)
{
    const sb_curves *c = &r->word2vec_curves;
    sb_html_put(h, "<h2 id=\"word2vec\">word2vec</h2>\n");
    if (!r->word2vec.there) {
        sb_part_missing(h, &r->word2vec, "metrics of word2vec", "word2vec");
        return;
    }
    unreadable(h, c);
    sb_html_put(h, "<div class=\"plots\">\n");
    plain(h, c, "loss", "Loss", "nats per pair", "block");
    one(h, c, "words_per_s", "Speed", "words/s", "block", 1);
    plain(h, c, "alpha", "Learning rate", "", "block");
    one(h, c, "wait_share", "Waiting", "% of the time, mean of the ranks",
        "block", 100);
    judged(h, c);
    sb_html_put(h, "</div>\n");
}
