/* SPDX-License-Identifier: MIT
 * engine.c - a wave, forward and backward. */
#include "trainer/mlm/engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/life.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/stop.h"
#include "trainer/mlm/precision.h"

/* ---- open ---------------------------------------------------------------- */

static sb_status check(const sb_mlm_options *o, int ranks)
{
    SB_REQUIRE(o->slots <= o->batch, SB_EINVAL,
               "slots = %u is more than batch = %u: a slot needs a sequence",
               o->slots, o->batch);
    if (ranks > (int)o->slots) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "%d ranks for %u slots: every rank needs one", ranks, o->slots);
        return sb_hint("start fewer ranks (with more threads each), or raise "
                       "slots and batch in the recipe");
    }
    SB_REQUIRE(o->max_length <= o->shape.positions, SB_EINVAL,
               "max-length = %u is more than positions = %u", o->max_length,
               o->shape.positions);
    return SB_OK;
}

static sb_status begin(sb_mlm *m, const sb_vocab *vocab)
{
    const sb_mlm_options *o = m->o;
    SB_TRY(check(o, sb_comm_size(m->comm)));
    SB_TRY(sb_precision_check(o->precision));
    SB_TRY(sb_layout_open(&o->shape, &m->layout));
    m->batch = (sb_batch_options){.seed = o->seed,
                                  .max_length = o->max_length,
                                  .mask_prob = o->mask_prob,
                                  .special = sb_vocab_special(vocab),
                                  .vocab_size = sb_vocab_size(vocab),
                                  .sampling = o->sampling};
    return SB_OK;
}

static sb_status open_slots(sb_mlm *m)
{
    const sb_mlm_options *o = m->o;
    size_t width = m->plan.width, workers = (size_t)sb_pool_workers(m->pool);
    SB_TRY(sb_alloc(m->plan.slots, sizeof *m->slot, "slots", &m->slot));
    SB_TRY(sb_alloc(m->plan.micro, sizeof *m->acts, "activations", &m->acts));
    SB_TRY(sb_alloc(workers, sizeof *m->work, "activations", &m->work));
    for (size_t i = 0; i < m->plan.micro; i++)
        SB_TRY(sb_acts_open(&m->layout, width, o->max_length, &m->acts[i]));
    for (size_t i = workers - (size_t)o->threads; i < workers; i++)
        SB_TRY(sb_work_open(&m->layout, width, o->max_length, o->precision,
                            &m->work[i]));
    for (size_t i = 0; i < m->plan.slots; i++) {
        sb_slot *s = &m->slot[i];
        int number = (int)(m->plan.first_slot + i);
        s->first = sb_share(o->batch, number, (int)o->slots);
        s->last = sb_share(o->batch, number + 1, (int)o->slots);
        SB_TRY(sb_batch_open(width, o->max_length, &s->batch));
        SB_TRY(sb_reserve(width * o->max_length, o->shape.dim * sizeof(float),
                          "row gradients", &s->dword));
    }
    return SB_OK;
}

static sb_status open_trees(sb_mlm *m)
{
    const sb_mlm_plan *p = &m->plan;
    SB_TRY(sb_alloc(p->trees, sizeof *m->tree, "sum trees", &m->tree));
    for (size_t i = 0; i < p->trees; i++)
        SB_TRY(sb_tree_open(
            m->o->slots, p->first_slot, p->first_slot + p->slots,
            p->trees == 2 ? p->longest_stage : sb_layout_stage(&m->layout, i),
            &m->tree[i]));
    return SB_OK;
}

/* Tags of comm/flight.h. */
enum { TAG_GRADIENTS = 1, TAG_HEAD, TAG_WEIGHTS, TAG_POSITIONS };

/* What ranks tell each other before every wave, the step's one vote: sums over
 * the ranks of this, and behind it every slot's masked positions. */
enum { TOKENS, STOP, FAILED, VOTES };

/* Messages move while others compute: the pool's caller sees to it. */
static int watch(void *context)
{
    sb_mlm *m = context;
    return sb_positions_poll(&m->at) | sb_reduction_poll(m->sum) |
           sb_head_poll(m->head) | sb_optimiser_poll(&m->optimiser);
}

static sb_status open_local(sb_mlm *m)
{
    const sb_mlm_options *o = m->o;
    size_t ranks = (size_t)sb_comm_size(m->comm);
    /* With several ranks, one thread of each moves messages. */
    SB_TRY(sb_pool_open(o->threads + (ranks > 1), &m->pool));
    SB_TRY(sb_alloc(m->layout.total, sizeof *m->w, "encoder", &m->w));
    SB_TRY(sb_positions_open(m->comm, o->slots, o->shape.dim, TAG_POSITIONS,
                             &m->at));
    SB_TRY(sb_alloc(VOTES + o->slots, sizeof *m->vote, "votes", &m->vote));
    SB_TRY(sb_reserve(m->layout.total, sb_rounded_size(o->precision),
                      "rounded encoder", &m->rounded));
    SB_TRY(sb_alloc(ranks + 1, sizeof *m->grad_cut, "ranks", &m->grad_cut));
    SB_TRY(open_trees(m));
    return open_slots(m);
}

