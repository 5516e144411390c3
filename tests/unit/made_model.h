/* SPDX-License-Identifier: MIT
 * made_model.h - a checkpoint of a small model, with any head, for the tests
 * of what leaves it. Values are a function of tensor and element. */
#ifndef SB_TESTS_MADE_MODEL_H
#define SB_TESTS_MADE_MODEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/vocab.h"
#include "proto/checkpoint.h"
#include "trainer/mlm/layout.h"
#include "trainer/names.h"

typedef enum made_head { MADE_MLM, MADE_SEQUENCE, MADE_TOKEN } made_head;

typedef struct made_model {
    sb_mlm_shape shape;
    made_head head;
    uint64_t labels;
    const char *config; /* option lines */
    uint64_t vocab_hash;
    int moments; /* and other things that are no weights */
} made_model;

static char folder[] = "/tmp/sb-model-XXXXXX";

static inline int up(void **state)
{
    (void)state;
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int down(void **state)
{
    (void)state;
    return sb_dir_remove(folder) == SB_OK ? 0 : -1;
}

/* "<folder>/<name>", until the fourth call from here. */
static inline const char *in_folder(const char *name)
{
    static char path[4][128];
    static int k;
    k = (k + 1) % 4;
    snprintf(path[k], sizeof path[k], "%s/%s", folder, name);
    return path[k];
}

/* Five special tokens, then p5, p6, ... and every fourth one ##q8, ... */
static inline sb_vocab *made_vocab(uint32_t n)
{
    size_t room = 64 + (size_t)n * 16, at;
    char *text = malloc(room);
    at = (size_t)snprintf(text, room, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
    for (uint32_t i = 5; i < n; i++)
        at += (size_t)snprintf(text + at, room - at, "%s%u\n",
                               i % 4 ? "p" : "##q", i);
    sb_vocab *v;
    assert_int_equal(sb_vocab_parse(text, at, "made", &v), SB_OK);
    free(text);
    return v;
}

static inline float made_value(const char *name, uint64_t i)
{
    uint32_t h = 2166136261u;
    for (const char *p = name; *p; p++) h = (h ^ (unsigned char)*p) * 16777619u;
    h = (h ^ (uint32_t)i) * 2654435761u;
    return (float)(int32_t)h / 1e10f;
}

enum { MADE_TENSORS = 128, MADE_PIECE = 1 << 16 };

typedef struct made_table {
    sb_tensor tensor[MADE_TENSORS];
    size_t n;
} made_table;

static inline void made_add(made_table *t, const char *prefix, const char *name,
                            uint64_t a, uint64_t b)
{
    sb_tensor *x = &t->tensor[t->n++];
    assert_true(t->n <= MADE_TENSORS);
    *x = (sb_tensor){.dtype = SB_F32, .ndim = b ? 2 : 1, .dim = {a, b}};
    snprintf(x->name, sizeof x->name, "%s%s", prefix, name);
}

static inline void made_tensors(const made_model *m, made_table *t)
{
    sb_layout l;
    uint64_t V = m->shape.vocab, D = m->shape.dim;
    assert_int_equal(sb_layout_open(&m->shape, &l), SB_OK);
    t->n = 0;
    for (size_t i = 0; i < l.params; i++) {
        const sb_tensor *x = &l.param[i].tensor;
        made_add(t, "", x->name, x->dim[0], x->ndim == 2 ? x->dim[1] : 0);
    }
    sb_layout_close(&l);
    made_add(t, "", SB_TABLE_NAME, V, D);
    made_add(t, "", SB_BIAS_NAME, V, 0);
    if (m->head == MADE_SEQUENCE) {
        made_add(t, "", "pre_classifier.weight", D, D);
        made_add(t, "", "pre_classifier.bias", D, 0);
    }
    if (m->head != MADE_MLM) {
        made_add(t, "", "classifier.weight", m->labels, D);
        made_add(t, "", "classifier.bias", m->labels, 0);
    }
    if (m->moments) made_add(t, "adam.m/", SB_TABLE_NAME, V, D);
    if (m->moments) made_add(t, "", "mlm.divergence", 3, 0);
    if (m->moments) t->tensor[t->n - 1].dtype = SB_U64;
}

static inline void made_put(sb_ckpt_part *p, const made_table *t, size_t i)
{
    static float piece[MADE_PIECE];
    const sb_tensor *x = &t->tensor[i];
    uint64_t n = sb_tensor_elements(x);
    for (uint64_t at = 0; at < n; at += MADE_PIECE / 2) {
        uint64_t k = n - at < MADE_PIECE / 2 ? n - at : MADE_PIECE / 2;
        for (uint64_t e = 0; e < k; e++) piece[e] = made_value(x->name, at + e);
        assert_int_equal(sb_ckpt_put(p, i, at, k, piece), SB_OK);
    }
}

/* As step 7 of 9 of phase mlm into `dir`. */
static inline void made_save(const made_model *m, const char *dir)
{
    static made_table t;
    sb_ckpt_part *p;
    void *desc;
    size_t bytes;
    char *config = sb_format("%s", m->config);
    sb_ckpt_meta meta = {"mlm", 7, 9, 56, 3, m->vocab_hash, "a build", config};
    made_tensors(m, &t);
    assert_int_equal(sb_ckpt_begin(dir, 7), SB_OK);
    assert_int_equal(sb_ckpt_part_open(dir, 7, 0, t.tensor, t.n, &p), SB_OK);
    for (size_t i = 0; i < t.n; i++) made_put(p, &t, i);
    assert_int_equal(sb_ckpt_part_close(p, &desc, &bytes), SB_OK);
    assert_int_equal(sb_ckpt_commit(dir, &meta, t.tensor, t.n,
                                    (const void *const[]){desc}, &bytes, 1),
                     SB_OK);
    sb_free(desc);
    sb_free(config);
}

static inline sb_ckpt *made_open(const char *dir)
{
    char *path;
    sb_ckpt *c;
    assert_int_equal(sb_ckpt_latest(dir, &path), SB_OK);
    assert_int_equal(sb_ckpt_open(path, &c), SB_OK);
    sb_free(path);
    return c;
}

#endif
