/* SPDX-License-Identifier: MIT
 * report.c - sums, lines, and the alarm. */
#include "trainer/word2vec/report.h"

#include <math.h>
#include <stdio.h>

enum {
    WINDOWS = 100, /* of a run, whose mean losses are compared */
    RISING = 5     /* of them in a row: it diverges */
};
static const double far_above = 1.25; /* times the best */

void sb_w2v_report_begin(sb_w2v_report *r, const sb_comm *c,
                         const sb_w2v_plan *plan, sb_metrics *metrics,
                         uint64_t words)
{
    *r = (sb_w2v_report){.plan = plan,
                         .metrics = metrics,
                         .ranks = sb_comm_size(c),
                         .words = words,
                         .words_start = words,
                         .loss_first = NAN,
                         .loss_last = NAN,
                         .best = INFINITY};
    r->start = r->line_since = r->shown_since = sb_now();
    sb_progress_begin(&r->progress, "word2vec",
                      (double)words / (double)plan->rate.total);
}

static void add(sb_w2v_tally *to, const sb_w2v_tally *from)
{
    to->loss += from->loss;
    to->pairs += from->pairs;
    to->wait_s += from->wait_s;
    to->sent += from->sent;
    to->words += from->words;
}

sb_status sb_w2v_report_round(sb_w2v_report *r, const sb_w2v_tally *round)
{
    sb_w2v_tally *w = &r->window;
    r->words += round->words;
    add(&r->all, round);
    add(&r->line, round);
    add(w, round);
    if (w->words < r->plan->rate.total / WINDOWS || w->pairs <= 0) return SB_OK;
    double mean = w->loss / w->pairs;
    *w = (sb_w2v_tally){0};
    if (mean < r->best) r->best = mean;
    r->rising = mean > far_above * r->best ? r->rising + 1 : 0;
    SB_REQUIRE(r->rising < RISING, SB_ENAN,
               "the loss rises: %.4g nats per pair, it was %.4g", mean,
               r->best);
    return SB_OK;
}

static double rate_now(const sb_w2v_report *r)
{
    return (double)sb_w2v_rate_at(&r->plan->rate, r->words);
}

static double share_done(const sb_w2v_report *r)
{
    return (double)r->words / (double)r->plan->rate.total;
}

static void write_line(sb_w2v_report *r, uint64_t cursor, double s)
{
    static const char *const name[] = {"loss",          "alpha",
                                       "words_per_s",   "wait_share",
                                       "sent_mb_per_s", "progress"};
    const sb_w2v_tally *t = &r->line;
    r->loss_last = t->pairs > 0 ? t->loss / t->pairs : NAN;
    if (isnan(r->loss_first)) r->loss_first = r->loss_last;
    double v[] = {r->loss_last,
                  rate_now(r),
                  s > 0 ? (double)t->words / s : NAN,
                  s > 0 ? t->wait_s / s / r->ranks : NAN,
                  s > 0 ? t->sent / s / 1e6 : NAN,
                  share_done(r)};
    sb_metrics_line(r->metrics, cursor, name, v, sizeof v / sizeof *v);
}

static void show(sb_w2v_report *r, double s)
{
    const sb_w2v_tally *t = &r->shown;
    double rate = (double)t->words / s;
    char sent[64] = "";
    if (t->sent > 0)
        snprintf(sent, sizeof sent, "  %.1f MB/s sent", t->sent / s / 1e6);
    sb_progress_show(&r->progress, share_done(r),
                     "%.0f words/s (%.0f per worker)  alpha %.5f  loss %.4f  "
                     "waiting %.0f %%%s",
                     rate, rate / r->plan->workers, rate_now(r),
                     t->loss / t->pairs, 100 * t->wait_s / s / r->ranks, sent);
}

void sb_w2v_report_line(sb_w2v_report *r, uint64_t cursor, int must)
{
    double now = sb_now(), s = now - r->line_since;
    if (!must && s < 1) return;
    if (r->line.words > 0) write_line(r, cursor, s);
    add(&r->shown, &r->line);
    r->line = (sb_w2v_tally){0};
    r->line_since = now;
    if (!sb_progress_due(&r->progress)) return;
    show(r, now - r->shown_since);
    r->shown = (sb_w2v_tally){0};
    r->shown_since = now;
}

void sb_w2v_report_leave_out(sb_w2v_report *r, double seconds)
{
    r->start += seconds;
    r->line_since += seconds;
    r->shown_since += seconds;
}

void sb_w2v_report_end(sb_w2v_report *r)
{
    double s = sb_now() - r->start;
    double rate = s > 0 ? (double)(r->words - r->words_start) / s : 0;
    if (r->all.pairs <= 0) {
        sb_progress_end(&r->progress, "nothing was trained");
        sb_log(SB_LOG_WARN,
               "word2vec: nothing was trained: no sentence has two words that "
               "are no special tokens and that --subsample keeps");
        return;
    }
    sb_progress_end(&r->progress,
                    "%.0f words/s (%.0f per worker)  loss %.4f at first, %.4f "
                    "at last",
                    rate, rate / r->plan->workers, r->loss_first, r->loss_last);
}
