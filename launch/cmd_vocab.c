/* SPDX-License-Identifier: MIT
 * cmd_vocab.c - `shardbert vocab`: every rank counts the words of its units,
 * together they add up, rank 0 trains. The same bytes for any number of ranks.
 *
 *   <run>/vocab/made-from     options and identity of the input
 *   <run>/vocab/tokenizer.json and others, for Hugging Face's programs
 *   <run>/vocab/counts.pb     how often each piece occurs
 *   <run>/vocab/vocab.txt     the pieces; written last
 *   <run>/vocab/.tmp-words    counts on their way; sb_app_begin removes what
 *                             a killed run leaves of it */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/life.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/stop.h"
#include "dataset/text.h"
#include "dataset/wordpiece_train.h"
#include "dataset/tokenizer_files.h"
#include "dataset/words.h"
#include "launch/common.h"
#include "launch/crew.h"
#include "launch/gather_words.h"
#include "proto/counts.h"

typedef struct job {
    sb_app *app;
    sb_sources *sources;
    sb_words *words;
    sb_tally *tally; /* [sources] */
    sb_crew crew;
    sb_buffer text;
    sb_gathered all;
    sb_progress progress;
} job;

static sb_status count_unit(void *arg, size_t unit)
{
    job *j = arg;
    sb_tally *tally = &j->tally[sb_sources_unit(j->sources, unit).source];
    uint64_t text_bytes = 0, documents = 0;
    sb_source *s;
    sb_document d;
    int more = 1;
    SB_TRY(sb_source_open(j->sources, unit, &s));
    sb_status st = SB_OK;
    while (st == SB_OK) {
        SB_GOTO(st, sb_source_next(s, &d, tally, &more), out);
        if (!more) break;
        if (d.text) {
            SB_GOTO(st, sb_normalise(d.text, d.bytes, &j->text), out);
            SB_GOTO(st, sb_words_count(j->words, j->text.data, j->text.n), out);
            text_bytes += d.bytes;
            documents++;
        }
        sb_crew_report(&j->crew, sb_source_done(s), text_bytes, documents);
        if (sb_stop_asked())
            st = sb_fail(SB_ESTOP, __FILE__, __LINE__,
                         "asked to stop: the same command counts anew");
    }
out:
    sb_source_close(s);
    return st;
}

static sb_status count_units(job *j)
{
    sb_comm *c = j->app->comm;
    size_t n = sb_sources_units(j->sources), *order = NULL;
    sb_status st = sb_alloc(n, sizeof *order, "units", &order);
    if (st == SB_OK)
        st = sb_alloc(sb_sources_count(j->sources), sizeof *j->tally, "sources",
                      &j->tally);
    if (st == SB_OK) st = sb_sources_order(j->sources, order);
    st = sb_agree(c, st);
    sb_crew_open(&j->crew, c, j->sources);
    if (st == SB_OK)
        st = sb_crew_work(&j->crew, "counting", order, n, count_unit, j);
    sb_free(order);
    return st;
}

static sb_wordpiece_options options(const job *j)
{
    const sb_config *c = j->app->config;
    return (sb_wordpiece_options){
        .size = (uint32_t)sb_config_int(c, "vocab-size"),
        .alphabet_limit = (uint32_t)sb_config_int(c, "alphabet-limit"),
        .min_count = (uint64_t)sb_config_int(c, "min-count")};
}

/* ---- the words of all ranks ---------------------------------------------- */

static sb_status count_and_gather(job *j, const char *words_dir)
{
    sb_comm *c = j->app->comm;
    sb_wordpiece_options o = options(j);
    sb_status st = SB_OK;
    if (sb_comm_rank(c) == 0) st = sb_dir_make(words_dir);
    SB_TRY(sb_agree(c, st));
    st = sb_gather_open(c, words_dir, sb_app_memory(j->app), &j->words);
    SB_TRY(sb_agree(c, st));
    SB_TRY(count_units(j));
    sb_life_at("vocab", SB_LIFE_PLAIN);
    sb_life_doing("merging words");
    SB_TRY(sb_app_check_bad(j->app, j->sources, j->tally));
    return sb_gather_words(c, j->words, words_dir, sb_app_memory(j->app), &o,
                           &j->all);
}

static void warn_of_rest(const job *j)
{
    const sb_gathered *g = &j->all;
    if (!g->left.words) return;
    sb_log(SB_LOG_WARN,
           "--memory %s is too small for all words: %" PRIu64 " of %" PRIu64
           " distinct words are left out, those that occur less than %" PRIu64
           " times (%" PRIu64 " of %" PRIu64 " occurrences)",
           sb_config_text(j->app->config, "memory"), g->left.words,
           g->left.words + g->kept.words, g->least, g->left.uses,
           g->left.uses + g->kept.uses);
}

