/* SPDX-License-Identifier: MIT
 * sizes.c - bytes before they are allocated. */
#include "trainer/mlm/sizes.h"

#include <inttypes.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/group.h"
#include "comm/reduce.h"
#include "trainer/mlm/model.h"
#include "trainer/mlm/shard_table.h"
#include "trainer/mlm/vocab_head.h"

/* Without the copy: a run can do without it. */
static uint64_t total(const sb_mlm_sizes *s)
{
    return s->table + s->encoder + s->sums + s->activations + s->logits;
}

static void measure_stages(const sb_layout *l, int size, sb_mlm_plan *p)
{
    for (size_t s = 0; s < l->stages; s++) {
        if (sb_layout_stage(l, s) > p->longest_stage)
            p->longest_stage = sb_layout_stage(l, s);
        for (int r = 0; r < size; r++) {
            size_t n =
                sb_layout_cut(l, s, r + 1, size) - sb_layout_cut(l, s, r, size);
            if (n > p->longest_share) p->longest_share = n;
        }
    }
}

/* Weights and both moments of what this rank owns (state_mlm.c). */
static uint64_t copy_bytes(const sb_comm *c, const sb_mlm_options *o,
                           uint64_t own)
{
    if (!o->checkpoint_every && !(o->checkpoint_minutes > 0) &&
        !o->keep_every && !o->local_dir)
        return 0;
    uint64_t rows = sb_table_rows(c, o->shape.vocab, o->vocab_block);
    return 3 * (own + rows * (o->shape.dim + 1)) * sizeof(float) +
           (SB_DIVERGENCE_WORDS + 1) * sizeof(uint64_t);
}

/* Sizes for p->micro. */
static sb_status measure(const sb_comm *c, const sb_layout *l,
                         const sb_mlm_options *o, sb_mlm_plan *p)
{
    int r = sb_comm_rank(c), size = sb_comm_size(c);
    uint64_t threads = (uint64_t)o->threads, own = 0;
    size_t acts, work;
    SB_TRY(
        sb_acts_bytes(l, p->width, o->max_length, o->precision, &acts, &work));
    p->trees = p->micro < p->slots ? l->stages : 2;
    for (size_t s = 0; s < l->stages; s++)
        own += sb_layout_cut(l, s, r + 1, size) - sb_layout_cut(l, s, r, size);
    uint64_t summed = p->trees == 2 ? 2 * p->longest_stage : l->total;
    /* Finished siblings are added at once: a vector per level of the tree and
     * one per thread. */
    uint64_t vectors = sb_tree_height(o->slots) + threads;
    uint64_t rows =
        (uint64_t)p->slots * p->width * o->max_length * o->shape.dim;
    p->sizes = (sb_mlm_sizes){
        .table =
            sb_table_bytes(c, o->shape.vocab, o->vocab_block, o->shape.dim, 1),
        .encoder = (l->total + 3 * own) * sizeof(float) +
                   l->total * sb_rounded_size(o->precision),
        .sums = summed * vectors * sizeof(float) +
                sb_reduction_bytes(c, o->slots, p->longest_stage,
                                   p->longest_share, o->reduce),
        .activations = (uint64_t)acts * p->micro + rows * sizeof(float) +
                       threads * (work + sb_mixed_hidden(o->precision)),
        .logits =
            sb_head_bytes(c, o->shape.vocab, o->vocab_block, o->shape.dim,
                          o->head_group, o->threads, o->reduce, o->precision),
        .copy = copy_bytes(c, o, own)};
    return SB_OK;
}

/* The largest micro-batch within `limit`, at most `slots`; the smallest one if
 * none fits. */
static sb_status fit(const sb_comm *c, const sb_layout *l,
                     const sb_mlm_options *o, uint64_t limit, sb_mlm_plan *p)
{
    size_t least =
        (size_t)o->threads < p->slots ? (size_t)o->threads : p->slots;
    if (o->micro_batch) {
        p->micro = o->micro_batch / p->width;
        if (p->micro < least) p->micro = least;
        if (p->micro > p->slots) p->micro = p->slots;
        return measure(c, l, o, p);
    }
    for (p->micro = p->slots;; p->micro--) {
        SB_TRY(measure(c, l, o, p));
        if (p->micro == least || total(&p->sizes) <= limit) return SB_OK;
    }
}

