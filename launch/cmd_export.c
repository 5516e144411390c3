/* SPDX-License-Identifier: MIT
 * cmd_export.c - `shardbert export`: a model or word vectors for other
 * programs. Rank 0 works alone; the other ranks wait for the outcome. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "launch/common.h"
#include "launch/find_checkpoint.h"
#include "trainer/export/folder.h"
#include "trainer/export/hf.h"
#include "trainer/mlm/tensors.h"
#include "trainer/names.h"
#include "trainer/word2vec/to_file.h"

enum { W2V_MEMORY = 128 << 20 };

typedef struct job {
    sb_app *app;
    const char *to; /* the folder or file */
    int force;
    sb_vocab *vocab;
    sb_ckpt *ckpt;
    char *ckpt_dir; /* the folder that holds ckpt, and metrics.jsonl */
} job;

/* ---- Hugging Face -------------------------------------------------------- */

typedef struct facts {
    sb_card card;
    sb_manifest corpus;
    int has_corpus;
    char *word2vec;
} facts;

/* The corpus that the vocabulary of the model encoded, if it is at hand. */
static sb_status find_corpus(const job *j, facts *f)
{
    char *dir;
    SB_TRY(sb_app_path(j->app, "corpus", "corpus", &dir));
    sb_status st = sb_manifest_read(dir, &f->corpus);
    sb_free(dir);
    if (st == SB_ENOENT && !sb_config_is_set(j->app->config, "corpus"))
        return SB_OK;
    SB_TRY(st);
    f->has_corpus = 1;
    if (f->corpus.vocab_hash == sb_ckpt_get_meta(j->ckpt)->vocab_hash) {
        f->card.corpus = &f->corpus;
        return SB_OK;
    }
    SB_REQUIRE(!sb_config_is_set(j->app->config, "corpus"), SB_EINVAL,
               "the corpus was encoded with another vocabulary than the "
               "model's");
    return SB_OK;
}

/* Phase 1 of the run, where the model's rows came from it. */
static sb_status find_word2vec(const job *j, const sb_hf_model *m, facts *f)
{
    char *init, *dir = NULL;
    sb_ckpt *ckpt = NULL;
    SB_TRY(sb_mlm_option(m->ckpt, "init", &init));
    int from_run = init && strcmp(init, "word2vec") == 0;
    sb_free(init);
    if (!from_run) return SB_OK;
    SB_TRY(sb_app_path(j->app, NULL, "word2vec", &dir));
    sb_status st = sb_find_checkpoint(dir, &ckpt, NULL);
    sb_free(dir);
    if (st == SB_ENOENT) return SB_OK;
    SB_TRY(st);
    const sb_ckpt_meta *meta = sb_ckpt_get_meta(ckpt);
    if (meta->vocab_hash == sb_ckpt_get_meta(m->ckpt)->vocab_hash) {
        f->word2vec = sb_format("%s", meta->config ? meta->config : "");
        if (!f->word2vec)
            st = sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                         "out of memory: a configuration");
    }
    sb_ckpt_close(ckpt);
    f->card.word2vec = f->word2vec;
    return st;
}

static sb_status find_facts(const job *j, const sb_hf_model *m, facts *f)
{
    const char *slash = strrchr(j->to, '/');
    f->card.name = slash && slash[1] ? slash + 1 : j->to;
    f->card.metrics = j->ckpt_dir;
    SB_TRY(find_corpus(j, f));
    return find_word2vec(j, m, f);
}

static void close_facts(facts *f)
{
    if (f->has_corpus) sb_manifest_free(&f->corpus);
    sb_free(f->word2vec);
}

static sb_status write_hf(const job *j, const sb_hf_model *m)
{
    facts f = {0};
    sb_folder folder = {0};
    sb_status st;
    SB_GOTO(st, find_facts(j, m, &f), out);
    st = sb_folder_open(j->to, j->force ? sb_hf_file : NULL,
                        j->force ? SB_HF_FILES : 0, &folder);
    if (st == SB_EINVAL && !j->force && sb_file_exists(j->to))
        sb_hint("name another folder, or replace an earlier export with "
                "--force");
    if (st != SB_OK) goto out;
    st = sb_hf_write(folder.path, m, j->vocab, &f.card);
    if (st == SB_OK)
        st = sb_folder_commit(&folder);
    else
        sb_folder_abandon(&folder);
out:
    close_facts(&f);
    return st;
}

static sb_status export_hf(const job *j)
{
    static const char *const what[] = {
        "masked language model", "sequence classifier", "token classifier"};
    sb_hf_model m;
    SB_TRY(sb_hf_model_open(j->ckpt, j->vocab, &m));
    sb_status st = write_hf(j, &m);
    if (st == SB_OK)
        printf("%s: %s of step %" PRIu64 ", %zu tensors, %" PRIu64
               " parameters\n",
               j->to, what[m.config.head], sb_ckpt_get_meta(m.ckpt)->step,
               m.tensors, m.parameters);
    sb_hf_model_close(&m);
    return st;
}

/* ---- word2vec ------------------------------------------------------------ */

static sb_status export_word2vec(const job *j)
{
    const sb_config *c = j->app->config;
    sb_w2v_file how = {.tensor =
                           strcmp(sb_config_text(c, "matrix"), "output") == 0
                               ? SB_W2V_OUTPUT
                               : SB_W2V_INPUT,
                       .binary = sb_config_bool(c, "binary"),
                       .memory = W2V_MEMORY};
    size_t rows;
    if (!j->force && sb_file_exists(j->to)) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__, "'%s' is there already", j->to);
        return sb_hint("name another file, or replace it with --force");
    }
    SB_REQUIRE(sb_ckpt_get_meta(j->ckpt)->vocab_hash == sb_vocab_hash(j->vocab),
               SB_EINVAL, "the vectors were made with another vocabulary");
    SB_TRY(sb_w2v_to_file(j->ckpt, j->vocab, &how, j->to, &rows));
    printf("%s: %zu pieces, %s\n", j->to, rows, how.tensor);
    return SB_OK;
}

/* ---- the command --------------------------------------------------------- */

static sb_status open_ckpt(job *j, const char *phase)
{
    char *dir;
    SB_TRY(sb_app_path(j->app, "checkpoint", phase, &dir));
    sb_status st = sb_find_checkpoint(dir, &j->ckpt, &j->ckpt_dir);
    sb_free(dir);
    if (st != SB_ENOENT) return st;
    return sb_hint("run `shardbert %s` first, or name a folder with "
                   "--checkpoint",
                   phase);
}

static sb_status work(job *j)
{
    if (sb_comm_rank(j->app->comm) != 0) return SB_OK;
    int hf = strcmp(sb_config_text(j->app->config, "format"), "hf") == 0;
    sb_status st = open_ckpt(j, hf ? "mlm" : "word2vec");
    if (st == SB_OK) st = hf ? export_hf(j) : export_word2vec(j);
    sb_ckpt_close(j->ckpt);
    sb_free(j->ckpt_dir);
    return st;
}

sb_status sb_cmd_export(sb_app *a)
{
    job j = {.app = a, .force = sb_config_bool(a->config, "force")};
    if (sb_config_words(a->config) != 1) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "export wants one folder or file to write, not %zu",
                sb_config_words(a->config));
        return sb_hint("shardbert export --run DIR --format hf FOLDER");
    }
    j.to = sb_config_word(a->config, 0);
    SB_TRY(sb_app_vocab(a, &j.vocab));
    sb_status st = sb_agree(a->comm, work(&j));
    sb_vocab_close(j.vocab);
    return st;
}