static sb_status open_shared(sb_mlm *m)
{
    const sb_mlm_options *o = m->o;
    const sb_head_options head = {.group = o->head_group,
                                  .tag = TAG_HEAD,
                                  .reduce = o->reduce,
                                  .train_table = o->adam.train_table,
                                  .precision = o->precision};
    SB_TRY(sb_reduction_open(m->comm, o->slots, m->plan.longest_stage,
                             m->plan.longest_share, o->reduce, TAG_GRADIENTS,
                             &m->sum));
    SB_TRY(sb_table_open(m->comm, o->shape.vocab, o->vocab_block, o->shape.dim,
                         1, &m->table));
    SB_TRY(sb_head_open(m->table, m->pool, &head, &m->head));
    SB_TRY(sb_optimiser_open(m->comm, &m->layout, m->table, TAG_WEIGHTS,
                             &m->optimiser));
    if (sb_comm_size(m->comm) > 1) sb_pool_watch(m->pool, watch, m);
    return SB_OK;
}

sb_status sb_mlm_open(sb_comm *c, const sb_mlm_options *o,
                      const sb_vocab *vocab, sb_mlm **mlm_out)
{
    sb_mlm *m = NULL;
    sb_status st = sb_alloc(1, sizeof *m, "model", &m);
    if (st == SB_OK) {
        m->comm = c;
        m->o = o;
        st = begin(m, vocab);
    }
    SB_GOTO(st, sb_agree(c, st), failed);
    sb_precision_say(o->precision);
    SB_GOTO(st, sb_mlm_plan_open(c, &m->layout, o, &m->plan), failed);
    SB_GOTO(st, sb_agree(c, open_local(m)), failed);
    SB_GOTO(st, open_shared(m), failed);
    *mlm_out = m;
    return SB_OK;
failed:
    sb_mlm_close(m);
    return st;
}

void sb_mlm_close(sb_mlm *m)
{
    if (!m) return;
    sb_optimiser_close(&m->optimiser);
    sb_head_close(m->head);
    sb_table_close(m->table);
    sb_reduction_close(m->sum);
    for (size_t i = 0; m->tree && i < m->plan.trees; i++)
        sb_tree_close(m->tree[i]);
    for (size_t i = 0; m->slot && i < m->plan.slots; i++) {
        sb_batch_close(&m->slot[i].batch);
        sb_free(m->slot[i].dword);
    }
    for (size_t i = 0; m->acts && i < m->plan.micro; i++)
        sb_acts_close(&m->acts[i]);
    for (int i = 0; m->work && i < sb_pool_workers(m->pool); i++)
        sb_work_close(&m->work[i]);
    sb_pool_close(m->pool);
    sb_layout_close(&m->layout);
    sb_positions_close(&m->at);
    void *owned[] = {m->slot, m->acts, m->work,     m->w,
                     m->vote, m->tree, m->grad_cut, m->rounded};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        sb_free(owned[i]);
    void *grown[] = {m->ids, m->dz};
    for (size_t i = 0; i < sizeof grown / sizeof grown[0]; i++) free(grown[i]);
    sb_free(m);
}

/* ---- batches of the wave ------------------------------------------------- */

static sb_status fill_slots(sb_mlm *m, sb_corpus *corpus, sb_wave_kind kind,
                            uint64_t first, uint64_t limit)
{
    size_t tokens = 0;
    for (size_t i = 0; i < m->plan.slots; i++) {
        sb_slot *s = &m->slot[i];
        size_t n = (size_t)(s->last - s->first);
        uint64_t at = first + s->first;
        if (kind == SB_WAVE_TRAIN)
            SB_TRY(sb_batch_train(&s->batch, corpus, &m->batch, at, n));
        else {
            uint64_t left = at < limit ? limit - at : 0;
            SB_TRY(sb_batch_heldout(&s->batch, corpus, &m->batch, at,
                                    left < n ? (size_t)left : n));
        }
        s->token_at = tokens;
        tokens += s->batch.tokens;
    }
    SB_TRY(sb_grow(&m->ids, &m->ids_cap, tokens, sizeof *m->ids, "token ids"));
    for (size_t i = 0; i < m->plan.slots; i++)
        if (m->slot[i].batch.tokens)
            memcpy(m->ids + m->slot[i].token_at, m->slot[i].batch.ids,
                   m->slot[i].batch.tokens * sizeof *m->ids);
    return SB_OK;
}

