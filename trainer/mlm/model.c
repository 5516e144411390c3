/* SPDX-License-Identifier: MIT
 * model.c - forward beside backward, block by block. */
#include "trainer/mlm/model.h"

#include <string.h>

#include "comm/base/mem.h"
#include "comm/base/rng.h"
#include "trainer/mlm/precision.h"

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
    a->att = floats(c, N, D);
    a->sum1 = floats(c, N, D);
    a->mean1 = floats(c, N, 1);
    a->rstd1 = floats(c, N, 1);
    a->pre = floats(c, N, F);
    a->sum2 = floats(c, N, D);
    a->mean2 = floats(c, N, 1);
    a->rstd2 = floats(c, N, 1);
    a->keep_prob = carve(c, probs, l->shape.heads, 1);
    a->keep_ffn = carve(c, N, D, 1);
}

static void carve_acts(carver *c, const sb_layout *l, size_t sequences,
                       size_t T, sb_acts *a)
{
    size_t D = l->shape.dim, N = 0, probs = 0;
    c->overflow |= __builtin_mul_overflow(sequences, T, &N) ||
                   __builtin_mul_overflow(N, T, &probs);
    a->layer = carve(c, l->shape.layers, 1, sizeof *a->layer);
    a->emb = floats(c, N, D);
    a->mean = floats(c, N, 1);
    a->rstd = floats(c, N, 1);
    a->keep_emb = carve(c, N, D, 1);
    a->picked = floats(c, N, D);
    a->pre = floats(c, N, D);
    a->act = floats(c, N, D);
    a->head_mean = floats(c, N, 1);
    a->head_rstd = floats(c, N, 1);
    a->z = floats(c, N, D);
    a->dx = floats(c, N, D);
    for (uint32_t i = 0; i < l->shape.layers; i++) {
        sb_layer_acts none;
        carve_layer(c, l, N, probs, c->base ? &a->layer[i] : &none);
    }
}

static void carve_work(carver *c, const sb_layout *l, size_t sequences,
                       size_t T, sb_precision precision, sb_work *k)
{
    size_t D = l->shape.dim, F = l->shape.ffn, N = 0;
    size_t wide = 3 * D > F ? 3 * D : F, half = sb_rounded_size(precision);
    c->overflow |= __builtin_mul_overflow(sequences, T, &N);
    k->x = floats(c, N, D);
    k->y = floats(c, N, D);
    k->dy = floats(c, N, D);
    k->wide = floats(c, N, F);
    k->dwide = floats(c, N, wide);
    k->scratch = floats(c, T, 3 * T);
    k->mixed.dy = carve(c, N, wide, half);
    k->mixed.x = carve(c, N, D > F ? D : F, half);
}

sb_status sb_acts_bytes(const sb_layout *l, size_t sequences, size_t max_length,
                        sb_precision precision, size_t *acts_out,
                        size_t *work_out)
{
    carver acts = {0}, work = {0};
    sb_acts a;
    sb_work k;
    carve_acts(&acts, l, sequences, max_length, &a);
    carve_work(&work, l, sequences, max_length, precision, &k);
    SB_REQUIRE(
        !acts.overflow && !work.overflow, SB_ELIMIT,
        "activations of %zu sequences of %zu tokens do not fit in memory",
        sequences, max_length);
    *acts_out = acts.bytes;
    *work_out = work.bytes;
    return SB_OK;
}

sb_status sb_acts_open(const sb_layout *l, size_t sequences, size_t max_length,
                       sb_acts *acts_out)
{
    size_t bytes, other;
    SB_TRY(sb_acts_bytes(l, sequences, max_length, SB_FP32, &bytes, &other));
    sb_acts a = {0};
    SB_TRY(sb_reserve(bytes, 1, "activations", &a.memory));
    carver c = {.base = a.memory};
    carve_acts(&c, l, sequences, max_length, &a);
    *acts_out = a;
    return SB_OK;
}

