/* SPDX-License-Identifier: MIT
 * cmd_mlm.c - `shardbert mlm`: options into trainer/mlm, and the summary. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/corpus.h"
#include "launch/common.h"
#include "launch/init_from.h"
#include "trainer/metrics.h"
#include "trainer/mlm/pretrain.h"

static sb_schedule_shape shape_of(const char *name)
{
    return *name == 'l'                    ? SB_SCHEDULE_LINEAR
           : strcmp(name, "constant") == 0 ? SB_SCHEDULE_CONSTANT
                                           : SB_SCHEDULE_COSINE;
}

static sb_precision precision_of(const char *name)
{
    return strcmp(name, "fp32") == 0   ? SB_FP32
           : strcmp(name, "bf16") == 0 ? SB_BF16
                                       : SB_BF16_EMULATED;
}

static sb_mlm_options options(const sb_app *a)
{
    const sb_config *c = a->config;
#define U32(name) ((uint32_t)sb_config_int(c, name))
#define U64(name) ((uint64_t)sb_config_int(c, name))
#define F32(name) ((float)sb_config_real(c, name))
    return (sb_mlm_options){
        .init_scale = sb_config_real(c, "init-scale"),
        .unigram_bias = sb_config_bool(c, "unigram-bias"),
        .shape = {.dim = U32("dim"),
                  .layers = U32("layers"),
                  .heads = U32("heads"),
                  .ffn = U32("ffn"),
                  .positions = U32("positions")},
        .init_range = F32("init-range"),
        .batch = U32("batch"),
        .slots = U32("slots"),
        .max_length = U32("max-length"),
        .micro_batch = U32("micro-batch"),
        .vocab_block = U32("vocab-block"),
        .mask_prob = F32("mask-prob"),
        .dropout = F32("dropout"),
        .attention_dropout = F32("attention-dropout"),
        .schedule = {.lr = sb_config_real(c, "lr"),
                     .warmup = U64("warmup"),
                     .steps = U64("steps"),
                     .shape = shape_of(sb_config_text(c, "schedule"))},
        .adam = {.beta1 = sb_config_real(c, "beta1"),
                 .beta2 = sb_config_real(c, "beta2"),
                 .eps = F32("adam-eps"),
                 .decay = F32("weight-decay"),
                 .clip = sb_config_real(c, "clip"),
                 .train_table = !sb_config_bool(c, "freeze-table")},
        .divergence = {.deviations = sb_config_real(c, "spike-deviations"),
                       .skip = strcmp(sb_config_text(c, "on-divergence"),
                                      "skip") == 0},
        .stop_at = U64("stop-at"),
        .eval_every = U64("eval-every"),
        .eval_samples = U64("eval-samples"),
        .checkpoint_every = U64("checkpoint-every"),
        .keep_every = U64("keep-every"),
        .checkpoint_minutes = sb_config_real(c, "checkpoint-minutes"),
        .local_dir = sb_config_text(c, "local-dir"),
        .local_minutes = sb_config_real(c, "local-minutes"),
        .keep = (unsigned)sb_config_int(c, "keep"),
        .head_group = U32("head-group"),
        .reduce = strcmp(sb_config_text(c, "reduce"), "fast") == 0
                      ? SB_REDUCE_FAST
                      : SB_REDUCE_EXACT,
        .memory_limit = U64("memory-limit"),
        .tensorboard = sb_config_bool(c, "tensorboard"),
        .seed = U64("seed"),
        .threads = (int)sb_config_int(c, "threads"),
        .precision = precision_of(sb_config_text(c, "precision"))};
#undef U32
#undef U64
#undef F32
}

/* Results to standard output: from metrics.jsonl, so that a run that was
 * stopped and went on tells the whole story. Rank 0. */
static sb_status find(const char *dir, const char *name, int last, double *out)
{
    *out = NAN; /* metrics.jsonl was deleted, or there was no evaluation yet */
    sb_status st = sb_metrics_find(dir, name, last, out);
    return st == SB_ENOENT ? SB_OK : st;
}

