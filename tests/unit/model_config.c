/* SPDX-License-Identifier: MIT
 * model_config.c - tests of dataset/model_config.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/model_config.h"

static char folder[] = "/tmp/sb-config-XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/config.json", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return sb_dir_remove(folder) == SB_OK ? 0 : -1;
}

static const sb_model_config base = {.vocab = 256000,
                                     .dim = 768,
                                     .layers = 6,
                                     .heads = 12,
                                     .ffn = 3072,
                                     .positions = 512,
                                     .dropout = 0.1,
                                     .attention_dropout = 0.1,
                                     .classifier_dropout = 0.2,
                                     .init_range = 0.02,
                                     .tied = 1};

/* The file, until the next call. */
static const char *written(const sb_model_config *c)
{
    static char text[4096];
    char *read;
    size_t n;
    assert_int_equal(sb_model_config_write(path, c), SB_OK);
    assert_int_equal(sb_file_read(path, sizeof text - 1, &read, &n), SB_OK);
    memcpy(text, read, n + 1);
    sb_free(read);
    return text;
}

static void the_published_config_is_written(void **state)
{
    (void)state;
    const char *text = written(&base);
    assert_string_equal(text, "{\n"
                              "  \"activation\": \"gelu\",\n"
                              "  \"architectures\": [\n"
                              "    \"DistilBertForMaskedLM\"\n"
                              "  ],\n"
                              "  \"attention_dropout\": 0.1,\n"
                              "  \"dim\": 768,\n"
                              "  \"dropout\": 0.1,\n"
                              "  \"hidden_dim\": 3072,\n"
                              "  \"initializer_range\": 0.02,\n"
                              "  \"max_position_embeddings\": 512,\n"
                              "  \"model_type\": \"distilbert\",\n"
                              "  \"n_heads\": 12,\n"
                              "  \"n_layers\": 6,\n"
                              "  \"pad_token_id\": 0,\n"
                              "  \"qa_dropout\": 0.1,\n"
                              "  \"seq_classif_dropout\": 0.2,\n"
                              "  \"sinusoidal_pos_embds\": false,\n"
                              "  \"tie_weights_\": true,\n"
                              "  \"torch_dtype\": \"float32\",\n"
                              "  \"vocab_size\": 256000\n"
                              "}\n");
}

static void a_classifier_names_its_labels_both_ways(void **state)
{
    (void)state;
    static const char *const label[] = {"not/good", "\"good\""};
    sb_model_config c = base;
    c.head = SB_HEAD_SEQUENCE;
    c.label = label;
    c.labels = 2;
    c.dropout = 0;
    c.init_range = 1e-30;
    const char *text = written(&c);
    static const char *const want[] = {
        "\"DistilBertForSequenceClassification\"",
        "\"dropout\": 0.0,",
        "\"initializer_range\": 1e-30,",
        "\"id2label\": {\n    \"0\": \"not/good\",\n",
        "    \"1\": \"\\\"good\\\"\"\n  }",
        "\"label2id\": {\n    \"not/good\": 0,\n    \"\\\"good\\\"\": 1\n  }",
        "\"problem_type\": \"single_label_classification\""};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        if (!strstr(text, want[i])) fail_msg("no %s in %s", want[i], text);
    c.head = SB_HEAD_TOKEN;
    c.label = NULL;
    text = written(&c);
    assert_non_null(strstr(text, "\"DistilBertForTokenClassification\""));
    assert_non_null(strstr(text, "\"1\": \"LABEL_1\""));
    assert_null(strstr(text, "problem_type"));
    c.head = SB_HEAD_SEQUENCE;
    c.labels = 1;
    c.regression = 1;
    text = written(&c);
    assert_non_null(strstr(text, "\"problem_type\": \"regression\""));
}

static void the_same_label_twice_is_refused(void **state)
{
    (void)state;
    static const char *const label[] = {"a", "b", "a"};
    sb_model_config c = base;
    c.head = SB_HEAD_TOKEN;
    c.label = label;
    c.labels = 3;
    assert_int_equal(sb_model_config_write(path, &c), SB_EINVAL);
    assert_non_null(strstr(sb_error_last()->text, "'a' is there twice"));
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    sb_model_config c;
    (void)written(&base);
    assert_int_equal(sb_model_config_read(path, &c), SB_OK);
    assert_int_equal(c.vocab, 256000);
    assert_int_equal(c.dim, 768);
    assert_int_equal(c.layers, 6);
    assert_int_equal(c.heads, 12);
    assert_int_equal(c.ffn, 3072);
    assert_int_equal(c.positions, 512);
    assert_int_equal(c.tied, 1);
}

/* The written file with `from` replaced by `to`. */
static sb_status with(const char *from, const char *to, sb_model_config *c)
{
    const char *text = written(&base);
    const char *found = strstr(text, from);
    assert_non_null(found);
    size_t at = (size_t)(found - text);
    char *bad =
        sb_format("%.*s%s%s", (int)at, text, to, text + at + strlen(from));
    assert_non_null(bad);
    assert_int_equal(sb_file_write(path, bad, strlen(bad)), SB_OK);
    sb_free(bad);
    return sb_model_config_read(path, c);
}

static void refuses(const char *from, const char *to, const char *why)
{
    sb_model_config c;
    assert_int_equal(with(from, to, &c), SB_EFORMAT);
    if (!strstr(sb_error_last()->text, why))
        fail_msg("'%s' does not say '%s'", sb_error_last()->text, why);
}

static void what_is_no_distilbert_is_refused(void **state)
{
    (void)state;
    refuses("distilbert", "bert", "no DistilBERT");
    refuses("\"model_type\"", "\"model\"", "no DistilBERT");
    refuses("gelu", "relu", "activation");
    refuses("\"n_heads\": 12,", "", "n_heads is missing");
    refuses("\"n_heads\": 12", "\"n_heads\": 0", "n_heads is missing, or no");
    refuses("\"n_heads\": 12", "\"n_heads\": -1", "n_heads");
    refuses("\"n_heads\": 12", "\"n_heads\": 12.5", "n_heads");
    refuses("\"n_heads\": 12", "\"n_heads\": \"12\"", "n_heads");
    refuses("\"dim\": 768", "\"dim\": 4294967296", "dim");
    refuses("\"dim\": 768", "\"dim\": 99999999999999999999", "dim");
    refuses("{\n", "", "not JSON");
    refuses("}\n", "", "it ends early");
    refuses("\"gelu\"", "\"gelu\\u0000\"", "a NUL");
    refuses("512", "512,,", "not JSON");
    sb_model_config c;
    assert_int_equal(sb_model_config_read("/nowhere/x", &c), SB_ENOENT);
}

static void untied_weights_are_told(void **state)
{
    (void)state;
    sb_model_config c;
    assert_int_equal(
        with("\"tie_weights_\": true", "\"tie_weights_\": false", &c), SB_OK);
    assert_int_equal(c.tied, 0);
    assert_int_equal(with("\"tie_weights_\": true,", "", &c), SB_OK);
    assert_int_equal(c.tied, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_config_is_written),
        cmocka_unit_test(a_classifier_names_its_labels_both_ways),
        cmocka_unit_test(the_same_label_twice_is_refused),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_is_no_distilbert_is_refused),
        cmocka_unit_test(untied_weights_are_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
