/* SPDX-License-Identifier: MIT
 * eval_model.c - --mlm: held-out text, masked as in training; --sentences:
 * pseudo-perplexity, a sentence a line. */
#include "launch/eval_model.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "dataset/text.h"
#include "dataset/tokenize.h"
#include "launch/find_checkpoint.h"
#include "trainer/mlm/judge.h"
#include "trainer/mlm/tensors.h"

enum { SENTENCES_MAX = 1 << 30 /* bytes of the file */ };

typedef struct job {
    sb_app *app;
    sb_vocab *vocab;
    sb_ckpt *ckpt;
    sb_scorer *scorer;
} job;

int sb_eval_model_asked(const sb_app *a)
{
    return sb_config_bool(a->config, "mlm") ||
           sb_config_text(a->config, "sentences");
}

/* ---- held-out text ------------------------------------------------------- */

/* As the checkpoint's configuration has it. */
static sb_status number(const job *j, const char *name, double *value)
{
    char *text;
    SB_TRY(sb_mlm_option(j->ckpt, name, &text));
    if (text) *value = strtod(text, NULL);
    sb_free(text);
    return SB_OK;
}

static sb_status sampling(const job *j, const sb_corpus *train,
                          sb_sampling *out, sb_batch_options *o)
{
    uint32_t positions = sb_scorer_shape(j->scorer)->positions;
    double length = positions, chars = 0, prob = 0.15;
    SB_TRY(number(j, "max-length", &length));
    SB_TRY(number(j, "max-chars", &chars));
    SB_TRY(number(j, "mask-prob", &prob));
    SB_REQUIRE(length >= 3 && length <= positions && chars >= 0 &&
                   chars < 2e9 && prob > 0 && prob < 1,
               SB_EFORMAT,
               "the checkpoint's configuration has an impossible max-length, "
               "max-chars or mask-prob");
    sb_sampling_options how = {.max_length = (uint32_t)length,
                               .max_chars = (uint32_t)chars};
    SB_TRY(sb_sampling_open(&how, j->vocab, train, out));
    *o = (sb_batch_options){.max_length = (uint32_t)length,
                            .mask_prob = (float)prob,
                            .special = sb_vocab_special(j->vocab),
                            .vocab_size = sb_vocab_size(j->vocab),
                            .sampling = out};
    return SB_OK;
}

static void show_row(const char *what, const sb_score *s)
{
    if (!s->masked) {
        printf("  %-32s %9d\n", what, 0);
        return;
    }
    printf("  %-32s %9" PRIu64 " %9.4f %11.2f %8.2f %%\n", what, s->masked,
           s->loss, exp(s->loss), 100 * s->accuracy);
}

static void show_bands(const sb_band *band)
{
    for (int b = 0; b < SB_BANDS; b++) {
        char what[64];
        if (band[b].from > band[b].to) continue;
        if (b == SB_BANDS - 1)
            snprintf(what, sizeof what, "pieces never trained on");
        else
            snprintf(what, sizeof what, "pieces %" PRIu64 " to %" PRIu64,
                     band[b].from, band[b].to);
        show_row(what, &band[b].score);
    }
}

static void show(const job *j, const sb_heldout *h, const sb_band *band)
{
    printf("masked tokens of %" PRIu64 " held-out documents, step %" PRIu64
           "\n  %-32s %9s %9s %11s %10s\n",
           h->documents, sb_ckpt_get_meta(j->ckpt)->step, "", "masked", "loss",
           "perplexity", "accuracy");
    show_row("all", &h->score);
    printf("  %-32s %9s %9.4f %11.2f\n", "unigram distribution", "", h->unigram,
           exp(h->unigram));
    for (size_t i = 0; h->parts > 1 && i < h->parts; i++) {
        char what[64];
        snprintf(what, sizeof what, "source %.40s", h->part[i].source);
        show_row(what, &h->part[i].score);
    }
    puts("  by frequency in training:");
    show_bands(band);
}

static sb_status check_corpus(const job *j, const sb_corpus *c)
{
    if (sb_corpus_vocab_hash(c) == sb_vocab_hash(j->vocab)) return SB_OK;
    sb_fail(SB_EINVAL, __FILE__, __LINE__,
            "the corpus was encoded with another vocabulary");
    return sb_hint("name one with --corpus that was encoded with the model's");
}

static sb_status judge_heldout(job *j)
{
    sb_comm *c = j->app->comm;
    sb_corpus *train = NULL, *split = NULL;
    sb_heldout h = {0};
    sb_sampling s = {0};
    sb_batch_options o;
    sb_band band[SB_BANDS];
    uint64_t samples = (uint64_t)sb_config_int(j->app->config, "eval-samples");
    sb_status st;
    SB_GOTO(st, sb_app_corpus(j->app, SB_TRAIN, &train), out);
    SB_GOTO(st, sb_app_corpus(j->app, SB_HELDOUT, &split), out);
    st = check_corpus(j, train);
    if (st == SB_OK) st = sampling(j, train, &s, &o);
    if (st == SB_OK) st = sb_heldout_open(split, samples, &h);
    SB_GOTO(st, sb_agree(c, st), out);
    SB_GOTO(
        st,
        sb_judge_heldout(c, j->scorer, &h, &o, sb_corpus_counts(train), band),
        out);
    if (sb_comm_rank(c) == 0) show(j, &h, band);
out:
    sb_heldout_close(&h);
    sb_sampling_close(&s);
    sb_corpus_close(split);
    sb_corpus_close(train);
    return st;
}

/* ---- sentences ----------------------------------------------------------- */