sb_status sb_work_open(const sb_layout *l, size_t sequences, size_t max_length,
                       sb_precision precision, sb_work *work_out)
{
    size_t bytes, other;
    SB_TRY(sb_acts_bytes(l, sequences, max_length, precision, &other, &bytes));
    sb_work k = {0};
    SB_TRY(sb_precision_open(precision, &k.mixed));
    sb_status st = sb_reserve(bytes, 1, "activations", &k.memory);
    if (st != SB_OK) {
        sb_mixed_close(&k.mixed);
        return st;
    }
    carver c = {.base = k.memory};
    carve_work(&c, l, sequences, max_length, precision, &k);
    *work_out = k;
    return SB_OK;
}

void sb_acts_close(sb_acts *a)
{
    sb_free(a->memory);
    memset(a, 0, sizeof *a);
}

void sb_work_close(sb_work *k)
{
    sb_mixed_close(&k->mixed);
    sb_free(k->memory);
    memset(k, 0, sizeof *k);
}

/* ---- dropout ------------------------------------------------------------- */

static float scale_of(float p)
{
    return 1.0f / (1.0f - sb_rng_drop_rate(p));
}

/* The masks of all sequences; site names the place in the network. They are
 * named by the sample and the position inside its sequence. Returns keep, or
 * NULL: nothing is dropped. */
