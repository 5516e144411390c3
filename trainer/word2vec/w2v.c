/* SPDX-License-Identifier: MIT
 * w2v.c - the rounds of phase 1.
 *
 *   round: blocks cursor .. cursor + P x threads of the permuted order
 *     train    every worker one block (hogwild.h)
 *     vote     one small sum: loss, pairs, failure, stop, save
 *     combine  the ranks' tables become one again (replica.h)
 *     save     if the vote says so
 *
 * Invariants: between rounds all tables are equal; the cursor says everything
 * else (which blocks, how many words, which learning rate), and all ranks
 * know it without asking. The block at position g of the run is at place
 * g mod n of epoch g / n, n = places of the corpus's mix of blocks
 * (dataset/mix.h): it does not depend on the number of ranks. A failure of one
 * rank is made common between vote and combine, so no rank is left in a
 * collective.
 */
#include "trainer/word2vec/w2v.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/pool.h"
#include "comm/base/rng.h"
#include "comm/base/stop.h"
#include "trainer/metrics.h"
#include "trainer/state.h"
#include "trainer/word2vec/hogwild.h"
#include "trainer/word2vec/replica.h"
#include "trainer/word2vec/sampler.h"
#include "trainer/word2vec/saved.h"

/* Tokens a worker gets at a time: what its windows are combined over. */
enum { STRETCH_TOKENS = 1 << 19 };

/* Sums since the last line for machines and the last line for people. */
typedef struct tally {
    double loss, pairs, wait_s, since;
    uint64_t words;
} tally;

typedef struct run {
    sb_comm *c;
    sb_corpus *corpus;
    const sb_w2v_options *o;
    sb_sampler sampler;
    sb_replica *replica;
    float *updates; /* [2][V] expected per pair, of input and output rows */
    sb_pool *pool;
    sb_w2v_task *task;   /* [threads] */
    sb_w2v_piece *piece; /* [threads x stretch] */
    uint64_t stretch;    /* blocks a worker gets in a round */
    sb_w2v_saved saved;
    sb_w2v_rate rate;
    sb_metrics *metrics;
    sb_progress progress;
    const sb_mix *mix;      /* of blocks */
    sb_rng_key order;       /* shuffles it */
    uint32_t *block_tokens; /* [blocks of the corpus] */
    uint64_t blocks, total; /* of an epoch, of the run */
    uint64_t cursor;        /* blocks done */
    uint64_t words;         /* words of the blocks done */
    uint64_t words_start;   /* of those done when this call began */
    double start, saved_at, comm_s;
    double loss_first, loss_last; /* per pair, of the first, latest line */
    tally line, shown;
    int failed; /* this rank's task failed: the status is recorded */
} run;

/* ---- what is asked for --------------------------------------------------- */

