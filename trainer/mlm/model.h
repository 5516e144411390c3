/* SPDX-License-Identifier: MIT
 * model.h - DistilBERT forward and backward for one slot of the batch.
 *
 * A slot is a few consecutive sequences, packed row under row without padding.
 * Everything is computed slot by slot with shapes that depend on the slot's
 * own tokens alone, so the bits are the same whoever computes it
 * (docs/architecture.md, "Same bits"). Local. Forward and backward return no
 * status: k->mixed.failed tells, when they are through.
 *
 * Equations and their sources: docs/math.md. In short, post-LN:
 *   x = drop(LN(word + position))
 *   x = LN(x + out(attention(q, k, v)));  x = LN(x + drop(lin2(gelu(lin1 x))))
 *   z = LN(gelu(transform(x at the masked positions)))
 */
#ifndef SB_MLM_MODEL_H
#define SB_MLM_MODEL_H

#include "dataset/batch.h"
#include "trainer/kernels/kernels.h"
#include "trainer/mlm/layout.h"

/* eps of every LayerNorm: as in Hugging Face's DistilBERT. */
#define SB_MLM_EPS 1e-12f

typedef struct sb_dropout_rate {
    float hidden, attention; /* both 0: no dropout at all (evaluation) */
    uint64_t seed;
} sb_dropout_rate;

typedef struct sb_layer_acts {
    float *qkv, *att, *sum1, *mean1, *rstd1, *pre, *sum2, *mean2, *rstd2;
    uint8_t *keep_prob, *keep_ffn;
} sb_layer_acts;

/* What backward needs of one slot's forward; the rest it makes again: LayerNorms'
 * outputs from their inputs, GELU's from its,
 * attention's weights from q and k. One allocation. */
typedef struct sb_acts {
    float *emb;         /* [N, D] word + position; LN input              */
    float *mean, *rstd; /* [N]                                           */
    uint8_t *keep_emb;
    sb_layer_acts *layer;
    float *picked;    /* [M, D] hidden rows of the masked positions    */
    float *pre, *act; /* [M, D] head: before and after GELU            */
    float *head_mean, *head_rstd;
    float *z;  /* [M, D] what the vocabulary is scored against  */
    float *dx; /* [N, D] gradient between two stages            */
    void *memory;
} sb_acts;

/* One worker's room, the same for any slot. One allocation. */
typedef struct sb_work {
    float *x, *y, *dy;   /* [N, D]                 */
    float *wide, *dwide; /* [N, F or 3 D]          */
    float *scratch;      /* [3, T, T] of attention */
    sb_mixed mixed;      /* of the linear layers   */
    void *memory;
} sb_work;

/* Bytes sb_acts_open and sb_work_open will ask for. */
SB_MUST_USE sb_status sb_acts_bytes(const sb_layout *l, size_t sequences,
                                    size_t max_length, sb_precision precision,
                                    size_t *acts_out, size_t *work_out);
SB_MUST_USE sb_status sb_acts_open(const sb_layout *l, size_t sequences,
                                   size_t max_length, sb_acts *acts_out);
void sb_acts_close(sb_acts *a);
SB_MUST_USE sb_status sb_work_open(const sb_layout *l, size_t sequences,
                                   size_t max_length, sb_precision precision,
                                   sb_work *work_out);
void sb_work_close(sb_work *k);

/* Hidden states and, for the batch's masked positions, a->z [M, D].
 *   w            [layout total]; rounded in the precision of k
 *   rows, place  the token row of batch id i is rows[place[i], :] */
void sb_model_forward(const sb_layout *l, sb_weights w, const sb_batch *b,
                      const float *rows, const uint32_t *place,
                      const sb_dropout_rate *drop, sb_acts *a, sb_work *k);

/* After the forward of the same batch into the same acts, one stage of
 * layout.h after the other, from the last to the first. grad [stage's floats]
 * <- the slot's gradients of the stage's parameters.
 *   dz     [M, D] the gradient of a->z: for the last stage
 *   dword  [tokens, D] <- the gradient of the token rows: by stage 0 */
void sb_model_backward(const sb_layout *l, size_t stage, sb_weights w,
                       const sb_batch *b, const float *dz,
                       const sb_dropout_rate *drop, sb_acts *a, sb_work *k,
                       float *grad, float *dword);

#endif
