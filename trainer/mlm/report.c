/* SPDX-License-Identifier: MIT
 * report.c - lines for machines and for people. */
#include "trainer/mlm/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "comm/base/mem.h"

static const char *const first[] = {"loss",         "lr",          "grad_norm",
                                    "tokens_per_s", "masked",      "tokens",
                                    "seconds",      "gflop_per_s", "of_blas",
                                    "waiting",      "bytes_sent",  "skipped"};
enum {
    FIRST = sizeof first / sizeof first[0],
    NORMS_EVERY = 10 /* steps: norms by group are a third of the line */
};

static const char *const cause[SB_WAITS] = {"ranks", "rows", "head",
                                            "gradients", "weights"};

static void name_values(sb_mlm_report *r)
{
    const sb_layout *l = &r->m->layout;
    size_t groups = sb_optimiser_groups(l), k = 0;
    for (size_t i = 0; i < FIRST; i++)
        snprintf(r->name[k++], sizeof r->name[0], "%s", first[i]);
    for (int i = 0; i < SB_WAITS; i++)
        snprintf(r->name[k++], sizeof r->name[0], "waiting/%s", cause[i]);
    for (size_t g = 0; g < groups; g++) {
        char group[24];
        sb_optimiser_group_name(l, g, group);
        snprintf(r->name[k + g], sizeof r->name[0], "grad_norm/%s", group);
        snprintf(r->name[k + groups + g], sizeof r->name[0], "norm/%s", group);
    }
    for (size_t i = 0; i < r->n; i++) r->names[i] = r->name[i];
}

sb_status sb_mlm_report_open(const sb_mlm *m, sb_metrics *metrics,
                             uint64_t step, double blas_flop_s,
                             sb_mlm_report *report_out)
{
    sb_mlm_report r = {.m = m, .metrics = metrics, .blas_flop_s = blas_flop_s};
    r.n = FIRST + SB_WAITS + 2 * sb_optimiser_groups(&m->layout);
    sb_status st = sb_alloc(r.n, sizeof *r.name, "metrics", &r.name);
    if (st == SB_OK) st = sb_alloc(r.n, sizeof *r.names, "metrics", &r.names);
    if (st == SB_OK) st = sb_alloc(r.n, sizeof *r.value, "metrics", &r.value);
    if (st != SB_OK) {
        sb_mlm_report_close(&r);
        return st;
    }
    name_values(&r);
    sb_progress_begin(&r.progress, "mlm",
                      (double)step / (double)m->o->schedule.steps);
    *report_out = r;
    return SB_OK;
}

void sb_mlm_report_close(sb_mlm_report *r)
{
    sb_free(r->name);
    sb_free(r->names);
    sb_free(r->value);
    memset(r, 0, sizeof *r);
}

void sb_mlm_report_begin(sb_mlm_report *r)
{
    r->start = sb_now();
    r->sent_then = sb_comm_sent(r->m->comm);
    for (int i = 0; i < SB_WAITS; i++)
        r->waited_then[i] = sb_comm_waited(r->m->comm, i);
}

static double waited_of(const sb_mlm_tally *t)
{
    double sum = 0;
    for (int i = 0; i < SB_WAITS; i++) sum += t->waited[i];
    return sum;
}

/* "29635 tokens/s  91 % of BLAS  waiting 3 % (head 1 %, gradients 2 %)":
 * causes of less than half a percent are left out. */
static void speed_text(const sb_mlm_report *r, const sb_mlm_tally *t,
                       const char *between, char *text, size_t size)
{
    double s = t->seconds;
    size_t n = (size_t)snprintf(
        text, size, "%.0f tokens/s%s%.0f %% of BLAS%swaiting %.0f %%",
        (double)t->tokens / s, between, 100 * t->flop / s / r->blas_flop_s,
        between, 100 * waited_of(t) / s);
    const char *before = " (";
    for (int i = 0; i < SB_WAITS; i++) {
        if (t->waited[i] < 0.005 * s) continue;
        n += (size_t)snprintf(text + n, size - n, "%s%s %.0f %%", before,
                              cause[i], 100 * t->waited[i] / s);
        before = ", ";
    }
    if (before[0] == ',') snprintf(text + n, size - n, ")");
}

static void add(sb_mlm_tally *to, const sb_mlm_tally *t)
{
    to->steps += t->steps;
    to->tokens += t->tokens;
    to->seconds += t->seconds;
    to->flop += t->flop;
    for (int i = 0; i < SB_WAITS; i++) to->waited[i] += t->waited[i];
}

static void write_line(sb_mlm_report *r, const sb_mlm_step *s,
                       const sb_mlm_tally *t)
{
    const sb_optimiser *o = &r->m->optimiser;
    size_t groups = sb_optimiser_groups(&r->m->layout);
    double *v = r->value + FIRST, seconds = t->seconds;
    const double value[FIRST] = {
        s->loss,
        s->lr,
        s->norm,
        (double)s->tokens / seconds,
        (double)s->masked,
        (double)s->tokens,
        seconds,
        s->flop / seconds / 1e9,
        s->flop / seconds / r->blas_flop_s,
        waited_of(t) / seconds,
        (double)(sb_comm_sent(r->m->comm) - r->sent_then),
        (double)s->skipped};
    memcpy(r->value, value, sizeof value);
    for (int i = 0; i < SB_WAITS; i++) *v++ = t->waited[i] / seconds;
    for (size_t g = 0; g < groups; g++) {
        v[g] = o->norm[g].gradient;
        v[groups + g] = o->norm[g].weight;
    }
    size_t n = s->step % NORMS_EVERY ? r->n - 2 * groups : r->n;
    sb_metrics_line(r->metrics, s->step, r->names, r->value, (int)n);
}

void sb_mlm_report_step(sb_mlm_report *r, const sb_mlm_step *s)
{
    sb_mlm_tally t = {.steps = 1,
                      .tokens = s->tokens,
                      .seconds = sb_now() - r->start,
                      .flop = s->flop};
    for (int i = 0; i < SB_WAITS; i++)
        t.waited[i] = sb_comm_waited(r->m->comm, i) - r->waited_then[i];
    add(&r->all, &t);
    add(&r->shown, &t);
    write_line(r, s, &t);
    if (!sb_progress_due(&r->progress)) return;
    char text[160];
    speed_text(r, &r->shown, "  ", text, sizeof text);
    uint64_t all = r->m->o->schedule.steps;
    sb_progress_show(&r->progress, (double)s->step / (double)all,
                     "step %" PRIu64 "/%" PRIu64 "  loss %.3f  %s", s->step,
                     all, s->loss, text);
    r->shown = (sb_mlm_tally){0};
}

void sb_mlm_report_end(sb_mlm_report *r, double loss)
{
    char text[160];
    if (!r->all.steps) return;
    speed_text(r, &r->all, ", ", text, sizeof text);
    sb_progress_end(&r->progress, "%" PRIu64 " steps, loss %.4f, %s",
                    r->all.steps, loss, text);
}
