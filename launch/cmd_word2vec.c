/* SPDX-License-Identifier: MIT
 * cmd_word2vec.c - `shardbert word2vec`: options into trainer/word2vec. */
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/corpus.h"
#include "launch/common.h"
#include "launch/test_files.h"
#include "trainer/word2vec/w2v.h"

static sb_combine combine(const char *name)
{
    if (strcmp(name, "sum") == 0) return SB_COMBINE_SUM;
    if (strcmp(name, "average") == 0) return SB_COMBINE_AVERAGE;
    if (strcmp(name, "project") == 0) return SB_COMBINE_PROJECT;
    if (strcmp(name, "damped") == 0) return SB_COMBINE_DAMPED;
    return SB_COMBINE_WEIGHTED;
}

static sb_w2v_options options(const sb_app *a, const char *dir,
                              const char *used, const sb_test_files *files)
{
    const sb_config *c = a->config;
    return (sb_w2v_options){
        .dir = dir,
        .config = used,
        .cbow = strcmp(sb_config_text(c, "word2vec-model"), "cbow") == 0,
        .dim = (uint32_t)sb_config_int(c, "dim"),
        .window = (uint32_t)sb_config_int(c, "window"),
        .negative = (uint32_t)sb_config_int(c, "negative"),
        .epochs = (uint32_t)sb_config_int(c, "epochs"),
        .alpha = sb_config_real(c, "alpha"),
        .min_alpha = sb_config_real(c, "min-alpha"),
        .sample = sb_config_real(c, "subsample"),
        .power = sb_config_real(c, "noise-power"),
        .seed = (uint64_t)sb_config_int(c, "seed"),
        .threads = (int)sb_config_int(c, "threads"),
        .replica_ranks = (int)sb_config_int(c, "ranks-per-replica"),
        .combine = combine(sb_config_text(c, "combine")),
        .sync_words = (uint64_t)sb_config_int(c, "sync-words"),
        .sync_hot = (uint32_t)sb_config_int(c, "sync-hot"),
        .sync_cycle = (uint32_t)sb_config_int(c, "sync-cycle"),
        .watch = {files->list, (uint32_t)sb_config_int(c, "evaluations")},
        .checkpoint_minutes = sb_config_real(c, "checkpoint-minutes"),
        .local_dir = sb_config_text(c, "local-dir"),
        .local_minutes = sb_config_real(c, "local-minutes"),
        .keep = (unsigned)sb_config_int(c, "keep"),
        .tensorboard = sb_config_bool(c, "tensorboard")};
}

sb_status sb_cmd_word2vec(sb_app *a)
{
    char *used = NULL, *dir = NULL;
    sb_vocab *vocab = NULL;
    sb_corpus *corpus = NULL;
    sb_test_files files = {0};
    sb_status st;
    SB_GOTO(st, sb_agree(a->comm, sb_test_files_open(a->config, &files)), out);
    SB_GOTO(st, sb_app_vocab(a, &vocab), out);
    SB_GOTO(st, sb_app_corpus(a, SB_TRAIN, &corpus), out);
    SB_GOTO(st, sb_app_begin(a, "word2vec", &used), out);
    SB_GOTO(st, sb_agree(a->comm, sb_app_path(a, NULL, "word2vec", &dir)), out);
    sb_begun_run begun = {a, "word2vec", used};
    sb_w2v_options o = options(a, dir, used, &files);
    o.begun = sb_app_begun;
    o.begun_arg = &begun;
    st = sb_w2v_train(a->comm, corpus, vocab, &o);
out:
    sb_test_files_close(&files);
    sb_corpus_close(corpus);
    sb_vocab_close(vocab);
    sb_free(used);
    sb_free(dir);
    return st;
}
