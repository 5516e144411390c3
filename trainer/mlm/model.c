/* SPDX-License-Identifier: MIT
 * model.c - forward beside backward, block by block. */
#include "trainer/mlm/model.h"

#include <string.h>

#include "comm/base/mem.h"
#include "comm/base/rng.h"
#include "trainer/kernels/kernels.h"

/* ---- activations: one table of sizes, carved from one block -------------- */

typedef struct carver {
    char *base; /* NULL: only add up */
    size_t bytes;
    int overflow;
} carver;

static void *carve(carver *c, size_t count, size_t width, size_t size)
{
    size_t n, b;
    void *p = c->base ? c->base + c->bytes : NULL;
    c->overflow |= __builtin_mul_overflow(count, width, &n) ||
                   __builtin_mul_overflow(n, size, &b) ||
                   __builtin_add_overflow(b, (size_t)63, &b) ||
                   __builtin_add_overflow(c->bytes, b / 64 * 64, &c->bytes);
    return p;
}

static float *floats(carver *c, size_t rows, size_t cols)
{
    return carve(c, rows, cols, sizeof(float));
}

static void carve_layer(carver *c, const sb_layout *l, size_t N, size_t probs,
                        sb_layer_acts *a)
{
    size_t D = l->shape.dim, F = l->shape.ffn;
    a->qkv = floats(c, N, 3 * D);
    a->prob = floats(c, probs, l->shape.heads);
    a->att = floats(c, N, D);
    a->sum1 = floats(c, N, D);
    a->mean1 = floats(c, N, 1);
    a->rstd1 = floats(c, N, 1);
    a->mid = floats(c, N, D);
    a->pre = floats(c, N, F);
    a->act = floats(c, N, F);
    a->sum2 = floats(c, N, D);
    a->mean2 = floats(c, N, 1);
    a->rstd2 = floats(c, N, 1);
    a->out = floats(c, N, D);
    a->keep_prob = carve(c, probs, l->shape.heads, 1);
    a->keep_ffn = carve(c, N, D, 1);
}

static void carve_all(carver *c, const sb_layout *l, size_t sequences, size_t T,
                      sb_acts *a)
{
    size_t D = l->shape.dim, F = l->shape.ffn, N = 0, probs = 0;
    c->overflow |= __builtin_mul_overflow(sequences, T, &N) ||
                   __builtin_mul_overflow(N, T, &probs);
    size_t wide = 3 * D > F ? 3 * D : F;
    a->layer = carve(c, l->shape.layers, 1, sizeof *a->layer);
    a->emb = floats(c, N, D);
    a->mean = floats(c, N, 1);
    a->rstd = floats(c, N, 1);
    a->x0 = floats(c, N, D);
    a->keep_emb = carve(c, N, D, 1);
    a->picked = floats(c, N, D);
    a->pre = floats(c, N, D);
    a->act = floats(c, N, D);
    a->head_mean = floats(c, N, 1);
    a->head_rstd = floats(c, N, 1);
    a->z = floats(c, N, D);
    a->dx = floats(c, N, D);
    a->dy = floats(c, N, D);
    a->dwide = floats(c, N, wide);
    a->scratch = floats(c, T, 2 * T);
    for (uint32_t i = 0; i < l->shape.layers; i++) {
        sb_layer_acts none;
        carve_layer(c, l, N, probs, c->base ? &a->layer[i] : &none);
    }
}

sb_status sb_acts_bytes(const sb_layout *l, size_t sequences, size_t max_length,
                        size_t *bytes_out)
{
    carver c = {0};
    sb_acts a;
    carve_all(&c, l, sequences, max_length, &a);
    SB_REQUIRE(
        !c.overflow, SB_ELIMIT,
        "activations of %zu sequences of %zu tokens do not fit in memory",
        sequences, max_length);
    *bytes_out = c.bytes;
    return SB_OK;
}

sb_status sb_acts_open(const sb_layout *l, size_t sequences, size_t max_length,
                       sb_acts *acts_out)
{
    size_t bytes;
    SB_TRY(sb_acts_bytes(l, sequences, max_length, &bytes));
    sb_acts a = {0};
    SB_TRY(sb_alloc(bytes, 1, "activations", &a.memory));
    carver c = {.base = a.memory};
    carve_all(&c, l, sequences, max_length, &a);
    *acts_out = a;
    return SB_OK;
}

void sb_acts_close(sb_acts *a)
{
    sb_free(a->memory);
    memset(a, 0, sizeof *a);
}

/* ---- dropout ------------------------------------------------------------- */

static float scale_of(float p)
{
    return 1.0f / (1.0f - sb_rng_drop_rate(p));
}

/* x [N, D] of all sequences; site names the place in the network. The masks
 * are named by the sample and the position inside its sequence. */