static sb_status check_numbers(const sb_w2v_options *o)
{
    SB_REQUIRE(o->dir && o->dir[0], SB_EINVAL, "word2vec needs a folder");
    SB_REQUIRE(o->dim > 0 && o->dim <= 1 << 16, SB_EINVAL,
               "dim %u: vectors need 1 to 65536 numbers", o->dim);
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

/* Exact, so that the rate ends at min_alpha whatever the weights. */
static sb_status count_words(run *r)
{
    uint64_t n = sb_corpus_blocks(r->corpus);
    SB_TRY(sb_alloc((size_t)n, sizeof *r->block_tokens, "block list",
                    &r->block_tokens));
    for (uint64_t i = 0; i < n; i++)
        r->block_tokens[i] = sb_corpus_block_tokens(r->corpus, i);
    r->rate = (sb_w2v_rate){
        r->o->alpha, r->o->min_alpha,
        sb_mix_sum(r->mix, r->order, r->o->epochs, r->block_tokens)};
    return SB_OK;
}

/* Enough text for context combining, but something for every worker. */
static uint64_t choose_stretch(const run *r)
{
    uint64_t workers = (uint64_t)sb_comm_size(r->c) * (uint64_t)r->o->threads;
    uint64_t epoch = sb_mix_sum(r->mix, r->order, 1, r->block_tokens);
    uint64_t mean = epoch / r->blocks + 1;
    uint64_t want = (STRETCH_TOKENS + mean / 2) / mean;
    uint64_t most = r->blocks / workers;
    if (want > most) want = most;
    return want > 0 ? want : 1;
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
    if (sb_comm_rank(r->c) == 0) SB_TRY(sb_dir_make(o->dir));
    SB_TRY(count_words(r));
    r->stretch = choose_stretch(r);
    return SB_OK;
}

static void say_sizes(const run *r, uint32_t V)
{
    const sb_w2v_options *o = r->o;
    uint64_t unseen = 0;
    const uint64_t *counts = sb_corpus_counts(r->corpus);
    for (uint32_t i = 0; i < V; i++) unseen += counts[i] == 0;
    sb_log(SB_LOG_INFO,
           "word2vec: %s, %" PRIu64 " words, %" PRIu64 " blocks, %u epochs; "
           "%d ranks x %d threads; %s of memory per rank",
           o->cbow ? "CBOW" : "skip-gram",
           sb_mix_sum(r->mix, r->order, 1, r->block_tokens), r->blocks,
           o->epochs, sb_comm_size(r->c), o->threads,
           sb_bytes_text(sb_replica_bytes(r->c, V, o->dim)));
    sb_log(SB_LOG_INFO,
           "word2vec: %u of %u pieces take part; %" PRIu64
           " never occur and keep their first vectors",
           r->sampler.usable, V, unseen);
}

/* ---- the state ----------------------------------------------------------- */

static uint64_t block_at(const run *r, uint64_t g)
{
    return sb_mix_item(r->mix, r->order, g / r->blocks, g % r->blocks);
}

static uint64_t words_before(const run *r, uint64_t g)
{
    uint64_t n = sb_mix_sum(r->mix, r->order, g / r->blocks, r->block_tokens);
    for (uint64_t i = g - g % r->blocks; i < g; i++)
        n += r->block_tokens[block_at(r, i)];
    return n;
}

/* No stretch has more tokens: that many of the largest block. */
static size_t stretch_tokens(const run *r)
{
    uint32_t longest = 0;
    for (uint64_t i = 0; i < sb_corpus_blocks(r->corpus); i++)
        if (r->block_tokens[i] > longest) longest = r->block_tokens[i];
    return longest * r->stretch;
}

static sb_status open_memory(run *r, uint32_t V)
{
    const sb_w2v_options *o = r->o;
    size_t tokens = stretch_tokens(r);
    SB_TRY(sb_replica_open(r->c, V, o->dim, &r->replica));
    SB_TRY(sb_alloc(2 * (size_t)V, sizeof *r->updates, "expected updates",
                    &r->updates));
    sb_sampler_updates(&r->sampler, sb_corpus_counts(r->corpus), V, o->power,
                       o->negative, r->updates, r->updates + V);
    sb_replica_expect(r->replica, r->updates, r->updates + V);
    SB_TRY(sb_pool_open(o->threads, &r->pool));
    SB_TRY(sb_alloc((size_t)o->threads, sizeof *r->task, "tasks", &r->task));
    SB_TRY(sb_alloc(r->stretch * (size_t)o->threads, sizeof *r->piece, "blocks",
                    &r->piece));
    for (int i = 0; i < o->threads; i++) {
        sb_w2v_task *t = &r->task[i];
        SB_TRY(sb_w2v_task_open(t, tokens, sb_replica_tables(r->replica),
                                o->window, o->negative));
        t->piece = r->piece + r->stretch * (uint64_t)i;
        t->sampler = &r->sampler;
        t->rate = &r->rate;
        t->cbow = o->cbow;
    }
    r->saved.tables = sb_replica_tables(r->replica);
    return SB_OK;
}

static sb_status open_state(run *r, sb_ckpt *k, uint32_t V)
{
    SB_TRY(open_memory(r, V));
    if (k)
        SB_TRY(sb_w2v_load(k, &r->saved));
    else
        sb_replica_init(r->replica, r->o->seed);
    sb_replica_begin(r->replica);
    r->words = r->words_start = words_before(r, r->cursor);
    return sb_metrics_open(r->c, r->o->dir, r->cursor, &r->metrics);
}

static sb_status close_state(run *r)
{
    for (int i = 0; r->task && i < r->o->threads; i++)
        sb_w2v_task_close(&r->task[i]);
    sb_free(r->task);
    sb_free(r->piece);
    sb_pool_close(r->pool);
    sb_replica_close(r->replica);
    sb_free(r->updates);
    sb_free(r->block_tokens);
    sb_sampler_close(&r->sampler);
    return sb_metrics_close(r->metrics);
}

/* ---- one round ----------------------------------------------------------- */

static sb_status train_task(void *context, size_t i, int worker)
{
    (void)worker;
    sb_w2v_train_part(&((sb_w2v_task *)context)[i], 0, 1);
    return SB_OK;
}

/* Worker w of the n positions from the cursor on: its stretch. */
static sb_status give_stretch(run *r, sb_w2v_task *t, uint64_t n, int w)
{
    int workers = sb_comm_size(r->c) * r->o->threads;
    uint64_t first = r->cursor + sb_share(n, w, workers);
    uint64_t last = r->cursor + sb_share(n, w + 1, workers);
    sb_rng_key text = sb_rng_key_make(r->o->seed, SB_RNG_WORD2VEC);
    sb_rng_key noise = sb_rng_key_make(r->o->seed, SB_RNG_WORD2VEC_NOISE);
    t->pieces = 0;
    t->loss = 0;
    t->pairs = 0;
    t->rng = sb_fast_rng_start(noise, 0, first);
    for (uint64_t g = first; g < last; g++) {
        sb_w2v_piece *p = &t->piece[t->pieces++];
        uint64_t epoch = g / r->blocks;
        SB_TRY(sb_corpus_block(r->corpus, block_at(r, g), &p->block));
        /* Not the block's number: an epoch may have it twice. */
        p->rng = sb_fast_rng_start(
            text, (uint32_t)epoch,
            sb_mix_number(r->mix, r->order, epoch, g % r->blocks));
    }
    return SB_OK;
}

static sb_status check_loss(const run *r, const sb_w2v_task *t)
{
    if (isfinite(t->loss)) return SB_OK;
    sb_fail(SB_ENAN, __FILE__, __LINE__,
            "the loss is not a finite number in epoch %" PRIu64
            ", near block %" PRIu64 " of %" PRIu64,
            r->cursor / r->blocks + 1, r->cursor % r->blocks, r->blocks);
    return sb_hint("lower --alpha and run again: it goes on from the "
                   "last checkpoint in '%.150s', if there is one",
                   r->o->dir);
}

/* Positions [cursor, last) of the run, a stretch for every worker.
 * *words_out: words of all of them. */
static sb_status train_blocks(run *r, uint64_t last, uint64_t *words_out)
{
    uint64_t n = last - r->cursor, words = 0;
    int first = sb_comm_rank(r->c) * r->o->threads;
    for (uint64_t i = 0; i < n; i++)
        words += r->block_tokens[block_at(r, r->cursor + i)];
    *words_out = words;
    for (int i = 0; i < r->o->threads; i++) {
        sb_w2v_task *t = &r->task[i];
        SB_TRY(give_stretch(r, t, n, first + i));
        t->words_first = r->words;
        t->words_last = r->words + words;
    }
    SB_TRY(sb_pool_run(r->pool, (size_t)r->o->threads, train_task, r->task));
    for (int i = 0; i < r->o->threads; i++) {
        SB_TRY(check_loss(r, &r->task[i]));
        r->line.loss += r->task[i].loss;
        r->line.pairs += (double)r->task[i].pairs;
    }
    return SB_OK;
}

enum {
    VOTE_LOSS,
    VOTE_PAIRS,
    VOTE_WAIT,
    VOTE_FAILED,
    VOTE_STOP,
    VOTE_SAVE,
    VOTES
};

/* Train, vote, combine. On failure the tables may differ: nothing may be
 * saved. */
static sb_status one_round(run *r, int *stop_out, int *save_out)
{
    uint64_t width =
        (uint64_t)sb_comm_size(r->c) * (uint64_t)r->o->threads * r->stretch;
    uint64_t last = r->total - r->cursor > width ? r->cursor + width : r->total;
    uint64_t words = 0;
    tally before = r->line;
    sb_status st = train_blocks(r, last, &words);

    double minutes = r->o->checkpoint_minutes, vote[VOTES];
    vote[VOTE_LOSS] = r->line.loss - before.loss;
    vote[VOTE_PAIRS] = r->line.pairs - before.pairs;
    vote[VOTE_WAIT] = sb_comm_seconds(r->c) - r->comm_s;
    vote[VOTE_FAILED] = st != SB_OK;
    vote[VOTE_STOP] = sb_stop_asked();
    vote[VOTE_SAVE] = sb_comm_rank(r->c) == 0 && minutes > 0 &&
                      sb_now() - r->saved_at > 60 * minutes;
    r->comm_s = sb_comm_seconds(r->c);
    sb_comm_sum_f64(r->c, vote, VOTES);
    if (vote[VOTE_FAILED] > 0) return sb_agree(r->c, st);

    sb_replica_combine(r->c, r->replica, vote[VOTE_PAIRS] / sb_comm_size(r->c),
                       (double)sb_w2v_rate_at(&r->rate, r->words));
    r->cursor = last;
    r->words += words;
    r->line.loss = before.loss + vote[VOTE_LOSS];
    r->line.pairs = before.pairs + vote[VOTE_PAIRS];
    r->line.wait_s += vote[VOTE_WAIT];
    r->line.words += words;
    *stop_out = vote[VOTE_STOP] > 0;
    *save_out = vote[VOTE_SAVE] > 0;
    return SB_OK;
}

/* ---- what it says -------------------------------------------------------- */

static void add(tally *to, const tally *from)
{
    to->loss += from->loss;
    to->pairs += from->pairs;
    to->words += from->words;
}

/* A line for machines about once a second, for people when it is due. */
static void report(run *r, int must)
{
    double now = sb_now(), s = now - r->line.since;
    int size = sb_comm_size(r->c);
    if (!must && s < 1) return;
    if (r->line.words > 0) {
        static const char *const name[] = {"loss", "alpha", "words_per_s",
                                           "wait_share", "progress"};
        r->loss_last = r->line.pairs > 0 ? r->line.loss / r->line.pairs : NAN;
        if (isnan(r->loss_first)) r->loss_first = r->loss_last;
        double v[] = {r->loss_last, (double)sb_w2v_rate_at(&r->rate, r->words),
                      s > 0 ? (double)r->line.words / s : NAN,
                      s > 0 ? r->line.wait_s / s / size : NAN,
                      (double)r->words / (double)r->rate.total};
        sb_metrics_line(r->metrics, r->cursor, name, v, 5);
    }
    add(&r->shown, &r->line);
    r->line = (tally){.since = now};
    if (!sb_progress_due(&r->progress)) return;
    s = now - r->shown.since;
    sb_progress_show(&r->progress, (double)r->words / (double)r->rate.total,
                     "%.0f words/s  alpha %.5f  loss %.4f",
                     (double)r->shown.words / s,
                     (double)sb_w2v_rate_at(&r->rate, r->words),
                     r->shown.loss / r->shown.pairs);
    r->shown = (tally){.since = now};
}

static void say_end(run *r)
{
    double s = sb_now() - r->start;
    double rate = s > 0 ? (double)(r->words - r->words_start) / s : 0;
    sb_progress_end(&r->progress,
                    "%.0f words/s  loss %.4f at first, %.4f at "
                    "last",
                    rate, r->loss_first, r->loss_last);
}

/* ---- the run ------------------------------------------------------------- */

static sb_status loop(run *r)
{
    r->start = r->saved_at = r->line.since = r->shown.since = sb_now();
    r->comm_s = sb_comm_seconds(r->c);
    r->loss_first = r->loss_last = NAN;
    sb_progress_begin(&r->progress, "word2vec",
                      (double)r->words / (double)r->rate.total);
    for (int first = 1; r->cursor < r->total; first = 0) {
        int stop = 0, save = 0;
        SB_TRY(one_round(r, &stop, &save));
        int end = r->cursor == r->total;
        report(r, first || end || stop);
        if (!end && !stop && !save) continue;
        SB_TRY(sb_w2v_save(r->c, &r->saved, r->cursor));
        r->saved_at = sb_now();
        if (stop && !end) {
            sb_fail(SB_ESTOP, __FILE__, __LINE__,
                    "stopped on request after %" PRIu64 " of %" PRIu64
                    " blocks; the state is saved in '%s'",
                    r->cursor, r->total, r->o->dir);
            return sb_hint("the same command goes on from there");
        }
    }
    say_end(r);
    return SB_OK;
}

static sb_status train(run *r, const sb_vocab *vocab, sb_ckpt **k)
{
    uint32_t V = sb_vocab_size(vocab);
    SB_TRY(sb_agree(r->c, prepare(r, vocab)));
    SB_TRY(sb_state_latest(r->c, r->o->dir, k));
    sb_w2v_tables shape = {.V = V, .D = r->o->dim};
    r->total = r->blocks * r->o->epochs;
    r->saved = (sb_w2v_saved){r->o, &shape, sb_corpus_counts(r->corpus),
                              sb_vocab_hash(vocab), r->blocks};
    if (*k) {
        SB_TRY(sb_agree(r->c, sb_w2v_check(*k, &r->saved)));
        r->cursor = sb_ckpt_get_meta(*k)->cursor;
    }
    if (r->cursor == r->total) {
        sb_log(SB_LOG_INFO, "word2vec: finished already, in '%s'", r->o->dir);
        return SB_OK;
    }
    say_sizes(r, V);
    SB_TRY(sb_agree(r->c, open_state(r, *k, V)));
    if (*k)
        sb_log(SB_LOG_INFO,
               "word2vec: going on at block %" PRIu64 " of %" PRIu64, r->cursor,
               r->total);
    sb_ckpt_close(*k);
    *k = NULL;
    return loop(r);
}

sb_status sb_w2v_train(sb_comm *c, sb_corpus *corpus, const sb_vocab *vocab,
                       const sb_w2v_options *o)
{
    run r = {.c = c, .corpus = corpus, .o = o};
    r.mix = sb_corpus_block_mix(corpus);
    r.order = sb_rng_key_make(o->seed, SB_RNG_WORD2VEC_ORDER);
    r.blocks = sb_mix_places(r.mix);
    sb_ckpt *k = NULL;
    sb_status st = train(&r, vocab, &k);
    sb_ckpt_close(k);
    sb_error why = *sb_error_last();
    sb_status closed = sb_agree(c, close_state(&r));
    if (st == SB_OK) return closed;
    return sb_error_set(&why);
}
