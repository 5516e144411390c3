/* SPDX-License-Identifier: MIT
 * card.c - Markdown, section by section. */
#include "trainer/export/card.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/text.h"
#include "trainer/metrics.h"

/* Append `text`, which is freed. */
static sb_status put_owned(sb_buffer *b, char *text)
{
    SB_REQUIRE(text, SB_ENOMEM, "out of memory: a model card");
    sb_status st = sb_buffer_add(b, text, strlen(text));
    sb_free(text);
    return st;
}

#define PUT(b, ...) SB_TRY(put_owned((b), sb_format(__VA_ARGS__)))

/* ---- what it is, how to load it ------------------------------------------ */

static const struct {
    const char *task, *class, *what, *example;
} kinds[] = {
    [SB_HEAD_MLM] = {"fill-mask", "AutoModelForMaskedLM",
                     "masked language model", "a sentence with one [MASK] ."},
    [SB_HEAD_SEQUENCE] = {"text-classification",
                          "AutoModelForSequenceClassification",
                          "classifier of texts", "a text to judge ."},
    [SB_HEAD_TOKEN] = {"token-classification",
                       "AutoModelForTokenClassification",
                       "classifier of tokens", "a text with names in it ."}};

static sb_status put_head(sb_buffer *b, const sb_hf_model *m, const char *name)
{
    const sb_model_config *c = &m->config;
    const sb_ckpt_meta *meta = sb_ckpt_get_meta(m->ckpt);
    PUT(b,
        "---\nlibrary_name: transformers\npipeline_tag: %s\ntags:\n"
        "- distilbert\n- word2vec\n- shardbert\n---\n\n# %s\n\n",
        kinds[c->head].task, name);
    PUT(b,
        "DistilBERT as a %s: %u layers, width %u, %u heads, a vocabulary of %u "
        "WordPiece tokens, at most %u tokens a text; %" PRIu64
        " parameters, float32.\n",
        kinds[c->head].what, c->layers, c->dim, c->heads, c->vocab,
        c->positions, m->parameters);
    PUT(b,
        "Trained by shardbert; %" PRIu64 " of %" PRIu64
        " steps of phase `%s`.\n",
        meta->step, meta->total, meta->phase);
    return SB_OK;
}

static sb_status put_use(sb_buffer *b, const sb_hf_model *m)
{
    const char *task = kinds[m->config.head].task;
    PUT(b,
        "\n## How to load it\n\nWith this folder as `FOLDER`:\n\n```python\n"
        "from transformers import AutoTokenizer, %s, pipeline\n\n"
        "model = %s.from_pretrained(\"FOLDER\")\n"
        "tokenizer = AutoTokenizer.from_pretrained(\"FOLDER\")\n"
        "print(pipeline(\"%s\", model=model, tokenizer=tokenizer)"
        "(\"%s\"))\n```\n\n",
        kinds[m->config.head].class, kinds[m->config.head].class, task,
        kinds[m->config.head].example);
    PUT(b, "Text is made lower case and loses its accents. shardbert goes on "
           "from it with `mlm --init hf:FOLDER`.\n");
    return SB_OK;
}

/* ---- text ---------------------------------------------------------------- */

static sb_status put_source(sb_buffer *b, const sb_manifest *c, size_t i,
                            double all)
{
    const sb_source_entry *e = &c->source[i];
    char name[SB_SOURCE_NAME_MAX];
    sb_manifest_source_name(c, i, name);
    PUT(b,
        "| %s | %" PRIu64 " | %" PRIu64 " | %s | %" PRIu64 " | %g | %.1f %% "
        "|\n",
        name, e->stats.documents, e->stats.tokens,
        sb_bytes_text(e->stats.text_bytes), e->stats.heldout, e->weight,
        all > 0 ? 100 * e->weight * (double)e->stats.tokens / all : 0);
    return SB_OK;
}

