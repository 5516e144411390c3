/* SPDX-License-Identifier: MIT
 * cmd_trim.c - `shardbert trim`: a model with the vocabulary that a corpus or
 * some text needs, as a run folder:
 *
 *   DIR/vocab/             vocab.txt and Hugging Face's tokenizer files
 *   DIR/mlm/ckpt-.../      weights without moments (or DIR/finetune/...)
 *   DIR/trim.used          the options
 *
 * Rank 0 works alone; the other ranks wait for the outcome. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/stop.h"
#include "dataset/tokenizer_files.h"
#include "dataset/used_pieces.h"
#include "launch/common.h"
#include "launch/find_checkpoint.h"
#include "trainer/export/folder.h"
#include "trainer/export/trim.h"
#include "trainer/mlm/tensors.h"

typedef struct job {
    sb_app *app;
    const char *to;
    sb_vocab *vocab, *smaller;
    const uint32_t *old; /* [smaller's size] */
    sb_used *used;
    sb_sources *sources;
    sb_tally *tally; /* [sources] */
    sb_ckpt *ckpt;
    sb_folder folder;
} job;

static sb_status not_stopped(void)
{
    if (!sb_stop_asked()) return SB_OK;
    SB_FAIL(SB_ESTOP, "asked to stop: the same command begins anew");
}

/* ---- what is used -------------------------------------------------------- */

static sb_status each_document(job *j, size_t unit, sb_tally *tally,
                               sb_status (*use)(sb_used *, const char *,
                                                size_t))
{
    sb_source *s;
    sb_document d;
    int more = 1;
    SB_TRY(sb_source_open(j->sources, unit, &s));
    sb_status st = SB_OK;
    while (st == SB_OK) {
        st = sb_source_next(s, &d, tally, &more);
        if (st != SB_OK || !more) break;
        if (d.text) st = use(j->used, d.text, d.bytes);
        if (st == SB_OK) st = not_stopped();
    }
    sb_source_close(s);
    return st;
}

static sb_status each_text(job *j, sb_tally *tally,
                           sb_status (*use)(sb_used *, const char *, size_t))
{
    for (size_t i = 0; i < sb_sources_units(j->sources); i++) {
        uint32_t source = sb_sources_unit(j->sources, i).source;
        SB_TRY(each_document(j, i, &tally[source], use));
    }
    return SB_OK;
}

/* A text that is read twice is counted once. */
static sb_status check_texts(job *j)
{
    sb_tally *again;
    if (!j->sources) return SB_OK;
    SB_TRY(sb_alloc(sb_sources_count(j->sources), sizeof *again, "sources",
                    &again));
    sb_status st = each_text(j, again, sb_used_check);
    sb_free(again);
    return st;
}

static sb_status use_split(job *j, const char *dir, sb_split split)
{
    sb_corpus *c;
    sb_status st = sb_corpus_open(dir, split, &c);
    if (st == SB_EINVAL && split == SB_HELDOUT) return SB_OK; /* is empty */
    SB_TRY(st);
    if (sb_corpus_vocab_hash(c) != sb_vocab_hash(j->vocab))
        st = sb_fail(SB_EINVAL, __FILE__, __LINE__,
                     "the corpus in '%s' was encoded with another vocabulary",
                     dir);
    for (uint64_t i = 0; i < sb_corpus_blocks(c) && st == SB_OK; i++) {
        sb_block b;
        SB_GOTO(st, sb_corpus_block(c, i, &b), out);
        sb_used_add_ids(j->used, b.ids, b.tokens);
        st = not_stopped();
    }
out:
    sb_corpus_close(c);
    return st;
}

static sb_status use_corpus(job *j)
{
    char *dir;
    uint64_t before = sb_used_unknown(j->used);
    SB_TRY(sb_app_path(j->app, "corpus", "corpus", &dir));
    sb_status st = use_split(j, dir, SB_TRAIN);
    if (st == SB_OK) st = use_split(j, dir, SB_HELDOUT);
    sb_free(dir);
    if (st == SB_ENOENT)
        sb_hint("name a corpus with --corpus DIR, or text with --source");
    SB_TRY(st);
    uint64_t unknown = sb_used_unknown(j->used) - before;
    if (unknown)
        sb_log(SB_LOG_WARN,
               "%" PRIu64 " tokens of the corpus are [UNK]; it does not hold "
               "the words, so some of them may be encoded with pieces that "
               "are left (--source names the text itself)",
               unknown);
    return SB_OK;
}

static sb_status find_used(job *j)
{
    if (j->sources) SB_TRY(each_text(j, j->tally, sb_used_add_text));
    if (!j->sources || sb_config_is_set(j->app->config, "corpus"))
        SB_TRY(use_corpus(j));
    SB_TRY(sb_used_make(j->used, &j->smaller, &j->old));
    return check_texts(j);
}

/* ---- what is written ----------------------------------------------------- */

