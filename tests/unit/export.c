/* SPDX-License-Identifier: MIT
 * export.c - tests of trainer/export: the class by the tensors, the files of
 * the folder, and memory. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataset/safetensors.h"
#include "tests/unit/made_model.h"
#include "trainer/export/hf.h"

#define CONFIG "seed = 3\nheads = 2\ndropout = 0.25\ncorpus = /home/me/c\n"

static const made_model small = {.shape = {.vocab = 40,
                                           .dim = 8,
                                           .layers = 1,
                                           .heads = 2,
                                           .ffn = 16,
                                           .positions = 12},
                                 .labels = 3,
                                 .config = CONFIG,
                                 .moments = 1};

static const sb_card plain = {.name = "made"};

/* Save it, and open it as a model; close with done(). */
static sb_vocab *vocab;
static sb_ckpt *ckpt;
static sb_status open_model(made_model m, sb_hf_model *out)
{
    vocab = made_vocab(m.shape.vocab);
    if (!m.vocab_hash) m.vocab_hash = sb_vocab_hash(vocab);
    made_save(&m, in_folder("ckpt"));
    ckpt = made_open(in_folder("ckpt"));
    return sb_hf_model_open(ckpt, vocab, out);
}

static void done(void)
{
    sb_ckpt_close(ckpt);
    sb_vocab_close(vocab);
    assert_int_equal(sb_dir_remove(in_folder("ckpt")), SB_OK);
}

static char *written(const char *name)
{
    char *text;
    size_t n;
    char *path = sb_format("%s/hf/%s", folder, name);
    assert_int_equal(sb_file_read(path, 1 << 20, &text, &n), SB_OK);
    sb_free(path);
    return text;
}

static void has(const char *name, const char *part)
{
    char *text = written(name);
    if (!strstr(text, part)) fail_msg("no '%s' in %s: %s", part, name, text);
    sb_free(text);
}

static void lacks(const char *name, const char *part)
{
    char *text = written(name);
    if (strstr(text, part)) fail_msg("'%s' in %s: %s", part, name, text);
    sb_free(text);
}

static void export(const sb_hf_model *m)
{
    const char *dir = in_folder("hf");
    assert_int_equal(sb_dir_remove(dir), SB_OK);
    assert_int_equal(sb_dir_make(dir), SB_OK);
    sb_status st = sb_hf_write(dir, m, vocab, &plain);
    if (st != SB_OK) fail_msg("%s", sb_error_last()->text);
}

/* Every tensor of the file has its values, and is one of `m`. */
static void check_values(const sb_hf_model *m)
{
    sb_safetensors *f;
    float x[MADE_PIECE];
    assert_int_equal(sb_safetensors_open(in_folder("hf/model.safetensors"), &f),
                     SB_OK);
    assert_int_equal(sb_safetensors_count(f), m->tensors);
    for (size_t i = 0; i < m->tensors; i++) {
        const sb_tensor *t = sb_ckpt_tensor(m->ckpt, m->tensor[i]);
        const sb_stored *s = sb_safetensors_find(f, t->name);
        assert_ptr_equal(s, sb_safetensors_at(f, i)); /* sorted */
        assert_int_equal(s->ndim, t->ndim);
        assert_memory_equal(s->dim, t->dim, t->ndim * sizeof *t->dim);
        assert_int_equal(sb_safetensors_get(f, s, 0, s->elements, x), SB_OK);
        for (uint64_t e = 0; e < s->elements; e++)
            assert_true(x[e] == made_value(t->name, e));
    }
    sb_safetensors_close(f);
}

static void a_masked_language_model_is_written_with_its_head(void **state)
{
    (void)state;
    sb_hf_model m;
    assert_int_equal(open_model(small, &m), SB_OK);
    assert_int_equal(m.config.head, SB_HEAD_MLM);
    assert_int_equal(m.tensors, 2 + 7 + 16);
    export(&m);
    check_values(&m);
    has("config.json", "DistilBertForMaskedLM");
    has("config.json", "\"dropout\": 0.25");
    has("config.json", "\"n_heads\": 2");
    has("config.json", "\"vocab_size\": 40");
    has("tokenizer_config.json", "\"model_max_length\": 12");
    has("vocab.txt", "[MASK]\np5\np6\np7\n##q8\n");
    has("README.md", "7 of 9 steps");
    has("README.md", "| dropout | 0.25 |");
    lacks("README.md", "/home/me");
    sb_hf_model_close(&m);
    done();
}

