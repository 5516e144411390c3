/* SPDX-License-Identifier: MIT
 * state_mlm.c - save, load. */
#include "trainer/mlm/state_mlm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "trainer/mlm/frozen.h"
#include "trainer/mlm/tensors.h"
#include "trainer/resume.h"
#include "trainer/build.h"

/* ---- the table of tensors ------------------------------------------------ */

typedef struct tensors {
    sb_tensor *table;
    sb_piece *piece;
    size_t n, pieces;
} tensors;

static sb_tensor divergence_tensor(void)
{
    return (sb_tensor){.name = "mlm.divergence",
                       .dtype = SB_U64,
                       .ndim = 1,
                       .dim = {SB_DIVERGENCE_WORDS}};
}

static sb_tensor frozen_tensor(void)
{
    return (sb_tensor){
        .name = SB_FROZEN_NAME, .dtype = SB_U64, .ndim = 1, .dim = {1}};
}

static void add(tensors *t, const sb_tensor *base, const char *prefix,
                uint64_t first, uint64_t n, const void *data)
{
    sb_tensor *x = &t->table[t->n];
    *x = *base;
    snprintf(x->name, sizeof x->name, "%.8s%.80s", prefix, base->name);
    if (n) t->piece[t->pieces++] = (sb_piece){t->n, first, n, data, 0, 0};
    t->n++;
}

/* The part of parameter i that this rank owns: elements [*from_out, *to_out) of
 * the flat vector; returns where they lie in the optimiser's arrays. */
static size_t own_part(const sb_mlm *m, size_t i, size_t *from_out,
                       size_t *to_out)
{
    const sb_param *p = &m->layout.param[i];
    const sb_own *own = m->optimiser.own;
    while (m->layout.stage_at[own - m->optimiser.own + 1] <= p->at) own++;
    sb_param_part(p, own->first, own->last, from_out, to_out);
    return own->at + (*from_out - own->first);
}

/* Every tensor, and the part of each that this rank writes. Weights of the
 * flat vector are on every rank; each writes what it owns. Rank 0 writes
 * `course`, the words of mlm.divergence. */
static sb_status describe(sb_mlm *m, const uint64_t *course, tensors *out)
{
    static const char *const prefix[] = {"", "adam.m/", "adam.v/"};
    const sb_layout *l = &m->layout;
    const sb_optimiser *o = &m->optimiser;
    const sb_table *k = m->table;
    size_t n = 3 * (l->params + 2) + 2; /* and two that are no f32 */
    tensors t = {0};
    SB_TRY(sb_alloc(n, sizeof *t.table, "checkpoint's tensors", &t.table));
    sb_status st =
        sb_alloc(n, sizeof *t.piece, "checkpoint's tensors", &t.piece);
    if (st != SB_OK) {
        sb_free(t.table);
        return st;
    }
    const float *moments[] = {NULL, o->m, o->v};
    const float *rows[] = {k->rows, k->m, k->v};
    const float *bias[] = {k->bias, k->bias_m, k->bias_v};
    sb_tensor wide = sb_mlm_table_tensor(&l->shape, SB_TABLE_NAME);
    sb_tensor thin = sb_mlm_bias_tensor(&l->shape, SB_BIAS_NAME);
    for (int kind = 0; kind < 3; kind++) {
        add(&t, &wide, prefix[kind], k->first * k->dim,
            (k->last - k->first) * k->dim, rows[kind]);
        add(&t, &thin, prefix[kind], k->first, k->last - k->first, bias[kind]);
        for (size_t i = 0; i < l->params; i++) {
            size_t from, to, at = own_part(m, i, &from, &to);
            add(&t, &l->param[i].tensor, prefix[kind], from - l->param[i].at,
                to - from, kind ? moments[kind] + at : m->w + from);
        }
    }
    sb_tensor last = divergence_tensor();
    uint64_t words = sb_comm_rank(m->comm) == 0 ? SB_DIVERGENCE_WORDS : 0;
    add(&t, &last, "", 0, words, course);
    sb_tensor hash = frozen_tensor();
    if (!m->o->adam.train_table)
        add(&t, &hash, "", 0, sb_comm_rank(m->comm) == 0, &m->frozen);
    *out = t;
    return SB_OK;
}

sb_status sb_mlm_saver_open(const sb_mlm *m, const char *local,
                            sb_saver **saver_out)
{
    const sb_saver_options o = {.dir = m->o->dir,
                                .local = local,
                                .keep = m->o->keep,
                                .keep_every = m->o->keep_every,
                                .room = m->plan.sizes.copy,
                                .behind = m->plan.behind,
                                .pool = m->pool};
    return sb_saver_open(m->comm, &o, saver_out);
}