static sb_status write_vocab(const job *j, const char *dir, uint32_t positions)
{
    char *path = sb_path_join(dir, "vocab.txt");
    sb_status st =
        path ? sb_dir_make(dir)
             : sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    if (st == SB_OK) st = sb_tokenizer_write(dir, j->smaller, positions);
    if (st == SB_OK) st = sb_vocab_write(path, j->smaller);
    sb_free(path);
    return st;
}

static sb_status write_used(const job *j, const char *path)
{
    char *text = sb_config_effective(j->app->config, j->app->phase);
    SB_REQUIRE(text, SB_ENOMEM, "out of memory: configuration");
    sb_status st = sb_file_write(path, text, strlen(text));
    sb_free(text);
    return st;
}

static sb_status write_all(job *j)
{
    sb_mlm_shape shape;
    char *vocab = NULL, *model = NULL, *used = NULL;
    const sb_folder *f = &j->folder;
    sb_status st = sb_mlm_read_shape(j->ckpt, &shape);
    if (st == SB_OK) st = sb_folder_path(f, "vocab", &vocab);
    if (st == SB_OK) st = sb_folder_path(f, "trim.used", &used);
    if (st == SB_OK)
        st = sb_folder_path(f, sb_ckpt_get_meta(j->ckpt)->phase, &model);
    if (st == SB_OK) st = write_used(j, used);
    if (st == SB_OK) st = write_vocab(j, vocab, shape.positions);
    if (st == SB_OK)
        st = sb_trim_write(j->ckpt, sb_vocab_size(j->vocab), j->smaller, j->old,
                           model);
    sb_free(vocab);
    sb_free(model);
    sb_free(used);
    return st == SB_OK ? sb_folder_commit(&j->folder) : st;
}

/* ---- the command --------------------------------------------------------- */

static sb_status open_ckpt(job *j)
{
    char *dir;
    SB_TRY(sb_app_path(j->app, "checkpoint", "mlm", &dir));
    sb_status st = sb_find_checkpoint(dir, &j->ckpt, NULL);
    sb_free(dir);
    if (st == SB_ENOENT)
        return sb_hint("run `shardbert mlm` first, or name a folder with "
                       "--checkpoint");
    SB_TRY(st);
    const sb_ckpt_meta *meta = sb_ckpt_get_meta(j->ckpt);
    SB_REQUIRE(meta->vocab_hash == sb_vocab_hash(j->vocab), SB_EINVAL,
               "the checkpoint was made with another vocabulary");
    SB_REQUIRE(
        strcmp(meta->phase, "mlm") == 0 || strcmp(meta->phase, "finetune") == 0,
        SB_EINVAL, "a checkpoint of phase %s holds no model", meta->phase);
    return SB_OK;
}

static sb_status find_rows(job *j)
{
    SB_TRY(open_ckpt(j));
    sb_status st = sb_folder_open(j->to, NULL, 0, &j->folder);
    if (st == SB_EINVAL) return sb_hint("name another folder");
    SB_TRY(st);
    SB_TRY(sb_used_open(j->vocab, &j->used));
    return find_used(j);
}

static sb_status work(job *j)
{
    int mine = sb_comm_rank(j->app->comm) == 0;
    SB_TRY(sb_agree(j->app->comm, mine ? find_rows(j) : SB_OK));
    if (j->sources) SB_TRY(sb_app_check_bad(j->app, j->sources, j->tally));
    sb_status st = mine ? write_all(j) : SB_OK;
    if (st == SB_OK && mine)
        printf("%s: %u of %u pieces\n", j->to, sb_vocab_size(j->smaller),
               sb_vocab_size(j->vocab));
    return sb_agree(j->app->comm, st);
}

static sb_status open_sources(job *j)
{
    const char *const *spec;
    if (!sb_config_list(j->app->config, "source", &spec)) return SB_OK;
    SB_TRY(sb_app_sources(j->app, &j->sources));
    return sb_agree(j->app->comm,
                    sb_alloc(sb_sources_count(j->sources), sizeof *j->tally,
                             "sources", &j->tally));
}

sb_status sb_cmd_trim(sb_app *a)
{
    job j = {.app = a};
    if (sb_config_words(a->config) != 1) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "trim wants one folder to write, not %zu",
                sb_config_words(a->config));
        return sb_hint("shardbert trim --run DIR --source text:FILE FOLDER");
    }
    j.to = sb_config_word(a->config, 0);
    sb_status st = sb_app_vocab(a, &j.vocab);
    if (st == SB_OK) st = open_sources(&j);
    if (st == SB_OK) st = work(&j);
    sb_folder_abandon(&j.folder); /* if it was not committed */
    sb_ckpt_close(j.ckpt);
    sb_vocab_close(j.smaller);
    sb_used_close(j.used);
    sb_sources_close(j.sources);
    sb_free(j.tally);
    sb_vocab_close(j.vocab);
    return st;
}