static void a_sequence_classifier_is_told_by_its_tensors(void **state)
{
    (void)state;
    sb_hf_model m;
    made_model c = small;
    c.head = MADE_SEQUENCE;
    c.config = CONFIG "task = sequence\nlabels = bad,so so,good\n";
    assert_int_equal(open_model(c, &m), SB_OK);
    assert_int_equal(m.config.head, SB_HEAD_SEQUENCE);
    assert_int_equal(m.tensors, 1 + 3 + 16 + 4); /* no vocab_* */
    export(&m);
    check_values(&m);
    has("config.json", "DistilBertForSequenceClassification");
    has("config.json", "\"so so\": 1");
    has("config.json", "single_label_classification");
    has("README.md", "pipeline_tag: text-classification");
    sb_hf_model_close(&m);
    done();
}

static void a_token_classifier_is_told_by_its_tensors(void **state)
{
    (void)state;
    sb_hf_model m;
    made_model c = small;
    c.head = MADE_TOKEN;
    assert_int_equal(open_model(c, &m), SB_OK);
    assert_int_equal(m.config.head, SB_HEAD_TOKEN);
    assert_int_equal(m.tensors, 1 + 3 + 16 + 2);
    export(&m);
    check_values(&m);
    has("config.json", "DistilBertForTokenClassification");
    has("config.json", "\"2\": \"LABEL_2\""); /* no names are known */
    sb_hf_model_close(&m);
    done();
}

static void a_regression_has_one_output_and_no_names(void **state)
{
    (void)state;
    sb_hf_model m;
    made_model c = small;
    c.head = MADE_SEQUENCE;
    c.labels = 1;
    c.config = CONFIG "task = regression\n";
    assert_int_equal(open_model(c, &m), SB_OK);
    export(&m);
    has("config.json", "\"problem_type\": \"regression\"");
    sb_hf_model_close(&m);
    done();
}

static void refused(made_model m, sb_status want, const char *why)
{
    sb_hf_model x;
    sb_status st = open_model(m, &x);
    if (st != want || !strstr(sb_error_last()->text, why))
        fail_msg("%d '%s' does not say '%s'", st, sb_error_last()->text, why);
    done();
}

static void what_does_not_fit_together_is_refused(void **state)
{
    (void)state;
    made_model m = small;
    m.vocab_hash = 1;
    refused(m, SB_EINVAL, "another vocabulary");
    m = small;
    m.config = "seed = 3\n";
    refused(m, SB_EINVAL, "does not name its heads");
    m = small;
    m.config = "heads = 3\n";
    refused(m, SB_EINVAL, "not divisible");
    m = small;
    m.head = MADE_TOKEN;
    m.config = CONFIG "labels = a,b\n";
    refused(m, SB_EFORMAT, "names 2 labels and its classifier has 3");
    m.head = MADE_SEQUENCE;
    m.config = CONFIG "task = regression\n";
    refused(m, SB_EFORMAT, "has 3 outputs");
}

/* VmHWM of this process, KiB. */
static long most_memory(void)
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) (void)sscanf(line, "VmHWM: %ld", &kib);
    fclose(f);
    return kib;
}

static void memory_does_not_follow_the_model(void **state)
{
    (void)state;
    sb_hf_model m;
    made_model large = small;
    large.shape.vocab = 1 << 17;
    large.shape.dim = 256;
    large.moments = 0;
    assert_int_equal(open_model(large, &m), SB_OK);
    long before = most_memory();
    export(&m);
    long grown = most_memory() - before, model = (1 << 17) * 256 / 1024 * 4;
    printf("a model of %ld KiB took %ld KiB\n", model, grown);
#ifndef SB_NO_CLONES /* sanitizers keep what was freed */
    assert_true(grown < model / 2);
#endif
    sb_hf_model_close(&m);
    done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_masked_language_model_is_written_with_its_head),
        cmocka_unit_test(a_sequence_classifier_is_told_by_its_tensors),
        cmocka_unit_test(a_token_classifier_is_told_by_its_tensors),
        cmocka_unit_test(a_regression_has_one_output_and_no_names),
        cmocka_unit_test(what_does_not_fit_together_is_refused),
        cmocka_unit_test(memory_does_not_follow_the_model),
    };
    return cmocka_run_group_tests(tests, up, down);
}
