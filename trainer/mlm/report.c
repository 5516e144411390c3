/* SPDX-License-Identifier: MIT
 * report.c - lines for machines and for people. */
#include "trainer/mlm/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "comm/base/mem.h"

static const char *const first[] = {
    "loss",   "lr",      "grad_norm", "tokens_per_s", "masked",
    "tokens", "seconds", "waiting",   "bytes_sent",   "skipped"};
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
                             uint64_t step, sb_mlm_report *report_out)
{
    sb_mlm_report r = {.m = m, .metrics = metrics};
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

/* "3 % (head 1 %, gradients 2 %)": causes of less than half a percent are
 * left out. */
static void waiting_text(const double *waited, double seconds, char *text,
                         size_t size)
{
    double sum = 0;
    for (int i = 0; i < SB_WAITS; i++) sum += waited[i];
    size_t n = (size_t)snprintf(text, size, "%.0f %%", 100 * sum / seconds);
    const char *before = " (";
    for (int i = 0; i < SB_WAITS; i++) {
        if (waited[i] < 0.005 * seconds) continue;
        n += (size_t)snprintf(text + n, size - n, "%s%s %.0f %%", before,
                              cause[i], 100 * waited[i] / seconds);
        before = ", ";
    }
    if (before[0] == ',') snprintf(text + n, size - n, ")");
}

static void write_line(sb_mlm_report *r, const sb_mlm_step *s, double seconds,
                       const double *waited)
{
    const sb_optimiser *o = &r->m->optimiser;
    size_t groups = sb_optimiser_groups(&r->m->layout);
    double sum = 0, *v = r->value + FIRST;
    for (int i = 0; i < SB_WAITS; i++) sum += waited[i];
    const double value[FIRST] = {
        s->loss,
        s->lr,
        s->norm,
        (double)s->tokens / seconds,
        (double)s->masked,
        (double)s->tokens,
        seconds,
        sum / seconds,
        (double)(sb_comm_sent(r->m->comm) - r->sent_then),
        (double)s->skipped};
    memcpy(r->value, value, sizeof value);
    for (int i = 0; i < SB_WAITS; i++) *v++ = waited[i] / seconds;
    for (size_t g = 0; g < groups; g++) {
        v[g] = o->norm[g].gradient;
        v[groups + g] = o->norm[g].weight;
    }
    size_t n = s->step % NORMS_EVERY ? r->n - 2 * groups : r->n;
    sb_metrics_line(r->metrics, s->step, r->names, r->value, (int)n);
}

void sb_mlm_report_step(sb_mlm_report *r, const sb_mlm_step *s)
{
    double seconds = sb_now() - r->start, waited[SB_WAITS];
    char text[160];
    for (int i = 0; i < SB_WAITS; i++) {
        waited[i] = sb_comm_waited(r->m->comm, i) - r->waited_then[i];
        r->waited[i] += waited[i];
    }
    r->steps++;
    r->tokens += s->tokens;
    r->seconds += seconds;
    write_line(r, s, seconds, waited);
    if (!sb_progress_due(&r->progress)) return;
    waiting_text(waited, seconds, text, sizeof text);
    uint64_t all = r->m->o->schedule.steps;
    sb_progress_show(&r->progress, (double)s->step / (double)all,
                     "step %" PRIu64 "/%" PRIu64
                     "  loss %.3f  lr %.2e  %.0f tokens/s  waiting %s",
                     s->step, all, s->loss, s->lr, (double)s->tokens / seconds,
                     text);
}

void sb_mlm_report_end(sb_mlm_report *r, double loss)
{
    char text[160];
    if (!r->steps) return;
    waiting_text(r->waited, r->seconds, text, sizeof text);
    sb_progress_end(&r->progress,
                    "%" PRIu64 " steps, loss %.4f, %.0f tokens/s, waiting %s",
                    r->steps, loss, (double)r->tokens / r->seconds, text);
}
