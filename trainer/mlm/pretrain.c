/* SPDX-License-Identifier: MIT
 * pretrain.c - the step loop. */
#include "trainer/mlm/pretrain.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/log.h"
#include "trainer/kernels/kernels.h"
#include "trainer/metrics.h"
#include "trainer/mlm/engine.h"
#include "trainer/mlm/evaluate.h"
#include "trainer/mlm/state_mlm.h"

typedef struct run {
    sb_mlm *m;
    sb_corpus *train, *heldout;
    const sb_vocab *vocab;
    const sb_mlm_options *o;
    sb_metrics *metrics;
    sb_progress progress;
    sb_mlm_report report;
    uint64_t step, saved; /* updates done; the newest checkpoint's */
    double shown_at, shown_wait;
    uint64_t shown_tokens;
} run;

static sb_status save(run *r)
{
    if (r->saved == r->step && r->step) return SB_OK;
    SB_TRY(sb_mlm_save(r->m, r->vocab, r->step));
    r->saved = r->step;
    return SB_OK;
}

static sb_status evaluate(run *r, double *loss_out)
{
    static const char *const name[] = {"heldout_loss", "unigram_loss",
                                       "random_loss"};
    sb_evaluation e;
    SB_TRY(sb_mlm_evaluate(r->m, r->heldout, sb_corpus_counts(r->train),
                           r->o->eval_samples, &e));
    double value[] = {e.loss, e.unigram, e.random};
    sb_metrics_line(r->metrics, r->step, name, value, 3);
    r->report.unigram = e.unigram;
    r->report.random = e.random;
    *loss_out = e.loss;
    sb_log(SB_LOG_INFO,
           "held-out loss %.4f after %" PRIu64 " steps (%" PRIu64
           " masked tokens of %" PRIu64
           " documents; unigram %.4f, random %.4f)",
           e.loss, r->step, e.masked, e.documents, e.unigram, e.random);
    return SB_OK;
}

static void record(run *r, const sb_wave *w, double loss, double norm,
                   double lr)
{
    static const char *const name[] = {"loss",         "lr",     "grad_norm",
                                       "tokens_per_s", "masked", "waiting"};
    double now = sb_now(), waited = sb_comm_seconds(r->m->comm);
    double dt = now - r->shown_at;
    double rate = (double)(r->report.tokens - r->shown_tokens) / dt;
    double wait = (waited - r->shown_wait) / dt;
    double value[] = {loss, lr, norm, rate, (double)w->masked, wait};
    sb_metrics_line(r->metrics, r->step, name, value, 6);
    sb_progress_show(&r->progress,
                     (double)r->step / (double)r->o->schedule.steps,
                     "step %" PRIu64 "/%" PRIu64
                     "  loss %.3f  lr %.2e  %.0f tokens/s  waiting %.0f %%",
                     r->step, r->o->schedule.steps, loss, lr, rate, 100 * wait);
    r->shown_at = now;
    r->shown_wait = waited;
    r->shown_tokens = r->report.tokens;
}

static sb_status diverged(run *r, sb_status st)
{
    if (st != SB_ENAN) return st;
    return sb_hint("a lower --lr or a longer --warmup; the last saved state is "
                   "step %" PRIu64 " in %s",
                   r->saved, r->o->dir);
}

/* One update, or *stop_out = 1 and none. */
static sb_status step(run *r, int *stop_out)
{
    const sb_mlm_options *o = r->o;
    sb_wave w;
    SB_TRY(sb_mlm_forward(r->m, r->train, SB_WAVE_TRAIN, r->step * o->batch, 0,
                          &w));
    *stop_out = w.stop;
    if (w.stop) return SB_OK;
    double lr = sb_schedule_at(&o->schedule, r->step), norm = 0;
    double loss = w.masked ? w.loss_sum / (double)w.masked : 0;
    SB_TRY(sb_mlm_backward(r->m, &w));
    SB_TRY(diverged(r, sb_optimiser_step(&r->m->optimiser, r->m->grads,
                                         &o->adam, lr, r->step + 1, r->m->pool,
                                         r->m->w, &norm)));
    r->step++;
    r->report.tokens += w.tokens;
    if (r->report.steps++ == 0) r->report.loss_first = loss;
    r->report.loss_last = loss;
    record(r, &w, loss, norm, lr);
    return SB_OK;
}

