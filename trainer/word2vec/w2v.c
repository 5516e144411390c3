/* SPDX-License-Identifier: MIT
 * w2v.c - the rounds of phase 1.
 *
 *   round: every worker one stretch of the permuted order (plan.h)
 *     train    in parts, with turns of the replicas between (crew.h)
 *     vote     one small sum: loss, pairs, failure, stop, save
 *     settle   now and then, if there are several replicas: they become equal
 *     judge    as often as asked for (watch.h)
 *     save     if the vote says so and all replicas are equal; it is written
 *              behind the next rounds (trainer/saver.h)
 *
 * Invariants: the cursor says which blocks are done, how many words, which
 * learning rate, and all ranks know it without asking. Replicas settle after
 * every SETTLE_ROUNDS rounds from where this run or the last checkpoint began,
 * whether it is saved or not, so that saving changes no bit. A failure of one
 * rank is made common by the vote, so no rank is left in a collective.
 */
#include "trainer/word2vec/w2v.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/life.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/stop.h"
#include "comm/group.h"
#include "trainer/metrics.h"
#include "trainer/shares.h"
#include "trainer/build.h"
#include "trainer/word2vec/crew.h"
#include "trainer/word2vec/plan.h"
#include "trainer/word2vec/report.h"
#include "trainer/word2vec/saved.h"

enum { SETTLE_ROUNDS = 16 };

typedef struct run {
    sb_comm *c;
    const sb_w2v_options *o;
    sb_corpus *corpus;
    sb_sampler sampler;
    sb_w2v_plan plan;
    sb_w2v_crew *crew;
    float *updates; /* [2][V] expected per pair, of input and output rows */
    sb_w2v_saved saved;
    char *then; /* configuration of the checkpoint the run goes on from */
    sb_shares *shares; /* local checkpoints, or NULL */
    sb_saver *saver;
    sb_metrics *metrics;
    sb_watch *watch; /* NULL: nobody asked */
    sb_w2v_report report;
    uint64_t cursor;           /* blocks done */
    uint64_t words;            /* words of the blocks done */
    uint64_t rounds;           /* of this call */
    double saved_at, local_at; /* when; local_at: here or there */
    double sent;               /* bytes of all ranks so far */
} run;

/* ---- what is asked for --------------------------------------------------- */

static sb_status check_numbers(const sb_w2v_options *o)
{
    SB_REQUIRE(o->dir && o->dir[0], SB_EINVAL, "word2vec needs a folder");
    SB_REQUIRE(o->dim > 0 && o->dim <= 1 << 16, SB_EINVAL,
               "dim %u: vectors need 1 to 65536 numbers", o->dim);
    SB_REQUIRE(o->window <= 1000, SB_EINVAL, "window %u: at most 1000",
               o->window);
    SB_REQUIRE(o->negative < SB_GROUP_OUTPUTS, SB_EINVAL,
               "negative %u: at most %d", o->negative, SB_GROUP_OUTPUTS - 1);
    SB_REQUIRE(o->sync_words > 0 && o->sync_cycle > 0, SB_EINVAL,
               "sync-words and sync-cycle must be above 0");
    SB_REQUIRE(o->window > 0, SB_EINVAL,
               "window 0 leaves no context to learn "
               "from");
    SB_REQUIRE(o->negative > 0, SB_EINVAL,
               "negative 0: without negative samples nothing holds the vectors "
               "apart");
    SB_REQUIRE(o->epochs > 0, SB_EINVAL, "epochs 0 leaves nothing to do");
    SB_REQUIRE(o->threads > 0, SB_EINVAL, "threads %d: at least 1 is needed",
               o->threads);
    SB_REQUIRE(isfinite(o->alpha) && o->alpha > 0, SB_EINVAL,
               "alpha %g: the learning rate must be above 0", o->alpha);
    SB_REQUIRE(o->min_alpha >= 0 && o->min_alpha <= o->alpha, SB_EINVAL,
               "min-alpha %g must lie between 0 and alpha %g", o->min_alpha,
               o->alpha);
    SB_REQUIRE(isfinite(o->sample) && o->sample >= 0, SB_EINVAL,
               "sample %g: the subsampling threshold must not be negative",
               o->sample);
    SB_REQUIRE(isfinite(o->power) && o->power >= 0, SB_EINVAL,
               "power %g of the noise distribution must not be negative",
               o->power);
    return SB_OK;
}

