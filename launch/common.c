/* SPDX-License-Identifier: MIT
 * common.c - paths, vocabulary, sources and records of a run. */
#include "launch/common.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "dataset/text.h"
#include "proto/counts.h"
#include "proto/checkpoint.h"

sb_status sb_app_path(const sb_app *a, const char *option, const char *rest,
                      char **path_out)
{
    const char *set = option ? sb_config_text(a->config, option) : NULL;
    char *p = set ? sb_format("%s", set) : sb_path_join(a->run, rest);
    SB_REQUIRE(p, SB_ENOMEM, "out of memory: a path");
    *path_out = p;
    return SB_OK;
}

/* Rank 0 */
static sb_status make_folder(const sb_app *a, const char *phase)
{
    SB_TRY(sb_dir_make(a->run));
    char *dir = sb_path_join(a->run, phase);
    SB_REQUIRE(dir, SB_ENOMEM, "out of memory: a path");
    sb_status st = sb_ckpt_sweep(dir);
    sb_free(dir);
    return st;
}

sb_status sb_app_begin(const sb_app *a, const char *phase, char **effective_out)
{
    char *text = sb_config_effective(a->config, a->phase);
    sb_status st = text ? SB_OK
                        : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                                  "out of memory: configuration");
    if (st == SB_OK && sb_comm_rank(a->comm) == 0) st = make_folder(a, phase);
    st = sb_agree(a->comm, st);
    if (st == SB_OK)
        *effective_out = text;
    else
        sb_free(text);
    return st;
}

/* Rank 0 */
static sb_status write_used(const sb_app *a, const char *phase,
                            const char *text)
{
    char *path = sb_format("%s/%s.used", a->run, phase);
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    sb_status st = sb_file_write(path, text, strlen(text));
    sb_free(path);
    return st;
}

sb_status sb_app_record(const sb_app *a, const char *phase, const char *text)
{
    sb_status st = SB_OK;
    if (sb_comm_rank(a->comm) == 0) st = write_used(a, phase, text);
    return sb_agree(a->comm, st);
}

/* Options that may change between runs without a word: where things lie, how
 * much is kept or said. (Corpus and vocabulary are checked by their hashes.) */
static int is_harmless(const char *name)
{
    static const char *const harmless[] = {"config",
                                           "run",
                                           "vocab",
                                           "corpus",
                                           "init",
                                           "threads",
                                           "log",
                                           "stall-minutes",
                                           "stop-at",
                                           "lr-find",
                                           "lr-find-steps",
                                           "eval-every",
                                           "eval-samples",
                                           "keep",
                                           "keep-every",
                                           "max-hours",
                                           "tensorboard",
                                           "step",
                                           "samples",
                                           "ids",
                                           "micro-batch",
                                           "memory-limit",
                                           "checkpoint-every",
                                           "checkpoint-minutes",
                                           "local-dir",
                                           "local-minutes"};
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        if (strcmp(harmless[i], name) == 0) return 1;
    return 0;
}

static void compare_options(const sb_app *a, const sb_config *then)
{
    for (size_t i = 0; i < sb_options_n; i++) {
        const sb_option *o = &sb_options[i];
        if (!(o->phases & a->phase) || is_harmless(o->name)) continue;
        const char *was = sb_config_text(then, o->name);
        const char *is = sb_config_text(a->config, o->name);
        if (was && is && strcmp(was, is) != 0)
            sb_log(SB_LOG_WARN,
                   "%s = %s, but the newest checkpoint was made with %s",
                   o->name, is, was);
    }
}

/* Rank 0 speaks. A checkpoint of another version may have other options. */
static void compare_with(const sb_app *a, const char *config)
{
    sb_config *then = NULL;
    if (sb_config_open(sb_options, sb_options_n, &then) == SB_OK &&
        sb_config_parse(then, config, "the checkpoint") == SB_OK)
        compare_options(a, then);
    sb_config_close(then);
}