static void drop_rows(float *x, uint8_t *keep, const sb_batch *b, size_t D,
                      uint32_t site, const sb_dropout_rate *d)
{
    if (d->hidden <= 0) return;
    sb_rng_key key = sb_rng_key_make(d->seed, SB_RNG_DROPOUT);
    for (size_t s = 0; s < b->sequences; s++) {
        size_t at = b->seq_begin[s] * D, n = b->seq_begin[s + 1] * D - at;
        sb_rng_keep(key, b->sample[s], site, d->hidden, keep + at, n);
    }
    sb_dropout(x, keep, scale_of(d->hidden), b->tokens * D);
}

static void drop_rows_backward(float *dx, const uint8_t *keep,
                               const sb_batch *b, size_t D,
                               const sb_dropout_rate *d)
{
    if (d->hidden > 0) sb_dropout(dx, keep, scale_of(d->hidden), b->tokens * D);
}

/* ---- attention over the packed sequences --------------------------------- */

static void attention(const sb_layout *l, const sb_batch *b, uint32_t site,
                      const sb_dropout_rate *d, sb_layer_acts *y,
                      float *scratch)
{
    size_t D = l->shape.dim, H = l->shape.heads, at = 0;
    sb_rng_key key = sb_rng_key_make(d->seed, SB_RNG_DROPOUT);
    for (size_t s = 0; s < b->sequences; s++) {
        size_t row = b->seq_begin[s], T = b->seq_begin[s + 1] - row;
        uint8_t *keep = d->attention > 0 ? y->keep_prob + at : NULL;
        if (keep)
            sb_rng_keep(key, b->sample[s], site, d->attention, keep, H * T * T);
        sb_attention_forward(y->att + row * D, y->prob + at,
                             y->qkv + row * 3 * D, keep, scale_of(d->attention),
                             scratch, T, H, D / H);
        at += H * T * T;
    }
}

static void attention_backward(const sb_layout *l, const sb_batch *b,
                               const sb_dropout_rate *d, const sb_layer_acts *y,
                               const float *datt, float *dqkv, float *scratch)
{
    size_t D = l->shape.dim, H = l->shape.heads, at = 0;
    for (size_t s = 0; s < b->sequences; s++) {
        size_t row = b->seq_begin[s], T = b->seq_begin[s + 1] - row;
        sb_attention_backward(dqkv + row * 3 * D, datt + row * D, y->prob + at,
                              y->qkv + row * 3 * D,
                              d->attention > 0 ? y->keep_prob + at : NULL,
                              scale_of(d->attention), scratch, T, H, D / H);
        at += H * T * T;
    }
}

/* ---- one transformer layer ----------------------------------------------- */

enum { SITE_EMBEDDING = 0, SITE_ATTENTION = 1, SITE_FFN = 2, SITES = 4 };

static uint32_t site_of(uint32_t layer, uint32_t what)
{
    return (layer + 1) * SITES + what;
}

static void layer_forward(const sb_layout *l, const float *w, const sb_batch *b,
                          uint32_t i, const float *x, const sb_dropout_rate *d,
                          sb_acts *a)
{
    const sb_layer_at *p = &l->layer[i];
    sb_layer_acts *y = &a->layer[i];
    size_t N = b->tokens, D = l->shape.dim, F = l->shape.ffn;
    sb_linear_forward(y->qkv, x, w + p->qkv_w, w + p->qkv_b, N, D, 3 * D);
    attention(l, b, site_of(i, SITE_ATTENTION), d, y, a->scratch);
    sb_linear_forward(y->sum1, y->att, w + p->out_w, w + p->out_b, N, D, D);
    sb_add(y->sum1, x, N * D);
    sb_layernorm_forward(y->mid, y->mean1, y->rstd1, y->sum1, w + p->norm1_g,
                         w + p->norm1_b, SB_MLM_EPS, N, D);
    sb_linear_forward(y->pre, y->mid, w + p->ffn1_w, w + p->ffn1_b, N, D, F);
    sb_gelu_forward(y->act, y->pre, N * F);
    sb_linear_forward(y->sum2, y->act, w + p->ffn2_w, w + p->ffn2_b, N, F, D);
    drop_rows(y->sum2, y->keep_ffn, b, D, site_of(i, SITE_FFN), d);
    sb_add(y->sum2, y->mid, N * D);
    sb_layernorm_forward(y->out, y->mean2, y->rstd2, y->sum2, w + p->norm2_g,
                         w + p->norm2_b, SB_MLM_EPS, N, D);
}

/* a->dx holds the gradient of the layer's output and receives that of its
 * input x. */