static sb_status loop(run *r)
{
    const sb_mlm_options *o = r->o;
    uint64_t end = o->schedule.steps;
    if (o->stop_at && o->stop_at < end) end = o->stop_at;
    int stop = 0;
    double start = sb_now(), waited = sb_comm_seconds(r->m->comm);
    r->shown_at = start;
    r->shown_wait = waited;
    sb_progress_begin(&r->progress, "mlm",
                      (double)r->step / (double)o->schedule.steps);
    while (r->step < end) {
        SB_TRY(step(r, &stop));
        if (stop) break;
        if (o->eval_every && r->step % o->eval_every == 0 &&
            r->step < o->schedule.steps)
            SB_TRY(evaluate(r, &r->report.heldout_after));
        if (o->checkpoint_every && r->step % o->checkpoint_every == 0)
            SB_TRY(save(r));
    }
    r->report.seconds = sb_now() - start;
    r->report.waited = sb_comm_seconds(r->m->comm) - waited;
    SB_TRY(save(r));
    if (stop)
        SB_FAIL(SB_ESTOP, "asked to stop: step %" PRIu64 " is saved in %s",
                r->step, o->dir);
    sb_progress_end(&r->progress,
                    "%" PRIu64
                    " steps, loss %.4f, %.0f tokens/s, waiting %.0f %%",
                    r->report.steps, r->report.loss_last,
                    (double)r->report.tokens / r->report.seconds,
                    100 * r->report.waited / r->report.seconds);
    return SB_OK;
}

/* A run may be killed between its last checkpoint and its last evaluation. */
static int is_finished(const run *r)
{
    const sb_mlm_options *o = r->o;
    uint64_t told = 0;
    if (r->step < o->schedule.steps) return 0;
    if (sb_comm_rank(r->m->comm) == 0)
        told = (uint64_t)sb_metrics_has(o->dir, "heldout_loss", r->step);
    sb_comm_bcast(r->m->comm, &told, sizeof told, 0);
    return told != 0;
}

static sb_status train(run *r)
{
    const sb_mlm_options *o = r->o;
    int found;
    SB_TRY(sb_mlm_load(r->m, r->vocab, &r->step, &found));
    r->saved = r->step;
    if (found)
        sb_log(SB_LOG_INFO, "going on from step %" PRIu64 " of %" PRIu64,
               r->step, o->schedule.steps);
    else
        SB_TRY(sb_mlm_init(r->m, r->vocab, sb_corpus_counts(r->train)));
    if (is_finished(r)) return SB_OK;
    SB_TRY(sb_agree(r->m->comm,
                    sb_metrics_open(r->m->comm, o->dir, r->step, &r->metrics)));
    if (r->step == 0) SB_TRY(evaluate(r, &r->report.heldout_before));
    if (r->step < o->schedule.steps) SB_TRY(loop(r));
    if (r->step >= o->schedule.steps)
        SB_TRY(evaluate(r, &r->report.heldout_after));
    return SB_OK;
}

static sb_status check_corpus(const run *r)
{
    const sb_mlm_options *o = r->o;
    uint64_t n = sb_corpus_documents(r->train);
    if (sb_corpus_vocab_hash(r->train) != sb_vocab_hash(r->vocab)) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "the corpus was encoded with another vocabulary");
        return sb_hint("run `shardbert ingest` again with this vocabulary");
    }
    if (n < o->batch) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "the corpus holds %" PRIu64
                " documents, fewer than one batch of "
                "%u",
                n, o->batch);
        return sb_hint("ingest more text, or lower --batch");
    }
    return SB_OK;
}

sb_status sb_mlm_train(sb_comm *c, sb_corpus *train_split, sb_corpus *heldout,
                       const sb_vocab *vocab, const sb_mlm_options *o,
                       sb_mlm_report *report_out)
{
    run r = {.train = train_split, .heldout = heldout, .vocab = vocab, .o = o};
    r.report.heldout_before = r.report.heldout_after = NAN;
    r.report.loss_first = r.report.loss_last = NAN;
    r.report.unigram = r.report.random = NAN;
    sb_kernels_start();
    SB_TRY(sb_agree(c, check_corpus(&r)));
    sb_status st = sb_comm_rank(c) == 0 ? sb_dir_make(o->dir) : SB_OK;
    SB_TRY(sb_agree(c, st));
    SB_TRY(sb_mlm_open(c, o, vocab, &r.m));
    st = train(&r);
    sb_status closed = sb_metrics_close(r.metrics);
    if (st == SB_OK) st = sb_agree(c, closed);
    if (st == SB_OK) *report_out = r.report;
    sb_mlm_close(r.m);
    return st;
}
