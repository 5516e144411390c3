/* SPDX-License-Identifier: MIT
 * engine.c - a wave, forward and backward. */
#include "trainer/mlm/engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/stop.h"
#include "comm/reduce.h"
#include "trainer/kernels/kernels.h"

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

/* Sequences in the largest slot. */
static size_t slot_width(const sb_mlm_options *o)
{
    return (o->batch + o->slots - 1) / o->slots;
}

/* Whose activations are kept, and how many sets that takes. */
static void plan_acts(sb_mlm *m)
{
    const sb_mlm_options *o = m->o;
    size_t kept = o->micro_batch / slot_width(o), threads = (size_t)o->threads;
    if (!o->micro_batch || kept > m->slots) kept = m->slots;
    size_t rest = m->slots - kept;
    m->kept = kept;
    m->nacts = kept + (rest < threads ? rest : threads);
}

/* Checks and sizes; nothing large is taken yet. */
static sb_status plan(sb_mlm *m, const sb_vocab *vocab)
{
    const sb_mlm_options *o = m->o;
    int r = sb_comm_rank(m->comm), size = sb_comm_size(m->comm);
    SB_TRY(check(o, size));
    SB_TRY(sb_layout_open(&o->shape, &m->layout));
    m->batch = (sb_batch_options){.seed = o->seed,
                                  .max_length = o->max_length,
                                  .mask_prob = o->mask_prob,
                                  .special = sb_vocab_special(vocab),
                                  .vocab_size = sb_vocab_size(vocab),
                                  .sampling = o->sampling};
    m->first_slot = sb_share(o->slots, r, size);
    m->slots = (size_t)(sb_share(o->slots, r + 1, size) - m->first_slot);
    plan_acts(m);
    size_t bytes;
    return sb_acts_bytes(&m->layout, slot_width(o), o->max_length, &bytes);
}

/* The most that any rank takes. Collective. */
static void say_memory(sb_mlm *m)
{
    const sb_mlm_options *o = m->o;
    int r = sb_comm_rank(m->comm), size = sb_comm_size(m->comm);
    size_t acts = 0, width = slot_width(o);
    if (sb_acts_bytes(&m->layout, width, o->max_length, &acts) != SB_OK) return;
    uint64_t flat = m->layout.total * sizeof(float);
    uint64_t own = (sb_layout_cut(&m->layout, r + 1, size) -
                    sb_layout_cut(&m->layout, r, size)) *
                   sizeof(float);
    /* Finished siblings are added at once: a vector per level of the tree and
     * one per thread. */
    uint64_t trees = flat * (sb_tree_height(o->slots) + (uint64_t)o->threads);
    uint64_t words = (uint64_t)m->slots * width * o->max_length * o->shape.dim *
                     sizeof(float);
    uint64_t most[4] = {sb_table_bytes(m->comm, o->shape.vocab, o->vocab_block,
                                       o->shape.dim, 1),
                        flat, trees + 3 * own, acts * m->nacts + words};
    sb_comm_max_u64(m->comm, most, 4);
    sb_log(
        SB_LOG_INFO,
        "memory per rank, at most: token table with gradient and moments %s, "
        "encoder %s, its gradients and moments %s, activations %s",
        sb_bytes_text(most[0]), sb_bytes_text(most[1]), sb_bytes_text(most[2]),
        sb_bytes_text(most[3]));
}

static sb_status open_slots(sb_mlm *m)
{
    const sb_mlm_options *o = m->o;
    size_t width = slot_width(o);
    SB_TRY(sb_alloc(m->slots, sizeof *m->slot, "slots", &m->slot));
    SB_TRY(sb_alloc(m->nacts, sizeof *m->acts, "activations", &m->acts));
    for (size_t i = 0; i < m->nacts; i++)
        SB_TRY(sb_acts_open(&m->layout, width, o->max_length, &m->acts[i]));
    for (size_t i = 0; i < m->slots; i++) {
        sb_slot *s = &m->slot[i];
        s->first = sb_share(o->batch, (int)(m->first_slot + i), (int)o->slots);
        s->last =
            sb_share(o->batch, (int)(m->first_slot + i) + 1, (int)o->slots);
        SB_TRY(sb_batch_open(width, o->max_length, &s->batch));
        SB_TRY(sb_alloc(width * o->max_length, o->shape.dim * sizeof(float),
                        "row gradients", &s->dword));
    }
    return SB_OK;
}

static sb_status open_local(sb_mlm *m)
{
    const sb_mlm_options *o = m->o;
    SB_TRY(sb_pool_open(o->threads, &m->pool));
    SB_TRY(sb_alloc(m->layout.total, sizeof *m->w, "encoder", &m->w));
    SB_TRY(sb_alloc((size_t)sb_comm_size(m->comm) + 1, sizeof *m->cut, "ranks",
                    &m->cut));
    SB_TRY(sb_tree_open(o->slots, m->first_slot, m->first_slot + m->slots,
                        m->layout.total, &m->grads));
    return open_slots(m);
}

