/* SPDX-License-Identifier: MIT
 * model.c - from names and shapes to a class. */
#include "trainer/export/model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "trainer/mlm/tensors.h"

/* ---- the head ------------------------------------------------------------ */

static int has(const sb_ckpt *c, const char *name)
{
    size_t i;
    return sb_ckpt_find(c, name, &i) == SB_OK;
}

static sb_model_head head_of(const sb_ckpt *c)
{
    if (has(c, "pre_classifier.weight")) return SB_HEAD_SEQUENCE;
    return has(c, "classifier.weight") ? SB_HEAD_TOKEN : SB_HEAD_MLM;
}

/* "a,b,c" of the checkpoint's option, cut at its commas in place. */
static sb_status read_labels(sb_hf_model *m)
{
    sb_model_config *c = &m->config;
    const char **label;
    size_t n = 0;
    SB_TRY(sb_mlm_option(m->ckpt, "labels", &m->names));
    if (!m->names) return SB_OK;
    SB_TRY(sb_alloc(c->labels, sizeof *label, "labels", &label));
    c->label = label;
    for (char *at = m->names; at; n++) {
        char *comma = strchr(at, ',');
        if (comma) *comma = 0;
        if (n < c->labels) label[n] = at;
        at = comma ? comma + 1 : NULL;
    }
    SB_REQUIRE(n == c->labels, SB_EFORMAT,
               "the checkpoint names %zu labels and its classifier has %zu", n,
               c->labels);
    return SB_OK;
}

static sb_status read_task(sb_hf_model *m)
{
    sb_model_config *c = &m->config;
    char *task;
    size_t i;
    if (c->head == SB_HEAD_MLM) return SB_OK;
    SB_TRY(sb_ckpt_find(m->ckpt, "classifier.weight", &i));
    c->labels = (size_t)sb_ckpt_tensor(m->ckpt, i)->dim[0];
    SB_TRY(sb_mlm_option(m->ckpt, "task", &task));
    c->regression =
        c->head == SB_HEAD_SEQUENCE && task && strcmp(task, "regression") == 0;
    sb_free(task);
    SB_REQUIRE(!c->regression || c->labels == 1, SB_EFORMAT,
               "the checkpoint's task is regression, and its classifier has "
               "%zu outputs",
               c->labels);
    return c->regression ? SB_OK : read_labels(m);
}

/* ---- configuration ------------------------------------------------------- */

static sb_status real(const sb_ckpt *c, const char *name, double *value)
{
    char *text;
    SB_TRY(sb_mlm_option(c, name, &text));
    if (text) *value = strtod(text, NULL);
    sb_free(text);
    return SB_OK;
}

static sb_status read_config(sb_hf_model *m, const sb_mlm_shape *s,
                             const sb_vocab *vocab)
{
    sb_model_config *c = &m->config;
    *c = (sb_model_config){.head = head_of(m->ckpt),
                           .vocab = s->vocab,
                           .dim = s->dim,
                           .layers = s->layers,
                           .heads = s->heads,
                           .ffn = s->ffn,
                           .positions = s->positions,
                           .pad = sb_vocab_special(vocab).pad,
                           .dropout = 0.1,
                           .attention_dropout = 0.1,
                           .classifier_dropout = 0.2,
                           .init_range = 0.02,
                           .tied = 1};
    SB_TRY(real(m->ckpt, "dropout", &c->dropout));
    SB_TRY(real(m->ckpt, "attention-dropout", &c->attention_dropout));
    SB_TRY(real(m->ckpt, "init-range", &c->init_range));
    return read_task(m);
}

/* ---- tensors ------------------------------------------------------------- */