static sb_status put_text(sb_buffer *b, const sb_manifest *c)
{
    double all = 0;
    PUT(b, "\n## Text it was trained on\n\n");
    if (!c) {
        PUT(b, "The corpus was not at hand when this card was written.\n");
        return SB_OK;
    }
    for (size_t i = 0; i < c->sources; i++)
        all += c->source[i].weight * (double)c->source[i].stats.tokens;
    PUT(b, "| source | documents | tokens | text | held out | weight | share "
           "of an epoch |\n|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < c->sources; i++) SB_TRY(put_source(b, c, i, all));
    PUT(b, "\nDocuments held out are not trained on.\n");
    return SB_OK;
}

/* ---- figures ------------------------------------------------------------- */

/* NAN: metrics.jsonl does not have it. */
static double figure(const char *dir, const char *name)
{
    double v;
    return sb_metrics_find(dir, name, 1, &v) == SB_OK ? v : (double)NAN;
}

static sb_status put_row(sb_buffer *b, const char *dir, const char *source)
{
    char loss[96], accuracy[96];
    snprintf(loss, sizeof loss, "heldout_loss%s%s", source ? "/" : "",
             source ? source : "");
    snprintf(accuracy, sizeof accuracy, "heldout_accuracy%s%s",
             source ? "/" : "", source ? source : "");
    double x = figure(dir, loss), y = figure(dir, accuracy);
    if (isnan(x)) return SB_OK;
    PUT(b, "| %s | %.4f | %.2f | %.2f %% |\n", source ? source : "all", x,
        exp(x), 100 * y);
    return SB_OK;
}

static sb_status put_figures(sb_buffer *b, const sb_hf_model *m,
                             const sb_card *card)
{
    const char *dir = card->metrics;
    uint64_t step = sb_ckpt_get_meta(m->ckpt)->step;
    if (m->config.head != SB_HEAD_MLM) return SB_OK;
    PUT(b, "\n## How good it is\n\n");
    if (!dir || isnan(figure(dir, "heldout_loss"))) {
        PUT(b, "No evaluation on held-out text was at hand.\n");
        return SB_OK;
    }
    PUT(b, "Masked tokens of held-out documents; loss in nats per token.\n\n"
           "| text | loss | perplexity | accuracy |\n|---|---|---|---|\n");
    SB_TRY(put_row(b, dir, NULL));
    for (size_t i = 0; card->corpus && i < card->corpus->sources; i++) {
        char name[SB_SOURCE_NAME_MAX];
        sb_manifest_source_name(card->corpus, i, name);
        SB_TRY(put_row(b, dir, name));
    }
    PUT(b, "\nThe unigram distribution has a loss of %.4f, chance %.4f.\n",
        figure(dir, "unigram_loss"), figure(dir, "random_loss"));
    int there;
    SB_TRY(sb_metrics_has(dir, "heldout_loss", step, &there));
    if (!there)
        PUT(b, "These are the figures of the last evaluation, which was not at "
               "the step of these weights.\n");
    return SB_OK;
}

/* ---- recipe -------------------------------------------------------------- */

/* Of no consequence for the result, or nobody else's business. */
static int is_left_out(const char *name, size_t n, const char *value,
                       size_t bytes)
{
    static const char *const out[] = {"config",
                                      "run",
                                      "vocab",
                                      "corpus",
                                      "log",
                                      "threads",
                                      "micro-batch",
                                      "memory-limit",
                                      "stop-at",
                                      "eval-every",
                                      "eval-samples",
                                      "checkpoint-every",
                                      "checkpoint-minutes",
                                      "evaluations",
                                      "keep",
                                      "lr-find",
                                      "lr-find-steps",
                                      "analogies",
                                      "similarity"};
    if (memchr(value, '/', bytes)) return 1;
    for (size_t i = 0; i < sizeof out / sizeof out[0]; i++)
        if (strlen(out[i]) == n && memcmp(out[i], name, n) == 0) return 1;
    return 0;
}

static sb_status put_options(sb_buffer *b, const char *title, const char *text)
{
    PUT(b, "\n%s\n\n| option | value |\n|---|---|\n", title);
    while (*text) {
        size_t n = strcspn(text, "\n");
        const char *sign = strstr(text, " = ");
        if (sign && sign < text + n) {
            size_t name = (size_t)(sign - text), value = n - name - 3;
            if (!is_left_out(text, name, sign + 3, value))
                PUT(b, "| %.*s | %.*s |\n", (int)name, text, (int)value,
                    sign + 3);
        }
        text += n + (text[n] == '\n');
    }
    return SB_OK;
}

static sb_status put_recipe(sb_buffer *b, const sb_hf_model *m,
                            const sb_card *card)
{
    const sb_ckpt_meta *meta = sb_ckpt_get_meta(m->ckpt);
    char *title =
        sb_format("Phase `%s`, seed %" PRIu64 ":", meta->phase, meta->seed);
    PUT(b, "\n## Recipe\n");
    sb_status st = SB_OK;
    if (card->word2vec)
        st = put_options(b, "Phase `word2vec`, where the token rows come from:",
                         card->word2vec);
    if (st == SB_OK)
        st = title ? put_options(b, title, meta->config ? meta->config : "")
                   : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                             "out of memory: a model card");
    sb_free(title);
    SB_TRY(st);
    PUT(b, "\nBuild: %s.\n", meta->build);
    return SB_OK;
}

static sb_status make(sb_buffer *b, const sb_hf_model *m, const sb_card *card)
{
    SB_TRY(put_head(b, m, card->name));
    SB_TRY(put_use(b, m));
    SB_TRY(put_figures(b, m, card));
    SB_TRY(put_text(b, card->corpus));
    return put_recipe(b, m, card);
}

sb_status sb_card_write(const char *path, const sb_hf_model *m,
                        const sb_card *card)
{
    sb_buffer b = {0};
    sb_status st = make(&b, m, card);
    if (st == SB_OK) st = sb_file_write(path, b.data, b.n);
    free(b.data);
    return st;
}