static sb_status check_corpus(const run *r, const sb_vocab *vocab)
{
    if (sb_corpus_vocab_hash(r->corpus) != sb_vocab_hash(vocab) ||
        sb_corpus_vocab_size(r->corpus) != sb_vocab_size(vocab)) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "the corpus was made with another vocabulary (%" PRIu64
                " pieces, hash %016" PRIx64 "; given %u, %016" PRIx64 ")",
                sb_corpus_vocab_size(r->corpus),
                sb_corpus_vocab_hash(r->corpus), sb_vocab_size(vocab),
                sb_vocab_hash(vocab));
        return sb_hint("run `shardbert ingest` again with this vocabulary");
    }
    return SB_OK;
}

static sb_status prepare(run *r, const sb_vocab *vocab)
{
    const sb_w2v_options *o = r->o;
    SB_TRY(check_numbers(o));
    SB_TRY(check_corpus(r, vocab));
    uint32_t V = sb_vocab_size(vocab);
    SB_TRY(sb_sampler_open(sb_corpus_counts(r->corpus), V,
                           sb_vocab_special(vocab), o->sample, o->power,
                           &r->sampler));
    if (o->negative >= r->sampler.usable) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "%u negatives asked for, but only %u pieces occur in the "
                "corpus",
                o->negative, r->sampler.usable);
        return sb_hint("lower --negative, or train on more text");
    }
    SB_TRY(sb_watch_open(&o->watch, vocab, sb_corpus_counts(r->corpus),
                         &r->watch));
    if (sb_comm_rank(r->c) == 0) SB_TRY(sb_dir_make(o->dir));
    uint32_t workers = (uint32_t)sb_comm_size(r->c) * (uint32_t)o->threads;
    SB_TRY(sb_w2v_plan_open(&r->plan, r->corpus, o->seed, o->epochs, workers));
    r->plan.rate.alpha = o->alpha;
    r->plan.rate.min_alpha = o->min_alpha;
    return SB_OK;
}

static sb_w2v_crew_options crew_options(const sb_w2v_options *o, uint32_t V)
{
    return (sb_w2v_crew_options){.replica = {V, o->dim, o->replica_ranks,
                                             o->combine, o->sync_hot,
                                             o->sync_cycle},
                                 .threads = o->threads,
                                 .cbow = o->cbow,
                                 .window = o->window,
                                 .negative = o->negative,
                                 .sync_words = o->sync_words};
}

/* What a checkpoint is written from behind training; 0: none is. */
static uint64_t copy_bytes(const run *r, uint32_t V)
{
    int behind = r->o->checkpoint_minutes > 0 || r->o->local_dir;
    return behind ? sb_w2v_saved_bytes(r->c, V, r->o->dim) : 0;
}

static void say_sizes(const run *r, uint32_t V)
{
    const sb_w2v_options *o = r->o;
    sb_w2v_crew_options crew = crew_options(o, V);
    uint64_t unseen = 0;
    const uint64_t *counts = sb_corpus_counts(r->corpus);
    for (uint32_t i = 0; i < V; i++) unseen += counts[i] == 0;
    sb_log(SB_LOG_INFO,
           "word2vec: %s, %" PRIu64 " words, %" PRIu64 " blocks, %u epochs; "
           "%d ranks x %d threads",
           o->cbow ? "CBOW" : "skip-gram",
           sb_w2v_plan_words(&r->plan, 0, r->plan.blocks), r->plan.blocks,
           o->epochs, sb_comm_size(r->c), o->threads);
    sb_log(SB_LOG_INFO,
           "word2vec: memory: %s of tables if all ranks share them, %s for "
           "each copy if there are several; %s a rank besides, and %s to save "
           "from, if the host has so much",
           sb_bytes_text(sb_replica_bytes(&crew.replica, 1)),
           sb_bytes_text(sb_replica_bytes(&crew.replica, 2)),
           sb_bytes_text(sb_w2v_crew_bytes(&r->plan, &crew)),
           sb_bytes_text(copy_bytes(r, V)));
    sb_log(SB_LOG_INFO,
           "word2vec: %u of %u pieces take part; %" PRIu64
           " never occur and keep their first vectors",
           r->sampler.usable, V, unseen);
}

