/* SPDX-License-Identifier: MIT
 * crew.c - rounds of parts, with turns between. */
#include "trainer/word2vec/crew.h"

#include <inttypes.h>
#include <math.h>

#include "comm/agree.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/pool.h"

struct sb_w2v_crew {
    sb_w2v_crew_options o;
    const sb_w2v_plan *plan;
    const sb_sampler *sampler;
    sb_replica *replica;
    sb_pool *pool;       /* with several replicas: a thread more */
    sb_w2v_task *task;   /* [threads] */
    sb_w2v_piece *piece; /* [threads, stretch] */
    double *ended;       /* [threads] when its last part was, 0: rested */
    uint32_t first;      /* number of this rank's first worker */
    uint32_t part, parts;
    double pairs; /* per word of the corpus, expected */
    double pull;  /* of the latest turn */
};

uint64_t sb_w2v_crew_bytes(const sb_w2v_plan *p, const sb_w2v_crew_options *o)
{
    uint64_t task = sb_w2v_task_bytes(sb_w2v_plan_most(p), o->replica.V,
                                      o->replica.D, o->window, o->negative);
    return (uint64_t)o->threads * (task + p->stretch * sizeof(sb_w2v_piece));
}

static sb_status open_tasks(sb_w2v_crew *w)
{
    size_t threads = (size_t)w->o.threads, most = sb_w2v_plan_most(w->plan);
    SB_TRY(sb_alloc(threads, sizeof *w->task, "workers", &w->task));
    SB_TRY(sb_alloc(threads, sizeof *w->ended, "workers", &w->ended));
    SB_TRY(sb_alloc(threads * w->plan->stretch, sizeof *w->piece, "blocks",
                    &w->piece));
    for (size_t i = 0; i < threads; i++) {
        sb_w2v_task *t = &w->task[i];
        SB_TRY(sb_w2v_task_open(t, most, sb_replica_tables(w->replica),
                                w->o.window, w->o.negative));
        t->piece = w->piece + i * w->plan->stretch;
        t->sampler = w->sampler;
        t->cbow = w->o.cbow;
    }
    int several = sb_replica_count(w->replica) > 1;
    return sb_pool_open(w->o.threads + several, &w->pool);
}

/* A turn after about sync_words words of a replica. Expected pairs: a kept
 * word has window + 1 contexts in the mean, or is one pair of CBOW. */
static void plan_turns(sb_w2v_crew *w, sb_comm *c)
{
    const sb_w2v_plan *p = w->plan;
    int replicas = sb_replica_count(w->replica);
    w->first = (uint32_t)(sb_comm_rank(c) * w->o.threads);
    w->parts = 1;
    if (replicas == 1) return;
    uint64_t words = sb_w2v_plan_words(p, 0, sb_w2v_plan_next(p, 0));
    uint64_t parts =
        (words / (uint64_t)replicas + w->o.sync_words / 2) / w->o.sync_words;
    w->parts = parts < 1 ? 1 : parts > 1000000 ? 1000000 : (uint32_t)parts;
    double each = w->o.cbow ? 1 : w->o.window + 1;
    w->pairs = each * sb_sampler_kept(w->sampler) * (double)words / replicas /
               w->parts;
}

sb_status sb_w2v_crew_open(sb_comm *c, const sb_w2v_plan *plan,
                           const sb_sampler *sampler,
                           const sb_w2v_crew_options *o, sb_w2v_crew **crew_out)
{
    sb_w2v_crew *w;
    SB_TRY(sb_agree(c, sb_alloc(1, sizeof *w, "crew", &w)));
    w->o = *o;
    w->plan = plan;
    w->sampler = sampler;
    sb_status st = sb_replica_open(c, &o->replica, &w->replica);
    if (st == SB_OK) st = sb_agree(c, open_tasks(w));
    if (st != SB_OK) {
        sb_w2v_crew_close(w);
        return st;
    }
    plan_turns(w, c);
    *crew_out = w;
    return SB_OK;
}