typedef struct sums {
    uint64_t sentences, tokens, characters;
    double likelihood;
} sums;

static uint64_t characters(const char *text, size_t n)
{
    uint64_t k = 0;
    for (size_t i = 0; i < n; i++) k += ((unsigned char)text[i] & 0xc0) != 0x80;
    return k;
}

/* [CLS] its pieces [SEP] */
static sb_status encode(const job *j, sb_encoder *e, const char *text, size_t n,
                        uint64_t line, sb_ids *ids)
{
    sb_special_ids special = sb_vocab_special(j->vocab);
    uint32_t positions = sb_scorer_shape(j->scorer)->positions;
    SB_REQUIRE(sb_utf8_valid(text, n) == n, SB_EFORMAT,
               "line %" PRIu64 " of the sentences is not valid UTF-8", line);
    ids->n = 0;
    SB_TRY(sb_grow(&ids->id, &ids->cap, 1, sizeof *ids->id, "ids"));
    ids->id[ids->n++] = special.cls;
    SB_TRY(sb_encode(e, text, n, 0, ids));
    SB_TRY(sb_grow(&ids->id, &ids->cap, ids->n + 1, sizeof *ids->id, "ids"));
    ids->id[ids->n++] = special.sep;
    SB_REQUIRE(ids->n <= positions, SB_EINVAL,
               "line %" PRIu64 " of the sentences has %zu tokens, the model "
               "%u positions",
               line, ids->n, positions);
    return SB_OK;
}

static sb_status judge_line(job *j, sb_encoder *e, const char *text, size_t n,
                            uint64_t line, sb_ids *ids, sums *all)
{
    double x;
    sb_comm *c = j->app->comm;
    SB_TRY(sb_agree(c, encode(j, e, text, n, line, ids)));
    size_t tokens = ids->n - 2;
    if (!tokens) return SB_OK;
    SB_TRY(sb_judge_sentence(j->scorer, ids->id, ids->n,
                             sb_vocab_special(j->vocab).mask, &x));
    all->sentences++;
    all->tokens += tokens;
    all->characters += characters(text, n);
    all->likelihood += x;
    if (sb_comm_rank(c) == 0)
        printf("%.4f\t%zu\t%.2f\t%.*s\n", x, tokens, exp(-x / (double)tokens),
               (int)n, text);
    return SB_OK;
}

static sb_status judge_lines(job *j, sb_encoder *e, const char *text, size_t n)
{
    sums all = {0};
    sb_ids ids = {0};
    sb_status st = SB_OK;
    uint64_t line = 0;
    if (sb_comm_rank(j->app->comm) == 0)
        puts("log-likelihood\ttokens\tpseudo-perplexity\tsentence");
    for (size_t at = 0, step; at < n && st == SB_OK; at += step + 1) {
        const char *end = memchr(text + at, '\n', n - at);
        step = end ? (size_t)(end - text) - at : n - at;
        size_t bytes = step && text[at + step - 1] == '\r' ? step - 1 : step;
        st = judge_line(j, e, text + at, bytes, ++line, &ids, &all);
    }
    free(ids.id);
    SB_TRY(st);
    SB_REQUIRE(all.tokens, SB_EINVAL, "the sentences hold no token");
    if (sb_comm_rank(j->app->comm) == 0)
        printf("pseudo-perplexity %.2f of %" PRIu64 " sentences, %" PRIu64
               " tokens; %.4f nats a character\n",
               exp(-all.likelihood / (double)all.tokens), all.sentences,
               all.tokens, -all.likelihood / (double)all.characters);
    return SB_OK;
}

static sb_status judge_sentences(job *j, const char *path)
{
    char *text = NULL;
    size_t n = 0;
    sb_encoder *e = NULL;
    sb_status st = sb_file_read(path, SENTENCES_MAX, &text, &n);
    if (st == SB_OK) st = sb_encoder_open(j->vocab, &e);
    st = sb_agree(j->app->comm, st);
    if (st == SB_OK) st = sb_app_same(j->app, sb_hash64(text, n), "sentences");
    if (st == SB_OK) st = judge_lines(j, e, text, n);
    sb_encoder_close(e);
    sb_free(text);
    return st;
}

/* ---- both ---------------------------------------------------------------- */

static sb_status open_model(job *j)
{
    char *dir = NULL;
    sb_status st = sb_app_path(j->app, "checkpoint", "mlm", &dir);
    if (st == SB_OK) st = sb_find_checkpoint(dir, &j->ckpt, NULL);
    if (st == SB_ENOENT)
        sb_hint("run `shardbert mlm` first, or name a folder with "
                "--checkpoint");
    sb_free(dir);
    SB_TRY(sb_agree(j->app->comm, st));
    SB_TRY(sb_app_same(j->app, sb_ckpt_get_meta(j->ckpt)->step, "checkpoints"));
    return sb_scorer_open(j->app->comm, j->ckpt, j->vocab,
                          (int)sb_config_int(j->app->config, "threads"),
                          &j->scorer);
}

sb_status sb_eval_model(sb_app *a)
{
    job j = {.app = a};
    const char *sentences = sb_config_text(a->config, "sentences");
    sb_status st = sb_app_vocab(a, &j.vocab);
    if (st == SB_OK) st = open_model(&j);
    if (st == SB_OK && sb_config_bool(a->config, "mlm")) st = judge_heldout(&j);
    if (st == SB_OK && sentences) st = judge_sentences(&j, sentences);
    sb_scorer_close(j.scorer);
    sb_ckpt_close(j.ckpt);
    sb_vocab_close(j.vocab);
    return st;
}