static sb_status add(sb_hf_model *m, const sb_tensor *want)
{
    size_t i;
    SB_REQUIRE(has(m->ckpt, want->name), SB_EFORMAT,
               "the checkpoint lacks the tensor '%s'", want->name);
    SB_TRY(sb_ckpt_find(m->ckpt, want->name, &i));
    const sb_tensor *t = sb_ckpt_tensor(m->ckpt, i);
    SB_REQUIRE(t->dtype == want->dtype && t->ndim == want->ndim &&
                   memcmp(t->dim, want->dim, t->ndim * sizeof *t->dim) == 0,
               SB_EFORMAT,
               "the checkpoint's tensor '%s' has another shape than its other "
               "tensors ask for",
               t->name);
    m->tensor[m->tensors++] = i;
    m->parameters += sb_tensor_elements(t);
    return SB_OK;
}

static sb_status add_linear(sb_hf_model *m, const char *weight,
                            const char *bias, uint64_t out)
{
    sb_tensor w = {.dtype = SB_F32, .ndim = 2, .dim = {out, m->config.dim}};
    sb_tensor b = {.dtype = SB_F32, .ndim = 1, .dim = {out}};
    memcpy(w.name, weight, strlen(weight) + 1);
    memcpy(b.name, bias, strlen(bias) + 1);
    SB_TRY(add(m, &w));
    return add(m, &b);
}

static sb_status add_all(sb_hf_model *m, const sb_layout *l)
{
    const sb_model_config *c = &m->config;
    sb_tensor table = sb_mlm_table_tensor(&l->shape, SB_TABLE_NAME);
    sb_tensor bias = sb_mlm_bias_tensor(&l->shape, SB_BIAS_NAME);
    SB_TRY(sb_alloc(l->params + 6, sizeof *m->tensor, "tensors", &m->tensor));
    SB_TRY(add(m, &table));
    for (size_t i = 0; i < l->params; i++) {
        const sb_tensor *t = &l->param[i].tensor;
        if (c->head == SB_HEAD_MLM || strncmp(t->name, "vocab_", 6) != 0)
            SB_TRY(add(m, t));
    }
    if (c->head == SB_HEAD_MLM) return add(m, &bias);
    if (c->head == SB_HEAD_SEQUENCE)
        SB_TRY(add_linear(m, "pre_classifier.weight", "pre_classifier.bias",
                          c->dim));
    return add_linear(m, "classifier.weight", "classifier.bias", c->labels);
}

/* By name: indices and names are few, so insertion will do. */
static void sort(sb_hf_model *m)
{
    for (size_t i = 1; i < m->tensors; i++)
        for (size_t k = i; k > 0; k--) {
            size_t a = m->tensor[k - 1], b = m->tensor[k];
            if (strcmp(sb_ckpt_tensor(m->ckpt, a)->name,
                       sb_ckpt_tensor(m->ckpt, b)->name) < 0)
                break;
            m->tensor[k - 1] = b;
            m->tensor[k] = a;
        }
}

static sb_status check_phase(const sb_ckpt *c)
{
    if (strcmp(sb_ckpt_get_meta(c)->phase, "word2vec") != 0) return SB_OK;
    sb_fail(SB_EINVAL, __FILE__, __LINE__,
            "that is a checkpoint of word2vec, which is no model");
    return sb_hint("--format word2vec writes its vectors");
}

sb_status sb_hf_model_open(sb_ckpt *ckpt, const sb_vocab *vocab,
                           sb_hf_model *model_out)
{
    sb_hf_model m = {.ckpt = ckpt};
    sb_mlm_shape shape;
    sb_layout layout = {0};
    SB_TRY(check_phase(ckpt));
    SB_TRY(sb_mlm_shape_with(ckpt, vocab, &shape));
    SB_TRY(sb_layout_open(&shape, &layout));
    sb_status st = read_config(&m, &shape, vocab);
    if (st == SB_OK) st = add_all(&m, &layout);
    sb_layout_close(&layout);
    if (st != SB_OK) {
        sb_hf_model_close(&m);
        return st;
    }
    sort(&m);
    *model_out = m;
    return SB_OK;
}

void sb_hf_model_close(sb_hf_model *m)
{
    sb_free(m->tensor);
    sb_free(m->names);
    sb_free((void *)(uintptr_t)m->config.label);
    *m = (sb_hf_model){0};
}