sb_status sb_mlm_save(sb_mlm *m, sb_saver *s, const sb_vocab *vocab,
                      uint64_t step, const sb_divergence *d, sb_save_when when)
{
    tensors t = {0};
    uint64_t course[SB_DIVERGENCE_WORDS];
    if (!m->o->adam.train_table) SB_TRY(sb_frozen_check(m->table, m->frozen));
    sb_divergence_pack(d, course);
    sb_status st = sb_agree(m->comm, describe(m, course, &t));
    sb_ckpt_meta meta = {.phase = "mlm",
                         .step = step,
                         .total = m->o->schedule.steps,
                         .cursor = (step + d->skips) * m->o->batch,
                         .seed = m->o->seed,
                         .vocab_hash = sb_vocab_hash(vocab)};
    /* Only read by the writer. The number of heads is read back from it. */
    meta.config = (char *)(uintptr_t)m->o->config;
    sb_build_name(m->o->precision == SB_BF16, meta.build);
    if (st == SB_OK)
        st = sb_saver_save(s, &meta, t.table, t.n, t.piece, t.pieces, when);
    sb_free(t.table);
    sb_free(t.piece);
    return st;
}

/* ---- load ---------------------------------------------------------------- */

static sb_status get(sb_ckpt *c, const sb_tensor *base, const char *prefix,
                     uint64_t first, uint64_t n, float *data)
{
    sb_tensor t = *base;
    snprintf(t.name, sizeof t.name, "%.8s%.80s", prefix, base->name);
    return n ? sb_ckpt_get(c, &t, first, n, data) : SB_OK;
}

static sb_status get_rows(sb_ckpt *c, const sb_layout *l, const sb_table *k,
                          const char *prefix, float *rows, float *bias)
{
    sb_tensor wide = sb_mlm_table_tensor(&l->shape, SB_TABLE_NAME);
    sb_tensor thin = sb_mlm_bias_tensor(&l->shape, SB_BIAS_NAME);
    SB_TRY(get(c, &wide, prefix, k->first * k->dim,
               (k->last - k->first) * k->dim, rows));
    return get(c, &thin, prefix, k->first, k->last - k->first, bias);
}

static sb_status get_weights(sb_ckpt *c, const sb_layout *l, float *w,
                             const sb_table *k)
{
    for (size_t i = 0; i < l->params; i++)
        SB_TRY(get(c, &l->param[i].tensor, "", 0, l->param[i].n,
                   w + l->param[i].at));
    return get_rows(c, l, k, "", k->rows, k->bias);
}

static sb_status get_moments(sb_ckpt *c, const sb_mlm *m, const char *prefix,
                             float *flat, float *rows, float *bias)
{
    for (size_t i = 0; i < m->layout.params; i++) {
        const sb_param *p = &m->layout.param[i];
        size_t from, to, at = own_part(m, i, &from, &to);
        if (from < to)
            SB_TRY(
                get(c, &p->tensor, prefix, from - p->at, to - from, flat + at));
    }
    return get_rows(c, &m->layout, m->table, prefix, rows, bias);
}

static sb_status check_shape(const sb_mlm *m, const sb_ckpt *c)
{
    const sb_layout *l = &m->layout;
    sb_tensor wide = sb_mlm_table_tensor(&l->shape, SB_TABLE_NAME);
    SB_TRY(sb_mlm_check_tensor(c, &wide));
    for (size_t i = 0; i < l->params; i++)
        SB_TRY(sb_mlm_check_tensor(c, &l->param[i].tensor));
    size_t i, frozen = sb_ckpt_find(c, SB_FROZEN_NAME, &i) == SB_OK;
    SB_REQUIRE(sb_ckpt_tensors(c) == 3 * (l->params + 2) + 1 + frozen,
               SB_EINVAL,
               "the checkpoint has more layers than the %u asked for",
               l->shape.layers);
    uint32_t heads;
    SB_TRY(sb_mlm_heads(c, &heads));
    SB_REQUIRE(heads == l->shape.heads, SB_EINVAL,
               "the checkpoint was trained with %u heads, %u are asked for",
               heads, l->shape.heads);
    return SB_OK;
}

static sb_status get_divergence(sb_ckpt *c, sb_divergence *d_out)
{
    uint64_t word[SB_DIVERGENCE_WORDS];
    sb_tensor t = divergence_tensor();
    SB_TRY(sb_mlm_check_tensor(c, &t));
    SB_TRY(sb_ckpt_get(c, &t, 0, SB_DIVERGENCE_WORDS, word));
    return sb_divergence_unpack(word, d_out);
}