static const uint8_t *draw_rows(uint8_t *keep, const sb_batch *b, size_t D,
                                uint32_t site, const sb_dropout_rate *d)
{
    if (d->hidden <= 0) return NULL;
    sb_rng_key key = sb_rng_key_make(d->seed, SB_RNG_DROPOUT);
    for (size_t s = 0; s < b->sequences; s++) {
        size_t at = b->seq_begin[s] * D, n = b->seq_begin[s + 1] * D - at;
        sb_rng_keep(key, b->sample[s], site, d->hidden, keep + at, n);
    }
    return keep;
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
        sb_attention_forward(y->att + row * D, y->qkv + row * 3 * D, keep,
                             scale_of(d->attention), scratch, T, H, D / H);
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
        sb_attention_backward(dqkv + row * 3 * D, datt + row * D,
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

/* The matrix at `place`, for products. */
static sb_weights matrix(sb_weights w, size_t place, const sb_work *k)
{
    return sb_weights_at(w, k->mixed.precision, place);
}

/* k->x [N, D]: in, the layer's input; out, its output. */
static void layer_forward(const sb_layout *l, sb_weights weights,
                          const sb_batch *b, uint32_t i,
                          const sb_dropout_rate *d, sb_acts *a, sb_work *k)
{
    const float *w = weights.full;
    const sb_layer_at *p = &l->layer[i];
    sb_layer_acts *y = &a->layer[i];
    size_t N = b->tokens, D = l->shape.dim, F = l->shape.ffn;
    sb_mixed_forward(&k->mixed, y->qkv, k->x, matrix(weights, p->qkv_w, k),
                     w + p->qkv_b, N, D, 3 * D);
    attention(l, b, site_of(i, SITE_ATTENTION), d, y, k->scratch);
    sb_mixed_forward(&k->mixed, y->sum1, y->att, matrix(weights, p->out_w, k),
                     w + p->out_b, N, D, D);
    sb_residual_norm_forward(k->y, y->mean1, y->rstd1, y->sum1, k->x, NULL, 1,
                             w + p->norm1_g, w + p->norm1_b, SB_MLM_EPS, N, D);
    sb_mixed_forward(&k->mixed, y->pre, k->y, matrix(weights, p->ffn1_w, k),
                     w + p->ffn1_b, N, D, F);
    sb_gelu_forward(k->wide, y->pre, N * F);
    sb_mixed_forward(&k->mixed, y->sum2, k->wide, matrix(weights, p->ffn2_w, k),
                     w + p->ffn2_b, N, F, D);
    const uint8_t *keep = draw_rows(y->keep_ffn, b, D, site_of(i, SITE_FFN), d);
    sb_residual_norm_forward(k->x, y->mean2, y->rstd2, y->sum2, k->y, keep,
                             scale_of(d->hidden), w + p->norm2_g,
                             w + p->norm2_b, SB_MLM_EPS, N, D);
}

/* The input of layer i again, into k->x. */
static void layer_input(const sb_layout *l, const float *w, const sb_batch *b,
                        uint32_t i, const sb_dropout_rate *d, const sb_acts *a,
                        sb_work *k)
{
    size_t N = b->tokens, D = l->shape.dim;
    if (i > 0) {
        const sb_layer_at *p = &l->layer[i - 1];
        const sb_layer_acts *y = &a->layer[i - 1];
        sb_layernorm_again(k->x, y->sum2, w + p->norm2_g, w + p->norm2_b,
                           y->mean2, y->rstd2, N, D);
        return;
    }
    sb_layernorm_again(k->x, a->emb, w + l->norm_g, w + l->norm_b, a->mean,
                       a->rstd, N, D);
    if (d->hidden > 0)
        sb_dropout(k->x, a->keep_emb, scale_of(d->hidden), N * D);
}

/* a->dx holds the gradient of the layer's output and receives that of its
 * input. */
static void layer_backward(const sb_layout *l, sb_weights weights,
                           const sb_batch *b, uint32_t i,
                           const sb_dropout_rate *d, sb_acts *a, sb_work *k,
                           float *grad)
{
    const float *w = weights.full;
    const sb_layer_at *p = &l->layer[i];
    const sb_layer_acts *y = &a->layer[i];
    size_t N = b->tokens, D = l->shape.dim, F = l->shape.ffn;
    size_t from = l->stage_at[i + 1];
    sb_mixed *g = &k->mixed;
#define G(field) (grad + (p->field - from))
    int drops = d->hidden > 0;
    sb_residual_norm_backward(a->dx, drops ? k->dy : NULL, G(norm2_g),
                              G(norm2_b), a->dx, y->sum2, w + p->norm2_g,
                              y->mean2, y->rstd2, y->keep_ffn,
                              scale_of(d->hidden), N, D);
    const float *branch = drops ? k->dy : a->dx;
    sb_mixed_backward(g, k->dwide, NULL, NULL, 0, branch, NULL,
                      matrix(weights, p->ffn2_w, k), N, F, D);
    sb_gelu_backward(k->dwide, k->wide, k->dwide, y->pre, N * F);
    sb_mixed_backward(g, NULL, G(ffn2_w), G(ffn2_b), 0, branch, k->wide,
                      (sb_weights){0}, N, F, D);
    sb_layernorm_again(k->y, y->sum1, w + p->norm1_g, w + p->norm1_b, y->mean1,
                       y->rstd1, N, D);
    sb_mixed_backward(g, k->dy, G(ffn1_w), G(ffn1_b), 0, k->dwide, k->y,
                      matrix(weights, p->ffn1_w, k), N, D, F);
    sb_add(a->dx, k->dy, N * D);
    sb_layernorm_backward(a->dx, G(norm1_g), G(norm1_b), a->dx, y->sum1,
                          w + p->norm1_g, y->mean1, y->rstd1, N, D);
    sb_mixed_backward(g, k->dy, G(out_w), G(out_b), 0, a->dx, y->att,
                      matrix(weights, p->out_w, k), N, D, D);
    attention_backward(l, b, d, y, k->dy, k->dwide, k->scratch);
    layer_input(l, w, b, i, d, a, k);
    sb_mixed_backward(g, k->dy, G(qkv_w), G(qkv_b), 0, k->dwide, k->x,
                      matrix(weights, p->qkv_w, k), N, D, 3 * D);
    sb_add(a->dx, k->dy, N * D);
#undef G
}

/* ---- embeddings, head, and all together ---------------------------------- */

static void embed(const sb_layout *l, const float *w, const sb_batch *b,
                  const float *rows, const uint32_t *place,
                  const sb_dropout_rate *d, sb_acts *a, sb_work *k)
{
    size_t D = l->shape.dim;
    sb_rows_get(a->emb, rows, place, b->tokens, D);
    for (size_t s = 0; s < b->sequences; s++) {
        size_t row = b->seq_begin[s], T = b->seq_begin[s + 1] - row;
        sb_add(a->emb + row * D, w + l->position, T * D);
    }
    sb_layernorm_forward(k->x, a->mean, a->rstd, a->emb, w + l->norm_g,
                         w + l->norm_b, SB_MLM_EPS, b->tokens, D);
    if (draw_rows(a->keep_emb, b, D, SITE_EMBEDDING, d))
        sb_dropout(k->x, a->keep_emb, scale_of(d->hidden), b->tokens * D);
}

static void embed_backward(const sb_layout *l, const float *w,
                           const sb_batch *b, const sb_dropout_rate *d,
                           sb_acts *a, float *grad, float *dword)
{
    size_t D = l->shape.dim;
    if (d->hidden > 0)
        sb_dropout(a->dx, a->keep_emb, scale_of(d->hidden), b->tokens * D);
    sb_layernorm_backward(dword, grad + l->norm_g, grad + l->norm_b, a->dx,
                          a->emb, w + l->norm_g, a->mean, a->rstd, b->tokens,
                          D);
    memset(grad + l->position, 0,
           (size_t)l->shape.positions * D * sizeof *grad);
    for (size_t s = 0; s < b->sequences; s++) {
        size_t row = b->seq_begin[s], T = b->seq_begin[s + 1] - row;
        sb_add(grad + l->position, dword + row * D, T * D);
    }
}

static void head_backward(const sb_layout *l, sb_weights w, const sb_batch *b,
                          const float *dz, sb_acts *a, sb_work *k, float *grad)
{
    size_t D = l->shape.dim, M = b->nmasked, from = l->stage_at[l->stages - 1];
    sb_layernorm_backward(k->dy, grad + (l->head_g - from),
                          grad + (l->head_beta - from), dz, a->act,
                          w.full + l->head_g, a->head_mean, a->head_rstd, M, D);
    sb_gelu_backward(k->dy, a->act, k->dy, a->pre, M * D);
    sb_mixed_backward(&k->mixed, k->y, grad + (l->head_w - from),
                      grad + (l->head_b - from), 0, k->dy, a->picked,
                      matrix(w, l->head_w, k), M, D, D);
    memset(a->dx, 0, b->tokens * D * sizeof(float));
    sb_rows_add(a->dx, k->y, b->masked, M, D);
}

void sb_model_forward(const sb_layout *l, sb_weights weights, const sb_batch *b,
                      const float *rows, const uint32_t *place,
                      const sb_dropout_rate *drop, sb_acts *a, sb_work *k)
{
    const float *w = weights.full;
    size_t D = l->shape.dim, M = b->nmasked;
    embed(l, w, b, rows, place, drop, a, k);
    for (uint32_t i = 0; i < l->shape.layers; i++)
        layer_forward(l, weights, b, i, drop, a, k);
    sb_rows_get(a->picked, k->x, b->masked, M, D);
    sb_mixed_forward(&k->mixed, a->pre, a->picked,
                     matrix(weights, l->head_w, k), w + l->head_b, M, D, D);
    sb_gelu_forward(a->act, a->pre, M * D);
    sb_layernorm_forward(a->z, a->head_mean, a->head_rstd, a->act,
                         w + l->head_g, w + l->head_beta, SB_MLM_EPS, M, D);
}

void sb_model_backward(const sb_layout *l, size_t stage, sb_weights w,
                       const sb_batch *b, const float *dz,
                       const sb_dropout_rate *drop, sb_acts *a, sb_work *k,
                       float *grad, float *dword)
{
    if (stage == 0)
        embed_backward(l, w.full, b, drop, a, grad, dword);
    else if (stage == l->stages - 1)
        head_backward(l, w, b, dz, a, k, grad);
    else
        layer_backward(l, w, b, (uint32_t)stage - 1, drop, a, k, grad);
}