sb_status sb_mlm_open(sb_comm *c, const sb_mlm_options *o,
                      const sb_vocab *vocab, sb_mlm **mlm_out)
{
    sb_mlm *m = NULL;
    sb_status st = sb_alloc(1, sizeof *m, "model", &m);
    if (st == SB_OK) {
        m->comm = c;
        m->o = o;
        st = plan(m, vocab);
    }
    SB_GOTO(st, sb_agree(c, st), failed);
    say_memory(m);
    SB_GOTO(st, sb_agree(c, open_local(m)), failed);
    SB_GOTO(st,
            sb_table_open(c, o->shape.vocab, o->vocab_block, o->shape.dim, 1,
                          &m->table),
            failed);
    SB_GOTO(st,
            sb_head_open(m->table, m->pool, (size_t)o->logit_bytes,
                         o->adam.train_table, &m->head),
            failed);
    SB_GOTO(st, sb_optimiser_open(c, &m->layout, m->table, &m->optimiser),
            failed);
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
    sb_tree_close(m->grads);
    sb_pool_close(m->pool);
    for (size_t i = 0; m->slot && i < m->slots; i++) {
        sb_batch_close(&m->slot[i].batch);
        sb_free(m->slot[i].dword);
    }
    for (size_t i = 0; m->acts && i < m->nacts; i++) sb_acts_close(&m->acts[i]);
    sb_layout_close(&m->layout);
    void *owned[] = {m->slot, m->acts, m->w, m->cut};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        sb_free(owned[i]);
    void *grown[] = {m->ids, m->z, m->dz, m->target};
    for (size_t i = 0; i < sizeof grown / sizeof grown[0]; i++) free(grown[i]);
    sb_free(m);
}

/* ---- batches of the wave ------------------------------------------------- */