static void layer_backward(const sb_layout *l, const float *w,
                           const sb_batch *b, uint32_t i, const float *x,
                           const sb_dropout_rate *d, sb_acts *a, float *g)
{
    const sb_layer_at *p = &l->layer[i];
    const sb_layer_acts *y = &a->layer[i];
    size_t N = b->tokens, D = l->shape.dim, F = l->shape.ffn;
    sb_layernorm_backward(a->dx, g + p->norm2_g, g + p->norm2_b, a->dx, y->sum2,
                          w + p->norm2_g, y->mean2, y->rstd2, N, D);
    memcpy(a->dy, a->dx, N * D * sizeof(float));
    drop_rows_backward(a->dy, y->keep_ffn, b, D, d);
    sb_linear_backward(a->dwide, g + p->ffn2_w, g + p->ffn2_b, a->dy, y->act,
                       w + p->ffn2_w, N, F, D);
    sb_gelu_backward(a->dwide, a->dwide, y->pre, N * F);
    sb_linear_backward(a->dy, g + p->ffn1_w, g + p->ffn1_b, a->dwide, y->mid,
                       w + p->ffn1_w, N, D, F);
    sb_add(a->dx, a->dy, N * D);
    sb_layernorm_backward(a->dx, g + p->norm1_g, g + p->norm1_b, a->dx, y->sum1,
                          w + p->norm1_g, y->mean1, y->rstd1, N, D);
    sb_linear_backward(a->dy, g + p->out_w, g + p->out_b, a->dx, y->att,
                       w + p->out_w, N, D, D);
    attention_backward(l, b, d, y, a->dy, a->dwide, a->scratch);
    sb_linear_backward(a->dy, g + p->qkv_w, g + p->qkv_b, a->dwide, x,
                       w + p->qkv_w, N, D, 3 * D);
    sb_add(a->dx, a->dy, N * D);
}

/* ---- embeddings, head, and all together ---------------------------------- */

static void embed(const sb_layout *l, const float *w, const sb_batch *b,
                  const float *rows, const uint32_t *place,
                  const sb_dropout_rate *d, sb_acts *a)
{
    size_t D = l->shape.dim;
    sb_rows_get(a->emb, rows, place, b->tokens, D);
    for (size_t s = 0; s < b->sequences; s++) {
        size_t row = b->seq_begin[s], T = b->seq_begin[s + 1] - row;
        sb_add(a->emb + row * D, w + l->position, T * D);
    }
    sb_layernorm_forward(a->x0, a->mean, a->rstd, a->emb, w + l->norm_g,
                         w + l->norm_b, SB_MLM_EPS, b->tokens, D);
    drop_rows(a->x0, a->keep_emb, b, D, SITE_EMBEDDING, d);
}

static void embed_backward(const sb_layout *l, const float *w,
                           const sb_batch *b, const sb_dropout_rate *d,
                           sb_acts *a, float *g, float *dword)
{
    size_t D = l->shape.dim;
    drop_rows_backward(a->dx, a->keep_emb, b, D, d);
    sb_layernorm_backward(dword, g + l->norm_g, g + l->norm_b, a->dx, a->emb,
                          w + l->norm_g, a->mean, a->rstd, b->tokens, D);
    for (size_t s = 0; s < b->sequences; s++) {
        size_t row = b->seq_begin[s], T = b->seq_begin[s + 1] - row;
        sb_add(g + l->position, dword + row * D, T * D);
    }
}

void sb_model_forward(const sb_layout *l, const float *w, const sb_batch *b,
                      const float *rows, const uint32_t *place,
                      const sb_dropout_rate *drop, sb_acts *a)
{
    size_t D = l->shape.dim, M = b->nmasked;
    embed(l, w, b, rows, place, drop, a);
    const float *x = a->x0;
    for (uint32_t i = 0; i < l->shape.layers; i++) {
        layer_forward(l, w, b, i, x, drop, a);
        x = a->layer[i].out;
    }
    sb_rows_get(a->picked, x, b->masked, M, D);
    sb_linear_forward(a->pre, a->picked, w + l->head_w, w + l->head_b, M, D, D);
    sb_gelu_forward(a->act, a->pre, M * D);
    sb_layernorm_forward(a->z, a->head_mean, a->head_rstd, a->act,
                         w + l->head_g, w + l->head_beta, SB_MLM_EPS, M, D);
}

void sb_model_backward(const sb_layout *l, const float *w, const sb_batch *b,
                       const float *dz, const sb_dropout_rate *drop, sb_acts *a,
                       float *grad, float *dword)
{
    size_t D = l->shape.dim, M = b->nmasked, N = b->tokens;
    sb_layernorm_backward(a->dy, grad + l->head_g, grad + l->head_beta, dz,
                          a->act, w + l->head_g, a->head_mean, a->head_rstd, M,
                          D);
    sb_gelu_backward(a->dy, a->dy, a->pre, M * D);
    sb_linear_backward(a->dwide, grad + l->head_w, grad + l->head_b, a->dy,
                       a->picked, w + l->head_w, M, D, D);
    memset(a->dx, 0, N * D * sizeof(float));
    sb_rows_add(a->dx, a->dwide, b->masked, M, D);
    for (uint32_t i = l->shape.layers; i-- > 0;)
        layer_backward(l, w, b, i, i ? a->layer[i - 1].out : a->x0, drop, a,
                       grad);
    embed_backward(l, w, b, drop, a, grad, dword);
}