static void vote(sb_mlm *m, sb_status local)
{
    memset(m->vote, 0, (VOTES + m->o->slots) * sizeof *m->vote);
    m->vote[STOP] = (uint64_t)sb_stop_asked();
    m->vote[FAILED] = local != SB_OK;
    for (size_t i = 0; local == SB_OK && i < m->plan.slots; i++) {
        const sb_batch *b = &m->slot[i].batch;
        m->vote[TOKENS] += b->tokens;
        m->vote[VOTES + m->plan.first_slot + i] = b->nmasked;
    }
    sb_comm_sum_u64(m->comm, m->vote, VOTES + m->o->slots);
}

/* Local: for the wave's positions, and the own targets. */
static sb_status room(sb_mlm *m)
{
    sb_positions *p = &m->at;
    SB_TRY(sb_positions_room(p, m->vote + VOTES));
    int r = sb_comm_rank(m->comm);
    for (size_t i = 0; i < m->plan.slots; i++) {
        const sb_batch *b = &m->slot[i].batch;
        if (b->nmasked)
            memcpy(p->target + p->slot_at[m->plan.first_slot + i], b->target,
                   b->nmasked * sizeof *p->target);
    }
    return sb_grow(&m->dz, &m->dz_cap, (p->cut[r + 1] - p->cut[r]) * p->dim,
                   sizeof *m->dz, "scored vectors");
}

/* Batches, counts and room. */
static sb_status begin_wave(sb_mlm *m, sb_corpus *corpus, sb_wave_kind kind,
                            uint64_t first, uint64_t limit, sb_wave *w)
{
    sb_status st = fill_slots(m, corpus, kind, first, limit);
    vote(m, st);
    if (m->vote[FAILED]) return sb_agree(m->comm, st);
    *w = (sb_wave){.tokens = (size_t)m->vote[TOKENS],
                   .stop = m->vote[STOP] != 0};
    if (w->stop) return SB_OK;
    SB_TRY(sb_agree(m->comm, room(m)));
    w->masked = m->at.n;
    sb_positions_begin(&m->at);
    return SB_OK;
}

/* From here on this rank does `what` and waits for `cause`. */
static void enter(sb_mlm *m, int cause, const char *what)
{
    sb_comm_cause(m->comm, cause);
    sb_life_doing(what);
}

/* ---- forward ------------------------------------------------------------- */

static sb_dropout_rate dropout(const sb_mlm *m)
{
    return (sb_dropout_rate){.hidden = m->training ? m->o->dropout : 0,
                             .attention =
                                 m->training ? m->o->attention_dropout : 0,
                             .seed = m->o->seed};
}

static sb_weights weights(const sb_mlm *m)
{
    return (sb_weights){m->w, m->rounded};
}

enum { ROUND_AT_ONCE = 1 << 18 };

static sb_status round_some(void *context, size_t task, int worker)
{
    (void)worker;
    sb_mlm *m = context;
    sb_precision p = m->o->precision;
    size_t at = task * ROUND_AT_ONCE, left = m->layout.total - at;
    sb_round((char *)m->rounded + at * sb_rounded_size(p), m->w + at,
             left < ROUND_AT_ONCE ? left : ROUND_AT_ONCE, p);
    return SB_OK;
}

static sb_status forward_slot(void *context, size_t task, int worker)
{
    sb_mlm *m = context;
    const sb_slot *s = &m->slot[m->micro_first + task];
    sb_dropout_rate drop = dropout(m);
    sb_model_forward(&m->layout, weights(m), &s->batch, m->rows,
                     m->place + s->token_at, &drop, &m->acts[task],
                     &m->work[worker]);
    return sb_precision_status(&m->work[worker].mixed);
}

/* Slots of the micro-batch that begins at m->micro_first. */
static size_t micro_slots(const sb_mlm *m)
{
    size_t left = m->plan.slots - m->micro_first;
    return left < m->plan.micro ? left : m->plan.micro;
}

/* A task can only lack memory, and other ranks may be waiting for this one. */
static void run(sb_mlm *m, size_t n, sb_task fn)
{
    if (sb_pool_run(m->pool, n, fn, m) != SB_OK) sb_fatal(m->comm);
}

static sb_status score_slot(void *context, size_t task, int worker)
{
    sb_mlm *m = context;
    size_t slot = m->plan.first_slot + m->micro_first + task;
    SB_TRY(forward_slot(context, task, worker));
    sb_positions_put(&m->at, slot, m->acts[task].z);
    return SB_OK;
}

static void forward_slots(sb_mlm *m)
{
    size_t pieces = m->layout.total / ROUND_AT_ONCE + 1;
    if (m->o->precision != SB_FP32) run(m, pieces, round_some);
    for (size_t first = 0; first < m->plan.slots; first += m->plan.micro) {
        m->micro_first = first;
        run(m, micro_slots(m), score_slot);
    }
}

