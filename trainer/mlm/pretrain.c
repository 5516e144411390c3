/* SPDX-License-Identifier: MIT
 * pretrain.c - the step loop. */
#include "trainer/mlm/pretrain.h"

#include <inttypes.h>
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
    uint64_t step, saved; /* updates done; the newest checkpoint's */
    int stop;             /* asked to, by all ranks' agreement     */
    /* of this call: steps, their tokens, seconds, and seconds of waiting */
    uint64_t steps, tokens;
    double seconds, waited, loss;
} run;

static sb_status save(run *r)
{
    if (r->saved == r->step && r->step) return SB_OK;
    SB_TRY(sb_mlm_save(r->m, r->vocab, r->step));
    r->saved = r->step;
    return SB_OK;
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
static int is_told(const run *r)
{
    int told = 0;
    if (sb_comm_rank(r->m->comm) == 0)
        told = sb_metrics_has(r->o->dir, "heldout_loss", r->step);
    sb_comm_bcast(r->m->comm, &told, sizeof told, 0);
    return told;
}

static sb_status evaluate(run *r)
{
    static const char *const name[] = {"heldout_loss", "unigram_loss",
                                       "random_loss"};
    sb_evaluation e = {0};
    SB_TRY(sb_mlm_evaluate(r->m, r->heldout, sb_corpus_counts(r->train),
                           r->o->eval_samples, &e));
    r->stop = e.stop;
    if (e.stop) return SB_OK;
    double value[] = {e.loss, e.unigram, e.random};
    sb_metrics_line(r->metrics, r->step, name, value, 3);
    sb_log(SB_LOG_INFO,
           "held-out loss %.4f after %" PRIu64 " steps (%" PRIu64
           " masked tokens of %" PRIu64
           " documents; unigram %.4f, random %.4f)",
           e.loss, r->step, e.masked, e.documents, e.unigram, e.random);
    return SB_OK;
}

/* ---- steps --------------------------------------------------------------- */

/* What one step says: to metrics.jsonl, and now and then to the terminal. */
static void record(run *r, const sb_wave *w, double norm, double lr, double s,
                   double wait, uint64_t sent)
{
    static const char *const name[] = {"loss",         "lr",     "grad_norm",
                                       "tokens_per_s", "masked", "waiting",
                                       "bytes_sent"};
    double rate = (double)w->tokens / s, share = wait / s;
    double value[] = {r->loss,           lr,    norm,        rate,
                      (double)w->masked, share, (double)sent};
    sb_metrics_line(r->metrics, r->step, name, value, 7);
    sb_progress_show(
        &r->progress, (double)r->step / (double)r->o->schedule.steps,
        "step %" PRIu64 "/%" PRIu64
        "  loss %.3f  lr %.2e  %.0f tokens/s  waiting %.0f %%",
        r->step, r->o->schedule.steps, r->loss, lr, rate, 100 * share);
}

static sb_status diverged(run *r, sb_status st)
{
    if (st != SB_ENAN) return st;
    return sb_hint("a lower --lr or a longer --warmup; the last saved state is "
                   "step %" PRIu64 " in %s",
                   r->saved, r->o->dir);
}

/* One update; or none, and r->stop is set. */
static sb_status step(run *r)
{
    const sb_mlm_options *o = r->o;
    const sb_comm *c = r->m->comm;
    double start = sb_now(), waited = sb_comm_seconds(c), norm = 0;
    uint64_t sent = sb_comm_sent(c);
    sb_wave w;
    SB_TRY(sb_mlm_forward(r->m, r->train, SB_WAVE_TRAIN, r->step * o->batch, 0,
                          &w));
    r->stop = w.stop;
    if (w.stop) return SB_OK;
    double lr = sb_schedule_at(&o->schedule, r->step);
    SB_TRY(sb_mlm_backward(r->m, &w));
    SB_TRY(diverged(r, sb_optimiser_step(&r->m->optimiser, r->m->grads,
                                         &o->adam, lr, r->step + 1, r->m->pool,
                                         r->m->w, &norm)));
    r->loss = w.masked ? w.loss_sum / (double)w.masked : 0;
    double s = sb_now() - start, wait = sb_comm_seconds(c) - waited;
    r->step++;
    r->steps++;
    r->tokens += w.tokens;
    r->seconds += s;
    r->waited += wait;
    record(r, &w, norm, lr, s, wait, sb_comm_sent(c) - sent);
    return SB_OK;
}

/* The checkpoint comes before the evaluation of the same step: a kill during
 * the evaluation loses nothing. */
static sb_status loop(run *r)
{
    const sb_mlm_options *o = r->o;
    uint64_t end = o->schedule.steps;
    if (o->stop_at && o->stop_at < end) end = o->stop_at;
    sb_progress_begin(&r->progress, "mlm",
                      (double)r->step / (double)o->schedule.steps);
    while (!r->stop && r->step < end) {
        SB_TRY(step(r));
        if (r->stop) break;
        if (r->step == end ||
            (o->checkpoint_every && r->step % o->checkpoint_every == 0))
            SB_TRY(save(r));
        if (is_due(r)) SB_TRY(evaluate(r));
    }
    SB_TRY(save(r));
    if (r->stop)
        SB_FAIL(SB_ESTOP, "asked to stop: step %" PRIu64 " is saved in %s",
                r->step, o->dir);
    if (r->steps)
        sb_progress_end(&r->progress,
                        "%" PRIu64
                        " steps, loss %.4f, %.0f tokens/s, waiting %.0f %%",
                        r->steps, r->loss, (double)r->tokens / r->seconds,
                        100 * r->waited / r->seconds);
    return SB_OK;
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
    int told = found && is_told(r);
    if (told && r->step >= o->schedule.steps) return SB_OK;
    SB_TRY(sb_agree(r->m->comm,
                    sb_metrics_open(r->m->comm, o->dir, r->step, &r->metrics)));
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

sb_status sb_mlm_train(sb_comm *c, sb_corpus *train_split, sb_corpus *heldout,
                       const sb_vocab *vocab, const sb_mlm_options *o)
{
    run r = {.train = train_split, .heldout = heldout, .vocab = vocab, .o = o};
    sb_kernels_start();
    SB_TRY(sb_agree(c, check_corpus(&r)));
    sb_status st = sb_comm_rank(c) == 0 ? sb_dir_make(o->dir) : SB_OK;
    SB_TRY(sb_agree(c, st));
    SB_TRY(sb_mlm_open(c, o, vocab, &r.m));
    st = train(&r);
    sb_error why = *sb_error_last();
    sb_status closed = sb_metrics_close(r.metrics);
    st = st == SB_OK ? sb_agree(c, closed) : sb_error_set(&why);
    sb_mlm_close(r.m);
    return st;
}