void sb_w2v_crew_close(sb_w2v_crew *w)
{
    if (!w) return;
    for (int i = 0; w->task && i < w->o.threads; i++)
        sb_w2v_task_close(&w->task[i]);
    sb_pool_close(w->pool);
    sb_free(w->task);
    sb_free(w->piece);
    sb_free(w->ended);
    sb_replica_close(w->replica);
    sb_free(w);
}

sb_replica *sb_w2v_crew_replica(const sb_w2v_crew *w)
{
    return w->replica;
}

sb_pool *sb_w2v_crew_pool(const sb_w2v_crew *w)
{
    return w->pool;
}

/* ---- a round ------------------------------------------------------------- */

static sb_status train_task(void *context, size_t i, int worker)
{
    (void)worker;
    sb_w2v_crew *w = context;
    sb_w2v_train_part(&w->task[i], w->part, w->parts);
    w->ended[i] = sb_now();
    return SB_OK;
}

static double waited(sb_w2v_crew *w)
{
    double now = sb_now(), sum = 0;
    for (int i = 0; i < w->o.threads; i++)
        if (w->ended[i] > 0) sum += now - w->ended[i];
    return sum / w->o.threads;
}

/* One part on all workers; the exchange beside it. */
static sb_status train_part(sb_w2v_crew *w)
{
    size_t n = (size_t)w->o.threads;
    if (sb_replica_count(w->replica) == 1)
        return sb_pool_run(w->pool, n, train_task, w);
    sb_pool_start(w->pool, n, train_task, w);
    sb_replica_exchange(w->replica);
    sb_status st = sb_pool_wait(w->pool);
    float alpha = sb_w2v_rate_at(&w->plan->rate, w->task[0].words_first);
    w->pull = w->pairs * (double)alpha;
    sb_replica_turn(w->replica, w->pool, w->pull);
    return st;
}

static sb_status check_loss(const sb_w2v_crew *w, const sb_w2v_task *t,
                            uint64_t cursor)
{
    const sb_w2v_plan *p = w->plan;
    SB_REQUIRE(isfinite(t->loss), SB_ENAN,
               "the loss is not a finite number in epoch %" PRIu64
               ", near block %" PRIu64 " of %" PRIu64,
               cursor / p->blocks + 1, cursor % p->blocks, p->blocks);
    return SB_OK;
}

/* A rank that cannot read its blocks trains nothing but takes its turns: the
 * others wait for it there. */
sb_status sb_w2v_crew_round(sb_w2v_crew *w, uint64_t cursor, uint64_t last,
                            uint64_t words, sb_w2v_sum *sum_out)
{
    sb_status st = SB_OK;
    *sum_out = (sb_w2v_sum){0};
    for (int i = 0; i < w->o.threads; i++) {
        sb_w2v_task *t = &w->task[i];
        if (st == SB_OK)
            st = sb_w2v_plan_give(w->plan, cursor, last, words,
                                  w->first + (uint32_t)i, t);
        if (st != SB_OK) t->pieces = 0;
    }
    for (w->part = 0; w->part < w->parts; w->part++) {
        sum_out->wait_s += waited(w);
        sb_status trained = train_part(w);
        if (st == SB_OK) st = trained;
    }
    for (int i = 0; i < w->o.threads && st == SB_OK; i++) {
        st = check_loss(w, &w->task[i], cursor);
        sum_out->loss += w->task[i].loss;
        sum_out->pairs += (double)w->task[i].pairs;
        sum_out->rows += (double)w->task[i].moved;
    }
    return st;
}

void sb_w2v_crew_settle(sb_w2v_crew *w)
{
    sb_replica_exchange(w->replica);
    sb_replica_settle(w->replica, w->pool, w->pull);
}

void sb_w2v_crew_rested(sb_w2v_crew *w)
{
    for (int i = 0; i < w->o.threads; i++) w->ended[i] = 0;
}
