/* SPDX-License-Identifier: MIT
 * layout.h - where each replicated parameter of DistilBERT lies.
 *
 * The encoder and the head's transform are one flat vector of floats, so that
 * sums across ranks, clipping and AdamW run over plain ranges. Names, shapes
 * and order of meaning are Hugging Face's (docs/math.md has the list); a
 * linear weight is [out, in]. The three attention projections are stored as
 * one [3D, D] matrix (q, k, v), of which each is a contiguous part.
 *
 * Every region starts at a multiple of SB_LAYOUT_ALIGN floats; nobody reads
 * the gaps. The vector is cut into stages, which backward finishes from the
 * last to the first: 0 the embeddings, 1 to `layers` the layers, and the
 * head's transform. A stage is cut into spans, parts of one parameter of at
 * most SB_LAYOUT_SPAN floats: of each stage a rank owns a range of whole
 * spans. Spans are also what norms are summed over, and optimiser's tasks.
 *
 * The token table [V, D] and the output bias [V] are not here: they are
 * sharded by rows (shard_table.h).
 */
#ifndef SB_MLM_LAYOUT_H
#define SB_MLM_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"
#include "proto/checkpoint.h"
#include "trainer/names.h"

enum { SB_LAYOUT_ALIGN = 64, SB_LAYOUT_SPAN = 65536 };

typedef struct sb_mlm_shape {
    uint32_t vocab, dim, layers, heads, ffn, positions;
} sb_mlm_shape;

/* Offsets into the flat vector. */
typedef struct sb_layer_at {
    size_t qkv_w, qkv_b, out_w, out_b, norm1_g, norm1_b;
    size_t ffn1_w, ffn1_b, ffn2_w, ffn2_b, norm2_g, norm2_b;
} sb_layer_at;

typedef enum sb_init { SB_INIT_NORMAL, SB_INIT_ZERO, SB_INIT_ONE } sb_init;

/* A named tensor of the checkpoint and of Hugging Face. */
typedef struct sb_param {
    sb_tensor tensor;
    size_t at, n;
    int decay; /* weight decay applies: not for biases and LayerNorm */
    sb_init init;
} sb_param;

typedef struct sb_span {
    size_t at, n;
    uint32_t param;
} sb_span;

typedef struct sb_layout {
    sb_mlm_shape shape;
    size_t position, norm_g, norm_b;          /* embeddings             */
    size_t head_w, head_b, head_g, head_beta; /* vocab_transform, _norm */
    sb_layer_at *layer;                       /* [layers]               */
    sb_param *param;
    size_t params;
    sb_span *span;
    size_t spans;
    size_t stages;      /* layers + 2                            */
    size_t *stage_at;   /* [stages + 1] first float              */
    size_t *stage_span; /* [stages + 1] first span               */
    size_t total;       /* floats, a multiple of SB_LAYOUT_ALIGN */
} sb_layout;

/* SB_EINVAL: a shape DistilBERT cannot have (the message says which). */
SB_MUST_USE sb_status sb_layout_open(const sb_mlm_shape *shape,
                                     sb_layout *layout_out);
void sb_layout_close(sb_layout *l);

static inline size_t sb_layout_stage(const sb_layout *l, size_t stage)
{
    return l->stage_at[stage + 1] - l->stage_at[stage];
}

/* The first span of `stage` that `rank` of `size` owns; rank == size gives the
 * first of the next stage. */
size_t sb_layout_share(const sb_layout *l, size_t stage, int rank, int size);
/* Its first float. What a rank owns of a stage is contiguous. */
size_t sb_layout_cut(const sb_layout *l, size_t stage, int rank, int size);

/* What one rank owns, one stage behind the other in arrays of its own: float
 * `first` of the flat vector is element `at` of them. */
typedef struct sb_own {
    size_t first, last, at;   /* floats [first, last) of the flat vector */
    size_t first_span, spans; /* the same as spans                       */
} sb_own;

/* own_out: [stages]; returns the elements of all. */
size_t sb_layout_own(const sb_layout *l, int rank, int size, sb_own *own_out);

/* The part of parameter p inside floats [first, last) of the flat vector:
 * [*from_out, *to_out), empty if from == to. */
static inline void sb_param_part(const sb_param *p, size_t first, size_t last,
                                 size_t *from_out, size_t *to_out)
{
    size_t from = p->at > first ? p->at : first;
    size_t to = p->at + p->n < last ? p->at + p->n : last;
    *from_out = from;
    *to_out = to > from ? to : from;
}

/* Initial weights: normal (0, sd), zero, or one, as Hugging Face does; the
 * same on every rank. */
void sb_layout_init(const sb_layout *l, float *w, uint64_t seed, float sd);

#endif