static sb_status summary(const char *dir)
{
    double before, after, unigram, random, accuracy;
    SB_TRY(find(dir, "heldout_loss", 0, &before));
    SB_TRY(find(dir, "heldout_loss", 1, &after));
    SB_TRY(find(dir, "unigram_loss", 1, &unigram));
    SB_TRY(find(dir, "random_loss", 1, &random));
    SB_TRY(find(dir, "heldout_accuracy", 1, &accuracy));
    if (isnan(after)) return SB_OK;
    printf("held-out MLM loss (nats per masked token)\n"
           "  at random, ln V        %8.4f\n"
           "  unigram distribution   %8.4f\n"
           "  before training        %8.4f\n"
           "  after training         %8.4f   (%.4f better than the unigrams)\n"
           "  perplexity, then       %8.2f\n"
           "  accuracy, then         %8.2f %% of the masked tokens\n",
           random, unigram, before, after, unigram - after, exp(after),
           100 * accuracy);
    return SB_OK;
}

static sb_status train(sb_app *a, sb_corpus *corpus, const sb_vocab *vocab,
                       sb_mlm_options *o)
{
    char *used = NULL;
    sb_corpus *heldout = NULL;
    sb_status st;
    SB_GOTO(st, sb_app_corpus(a, SB_HELDOUT, &heldout), out);
    SB_GOTO(st, sb_app_begin(a, "mlm", &used), out);
    sb_begun_run begun = {a, "mlm", used};
    o->config = used;
    o->begun = sb_app_begun;
    o->begun_arg = &begun;
    SB_GOTO(st, sb_mlm_train(a->comm, corpus, heldout, vocab, o), out);
    st =
        sb_agree(a->comm, sb_comm_rank(a->comm) == 0 ? summary(o->dir) : SB_OK);
out:
    sb_corpus_close(heldout);
    sb_free(used);
    return st;
}

static void show_curve(const sb_lr_curve *c)
{
    puts("learning rate      loss  smoothed");
    for (size_t i = 0; i < c->n; i++)
        printf("%13.2e  %8.4f  %8.4f\n", c->point[i].lr, c->point[i].loss,
               c->point[i].smooth);
    if (c->n < c->steps) puts("  from here on 4 times the least, or no number");
    if (c->steepest < c->n)
        printf("suggestion: --lr %.1e, where the smoothed loss falls fastest; "
               "it is least at %.1e, a tenth of that is %.1e (range test, "
               "Smith 2017)\n",
               c->point[c->steepest].lr, c->point[c->lowest].lr,
               c->point[c->lowest].lr / 10);
    else
        puts("no suggestion: the smoothed loss falls nowhere");
    puts("this was a test from the first weights: no checkpoint was read, "
         "written or changed");
}

static sb_status find_lr(sb_app *a, sb_corpus *corpus, const sb_vocab *vocab,
                         const sb_mlm_options *o)
{
    sb_lr_curve curve = {0};
    size_t steps = (size_t)sb_config_int(a->config, "lr-find-steps");
    SB_TRY(sb_mlm_find_lr(a->comm, corpus, vocab, o, steps, &curve));
    if (sb_comm_rank(a->comm) == 0) show_curve(&curve);
    sb_lr_curve_close(&curve);
    return SB_OK;
}

sb_status sb_cmd_mlm(sb_app *a)
{
    char *dir = NULL, *init = NULL;
    sb_vocab *vocab = NULL;
    sb_corpus *corpus = NULL;
    sb_sampling sampling = {0};
    sb_first from;
    sb_status st;
    SB_GOTO(st, sb_init_from_option(a, &from, &init), out);
    sb_mlm_options o = options(a); /* --init may have set some */
    SB_GOTO(st, sb_app_vocab(a, &vocab), out);
    SB_GOTO(st, sb_app_corpus(a, SB_TRAIN, &corpus), out);
    SB_GOTO(st, sb_app_sampling(a, vocab, corpus, &sampling), out);
    st = sb_app_path(a, NULL, "mlm", &dir);
    SB_GOTO(st, sb_agree(a->comm, st), out);
    o.dir = dir;
    o.init_from = from;
    o.init_path = init;
    o.sampling = &sampling;
    o.shape.vocab = sb_vocab_size(vocab);
    int test = sb_config_bool(a->config, "lr-find");
    if (test) { /* it saves nothing */
        o.checkpoint_every = o.keep_every = 0;
        o.checkpoint_minutes = 0;
    }
    st = test ? find_lr(a, corpus, vocab, &o) : train(a, corpus, vocab, &o);
out:
    sb_sampling_close(&sampling);
    sb_corpus_close(corpus);
    sb_vocab_close(vocab);
    sb_free(dir);
    sb_free(init);
    return st;
}
