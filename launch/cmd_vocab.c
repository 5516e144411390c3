/* SPDX-License-Identifier: MIT
 * cmd_vocab.c - `shardbert vocab`: every rank counts the words of its units,
 * rank 0 gathers the counts and trains. The same bytes for any number of
 * ranks.
 *
 *   <run>/vocab/made-from     options and identity of the input
 *   <run>/vocab/tokenizer.json and others, for Hugging Face's programs
 *   <run>/vocab/vocab.txt     the pieces; written last */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/stop.h"
#include "dataset/text.h"
#include "dataset/tokenizer_files.h"
#include "dataset/wordpiece_train.h"
#include "launch/common.h"

typedef struct job {
    sb_app *app;
    sb_sources *sources;
    sb_words *words;
    sb_bad bad;
    uint64_t documents, bytes, mine;
    sb_buffer text;
    sb_progress progress;
} job;

static sb_status count_unit(job *j, size_t unit)
{
    sb_source *s;
    sb_document d;
    int more = 1;
    SB_TRY(sb_source_open(j->sources, unit, &s));
    uint64_t before = j->bytes;
    sb_status st = SB_OK;
    while (st == SB_OK) {
        SB_GOTO(st, sb_source_next(s, &d, &j->bad, &more), out);
        if (!more) break;
        if (sb_stop_asked()) {
            st = sb_fail(SB_ESTOP, __FILE__, __LINE__,
                         "asked to stop: the same command counts anew");
            goto out;
        }
        j->documents++;
        SB_GOTO(st, sb_normalise(d.text, d.bytes, &j->text), out);
        st = sb_words_count(j->words, j->text.data, j->text.n);
        j->bytes = before + sb_source_done(s);
        sb_progress_show(&j->progress, (double)j->bytes / (double)(j->mine + 1),
                         "counting words, %" PRIu64 " distinct",
                         sb_words_distinct(j->words));
    }
out:
    j->bytes = before + sb_source_done(s);
    sb_source_close(s);
    return st;
}

static sb_status count_units(job *j)
{
    size_t n = sb_sources_units(j->sources);
    int *owner, me = sb_comm_rank(j->app->comm);
    SB_TRY(sb_alloc(n, sizeof *owner, "units", &owner));
    sb_status st;
    SB_GOTO(st, sb_sources_deal(j->sources, sb_comm_size(j->app->comm), owner),
            out);
    for (size_t i = 0; i < n; i++) {
        sb_unit u = sb_sources_unit(j->sources, i);
        if (owner[i] == me) j->mine += u.last - u.first;
    }
    for (size_t i = 0; i < n && st == SB_OK; i++)
        if (owner[i] == me) st = count_unit(j, i);
out:
    sb_free(owner);
    return st;
}

/* All ranks' counts into rank 0's. */
static sb_status gather_words(job *j)
{
    sb_comm *c = j->app->comm;
    int size = sb_comm_size(c), me = sb_comm_rank(c);
    size_t *n = NULL;
    sb_buffer mine = {0}, all = {0};
    sb_status st = sb_alloc(2 * (size_t)size, sizeof *n, "word counts", &n);
    if (st == SB_OK && me != 0) st = sb_words_pack(j->words, &mine);
    SB_GOTO(st, sb_agree(c, st), out);
    n[0] = mine.n;
    sb_comm_exchange_counts(c, n, n + size);
    size_t bytes = 0;
    for (int r = 0; r < size; r++) bytes += n[size + r];
    st = sb_grow(&all.data, &all.cap, bytes, 1, "word counts");
    SB_GOTO(st, sb_agree(c, st), out);
    sb_comm_exchange(c, 1, mine.data, n, all.data, n + size);
    for (size_t at = 0, r = 0; r < (size_t)size && st == SB_OK; r++) {
        if (n[(size_t)size + r])
            st = sb_words_unpack(j->words, all.data + at, n[(size_t)size + r]);
        at += n[(size_t)size + r];
    }
    st = sb_agree(c, st);
out:
    sb_free(n);
    free(mine.data);
    free(all.data);
    return st;
}

static void show(void *arg, double share)
{
    sb_progress_show(arg, share, "training WordPiece");
}