void sb_app_compare_options(const sb_app *a, const char *dir)
{
    char *latest = NULL;
    sb_ckpt *ckpt = NULL;
    if (sb_comm_rank(a->comm) == 0 && sb_ckpt_latest(dir, &latest) == SB_OK &&
        sb_ckpt_open(latest, &ckpt) == SB_OK)
        compare_with(a, sb_ckpt_get_meta(ckpt)->config);
    sb_ckpt_close(ckpt);
    sb_free(latest);
}

sb_status sb_app_begun(void *arg, const char *config)
{
    const sb_begun_run *b = arg;
    if (config && sb_comm_rank(b->app->comm) == 0) compare_with(b->app, config);
    return sb_app_record(b->app, b->phase, b->effective);
}

sb_status sb_app_same(const sb_app *a, uint64_t identity, const char *what)
{
    if (sb_comm_same(a->comm, identity)) return SB_OK;
    sb_fail(SB_EINVAL, __FILE__, __LINE__, "the ranks see different %s", what);
    return sb_hint("it must lie in a folder that all nodes share");
}

/* `vocab` leaves the hash of what it made beside it, in its counts. */
static sb_status check_made(const sb_app *a, const sb_vocab *v)
{
    uint64_t *counts;
    uint32_t V = sb_vocab_size(v);
    char *path = sb_path_join(a->run, "vocab/" SB_COUNTS_NAME);
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    sb_status st = sb_alloc(V, sizeof *counts, "counts", &counts);
    if (st == SB_OK) {
        st = sb_counts_read(path, sb_vocab_hash(v), counts, V);
        sb_free(counts);
    }
    sb_free(path);
    if (st == SB_ENOENT) return SB_OK; /* it was not made here */
    if (st != SB_EINVAL && st != SB_EFORMAT) return st;
    char why[200];
    snprintf(why, sizeof why, "%.199s", sb_error_last()->text);
    SB_FAIL(SB_EFORMAT,
            "'%.150s/vocab/vocab.txt' is not the vocabulary that was made "
            "there, or its counts are damaged: %s",
            a->run, why);
}

sb_status sb_app_vocab(const sb_app *a, sb_vocab **vocab_out)
{
    int own = !sb_config_is_set(a->config, "vocab");
    char *path = NULL;
    sb_vocab *v = NULL;
    sb_status st = sb_app_path(a, "vocab", "vocab/vocab.txt", &path);
    if (st == SB_OK) st = sb_vocab_load(path, &v);
    if (st == SB_ENOENT)
        sb_hint("run `shardbert vocab` first, or name one with --vocab FILE");
    if (st == SB_OK && own) st = check_made(a, v);
    if (st == SB_EFORMAT && own)
        sb_hint("restore the file; `shardbert vocab` makes the same one from "
                "the same text once it is deleted");
    sb_free(path);
    st = sb_agree(a->comm, st);
    if (st == SB_OK) st = sb_app_same(a, sb_vocab_hash(v), "vocabularies");
    if (st == SB_OK)
        *vocab_out = v;
    else
        sb_vocab_close(v);
    return st;
}

/* Counts tell other weights, and nearly all other texts. */
static uint64_t identity_of(const sb_corpus *c)
{
    const uint64_t *counts = sb_corpus_counts(c);
    uint64_t id = sb_corpus_vocab_hash(c) ^ (sb_corpus_tokens(c) << 20) ^
                  sb_corpus_documents(c);
    if (counts)
        id ^=
            sb_hash64(counts, (size_t)sb_corpus_vocab_size(c) * sizeof *counts);
    return id;
}

static int has_manifest(const char *dir)
{
    char *path = sb_path_join(dir, "corpus.json");
    int yes = path && sb_file_exists(path);
    sb_free(path);
    return yes;
}

