/* SPDX-License-Identifier: MIT
 * pretrain.c - the step loop. */
#include "trainer/mlm/pretrain.h"

#include <inttypes.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/life.h"
#include "comm/base/log.h"
#include "trainer/kernels/kernels.h"
#include "trainer/metrics.h"
#include "trainer/shares.h"
#include "trainer/mlm/engine.h"
#include "trainer/mlm/evaluate.h"
#include "trainer/mlm/report.h"
#include "trainer/mlm/first_weights.h"
#include "trainer/mlm/speed.h"
#include "trainer/mlm/state_mlm.h"

typedef struct run {
    sb_mlm *m;
    sb_corpus *train;
    sb_heldout heldout;
    const sb_vocab *vocab;
    const sb_mlm_options *o;
    sb_metrics *metrics;
    sb_mlm_report report;
    sb_divergence divergence;
    sb_shares *shares; /* local checkpoints, or NULL */
    sb_saver *saver;
    uint64_t step;    /* updates done */
    uint64_t started; /* of them, those that were loaded */
    uint64_t saved;   /* the newest that were given to the saver, or loaded */
    double saved_at;  /* when */
    double local_at;  /* when anything was saved, here or there */
    int late;         /* rank 0's clock asks for a checkpoint */
    int local_late;   /* or for a local one */
    int stop;         /* asked to, by all ranks' agreement */
    double loss;
} run;

/* ---- checkpoints --------------------------------------------------------- */

static sb_status save(run *r, sb_save_when when)
{
    if (r->saved == r->step && r->step)
        return when == SB_SAVE_NOW ? sb_saver_finish(r->saver) : SB_OK;
    SB_TRY(
        sb_mlm_save(r->m, r->saver, r->vocab, r->step, &r->divergence, when));
    r->saved = r->step;
    r->saved_at = r->local_at = sb_now();
    return SB_OK;
}

/* If one is still being written the next step is as good. */
static sb_status save_local(run *r)
{
    if (!sb_saver_idle(r->saver)) return SB_OK;
    SB_TRY(sb_mlm_save(r->m, r->saver, r->vocab, r->step, &r->divergence,
                       SB_SAVE_LOCAL));
    r->local_at = sb_now();
    return SB_OK;
}

static int is_save_due(const run *r)
{
    const sb_mlm_options *o = r->o;
    return (o->checkpoint_every && r->step % o->checkpoint_every == 0) ||
           (o->keep_every && r->step % o->keep_every == 0) || r->late;
}

/* The step of the newest checkpoint there will be when the run has ended in
 * `why`, which stays this thread's error. Collective. */
static uint64_t safe_step(const run *r, const sb_error *why)
{
    sb_status st = sb_saver_finish(r->saver);
    (void)st; /* if it failed, the one before is safe */
    (void)sb_error_set(why);
    uint64_t newest = sb_saver_newest(r->saver);
    return newest ? newest : r->started;
}

/* ---- evaluation ---------------------------------------------------------- */

static int is_due(const run *r)
{
    const sb_mlm_options *o = r->o;
    return r->step == 0 || r->step == o->schedule.steps ||
           (o->eval_every && r->step % o->eval_every == 0);
}

/* A run may have been killed between a checkpoint and the evaluation that
 * belongs to it: does metrics.jsonl have it? */
static sb_status is_told(const run *r, int *told_out)
{
    sb_status st = SB_OK;
    *told_out = 0;
    if (sb_comm_rank(r->m->comm) == 0)
        st = sb_metrics_has(r->o->dir, "heldout_loss", r->step, told_out);
    SB_TRY(sb_agree(r->m->comm, st));
    sb_comm_bcast(r->m->comm, told_out, sizeof *told_out, 0);
    return SB_OK;
}

static sb_status evaluate(run *r)
{
    sb_life_at("mlm: evaluation after step", r->step);
    SB_TRY(sb_mlm_evaluate(r->m, &r->heldout, sb_corpus_counts(r->train),
                           &r->stop));
    if (!r->stop) sb_heldout_tell(&r->heldout, r->step, r->metrics);
    return SB_OK;
}

/* ---- steps --------------------------------------------------------------- */

/* Rank 0's mean loss on all ranks, so that ranks on unlike processors, which
 * may differ in the last bit, decide alike what it means; and its clock. */
