/* SPDX-License-Identifier: MIT
 * layout.c - names, shapes and offsets of the replicated parameters. */
#include "trainer/mlm/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "comm/base/rng.h"
#include "comm/comm.h"

enum { PARAMS_FIXED = 7, PARAMS_LAYER = 16 };

/* The builder: regions follow each other, parameters name parts of them. */
static size_t region(sb_layout *l, size_t n)
{
    size_t at = l->total;
    l->total =
        (at + n + SB_LAYOUT_ALIGN - 1) / SB_LAYOUT_ALIGN * SB_LAYOUT_ALIGN;
    return at;
}

static void name(sb_layout *l, size_t at, uint64_t rows, uint64_t cols,
                 sb_init init, const char *prefix, const char *suffix)
{
    sb_param *p = &l->param[l->params++];
    snprintf(p->tensor.name, sizeof p->tensor.name, "%s%s", prefix, suffix);
    p->tensor.dtype = SB_F32;
    p->tensor.ndim = rows ? 2 : 1;
    p->tensor.dim[0] = rows ? rows : cols;
    p->tensor.dim[1] = rows ? cols : 0;
    p->at = at;
    p->n = (size_t)((rows ? rows : 1) * cols);
    p->decay = init == SB_INIT_NORMAL;
    p->init = init;
}

static size_t linear(sb_layout *l, size_t out, size_t in, size_t *bias,
                     const char *prefix, const char *what)
{
    char full[80];
    size_t at = region(l, out * in);
    *bias = region(l, out);
    snprintf(full, sizeof full, "%s%s", prefix, what);
    name(l, at, out, in, SB_INIT_NORMAL, full, ".weight");
    name(l, *bias, 0, out, SB_INIT_ZERO, full, ".bias");
    return at;
}

static size_t norm(sb_layout *l, size_t dim, size_t *bias, const char *prefix,
                   const char *what)
{
    char full[80];
    size_t at = region(l, dim);
    *bias = region(l, dim);
    snprintf(full, sizeof full, "%s%s", prefix, what);
    name(l, at, 0, dim, SB_INIT_ONE, full, ".weight");
    name(l, *bias, 0, dim, SB_INIT_ZERO, full, ".bias");
    return at;
}

static void layer(sb_layout *l, uint32_t i)
{
    static const char *const part[] = {"q", "k", "v"};
    size_t D = l->shape.dim;
    sb_layer_at *a = &l->layer[i];
    char prefix[48], full[80];
    snprintf(prefix, sizeof prefix, "distilbert.transformer.layer.%u.", i);
    a->qkv_w = region(l, 3 * D * D);
    a->qkv_b = region(l, 3 * D);
    for (size_t k = 0; k < 3; k++) {
        snprintf(full, sizeof full, "%sattention.%s_lin", prefix, part[k]);
        name(l, a->qkv_w + k * D * D, D, D, SB_INIT_NORMAL, full, ".weight");
        name(l, a->qkv_b + k * D, 0, D, SB_INIT_ZERO, full, ".bias");
    }
    a->out_w = linear(l, D, D, &a->out_b, prefix, "attention.out_lin");
    a->norm1_g = norm(l, D, &a->norm1_b, prefix, "sa_layer_norm");
    a->ffn1_w = linear(l, l->shape.ffn, D, &a->ffn1_b, prefix, "ffn.lin1");
    a->ffn2_w = linear(l, D, l->shape.ffn, &a->ffn2_b, prefix, "ffn.lin2");
    a->norm2_g = norm(l, D, &a->norm2_b, prefix, "output_layer_norm");
}

static sb_status check(const sb_mlm_shape *s)
{
    SB_REQUIRE(s->dim && s->heads && s->layers && s->ffn && s->vocab &&
                   s->positions,
               SB_EINVAL,
               "a model without width, heads, layers, feed-forward "
               "width, vocabulary or positions");
    SB_REQUIRE(s->dim % s->heads == 0, SB_EINVAL,
               "dim = %u is not divisible by heads = %u", s->dim, s->heads);
    SB_REQUIRE(s->dim % 8 == 0, SB_EINVAL, "dim = %u is not a multiple of 8",
               s->dim);
    return SB_OK;
}