static sb_status train(job *j, const char *dir, const char *made_from)
{
    const sb_config *c = j->app->config;
    sb_wordpiece_options o = {
        .size = (uint32_t)sb_config_int(c, "vocab-size"),
        .alphabet_limit = (uint32_t)sb_config_int(c, "alphabet-limit"),
        .min_count = (uint64_t)sb_config_int(c, "min-count")};
    sb_buffer out = {0};
    uint32_t size = 0;
    char *path = NULL, *record = NULL;
    sb_vocab *vocab = NULL;
    sb_progress_begin(&j->progress, "vocab", 0);
    sb_status st;
    SB_GOTO(st,
            sb_wordpiece_train(j->words, &o, show, &j->progress, &out, &size),
            out);
    if (size < o.size)
        sb_log(SB_LOG_WARN, "the text yields %u pieces, not %u", size, o.size);
    path = sb_path_join(dir, "vocab.txt");
    record = sb_path_join(dir, "made-from");
    st = path && record
             ? sb_vocab_parse(out.data, out.n, path, &vocab)
             : sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    if (st == SB_OK) st = sb_file_write(record, made_from, strlen(made_from));
    if (st == SB_OK) st = sb_tokenizer_write(dir, vocab);
    /* last: where it stands, the rest stands too */
    if (st == SB_OK) st = sb_file_write(path, out.data, out.n);
    if (st == SB_OK)
        sb_progress_end(
            &j->progress,
            "%u pieces from %" PRIu64 " words, %" PRIu64 " distinct; %s", size,
            sb_words_total(j->words), sb_words_distinct(j->words), path);
out:
    sb_vocab_close(vocab);
    free(out.data);
    sb_free(path);
    sb_free(record);
    return st;
}

static sb_status work(job *j, const char *dir, const char *made_from)
{
    sb_comm *c = j->app->comm;
    SB_TRY(sb_agree(c, sb_words_open(&j->words)));
    sb_progress_begin(&j->progress, "vocab", 0);
    SB_TRY(sb_agree(c, count_units(j)));
    SB_TRY(sb_app_check_bad(j->app, j->documents, &j->bad));
    SB_TRY(gather_words(j));
    return sb_agree(c, sb_comm_rank(c) == 0 ? train(j, dir, made_from) : SB_OK);
}

/* What the vocabulary depends on. */
static char *made_from(const job *j)
{
    const sb_config *c = j->app->config;
    return sb_format(
        "input = %016" PRIx64
        "\ndocuments = %s\nvocab-size = %s\nalphabet-limit = %s\n"
        "min-count = %s\n",
        sb_sources_identity(j->sources), sb_config_text(c, "documents"),
        sb_config_text(c, "vocab-size"), sb_config_text(c, "alphabet-limit"),
        sb_config_text(c, "min-count"));
}

static sb_status prepare(job *j, const char *dir, const char *record,
                         const char *from, int *done_out)
{
    char *made = dir ? sb_path_join(dir, "vocab.txt") : NULL;
    int there = made && sb_file_exists(made);
    sb_free(made);
    SB_REQUIRE(made && record && from, SB_ENOMEM, "out of memory: a path");
    if (there) SB_TRY(sb_app_compare(record, from, "vocabulary", 1, done_out));
    if (*done_out) return SB_OK;
    if (sb_comm_rank(j->app->comm) != 0) return SB_OK;
    SB_TRY(sb_dir_make(dir));
    return sb_dir_remove(record); /* of a vocabulary that was deleted */
}

sb_status sb_cmd_vocab(sb_app *a)
{
    job j = {.app = a};
    char *used = NULL, *dir = NULL, *record = NULL, *from = NULL;
    int done = 0;
    sb_status st;
    SB_GOTO(st, sb_app_sources(a, &j.sources), out);
    dir = sb_path_join(a->run, "vocab");
    record = sb_path_join(a->run, "vocab/made-from");
    from = made_from(&j);
    SB_GOTO(st, sb_agree(a->comm, prepare(&j, dir, record, from, &done)), out);
    sb_comm_bcast(a->comm, &done, sizeof done, 0);
    if (done) {
        sb_log(SB_LOG_INFO, "vocab: done before, in %s", dir);
        goto out;
    }
    SB_GOTO(st, sb_app_begin(a, "vocab", &used), out);
    st = work(&j, dir, from);
out:
    sb_words_close(j.words);
    sb_sources_close(j.sources);
    free(j.text.data);
    char *owned[] = {used, dir, record, from};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        sb_free(owned[i]);
    return st;
}