static double loss_of(run *r, const sb_wave *w)
{
    double minutes = r->o->checkpoint_minutes, now = sb_now();
    double x[3] = {w->masked ? w->loss_sum / (double)w->masked : 0,
                   minutes > 0 && now - r->saved_at > 60 * minutes,
                   r->shares && now - r->local_at > 60 * r->o->local_minutes};
    sb_comm_bcast(r->m->comm, x, sizeof x, 0);
    r->late = x[1] > 0;
    r->local_late = x[2] > 0;
    return x[0];
}

static sb_status update(run *r, double lr, double *norm)
{
    SB_TRY(sb_mlm_backward(r->m));
    return sb_optimiser_step(&r->m->optimiser, &r->o->adam, lr, r->step + 1,
                             r->m->pool, r->m->w, norm);
}

/* After SB_ENAN, before anything is updated: the batch is left out, or the run
 * ends. Its gradients are of no consequence: the next batch's take their
 * place. */
static sb_status diverged(run *r, uint64_t batch)
{
    const sb_mlm_options *o = r->o;
    sb_divergence *d = &r->divergence;
    if (o->divergence.skip && sb_divergence_skip(d, batch)) {
        sb_log(SB_LOG_WARN,
               "%s: its batch, samples %" PRIu64 " to %" PRIu64
               ", is left out, %" PRIu64 " of at most %d (show-batch --step "
               "%" PRIu64 " shows it); if that goes on, a lower --lr first, "
               "then a longer --warmup or --clip 1",
               sb_error_last()->text, batch * o->batch,
               (batch + 1) * o->batch - 1, d->skips, SB_SKIPS_MAX, batch);
        return SB_OK;
    }
    const sb_error why = *sb_error_last();
    uint64_t safe = safe_step(r, &why);
    if (o->divergence.skip)
        return sb_hint("a lower --lr first, then a longer --warmup or --clip "
                       "1: %" PRIu64 " batches have been left out already; "
                       "the last saved state is step %" PRIu64 " in %.60s",
                       d->skips, safe, o->dir);
    return sb_hint("a lower --lr first, then a longer --warmup or --clip 1; "
                   "--on-divergence skip leaves such batches out; the last "
                   "saved state is step %" PRIu64 " in %.60s",
                   safe, o->dir);
}

/* One update, or none: r->stop is set, or the batch is left out. */
static sb_status step(run *r)
{
    const sb_mlm_options *o = r->o;
    uint64_t batch = r->step + r->divergence.skips;
    double norm = 0;
    sb_wave w;
    sb_life_at("mlm: step", r->step + 1);
    sb_mlm_report_begin(&r->report);
    SB_TRY(
        sb_mlm_forward(r->m, r->train, SB_WAVE_TRAIN, batch * o->batch, 0, &w));
    r->stop = w.stop;
    if (w.stop) return SB_OK;
    double lr = sb_schedule_at(&o->schedule, r->step);
    double loss = loss_of(r, &w);
    sb_status st =
        sb_divergence_check(&r->divergence, &o->divergence, loss, r->step + 1);
    if (st == SB_OK) st = update(r, lr, &norm);
    if (st == SB_ENAN) return diverged(r, batch);
    SB_TRY(st);
    if (w.masked) sb_divergence_observe(&r->divergence, loss);
    r->loss = loss;
    r->step++;
    const sb_mlm_step taken = {.step = r->step,
                               .skipped = r->divergence.skips,
                               .loss = loss,
                               .lr = lr,
                               .norm = norm,
                               .masked = w.masked,
                               .tokens = w.tokens,
                               .flop = sb_mlm_flop(r->m, &w)};
    sb_mlm_report_step(&r->report, &taken);
    return SB_OK;
}

/* The checkpoint comes before the evaluation of the same step: a kill during
 * the evaluation loses nothing, or what is being written behind it. */
static sb_status loop(run *r)
{
    const sb_mlm_options *o = r->o;
    uint64_t end = o->schedule.steps;
    if (o->stop_at && o->stop_at < end) end = o->stop_at;
    while (!r->stop && r->step < end) {
        uint64_t before = r->step;
        SB_TRY(step(r));
        SB_TRY(sb_saver_poll(r->saver));
        if (r->stop) break;
        if (r->step == before) continue;
        if (r->step == end)
            SB_TRY(save(r, SB_SAVE_NOW));
        else if (is_save_due(r))
            SB_TRY(save(r, SB_SAVE_BEHIND));
        else if (r->local_late)
            SB_TRY(save_local(r));
        if (is_due(r)) SB_TRY(evaluate(r));
    }
    SB_TRY(save(r, SB_SAVE_NOW));
    if (r->stop)
        SB_FAIL(SB_ESTOP, "asked to stop: step %" PRIu64 " is saved in %s",
                r->step, o->dir);
    sb_mlm_report_end(&r->report, r->loss);
    return SB_OK;
}