sb_status sb_app_corpus(const sb_app *a, sb_split split, sb_corpus **corpus_out)
{
    char *dir = NULL;
    sb_corpus *c = NULL;
    sb_status st = sb_app_path(a, "corpus", "corpus", &dir);
    if (st == SB_OK) st = sb_corpus_open(dir, split, &c);
    if (st == SB_ENOENT && !has_manifest(dir))
        sb_hint("run `shardbert ingest` first, or name one with --corpus DIR");
    else if (st == SB_ENOENT || st == SB_EFORMAT || st == SB_EVERSION)
        sb_hint("delete '%.150s' and run `shardbert ingest` again", dir);
    if (st == SB_EINVAL && split == SB_HELDOUT)
        sb_hint("ingest with a larger --held-out share, or more text");
    if (st == SB_EINVAL && split == SB_TRAIN)
        sb_hint("look at the files that were ingested");
    sb_free(dir);
    st = sb_agree(a->comm, st);
    if (st == SB_OK) st = sb_app_same(a, identity_of(c), "corpora");
    if (st == SB_OK)
        *corpus_out = c;
    else
        sb_corpus_close(c);
    return st;
}

sb_status sb_app_sampling(const sb_app *a, const sb_vocab *v,
                          const sb_corpus *train, sb_sampling *sampling_out)
{
    const sb_config *c = a->config;
    sb_sampling_options o = {
        .max_length = (uint32_t)sb_config_int(c, "max-length"),
        .max_chars = (uint32_t)sb_config_int(c, "max-chars"),
        .whole_word = sb_config_bool(c, "whole-word"),
        .pack = sb_config_bool(c, "pack")};
    sb_sampling s = {0};
    sb_status st = sb_agree(a->comm, sb_sampling_open(&o, v, train, &s));
    if (st == SB_OK)
        *sampling_out = s;
    else
        sb_sampling_close(&s);
    return st;
}

typedef struct vectors {
    const char *dir;
    const sb_vocab *vocab;
    sb_take take;
    void *arg;
} vectors;

static sb_status take_vectors(sb_ckpt *k, void *arg)
{
    const vectors *v = arg;
    if (sb_ckpt_get_meta(k)->vocab_hash == sb_vocab_hash(v->vocab))
        return v->take(k, v->arg);
    sb_fail(SB_EINVAL, __FILE__, __LINE__,
            "the vectors in '%s' were made with another vocabulary", v->dir);
    return sb_hint("use the run folder's own vocabulary");
}

sb_status sb_app_word2vec(const sb_app *a, const sb_vocab *v, sb_take take,
                          void *arg)
{
    char *dir = NULL;
    int found;
    SB_TRY(sb_agree(a->comm, sb_app_path(a, NULL, "word2vec", &dir)));
    vectors w = {dir, v, take, arg};
    sb_status st =
        sb_resume(a->comm, dir, SB_DAMAGED_STAY, take_vectors, &w, &found);
    if (st == SB_OK && !found) {
        st = sb_fail(SB_ENOENT, __FILE__, __LINE__, "no vectors in '%s'", dir);
        sb_hint("run `shardbert word2vec` first, or name its --run folder");
    }
    sb_free(dir);
    return st;
}

static sb_documents documents_of(const char *name)
{
    return *name == 'p'   ? SB_DOC_PARAGRAPH
           : *name == 'f' ? SB_DOC_FILE
                          : SB_DOC_LINE;
}

static sb_status open_sources(const sb_app *a, sb_sources **out)
{
    const sb_config *c = a->config;
    const char *const *spec;
    size_t n = sb_config_list(c, "source", &spec);
    if (n == 0) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__, "no source of text is named");
        return sb_hint(
            "--source text:'FILES*.txt', or source = ... in the recipe");
    }
    sb_source_options o = {.documents =
                               documents_of(sb_config_text(c, "documents")),
                           .text_field = sb_config_text(c, "text-field"),
                           .column = (uint32_t)sb_config_int(c, "column"),
                           .max_ratio = sb_config_real(c, "max-ratio")};
    return sb_sources_open(spec, n, &o, out);
}