static void say_replicas(const run *r)
{
    int replicas = sb_replica_count(sb_w2v_crew_replica(r->crew));
    uint32_t workers = r->plan.workers;
    sb_log(SB_LOG_INFO, "word2vec: %d %s of the tables; %s", replicas,
           replicas == 1 ? "copy" : "copies",
           workers == (uint32_t)replicas
               ? "the same command gives the same bits"
               : "workers share tables without locks: last bits differ from "
                 "run to run");
}

/* ---- the state ----------------------------------------------------------- */

static sb_status open_memory(run *r)
{
    const sb_w2v_options *o = r->o;
    uint32_t V = r->saved.tables->V;
    say_sizes(r, V);
    sb_w2v_crew_options crew = crew_options(o, V);
    SB_TRY(sb_w2v_crew_open(r->c, &r->plan, &r->sampler, &crew, &r->crew));
    sb_status st = sb_alloc(2 * (size_t)V, sizeof *r->updates,
                            "expected updates", &r->updates);
    if (st == SB_OK)
        sb_sampler_updates(&r->sampler, sb_corpus_counts(r->corpus), V,
                           o->power, o->negative, r->updates, r->updates + V);
    r->saved.tables = sb_replica_tables(sb_w2v_crew_replica(r->crew));
    return sb_agree(r->c, st);
}

static sb_status keep_config(run *r, sb_ckpt *k)
{
    sb_free(r->then);
    r->then = sb_format("%s", sb_ckpt_get_meta(k)->config);
    sb_status st = r->then ? SB_OK
                           : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                                     "out of memory: a configuration");
    return sb_agree(r->c, st);
}

/* All that the run needs of a checkpoint. Memory is opened once, also if it is
 * the turn of an older one. */
static sb_status take(sb_ckpt *k, void *arg)
{
    run *r = arg;
    sb_status st = SB_OK;
    SB_TRY(sb_agree(r->c, sb_w2v_check(k, &r->saved)));
    SB_TRY(keep_config(r, k));
    r->cursor = sb_ckpt_get_meta(k)->cursor;
    if (r->cursor == r->plan.total) { /* mlm will read it: look now */
        if (sb_comm_rank(r->c) == 0) st = sb_ckpt_verify(k);
        return sb_agree(r->c, st);
    }
    if (!r->crew) SB_TRY(open_memory(r));
    uint32_t first, last;
    sb_replica_share(sb_w2v_crew_replica(r->crew), &first, &last);
    return sb_agree(r->c, sb_w2v_load(k, &r->saved, first, last));
}

/* The tables hold the checkpoint that was taken, or first vectors. */
static sb_status open_tables(run *r, int found)
{
    uint32_t V = r->saved.tables->V;
    if (!found) SB_TRY(open_memory(r));
    sb_replica *replica = sb_w2v_crew_replica(r->crew);
    if (!found) sb_replica_init(replica, r->o->seed);
    sb_comm_barrier(r->c);
    return sb_agree(r->c,
                    sb_replica_begin(replica, r->updates, r->updates + V));
}

/* After the tables have their memory: the rest is for copies. */
static sb_status open_saver(run *r, uint32_t V)
{
    uint64_t share, none;
    SB_TRY(sb_comm_memory_share(r->c, &share));
    sb_saver_options o = {.dir = r->o->dir,
                          .local = sb_shares_dir(r->shares),
                          .keep = r->o->keep,
                          .room = copy_bytes(r, V),
                          .pool = sb_w2v_crew_pool(r->crew)};
    none = o.room == 0 || o.room > share;
    sb_comm_max_u64(r->c, &none, 1);
    o.behind = !none;
    return sb_saver_open(r->c, &o, &r->saver);
}

static sb_status begun(const run *r)
{
    return r->o->begun ? r->o->begun(r->o->begun_arg, r->then) : SB_OK;
}