static sb_status begin_anew(run *r)
{
    const sb_mlm_options *o = r->o;
    SB_TRY(sb_mlm_init(r->m, r->vocab, sb_corpus_counts(r->train)));
    return o->begun ? o->begun(o->begun_arg, NULL) : SB_OK;
}

static sb_status train(run *r)
{
    const sb_mlm_options *o = r->o;
    int found, told = 0;
    SB_TRY(sb_shares_open(r->m->comm, o->dir, o->local_dir, &r->shares));
    SB_TRY(sb_mlm_load(r->m, r->vocab, &r->step, &r->divergence, &found));
    r->saved = r->started = r->step;
    r->saved_at = r->local_at = sb_now();
    if (found)
        sb_log(SB_LOG_INFO, "going on from step %" PRIu64 " of %" PRIu64,
               r->step, o->schedule.steps);
    else
        SB_TRY(begin_anew(r));
    if (found) SB_TRY(is_told(r, &told));
    if (told && r->step >= o->schedule.steps) return SB_OK;
    SB_TRY(sb_mlm_saver_open(r->m, sb_shares_dir(r->shares), &r->saver));
    double blas;
    SB_TRY(sb_mlm_blas_speed(r->m, &blas));
    sb_status st = sb_metrics_open(r->m->comm, o->dir, r->step, o->tensorboard,
                                   &r->metrics);
    if (st == SB_OK)
        st = sb_mlm_report_open(r->m, r->metrics, r->step, blas, &r->report);
    SB_TRY(sb_agree(r->m->comm, st));
    if (is_due(r) && !told) SB_TRY(evaluate(r));
    return loop(r);
}

static sb_status check_corpus(const run *r)
{
    const sb_mlm_options *o = r->o;
    uint64_t n = sb_batch_places(r->train, o->sampling);
    if (sb_corpus_vocab_hash(r->train) != sb_vocab_hash(r->vocab)) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "the corpus was encoded with another vocabulary");
        return sb_hint("run `shardbert ingest` again with this vocabulary");
    }
    if (n < o->batch) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "an epoch holds %" PRIu64
                " samples, fewer than one batch of %u",
                n, o->batch);
        return sb_hint("ingest more text, or lower --batch");
    }
    return SB_OK;
}

/* The model without weights, after everything was checked that needs none. */
static sb_status open_model(run *r, sb_comm *c)
{
    sb_kernels_start();
    SB_TRY(sb_agree(c, check_corpus(r)));
    return sb_mlm_open(c, r->o, r->vocab, &r->m);
}

sb_status sb_mlm_train(sb_comm *c, sb_corpus *train_split, sb_corpus *heldout,
                       const sb_vocab *vocab, const sb_mlm_options *o)
{
    run r = {.train = train_split, .vocab = vocab, .o = o};
    SB_TRY(sb_agree(c, sb_schedule_check(&o->schedule)));
    SB_TRY(open_model(&r, c));
    sb_status st = sb_comm_rank(c) == 0 ? sb_dir_make(o->dir) : SB_OK;
    if (st == SB_OK) st = sb_heldout_open(heldout, o->eval_samples, &r.heldout);
    st = sb_agree(c, st);
    if (st == SB_OK) st = train(&r);
    sb_error why = *sb_error_last();
    (void)sb_saver_close(r.saver); /* writes only if something else failed */
    sb_shares_close(r.shares, st == SB_OK || st == SB_ESTOP);
    sb_status closed = sb_metrics_close(r.metrics);
    st = st == SB_OK ? sb_agree(c, closed) : sb_error_set(&why);
    sb_mlm_report_close(&r.report);
    sb_heldout_close(&r.heldout);
    sb_mlm_close(r.m);
    return st;
}

sb_status sb_mlm_find_lr(sb_comm *c, sb_corpus *train_split,
                         const sb_vocab *vocab, const sb_mlm_options *o,
                         size_t steps, sb_lr_curve *curve_out)
{
    run r = {.train = train_split, .vocab = vocab, .o = o};
    SB_TRY(open_model(&r, c));
    sb_status st = sb_mlm_init(r.m, vocab, sb_corpus_counts(train_split));
    if (st == SB_OK) st = sb_lr_find(r.m, train_split, steps, curve_out);
    sb_mlm_close(r.m);
    return st;
}