sb_status sb_app_sources(const sb_app *a, sb_sources **out)
{
    sb_sources *s = NULL;
    sb_status st = sb_agree(a->comm, open_sources(a, &s));
    if (st == SB_OK)
        st = sb_app_same(a, sb_sources_identity(s), "source files");
    if (st == SB_OK)
        *out = s;
    else
        sb_sources_close(s);
    return st;
}

/* Add up the tallies of all ranks; of first_bad the lowest unit's stays. */
static void sum_tallies(sb_comm *c, sb_tally *t, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int rank = sb_comm_rank(c), size = sb_comm_size(c);
        uint64_t mine = t[i].bad ? UINT64_MAX - t[i].first_unit : 0, low = mine;
        sb_comm_max_u64(c, &low, 1);
        uint64_t who = mine && mine == low ? (uint64_t)(size - rank) : 0;
        uint64_t sum[3] = {t[i].documents, t[i].skipped, t[i].bad};
        sb_comm_sum_u64(c, sum, 3);
        sb_comm_max_u64(c, &who, 1);
        if (who)
            sb_comm_bcast(c, t[i].first_bad, sizeof t[i].first_bad,
                          size - (int)who);
        t[i].documents = sum[0];
        t[i].skipped = sum[1];
        t[i].bad = sum[2];
    }
}

static sb_status check_source(const sb_app *a, const char *spec,
                              const sb_tally *t)
{
    uint64_t all = t->documents + t->skipped + t->bad;
    double most = sb_config_real(a->config, "max-bad");
    if ((double)t->bad > most * (double)all) {
        sb_fail(SB_EFORMAT, __FILE__, __LINE__,
                "%" PRIu64 " of %" PRIu64
                " records of '%.100s' cannot be read, first: %s",
                t->bad, all, spec, t->first_bad);
        return sb_hint("look at that place; text must be UTF-8 (iconv converts "
                       "it); --max-bad allows a larger share");
    }
    if (t->bad)
        sb_log(SB_LOG_WARN,
               "%" PRIu64 " of %" PRIu64
               " records of '%s' cannot be read and are left out, first: %s",
               t->bad, all, spec, t->first_bad);
    if (t->documents == 0) sb_log(SB_LOG_WARN, "'%s' holds no document", spec);
    return SB_OK;
}

sb_status sb_app_check_bad(const sb_app *a, const sb_sources *s,
                           sb_tally *tally)
{
    size_t n = sb_sources_count(s);
    uint64_t documents = 0;
    sum_tallies(a->comm, tally, n);
    for (size_t i = 0; i < n; i++) {
        SB_TRY(check_source(a, sb_sources_spec(s, i), &tally[i]));
        documents += tally[i].documents;
    }
    if (documents) return SB_OK;
    sb_fail(SB_EINVAL, __FILE__, __LINE__,
            "the sources hold no document: nothing but white space");
    return sb_hint("look at the files that --source names");
}

uint64_t sb_app_memory(const sb_app *a)
{
    return (uint64_t)sb_config_int(a->config, "memory");
}

void sb_app_utf8(char *to, size_t room, const char *text)
{
    if (to != text) snprintf(to, room, "%s", text);
    size_t n = strlen(to);
    for (size_t at; (at = sb_utf8_valid(to, n)) < n;) to[at] = '?';
}

sb_status sb_app_compare(const char *path, const char *text, const char *what,
                         int made, int *same_out)
{
    char *old = NULL;
    size_t bytes;
    *same_out = 0;
    int recorded = sb_file_exists(path);
    if (!recorded && !made) return SB_OK;
    if (recorded) SB_TRY(sb_file_read(path, 1 << 20, &old, &bytes));
    *same_out = recorded && strcmp(old, text) == 0;
    sb_free(old);
    if (*same_out) return SB_OK;
    int folder = (int)(strrchr(path, '/') - path);
    if (recorded)
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "the %s in this run folder was made from other input or with "
                "other options ('%s' tells)",
                what, path);
    else
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "there is a %s whose record '%s' is missing: was it made here?",
                what, path);
    return sb_hint("use another --run folder, or delete '%.*s' to make it anew",
                   folder < 150 ? folder : 150, path);
}