static int by_place(const void *a, const void *b)
{
    const sb_span *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* The regions made since the last stage are one. */
static void end_stage(sb_layout *l)
{
    for (size_t i = 0; i < l->params; i++) {
        const sb_param *p = &l->param[i];
        if (p->at < l->stage_at[l->stages]) continue;
        for (size_t done = 0; done < p->n; done += SB_LAYOUT_SPAN) {
            size_t n = p->n - done;
            l->span[l->spans++] =
                (sb_span){p->at + done, n < SB_LAYOUT_SPAN ? n : SB_LAYOUT_SPAN,
                          (uint32_t)i};
        }
    }
    size_t first = l->stage_span[l->stages];
    qsort(l->span + first, l->spans - first, sizeof *l->span, by_place);
    l->stages++;
    l->stage_at[l->stages] = l->total;
    l->stage_span[l->stages] = l->spans;
}

/* More than there can be. */
static size_t most_spans(const sb_mlm_shape *s)
{
    size_t D = s->dim, F = s->ffn, layer = 4 * D * D + 2 * D * F + 9 * D + F;
    size_t floats = s->layers * layer + s->positions * D + D * D + 5 * D;
    return floats / SB_LAYOUT_SPAN + PARAMS_FIXED + PARAMS_LAYER * s->layers;
}

sb_status sb_layout_open(const sb_mlm_shape *shape, sb_layout *layout_out)
{
    SB_TRY(check(shape));
    sb_layout l = {.shape = *shape};
    size_t D = shape->dim, params = PARAMS_FIXED + PARAMS_LAYER * shape->layers;
    sb_status st;
    SB_GOTO(st, sb_alloc(shape->layers, sizeof *l.layer, "layout", &l.layer),
            failed);
    SB_GOTO(st, sb_alloc(params, sizeof *l.param, "layout", &l.param), failed);
    SB_GOTO(st, sb_alloc(most_spans(shape), sizeof *l.span, "layout", &l.span),
            failed);
    SB_GOTO(st,
            sb_alloc((size_t)shape->layers + 3, sizeof *l.stage_at, "layout",
                     &l.stage_at),
            failed);
    SB_GOTO(st,
            sb_alloc((size_t)shape->layers + 3, sizeof *l.stage_span, "layout",
                     &l.stage_span),
            failed);
    l.position = region(&l, shape->positions * D);
    name(&l, l.position, shape->positions, D, SB_INIT_NORMAL,
         "distilbert.embeddings.position_embeddings", ".weight");
    l.norm_g = norm(&l, D, &l.norm_b, "distilbert.embeddings.", "LayerNorm");
    end_stage(&l);
    for (uint32_t i = 0; i < shape->layers; i++) {
        layer(&l, i);
        end_stage(&l);
    }
    l.head_w = linear(&l, D, D, &l.head_b, "vocab_", "transform");
    l.head_g = norm(&l, D, &l.head_beta, "vocab_", "layer_norm");
    end_stage(&l);
    *layout_out = l;
    return SB_OK;
failed:
    sb_layout_close(&l);
    return st;
}

void sb_layout_close(sb_layout *l)
{
    sb_free(l->layer);
    sb_free(l->param);
    sb_free(l->span);
    sb_free(l->stage_at);
    sb_free(l->stage_span);
    memset(l, 0, sizeof *l);
}

size_t sb_layout_share(const sb_layout *l, size_t stage, int rank, int size)
{
    size_t first = l->stage_span[stage], n = l->stage_span[stage + 1] - first;
    return first + (size_t)sb_share(n, rank, size);
}

size_t sb_layout_cut(const sb_layout *l, size_t stage, int rank, int size)
{
    size_t k = sb_layout_share(l, stage, rank, size);
    return k < l->stage_span[stage + 1] ? l->span[k].at
                                        : l->stage_at[stage + 1];
}

size_t sb_layout_own(const sb_layout *l, int rank, int size, sb_own *own_out)
{
    size_t at = 0;
    for (size_t s = 0; s < l->stages; s++) {
        sb_own *o = &own_out[s];
        o->first = sb_layout_cut(l, s, rank, size);
        o->last = sb_layout_cut(l, s, rank + 1, size);
        o->first_span = sb_layout_share(l, s, rank, size);
        o->spans = sb_layout_share(l, s, rank + 1, size) - o->first_span;
        o->at = at;
        at += o->last - o->first;
    }
    return at;
}

void sb_layout_init(const sb_layout *l, float *w, uint64_t seed, float sd)
{
    sb_rng_key key = sb_rng_key_make(seed, SB_RNG_INIT);
    memset(w, 0, l->total * sizeof *w);
    for (size_t i = 0; i < l->params; i++) {
        const sb_param *p = &l->param[i];
        if (p->init == SB_INIT_NORMAL)
            sb_rng_normal(key, i, 0, w + p->at, p->n, sd);
        for (size_t k = 0; p->init == SB_INIT_ONE && k < p->n; k++)
            w[p->at + k] = 1;
    }
}
