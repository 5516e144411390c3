/* SPDX-License-Identifier: MIT
 * model_config.c - config.json as a tree of json-c's. Keys are in the order of
 * their bytes, as transformers writes them. */
#include "dataset/model_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/json_whole.h"

enum { BYTES_MAX = 16 << 20, DEPTH_MAX = 16, LARGEST = 1 << 24 };

/* ---- writing ------------------------------------------------------------- */

/* A failed allocation of json-c's gives NULL, which add() remembers. */
typedef struct tree {
    json_object *root;
    int failed;
} tree;

static void add(tree *t, json_object *to, const char *key, json_object *value)
{
    if (!to || !value || json_object_object_add(to, key, value) != 0) {
        json_object_put(value);
        t->failed = 1;
    }
}

static void add_text(tree *t, const char *key, const char *value)
{
    add(t, t->root, key, json_object_new_string(value));
}

static void add_number(tree *t, const char *key, uint32_t value)
{
    add(t, t->root, key, json_object_new_int64(value));
}

static void add_bool(tree *t, const char *key, int value)
{
    add(t, t->root, key, json_object_new_boolean(value));
}

/* With the fewest digits that give it back. */
static void add_real(tree *t, const char *key, double value)
{
    char text[32];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    if (!strpbrk(text, ".e")) strcat(text, ".0");
    add(t, t->root, key, json_object_new_double_s(value, text));
}

static const char *label_of(const sb_model_config *c, size_t i, char room[32])
{
    if (c->label) return c->label[i];
    snprintf(room, 32, "LABEL_%zu", i);
    return room;
}

static sb_status add_names(tree *t, const sb_model_config *c)
{
    json_object *names = json_object_new_object();
    add(t, t->root, "id2label", names);
    for (size_t i = 0; i < c->labels && !t->failed; i++) {
        char key[32], room[32];
        snprintf(key, sizeof key, "%zu", i);
        add(t, names, key, json_object_new_string(label_of(c, i, room)));
    }
    return SB_OK;
}

static sb_status add_ids(tree *t, const sb_model_config *c)
{
    json_object *ids = json_object_new_object();
    add(t, t->root, "label2id", ids);
    for (size_t i = 0; i < c->labels && !t->failed; i++) {
        char room[32];
        const char *label = label_of(c, i, room);
        SB_REQUIRE(!sb_json_get(ids, label), SB_EINVAL,
                   "the label '%.100s' is there twice", label);
        add(t, ids, label, json_object_new_int64((int64_t)i));
    }
    return SB_OK;
}

static void add_architecture(tree *t, sb_model_head head)
{
    static const char *const name[] = {"DistilBertForMaskedLM",
                                       "DistilBertForSequenceClassification",
                                       "DistilBertForTokenClassification"};
    json_object *list = json_object_new_array();
    add(t, t->root, "architectures", list);
    json_object *text = json_object_new_string(name[head]);
    if (!list || !text || json_object_array_add(list, text) != 0) {
        json_object_put(text);
        t->failed = 1;
    }
}

static sb_status make(tree *t, const sb_model_config *c)
{
    int classifier = c->head != SB_HEAD_MLM;
    add_text(t, "activation", "gelu");
    add_architecture(t, c->head);
    add_real(t, "attention_dropout", c->attention_dropout);
    add_number(t, "dim", c->dim);
    add_real(t, "dropout", c->dropout);
    add_number(t, "hidden_dim", c->ffn);
    if (classifier) SB_TRY(add_names(t, c));
    add_real(t, "initializer_range", c->init_range);
    if (classifier) SB_TRY(add_ids(t, c));
    add_number(t, "max_position_embeddings", c->positions);
    add_text(t, "model_type", "distilbert");
    add_number(t, "n_heads", c->heads);
    add_number(t, "n_layers", c->layers);
    add_number(t, "pad_token_id", c->pad);
    if (c->head == SB_HEAD_SEQUENCE)
        add_text(t, "problem_type",
                 c->regression ? "regression" : "single_label_classification");
    add_real(t, "qa_dropout", 0.1);
    add_real(t, "seq_classif_dropout", c->classifier_dropout);
    add_bool(t, "sinusoidal_pos_embds", 0);
    add_bool(t, "tie_weights_", c->tied);
    add_text(t, "torch_dtype", "float32");
    add_number(t, "vocab_size", c->vocab);
    return SB_OK;
}

sb_status sb_model_config_write(const char *path, const sb_model_config *c)
{
    tree t = {.root = json_object_new_object()};
    sb_status st = make(&t, c);
    const char *text =
        t.failed || st != SB_OK
            ? NULL
            : json_object_to_json_string_ext(
                  t.root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                              JSON_C_TO_STRING_NOSLASHESCAPE);
    char *line = text ? sb_format("%s\n", text) : NULL;
    if (st == SB_OK)
        st = line ? sb_file_write(path, line, strlen(line))
                  : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                            "out of memory: config.json");
    sb_free(line);
    json_object_put(t.root);
    return st;
}

/* ---- reading ------------------------------------------------------------- */

static sb_status take_size(json_object *root, const char *path, const char *key,
                           uint32_t *out)
{
    json_object *v = sb_json_get(root, key);
    int64_t n =
        json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : 0;
    SB_REQUIRE(n > 0 && n <= LARGEST, SB_EFORMAT,
               "'%s': %s is missing, or no number from 1 to %d", path, key,
               LARGEST);
    *out = (uint32_t)n;
    return SB_OK;
}

static sb_status take(json_object *root, const char *path, sb_model_config *c)
{
    SB_REQUIRE(sb_json_is_text(root, "model_type", "distilbert"), SB_EFORMAT,
               "'%s' describes no DistilBERT: its model_type is another", path);
    SB_REQUIRE(sb_json_is_text(root, "activation", "gelu"), SB_EFORMAT,
               "'%s': the activation is not gelu, the only one known here",
               path);
    SB_TRY(take_size(root, path, "vocab_size", &c->vocab));
    SB_TRY(take_size(root, path, "dim", &c->dim));
    SB_TRY(take_size(root, path, "n_layers", &c->layers));
    SB_TRY(take_size(root, path, "n_heads", &c->heads));
    SB_TRY(take_size(root, path, "hidden_dim", &c->ffn));
    SB_TRY(take_size(root, path, "max_position_embeddings", &c->positions));
    c->tied = !sb_json_is_bool(root, "tie_weights_", 0);
    return SB_OK;
}

sb_status sb_model_config_read(const char *path, sb_model_config *c_out)
{
    char *text;
    size_t n;
    json_object *root;
    sb_model_config c = {0};
    SB_TRY(sb_file_read(path, BYTES_MAX, &text, &n));
    sb_status st = sb_json_whole(text, n, DEPTH_MAX, "model", path, &root);
    sb_free(text);
    SB_TRY(st);
    st = take(root, path, &c);
    json_object_put(root);
    if (st == SB_OK) *c_out = c;
    return st;
}