sb_status sb_mlm_forward(sb_mlm *m, sb_corpus *corpus, sb_wave_kind kind,
                         uint64_t first, uint64_t limit, sb_wave *wave_out)
{
    sb_wave w = {0};
    m->training = kind == SB_WAVE_TRAIN;
    enter(m, SB_WAIT_RANKS, "batch");
    SB_TRY(begin_wave(m, corpus, kind, first, limit, &w));
    *wave_out = w;
    if (w.stop) return SB_OK;
    const sb_slot *last = &m->slot[m->plan.slots - 1];
    enter(m, SB_WAIT_ROWS, "rows of the table");
    SB_TRY(sb_table_pull(m->table, m->ids, last->token_at + last->batch.tokens,
                         &m->rows, &m->place));
    enter(m, SB_WAIT_WEIGHTS, "forward");
    sb_optimiser_settle(&m->optimiser);
    enter(m, SB_WAIT_HEAD, "forward");
    forward_slots(m);
    sb_positions_end(&m->at);
    sb_life_doing("head");
    const sb_head_gradient g = {.scale = w.masked ? 1.0f / (float)w.masked : 0,
                                .cut = m->at.cut,
                                .dz = m->dz};
    return sb_head_run(m->head, m->at.z, m->at.target, w.masked,
                       m->training ? &g : NULL, &wave_out->loss_sum);
}

/* ---- backward ------------------------------------------------------------ */

static sb_tree *stage_tree(const sb_mlm *m)
{
    return m->tree[m->stage % m->plan.trees];
}

static sb_status backward_slot(void *context, size_t task, int worker)
{
    sb_mlm *m = context;
    size_t number = m->micro_first + task;
    const sb_slot *s = &m->slot[number];
    size_t own = m->at.slot_at[m->plan.first_slot + number] -
                 m->at.cut[sb_comm_rank(m->comm)];
    sb_dropout_rate drop = dropout(m);
    float *grad;
    SB_TRY(sb_tree_leaf(stage_tree(m), &grad));
    sb_model_backward(&m->layout, m->stage, weights(m), &s->batch,
                      m->dz + own * m->o->shape.dim, &drop, &m->acts[task],
                      &m->work[worker], grad, s->dword);
    sb_tree_add(stage_tree(m), m->plan.first_slot + number, grad);
    return sb_precision_status(&m->work[worker].mixed);
}

/* The sum of the stage's gradients sets out for its owners. */
static void begin_sum(sb_mlm *m)
{
    int size = sb_comm_size(m->comm);
    for (int r = 0; r <= size; r++)
        m->grad_cut[r] = sb_layout_cut(&m->layout, m->stage, r, size) -
                         m->layout.stage_at[m->stage];
    sb_reduction_begin(m->sum, stage_tree(m), m->grad_cut,
                       m->optimiser.grad + m->optimiser.own[m->stage].at);
}

/* All stages of one micro-batch, from the last; its activations are there. */
static void backward_micro(sb_mlm *m, int first, int last)
{
    for (m->stage = m->layout.stages; m->stage-- > 0;) {
        if (first)
            sb_tree_reset(stage_tree(m), sb_layout_stage(&m->layout, m->stage));
        run(m, micro_slots(m), backward_slot);
        if (last) begin_sum(m);
    }
}

static sb_status push_rows(sb_mlm *m)
{
    sb_slot_grad *push = NULL;
    SB_TRY(sb_agree(m->comm, sb_alloc(m->plan.slots, sizeof *push,
                                      "row gradients", &push)));
    for (size_t i = 0; m->o->adam.train_table && i < m->plan.slots; i++)
        push[i] = (sb_slot_grad){m->slot[i].batch.ids, m->slot[i].dword,
                                 m->slot[i].batch.tokens};
    sb_status st =
        sb_table_push(m->table, push, m->plan.slots, m->batch.special.pad);
    sb_free(push);
    return st;
}

sb_status sb_mlm_backward(sb_mlm *m)
{
    size_t newest = m->micro_first; /* whose activations are there */
    enter(m, SB_WAIT_GRADIENTS, "backward");
    for (size_t first = newest;; first -= m->plan.micro) {
        m->micro_first = first;
        if (first != newest) run(m, micro_slots(m), forward_slot);
        backward_micro(m, first == newest, first == 0);
        if (first == 0) break;
    }
    enter(m, SB_WAIT_ROWS, "gradients of rows");
    sb_status st = push_rows(m);
    enter(m, SB_WAIT_GRADIENTS, "gradients");
    sb_reduction_end(m->sum);
    enter(m, SB_WAIT_WEIGHTS, "weights");
    return st;
}