static sb_status fill_slots(sb_mlm *m, sb_corpus *corpus, sb_wave_kind kind,
                            uint64_t first, uint64_t limit)
{
    size_t tokens = 0;
    for (size_t i = 0; i < m->slots; i++) {
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
    for (size_t i = 0; i < m->slots; i++)
        if (m->slot[i].batch.tokens)
            memcpy(m->ids + m->slot[i].token_at, m->slot[i].batch.ids,
                   m->slot[i].batch.tokens * sizeof *m->ids);
    return SB_OK;
}

/* What ranks tell each other before every wave: the step's one vote. */
typedef struct vote {
    uint64_t masked, tokens, stop, failed;
} vote;

/* Share the counts; m->cut and every slot's place among all positions. */
static sb_status share_counts(sb_mlm *m, sb_status local, vote *sum_out)
{
    int r = sb_comm_rank(m->comm), size = sb_comm_size(m->comm);
    vote mine = {.stop = (uint64_t)sb_stop_asked(), .failed = local != SB_OK};
    for (size_t i = 0; local == SB_OK && i < m->slots; i++) {
        mine.masked += m->slot[i].batch.nmasked;
        mine.tokens += m->slot[i].batch.tokens;
    }
    vote *all = NULL, sum = {0};
    if (sb_alloc((size_t)size, sizeof *all, "votes", &all) != SB_OK)
        sb_fatal(m->comm);
    sb_comm_gather(m->comm, &mine, sizeof mine, all);
    for (int k = 0; k < size; k++) {
        m->cut[k] = (size_t)sum.masked;
        sum.masked += all[k].masked;
        sum.tokens += all[k].tokens;
        sum.stop |= all[k].stop;
        sum.failed |= all[k].failed;
    }
    m->cut[size] = (size_t)sum.masked;
    sb_free(all);
    if (sum.failed) return sb_agree(m->comm, local);
    size_t at = m->cut[r];
    for (size_t i = 0; i < m->slots; i++) {
        m->slot[i].masked_at = at;
        at += m->slot[i].batch.nmasked;
    }
    *sum_out = sum;
    return SB_OK;
}

static sb_status room(sb_mlm *m, size_t masked)
{
    size_t D = m->o->shape.dim, floats;
    int r = sb_comm_rank(m->comm);
    SB_REQUIRE(!__builtin_mul_overflow(masked, D, &floats), SB_ELIMIT,
               "%zu masked positions do not fit in memory", masked);
    SB_TRY(sb_grow(&m->z, &m->z_cap, floats, sizeof *m->z, "scored vectors"));
    SB_TRY(sb_grow(&m->dz, &m->dz_cap, (m->cut[r + 1] - m->cut[r]) * D,
                   sizeof *m->dz, "scored vectors"));
    return sb_grow(&m->target, &m->target_cap, masked, sizeof *m->target,
                   "targets");
}

/* ---- forward ------------------------------------------------------------- */

static sb_dropout_rate dropout(const sb_mlm *m)
{
    return (sb_dropout_rate){.hidden = m->training ? m->o->dropout : 0,
                             .attention =
                                 m->training ? m->o->attention_dropout : 0,
                             .seed = m->o->seed};
}

static void run_forward(sb_mlm *m, size_t task, int worker)
{
    sb_slot *s = &m->slot[task];
    sb_dropout_rate drop = dropout(m);
    s->acts = &m->acts[task < m->kept ? task : m->kept + (size_t)worker];
    sb_model_forward(&m->layout, m->w, &s->batch, m->rows,
                     m->place + s->token_at, &drop, s->acts);
}

static sb_status forward_slot(void *context, size_t task, int worker)
{
    sb_mlm *m = context;
    sb_slot *s = &m->slot[task];
    size_t n = s->batch.nmasked, D = m->o->shape.dim;
    run_forward(m, task, worker);
    if (!n) return SB_OK;
    memcpy(m->z + s->masked_at * D, s->acts->z, n * D * sizeof *m->z);
    memcpy(m->target + s->masked_at, s->batch.target, n * sizeof *m->target);
    return SB_OK;
}

/* Every rank's vectors and targets to all. */
static void gather_positions(sb_mlm *m, size_t *bytes)
{
    int size = sb_comm_size(m->comm);
    for (int r = 0; r <= size; r++)
        bytes[r] = m->cut[r] * m->o->shape.dim * sizeof *m->z;
    sb_comm_gather_cut(m->comm, m->z, bytes);
    for (int r = 0; r <= size; r++) bytes[r] = m->cut[r] * sizeof *m->target;
    sb_comm_gather_cut(m->comm, m->target, bytes);
}

sb_status sb_mlm_forward(sb_mlm *m, sb_corpus *corpus, sb_wave_kind kind,
                         uint64_t first, uint64_t limit, sb_wave *wave_out)
{
    vote sum = {0};
    size_t tokens = 0, *bytes = NULL;
    m->training = kind == SB_WAVE_TRAIN;
    SB_TRY(share_counts(m, fill_slots(m, corpus, kind, first, limit), &sum));
    if (sum.stop) {
        *wave_out = (sb_wave){.stop = 1};
        return SB_OK;
    }
    for (size_t i = 0; i < m->slots; i++) tokens += m->slot[i].batch.tokens;
    sb_status st = room(m, (size_t)sum.masked);
    if (st == SB_OK)
        st = sb_alloc((size_t)sb_comm_size(m->comm) + 1, sizeof *bytes, "ranks",
                      &bytes);
    SB_GOTO(st, sb_agree(m->comm, st), out);
    SB_GOTO(st, sb_table_pull(m->table, m->ids, tokens, &m->rows, &m->place),
            out);
    st = sb_pool_run(m->pool, m->slots, forward_slot, m);
    SB_GOTO(st, sb_agree(m->comm, st), out);
    gather_positions(m, bytes);
    sb_wave w = {.masked = (size_t)sum.masked, .tokens = (size_t)sum.tokens};
    if (w.masked)
        SB_GOTO(
            st,
            sb_head_forward(m->head, m->z, m->target, w.masked, &w.loss_sum),
            out);
    *wave_out = w;
out:
    sb_free(bytes);
    return st;
}

/* ---- backward ------------------------------------------------------------ */

static sb_status backward_slot(void *context, size_t task, int worker)
{
    sb_mlm *m = context;
    sb_slot *s = &m->slot[task];
    size_t D = m->o->shape.dim;
    float *grad;
    SB_TRY(sb_tree_leaf(m->grads, &grad));
    if (task >= m->kept) run_forward(m, task, worker);
    sb_dropout_rate drop = dropout(m);
    size_t own = s->masked_at - m->cut[sb_comm_rank(m->comm)];
    sb_model_backward(&m->layout, m->w, &s->batch, m->dz + own * D, &drop,
                      s->acts, grad, s->dword);
    sb_tree_add(m->grads, m->first_slot + task, grad);
    return SB_OK;
}

sb_status sb_mlm_backward(sb_mlm *m, const sb_wave *wave)
{
    if (wave->masked)
        SB_TRY(sb_head_backward(m->head, 1.0f / (float)wave->masked, m->cut,
                                m->dz));
    sb_slot_grad *push = NULL;
    sb_status st = sb_tree_reset(m->grads, m->layout.total);
    if (st == SB_OK) st = sb_pool_run(m->pool, m->slots, backward_slot, m);
    if (st == SB_OK)
        st = sb_alloc(m->slots, sizeof *push, "row gradients", &push);
    SB_GOTO(st, sb_agree(m->comm, st), out);
    for (size_t i = 0; m->o->adam.train_table && i < m->slots; i++)
        push[i] = (sb_slot_grad){m->slot[i].batch.ids, m->slot[i].dword,
                                 m->slot[i].batch.tokens};
    st = sb_table_push(m->table, push, m->slots, m->batch.special.pad);
out:
    sb_free(push);
    return st;
}