static sb_status open_state(run *r, int found)
{
    SB_TRY(open_tables(r, found));
    SB_TRY(open_saver(r, r->saved.tables->V));
    SB_TRY(begun(r));
    say_replicas(r);
    r->words = sb_w2v_plan_before(&r->plan, r->cursor);
    return sb_agree(r->c, sb_metrics_open(r->c, r->o->dir, r->cursor,
                                          r->o->tensorboard, &r->metrics));
}

static sb_status close_state(run *r, int done)
{
    (void)sb_saver_close(r->saver); /* writes only if something else failed */
    sb_shares_close(r->shares, done);
    sb_w2v_crew_close(r->crew);
    sb_w2v_plan_close(&r->plan);
    sb_free(r->updates);
    sb_free(r->then);
    sb_sampler_close(&r->sampler);
    sb_watch_close(r->watch);
    return sb_metrics_close(r->metrics);
}

/* ---- one round ----------------------------------------------------------- */

enum {
    VOTE_LOSS,
    VOTE_PAIRS,
    VOTE_WAIT,
    VOTE_SENT,
    VOTE_FAILED,
    VOTE_STOP,
    VOTE_SAVE,
    VOTE_LOCAL,
    VOTES
};

/* With advice, if that is what `st` says. */
static sb_status diverged(const run *r, sb_status st)
{
    int several = sb_replica_count(sb_w2v_crew_replica(r->crew)) > 1;
    if (st != SB_ENAN) return st;
    return sb_hint("lower --alpha%s, and begin anew or go on from the last "
                   "checkpoint in '%.150s', if there is one",
                   several ? " or --sync-words" : "", r->o->dir);
}

/* What rounds have voted for, and what was not done yet. */
typedef struct asked {
    int stop, save, local;
} asked;

/* Train and vote. On failure the tables may differ: nothing may be saved. */
static sb_status one_round(run *r, asked *a)
{
    uint64_t last = sb_w2v_plan_next(&r->plan, r->cursor);
    uint64_t words = sb_w2v_plan_words(&r->plan, r->cursor, last);
    sb_w2v_sum sum;
    sb_life_at("word2vec: block", r->cursor);
    sb_status st = sb_w2v_crew_round(r->crew, r->cursor, last, r->words, &sum);

    double minutes = r->o->checkpoint_minutes, now = sb_now(), vote[VOTES];
    vote[VOTE_LOSS] = sum.loss;
    vote[VOTE_PAIRS] = sum.pairs;
    vote[VOTE_WAIT] = sum.wait_s;
    vote[VOTE_SENT] = (double)sb_replica_sent(sb_w2v_crew_replica(r->crew));
    vote[VOTE_FAILED] = st != SB_OK;
    vote[VOTE_STOP] = sb_stop_asked();
    vote[VOTE_SAVE] = sb_comm_rank(r->c) == 0 && minutes > 0 &&
                      now - r->saved_at > 60 * minutes;
    vote[VOTE_LOCAL] = sb_comm_rank(r->c) == 0 && r->shares &&
                       now - r->local_at > 60 * r->o->local_minutes;
    sb_comm_sum_f64(r->c, vote, VOTES);
    if (vote[VOTE_FAILED] > 0) return diverged(r, sb_agree(r->c, st));
    sb_w2v_tally round = {vote[VOTE_LOSS], vote[VOTE_PAIRS], vote[VOTE_WAIT],
                          vote[VOTE_SENT] - r->sent, words};
    r->cursor = last;
    r->words += words;
    r->rounds++;
    r->sent = vote[VOTE_SENT];
    a->stop |= vote[VOTE_STOP] > 0;
    a->save |= vote[VOTE_SAVE] > 0;
    a->local |= vote[VOTE_LOCAL] > 0;
    return diverged(r, sb_w2v_report_round(&r->report, &round));
}

/* ---- the run ------------------------------------------------------------- */

static void leave_out(run *r, double start)
{
    sb_w2v_report_leave_out(&r->report, sb_now() - start);
    sb_w2v_crew_rested(r->crew);
}