/* The files go as soon as the words are in rank 0's memory, or nothing will
 * come of them. */
static sb_status all_words(job *j, const char *words_dir)
{
    sb_comm *c = j->app->comm;
    sb_status st = count_and_gather(j, words_dir);
    sb_words_close(j->words);
    j->words = NULL;
    free(j->text.data);
    j->text = (sb_buffer){0};
    if (st == SB_OK) warn_of_rest(j);
    if (sb_comm_rank(c) != 0) return sb_agree(c, st);
    sb_error first = *sb_error_last(); /* what failed, not what follows */
    sb_status removed = sb_dir_remove(words_dir);
    return sb_agree(c, st == SB_OK ? removed : sb_error_set(&first));
}

/* ---- training ------------------------------------------------------------ */

static int show(void *arg, double share)
{
    sb_progress_show(arg, share, "training WordPiece");
    return sb_stop_asked();
}

/* vocab.txt last: where it stands, the rest stands too. */
static sb_status write_all(const char *dir, const char *made_from,
                           const sb_buffer *text, const uint64_t *uses)
{
    sb_vocab *v = NULL;
    char *path = sb_path_join(dir, "vocab.txt");
    char *record = sb_path_join(dir, "made-from");
    char *counts = sb_path_join(dir, SB_COUNTS_NAME);
    sb_status st =
        path && record && counts
            ? sb_vocab_parse(text->data, text->n, path, &v)
            : sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    if (st == SB_OK) st = sb_file_write(record, made_from, strlen(made_from));
    if (st == SB_OK) st = sb_tokenizer_write(dir, v, SB_MODEL_MAX_LENGTH);
    if (st == SB_OK)
        st = sb_counts_write(counts, sb_vocab_hash(v), uses, sb_vocab_size(v));
    if (st == SB_OK) st = sb_file_write(path, text->data, text->n);
    sb_vocab_close(v);
    sb_free(path);
    sb_free(record);
    sb_free(counts);
    return st;
}

static sb_status train(job *j, const char *dir, const char *made_from)
{
    sb_wordpiece_options o = options(j);
    sb_buffer out = {0};
    uint64_t *uses = NULL;
    uint32_t size = 0;
    sb_progress_begin(&j->progress, "vocab", 0);
    sb_life_doing("training WordPiece");
    sb_status st = sb_wordpiece_train(&j->all.list, &o, show, &j->progress,
                                      &out, &uses, &size);
    if (st == SB_OK && size < o.size)
        sb_log(SB_LOG_WARN, "the text yields %u pieces, not %u", size, o.size);
    if (st == SB_OK) {
        uses[1] += j->all.too_long; /* [UNK] */
        st = write_all(dir, made_from, &out, uses);
    }
    const sb_gathered *g = &j->all;
    if (st == SB_OK)
        sb_progress_end(
            &j->progress,
            "%u pieces from %" PRIu64 " words, %" PRIu64 " distinct; %s", size,
            g->kept.uses + g->left.uses, g->kept.words + g->left.words, dir);
    free(out.data);
    sb_free(uses);
    return st;
}

static sb_status work(job *j, const char *dir, const char *made_from)
{
    sb_comm *c = j->app->comm;
    char *words_dir = sb_path_join(dir, ".tmp-words");
    sb_status st = words_dir ? SB_OK
                             : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                                       "out of memory: a path");
    st = sb_agree(c, st);
    if (st == SB_OK) st = all_words(j, words_dir);
    sb_free(words_dir);
    SB_TRY(st);
    st = sb_comm_rank(c) == 0 ? train(j, dir, made_from) : SB_OK;
    return sb_agree(c, st);
}

/* ---- the command --------------------------------------------------------- */

/* What the vocabulary depends on. */
static char *made_from(const job *j)
{
    const sb_config *c = j->app->config;
    return sb_format(
        "input = %016" PRIx64 "\nvocab-size = %s\nalphabet-limit = %s\n"
        "min-count = %s\nmemory = %s\n",
        sb_sources_identity(j->sources), sb_config_text(c, "vocab-size"),
        sb_config_text(c, "alphabet-limit"), sb_config_text(c, "min-count"),
        sb_config_text(c, "memory"));
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
    SB_GOTO(st, sb_app_record(a, "vocab", used), out);
    st = work(&j, dir, from);
out:
    sb_words_close(j.words);
    sb_sources_close(j.sources);
    free(j.text.data);
    sb_free(j.all.list.data);
    sb_free(j.tally);
    char *owned[] = {used, dir, record, from};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        sb_free(owned[i]);
    return st;
}