static sb_status check_meta(const sb_mlm *m, const sb_vocab *vocab, sb_ckpt *c,
                            sb_divergence *d_out)
{
    const sb_ckpt_meta *meta = sb_ckpt_get_meta(c);
    SB_REQUIRE(strcmp(meta->phase, "mlm") == 0, SB_EINVAL,
               "'%s' holds a checkpoint of phase %s, not of mlm", m->o->dir,
               meta->phase);
    if (meta->vocab_hash != sb_vocab_hash(vocab)) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "the checkpoint in '%s' was made with another vocabulary",
                m->o->dir);
        return sb_hint("use the run folder's own vocabulary, or another --run");
    }
    size_t i;
    if (sb_ckpt_find(c, "adam.m/" SB_TABLE_NAME, &i) != SB_OK) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "the checkpoint in '%s' holds weights alone: training cannot "
                "go on from it",
                m->o->dir);
        return sb_hint("begin anew from its weights: shardbert export, then "
                       "mlm --init hf:FOLDER with another --run");
    }
    SB_TRY(get_divergence(c, d_out));
    if (meta->seed != m->o->seed ||
        meta->cursor != (meta->step + d_out->skips) * m->o->batch) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "the checkpoint in '%s' was made with another seed or batch",
                m->o->dir);
        return sb_hint("its configuration: shardbert inspect %s", m->o->dir);
    }
    return SB_OK;
}

static sb_status load_local(sb_mlm *m, const sb_vocab *vocab, sb_ckpt *c,
                            sb_divergence *d_out)
{
    SB_TRY(check_meta(m, vocab, c, d_out));
    if (check_shape(m, c) != SB_OK)
        return sb_hint("go on with its own options (shardbert inspect %.100s), "
                       "or use another --run",
                       m->o->dir);
    sb_optimiser *o = &m->optimiser;
    sb_table *k = m->table;
    SB_TRY(get_weights(c, &m->layout, m->w, k));
    SB_TRY(get_moments(c, m, "adam.m/", o->m, k->m, k->bias_m));
    return get_moments(c, m, "adam.v/", o->v, k->v, k->bias_v);
}

/* The rows that were loaded are those the run began with, if it was frozen
 * then; else it begins to be so now. Collective. */
static sb_status load_frozen(sb_mlm *m, sb_ckpt *c)
{
    sb_tensor t = frozen_tensor();
    size_t i;
    m->frozen = sb_frozen_hash(m->table);
    uint64_t was = m->frozen;
    sb_status st = SB_OK;
    if (sb_ckpt_find(c, t.name, &i) == SB_OK)
        st = sb_ckpt_get(c, &t, 0, 1, &was);
    SB_TRY(sb_agree(m->comm, st));
    SB_REQUIRE(was == m->frozen, SB_EFORMAT,
               "the frozen tensor '%s' of the checkpoint in '%s' is not the "
               "one its run began with",
               SB_TABLE_NAME, m->o->dir);
    return SB_OK;
}

typedef struct loading {
    sb_mlm *m;
    const sb_vocab *vocab;
    sb_divergence *divergence;
    uint64_t step;
    char *config;
} loading;

static sb_status take(sb_ckpt *k, void *arg)
{
    loading *l = arg;
    sb_mlm *m = l->m;
    SB_TRY(sb_agree(m->comm, load_local(m, l->vocab, k, l->divergence)));
    if (!m->o->adam.train_table) SB_TRY(load_frozen(m, k));
    sb_build_compare(m->comm, m->o->precision == SB_BF16, sb_ckpt_get_meta(k));
    l->step = sb_ckpt_get_meta(k)->step;
    l->config = sb_format("%s", sb_ckpt_get_meta(k)->config);
    sb_status st = l->config ? SB_OK
                             : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                                       "out of memory: a configuration");
    return sb_agree(m->comm, st);
}

sb_status sb_mlm_load(sb_mlm *m, const sb_vocab *vocab, uint64_t *step_out,
                      sb_divergence *d_out, int *found_out)
{
    loading l = {.m = m, .vocab = vocab, .divergence = d_out};
    *d_out = (sb_divergence){0};
    sb_status st =
        sb_resume(m->comm, m->o->dir, SB_DAMAGED_ASIDE, take, &l, found_out);
    if (st == SB_OK && !*found_out)
        sb_build_compare(m->comm, m->o->precision == SB_BF16, NULL);
    if (st == SB_OK && *found_out && m->o->begun)
        st = m->o->begun(m->o->begun_arg, l.config);
    if (st == SB_OK) *step_out = l.step;
    sb_free(l.config);
    return st;
}

sb_status sb_mlm_load_weights(sb_comm *c, sb_ckpt *ckpt, const sb_layout *l,
                              float *w, sb_table *table)
{
    return sb_agree(c, get_weights(ckpt, l, w, table));
}