static sb_status save_state(run *r, sb_save_when when)
{
    double start = sb_now();
    SB_TRY(sb_w2v_save(r->c, r->saver, &r->saved, r->cursor, when));
    leave_out(r, start);
    r->local_at = sb_now();
    if (when != SB_SAVE_LOCAL) r->saved_at = r->local_at;
    return SB_OK;
}

/* The copies are equal. */
static sb_status save_if_asked(run *r, asked *a, int end)
{
    if (end || a->stop) return save_state(r, SB_SAVE_NOW);
    int local = a->local && !a->save;
    if (!(a->save || local) || (local && !sb_saver_idle(r->saver)))
        return SB_OK;
    SB_TRY(save_state(r, local ? SB_SAVE_LOCAL : SB_SAVE_BEHIND));
    a->save = a->local = 0;
    return SB_OK;
}

static sb_status judge(run *r)
{
    double start = sb_now(), total = (double)r->plan.rate.total;
    sb_life_doing("judging");
    SB_TRY(sb_watch_run(r->watch, r->c, sb_w2v_crew_replica(r->crew),
                        sb_w2v_crew_pool(r->crew), r->metrics, r->cursor,
                        (double)r->words / total));
    leave_out(r, start);
    return SB_OK;
}

static sb_status stopped(const run *r)
{
    sb_fail(SB_ESTOP, __FILE__, __LINE__,
            "stopped on request after %" PRIu64 " of %" PRIu64
            " blocks; the state is saved in '%s'",
            r->cursor, r->plan.total, r->o->dir);
    return sb_hint("the same command goes on from there");
}

static sb_status loop(run *r)
{
    int several = sb_replica_count(sb_w2v_crew_replica(r->crew)) > 1;
    asked a = {0};
    r->saved_at = r->local_at = sb_now();
    sb_w2v_report_begin(&r->report, r->c, &r->plan, r->metrics, r->words);
    while (r->cursor < r->plan.total) {
        uint64_t before = r->words;
        SB_TRY(one_round(r, &a));
        SB_TRY(sb_saver_poll(r->saver));
        int end = r->cursor == r->plan.total;
        sb_w2v_report_line(&r->report, r->cursor,
                           r->rounds == 1 || end || a.stop);
        int equal = !several || end || r->rounds % SETTLE_ROUNDS == 0;
        if (equal) {
            sb_life_doing("making the copies equal");
            sb_w2v_crew_settle(r->crew);
        }
        if (sb_watch_due(r->watch, before, r->words, r->plan.rate.total))
            SB_TRY(judge(r));
        if (!equal) continue;
        SB_TRY(save_if_asked(r, &a, end));
        if (a.stop && !end) return stopped(r);
    }
    sb_w2v_report_end(&r->report);
    return SB_OK;
}

static sb_status train(run *r, const sb_vocab *vocab)
{
    int found;
    SB_TRY(sb_agree(r->c, prepare(r, vocab)));
    sb_w2v_tables shape = {.V = sb_vocab_size(vocab), .D = r->o->dim};
    r->saved = (sb_w2v_saved){r->o, &shape, sb_corpus_counts(r->corpus),
                              sb_vocab_hash(vocab), r->plan.blocks};
    SB_TRY(sb_shares_open(r->c, r->o->dir, r->o->local_dir, &r->shares));
    SB_TRY(sb_resume(r->c, r->o->dir, SB_DAMAGED_ASIDE, take, r, &found));
    if (r->cursor == r->plan.total) {
        sb_log(SB_LOG_INFO, "word2vec: finished already, in '%s'", r->o->dir);
        return begun(r);
    }
    SB_TRY(open_state(r, found));
    if (found)
        sb_log(SB_LOG_INFO,
               "word2vec: going on at block %" PRIu64 " of %" PRIu64, r->cursor,
               r->plan.total);
    return loop(r);
}

sb_status sb_w2v_train(sb_comm *c, sb_corpus *corpus, const sb_vocab *vocab,
                       const sb_w2v_options *o)
{
    run r = {.c = c, .corpus = corpus, .o = o};
    sb_status st = train(&r, vocab);
    sb_error why = *sb_error_last();
    sb_status closed =
        sb_agree(c, close_state(&r, st == SB_OK || st == SB_ESTOP));
    if (st == SB_OK) return closed;
    return sb_error_set(&why);
}