/* The same, with room for the copy where forward has to run twice anyhow. */
static sb_status fit_with_copy(const sb_comm *c, const sb_layout *l,
                               const sb_mlm_options *o, uint64_t limit,
                               sb_mlm_plan *p)
{
    SB_TRY(fit(c, l, o, limit, p));
    uint64_t copy = p->sizes.copy;
    if (p->micro < p->slots && copy < limit) {
        sb_mlm_plan less = *p;
        SB_TRY(fit(c, l, o, limit - copy, &less));
        if (total(&less.sizes) <= limit - copy) *p = less;
    }
    p->behind = copy && copy < limit && total(&p->sizes) <= limit - copy;
    return SB_OK;
}

/* The largest item, and what makes it smaller. */
static sb_status too_large(const sb_mlm_sizes *s, uint64_t limit, int chosen)
{
    static const char *const what[] = {"the token table", "the encoder",
                                       "the gradients' sums", "the activations",
                                       "the output layer"};
    static const char *const lower[] = {
        "more ranks, on more hosts: each holds its rows only",
        "more ranks, on more hosts, or a smaller --dim, --ffn or --layers",
        "fewer --threads or --slots",
        "a smaller --max-length, more --slots, or fewer --threads",
        "a smaller --head-group, or more ranks"};
    const uint64_t bytes[] = {s->table, s->encoder, s->sums, s->activations,
                              s->logits};
    size_t most = 0;
    for (size_t i = 1; i < 5; i++)
        if (bytes[i] > bytes[most]) most = i;
    sb_fail(SB_ELIMIT, __FILE__, __LINE__,
            "a rank needs at least %s, most of it for %s (%s); %s %s",
            sb_bytes_text(total(s)), what[most], sb_bytes_text(bytes[most]),
            chosen ? "--memory-limit is"
                   : "its part of what the host has free is",
            sb_bytes_text(limit));
    return sb_hint("%s", lower[most]);
}

/* The most that any rank takes. Collective. */
static void say(sb_comm *c, const sb_mlm_options *o, const sb_mlm_plan *p)
{
    const sb_mlm_sizes *s = &p->sizes;
    uint64_t copy = p->behind ? s->copy : 0;
    uint64_t most[] = {s->table,  s->encoder,      s->sums, s->activations,
                       s->logits, total(s) + copy, copy};
    /* of the rank that has the fewest, unless no rank lacks any */
    uint64_t lacks = p->slots - p->micro, fewest = UINT64_MAX - p->micro;
    sb_comm_max_u64(c, most, 7);
    sb_comm_max_u64(c, &fewest, 1);
    sb_comm_max_u64(c, &lacks, 1);
    sb_log(SB_LOG_INFO,
           "memory per rank, at most %s: token table with gradient and moments "
           "%s, encoder with moments %s, its gradients' sums %s, activations "
           "%s, output layer %s, copy to save from %s",
           sb_bytes_text(most[5]), sb_bytes_text(most[0]),
           sb_bytes_text(most[1]), sb_bytes_text(most[2]),
           sb_bytes_text(most[3]), sb_bytes_text(most[4]),
           sb_bytes_text(most[6]));
    uint64_t micro = UINT64_MAX - fewest;
    if (!o->micro_batch && lacks)
        sb_log(SB_LOG_INFO,
               "micro-batch of %" PRIu64 " sequences a rank, to fit: forward "
               "runs twice for the others; the bits are the same",
               micro * p->width);
}

sb_status sb_mlm_plan_open(sb_comm *c, const sb_layout *l,
                           const sb_mlm_options *o, sb_mlm_plan *plan_out)
{
    int r = sb_comm_rank(c), size = sb_comm_size(c);
    sb_mlm_plan p = {.first_slot = sb_share(o->slots, r, size)};
    p.slots = (size_t)(sb_share(o->slots, r + 1, size) - p.first_slot);
    p.width = (o->batch + o->slots - 1) / o->slots;
    measure_stages(l, size, &p);
    uint64_t limit = o->memory_limit;
    if (!limit) SB_TRY(sb_comm_memory_share(c, &limit));
    sb_status st = fit_with_copy(c, l, o, limit, &p);
    if (st == SB_OK && total(&p.sizes) > limit)
        st = too_large(&p.sizes, limit, o->memory_limit > 0);
    SB_TRY(sb_agree(c, st));
    uint64_t without = !p.behind; /* on some rank */
    sb_comm_max_u64(c, &without, 1);
    p.behind = !without;
    say(c, o, &p);
    *plan_out = p;
    return SB_OK;
}
