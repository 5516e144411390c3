/* SPDX-License-Identifier: MIT
 * cmd_ingest.c - `shardbert ingest`: every unit of the input becomes its own
 * sealed shards, one for training and one held out, whoever does it; so the
 * corpus is the same for any number of ranks.
 *
 *   <corpus>/made-from          options and identity of the input
 *   <corpus>/unit-00000.done    this unit is finished (removed at the end)
 *   <corpus>/train-00000.mdb    shards (dataset/shard.h)
 *   <corpus>/corpus.json        the manifest, written last
 *
 * Killed and started again it does only what is missing: a unit without its
 * .done file is done anew. What an unfinished run left of other input or of
 * other options is removed first. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/stop.h"
#include "dataset/corpus.h"
#include "dataset/tokenize.h"
#include "launch/common.h"

enum { SPLITS = 2 };

/* A block being filled, of one split of one unit. */
typedef struct building {
    sb_shard_writer *writer;
    sb_ids ids;
    uint32_t *end; /* documents' and sentences' ends */
    size_t ends, end_cap;
} building;

typedef struct job {
    sb_app *app;
    sb_sources *sources;
    sb_vocab *vocab;
    sb_encoder *encoder;
    char *dir, *from;
    uint64_t held_out; /* a document is, if its hash is below */
    size_t block_tokens;
    building split[SPLITS];
    uint64_t documents, text_bytes; /* of this unit */
    sb_bad bad;                     /* of this unit */
    uint64_t seen, mine;            /* bytes, for the progress line */
    sb_progress progress;
} job;

/* ---- one unit ------------------------------------------------------------ */

static sb_status shard_path(const job *j, sb_split split, size_t unit,
                            char **out)
{
    char name[32];
    sb_shard_name(split, unit, name);
    *out = sb_path_join(j->dir, name);
    SB_REQUIRE(*out, SB_ENOMEM, "out of memory: a path");
    return SB_OK;
}

static sb_status flush_block(job *j, sb_split split, size_t unit)
{
    building *b = &j->split[split];
    if (b->ends == 0) return SB_OK;
    if (!b->writer) {
        /* Address space, not disk: ids take at most 4 bytes a byte of text,
         * ends as much again, and a block at least 64 KiB. */
        sb_unit u = sb_sources_unit(j->sources, unit);
        uint64_t map = (u.last - u.first + SB_DOCUMENT_MAX) * 16 + (64 << 20) +
                       16 * (uint64_t)sb_vocab_size(j->vocab);
        char *path;
        SB_TRY(shard_path(j, split, unit, &path));
        sb_status st = sb_shard_create(path, map, sb_vocab_size(j->vocab),
                                       sb_vocab_hash(j->vocab), &b->writer);
        sb_free(path);
        SB_TRY(st);
    }
    sb_block block = {.ids = b->ids.id,
                      .sent_end = b->end,
                      .doc_end = b->end,
                      .tokens = (uint32_t)b->ids.n,
                      .sentences = (uint32_t)b->ends,
                      .documents = (uint32_t)b->ends};
    SB_TRY(sb_shard_append(b->writer, &block));
    b->ids.n = 0;
    b->ends = 0;
    return SB_OK;
}

static sb_status add_end(building *b)
{
    SB_TRY(sb_grow(&b->end, &b->end_cap, b->ends + 1, sizeof *b->end,
                   "document ends"));
    b->end[b->ends++] = (uint32_t)b->ids.n;
    return SB_OK;
}

/* One document; a line or paragraph is one sentence. One longer than a block
 * can be is cut into several. */
static sb_status add_document(job *j, const sb_document *d, size_t unit)
{
    sb_split split =
        sb_hash64(d->text, d->bytes) < j->held_out ? SB_HELDOUT : SB_TRAIN;
    building *b = &j->split[split];
    size_t before = b->ids.n;
    SB_TRY(sb_encode(j->encoder, d->text, d->bytes, 0, &b->ids));
    size_t n = b->ids.n - before;
    j->documents++;
    j->text_bytes += d->bytes;
    if (n == 0) return SB_OK;
    if (b->ids.n <= SB_BLOCK_TOKENS_MAX) {
        SB_TRY(add_end(b));
        return b->ids.n >= j->block_tokens ? flush_block(j, split, unit)
                                           : SB_OK;
    }
    sb_ids rest = b->ids; /* set the long document aside, piece by piece */
    b->ids = (sb_ids){0};
    sb_status st = SB_OK;
    for (size_t at = 0; at < rest.n && st == SB_OK;) {
        size_t piece = at < before ? before : rest.n - at;
        if (piece > SB_BLOCK_TOKENS_MAX) piece = SB_BLOCK_TOKENS_MAX;
        st = sb_grow(&b->ids.id, &b->ids.cap, piece, sizeof *b->ids.id, "ids");
        if (st != SB_OK) break;
        memcpy(b->ids.id, rest.id + at, piece * sizeof *rest.id);
        b->ids.n = piece;
        if (at >= before || b->ends == 0) st = add_end(b);
        if (st == SB_OK) st = flush_block(j, split, unit);
        at += piece;
    }
    free(rest.id);
    return st;
}

static sb_status read_unit(job *j, size_t unit)
{
    sb_source *s;
    sb_document d;
    int more = 1;
    SB_TRY(sb_source_open(j->sources, unit, &s));
    uint64_t before = j->seen;
    sb_status st = SB_OK;
    while (st == SB_OK) {
        SB_GOTO(st, sb_source_next(s, &d, &j->bad, &more), out);
        if (!more) break;
        st = add_document(j, &d, unit);
        j->seen = before + sb_source_done(s);
        if (sb_progress_due(&j->progress))
            sb_progress_show(
                &j->progress, (double)j->seen / (double)(j->mine + 1),
                "%.1f MB/s per rank",
                (double)j->seen / 1e6 / (sb_now() - j->progress.start));
    }
    for (int k = 0; k < SPLITS && st == SB_OK; k++)
        st = flush_block(j, (sb_split)k, unit);
out:
    sb_source_close(s);
    return st;
}

static sb_status seal(job *j, size_t unit)
{
    sb_shard_info info;
    for (int k = 0; k < SPLITS; k++) {
        building *b = &j->split[k];
        if (!b->writer) continue;
        sb_shard_writer *w = b->writer;
        b->writer = NULL;
        SB_TRY(sb_shard_seal(w, &info));
    }
    char *path = sb_format("%s/unit-%05zu.done", j->dir, unit);
    char *text =
        sb_format("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n%s\n", j->documents,
                  j->text_bytes, j->bad.count, j->bad.first);
    sb_status st = path && text ? sb_file_write(path, text, strlen(text))
                                : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                                          "out of memory: a path");
    sb_free(path);
    sb_free(text);
    return st;
}

static sb_status do_unit(job *j, size_t unit)
{
    j->documents = j->text_bytes = 0;
    memset(&j->bad, 0, sizeof j->bad);
    for (int k = 0; k < SPLITS; k++) { /* of a killed run: sealed, not done */
        char *path;
        SB_TRY(shard_path(j, (sb_split)k, unit, &path));
        sb_status st = sb_dir_remove(path);
        sb_free(path);
        SB_TRY(st);
    }
    sb_status st = read_unit(j, unit);
    if (st == SB_OK) st = seal(j, unit);
    for (int k = 0; k < SPLITS; k++) {
        sb_shard_abandon(j->split[k].writer);
        j->split[k].writer = NULL;
        j->split[k].ids.n = j->split[k].ends = 0;
    }
    return st;
}

/* ---- all units of this rank ---------------------------------------------- */

static sb_status read_done(const job *j, size_t unit, int *done_out,
                           uint64_t *documents, uint64_t *bytes, sb_bad *bad)
{
    char *path = sb_format("%s/unit-%05zu.done", j->dir, unit), *text;
    size_t n;
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    *done_out = sb_file_exists(path);
    sb_status st = *done_out ? sb_file_read(path, 4096, &text, &n) : SB_OK;
    if (st == SB_OK && *done_out) {
        unsigned long long v[3];
        int k = 0;
        if (sscanf(text, "%llu %llu %llu\n%n", &v[0], &v[1], &v[2], &k) != 3) {
            st = sb_fail(SB_EFORMAT, __FILE__, __LINE__, "'%s' is damaged",
                         path);
            sb_hint("delete it and run the same command again");
        } else {
            *documents += v[0];
            *bytes += v[1];
            bad->count += v[2];
            if (v[2] && !bad->first[0])
                snprintf(bad->first, sizeof bad->first, "%.*s",
                         (int)strcspn(text + k, "\n"), text + k);
        }
        sb_free(text);
    }
    sb_free(path);
    return st;
}

static sb_status do_units(job *j)
{
    size_t n = sb_sources_units(j->sources);
    int *owner, me = sb_comm_rank(j->app->comm), done;
    uint64_t ignore = 0;
    sb_bad none = {0};
    SB_TRY(sb_alloc(n, sizeof *owner, "units", &owner));
    sb_status st;
    SB_GOTO(st, sb_sources_deal(j->sources, sb_comm_size(j->app->comm), owner),
            out);
    for (size_t i = 0; i < n && st == SB_OK; i++) {
        SB_GOTO(st, read_done(j, i, &done, &ignore, &ignore, &none), out);
        sb_unit u = sb_sources_unit(j->sources, i);
        if (done || owner[i] != me)
            owner[i] = -1;
        else
            j->mine += u.last - u.first;
    }
    sb_progress_begin(&j->progress, "ingest", 0);
    for (size_t i = 0; i < n && st == SB_OK; i++) {
        if (owner[i] != me) continue;
        if (sb_stop_asked())
            st = sb_fail(SB_ESTOP, __FILE__, __LINE__,
                         "asked to stop: sealed shards are kept, the same "
                         "command goes on from here");
        else
            st = do_unit(j, i);
    }
out:
    sb_free(owner);
    return st;
}

/* ---- the manifest -------------------------------------------------------- */

static sb_status list_shard(const job *j, sb_split split, size_t unit,
                            sb_manifest *m, size_t *cap)
{
    char *path;
    SB_TRY(shard_path(j, split, unit, &path));
    sb_shard_reader *r = NULL;
    sb_status st = SB_OK;
    if (!sb_file_exists(path)) goto out;
    SB_GOTO(st,
            sb_grow(&m->shard, cap, m->shards + 1, sizeof *m->shard, "shards"),
            out);
    sb_shard_entry *e = &m->shard[m->shards];
    memset(e, 0, sizeof *e);
    sb_shard_name(split, unit, e->name);
    e->split = split;
    SB_GOTO(st, sb_file_size(path, &e->bytes), out);
    SB_GOTO(st, sb_shard_open(path, e->bytes, &r), out);
    e->info = *sb_shard_get_info(r);
    m->shards++;
out:
    sb_shard_close(r);
    sb_free(path);
    return st;
}

/* Rank 0: add up what the units left. */
static sb_status tally(const job *j, sb_manifest *m, sb_bad *bad,
                       uint64_t *documents)
{
    for (size_t i = 0; i < sb_sources_units(j->sources); i++) {
        int done = 0;
        SB_TRY(read_done(j, i, &done, documents, &m->source[0].stats.text_bytes,
                         bad));
        if (done) continue;
        sb_fail(SB_EIO, __FILE__, __LINE__,
                "unit %zu was finished by another rank and is not in '%s'", i,
                j->dir);
        return sb_hint("the corpus needs a folder that all nodes share");
    }
    m->source[0].stats.documents = *documents;
    m->source[0].stats.bad = bad->count;
    snprintf(m->source[0].stats.first_bad, sizeof m->source[0].stats.first_bad,
             "%s", bad->first);
    return SB_OK;
}

/* Rank 0: the marks of units mean nothing once there is a manifest. */
static sb_status clear_marks(const job *j)
{
    for (size_t i = 0; i < sb_sources_units(j->sources); i++) {
        char *path = sb_format("%s/unit-%05zu.done", j->dir, i);
        SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
        sb_status st = sb_dir_remove(path);
        sb_free(path);
        SB_TRY(st);
    }
    return SB_OK;
}

/* Rank 0: write corpus.json, then clear the marks. */
static sb_status finish(job *j, sb_manifest *m)
{
    size_t cap = 0, n = sb_sources_units(j->sources);
    uint64_t tokens = 0, documents = 0, held = 0;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < SPLITS; k++)
            SB_TRY(list_shard(j, (sb_split)k, i, m, &cap));
    for (size_t i = 0; i < m->shards; i++) {
        const sb_shard_entry *e = &m->shard[i];
        tokens += e->info.tokens;
        documents += e->info.documents;
        if (e->split == SB_HELDOUT) held += e->info.documents;
    }
    m->source[0].stats.tokens = tokens;
    SB_TRY(sb_corpus_seal(j->dir, m));
    SB_TRY(clear_marks(j));
    sb_progress_end(
        &j->progress,
        "%" PRIu64 " documents (%" PRIu64 " held out), %.1f M tokens, "
        "%.2f bytes a token; %s",
        documents, held, (double)tokens / 1e6,
        (double)m->source[0].stats.text_bytes / (double)(tokens ? tokens : 1),
        j->dir);
    return SB_OK;
}

/* ---- the command --------------------------------------------------------- */

static sb_status prepare(job *j, char **record_out, int *done_out)
{
    const sb_config *c = j->app->config;
    char *manifest = NULL, *record = NULL;
    SB_TRY(sb_app_path(j->app, "corpus", "corpus", &j->dir));
    SB_TRY(sb_encoder_open(j->vocab, &j->encoder));
    double share = sb_config_real(c, "held-out");
    j->held_out = (uint64_t)(share * 0x1p64);
    j->block_tokens = (size_t)sb_config_int(c, "block-tokens");
    j->from =
        sb_format("input = %016" PRIx64 "\nvocabulary = %016" PRIx64
                  "\ndocuments = %s\nheld-out = %s\nblock-tokens = %s\n",
                  sb_sources_identity(j->sources), sb_vocab_hash(j->vocab),
                  sb_config_text(c, "documents"), sb_config_text(c, "held-out"),
                  sb_config_text(c, "block-tokens"));
    manifest = sb_path_join(j->dir, "corpus.json");
    record = sb_path_join(j->dir, "made-from");
    sb_status st = SB_OK;
    if (!j->from || !manifest || !record)
        st = sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    else if (sb_file_exists(manifest))
        st = sb_app_compare(record, j->from, "corpus", 1, done_out);
    sb_free(manifest);
    if (st == SB_OK)
        *record_out = record;
    else
        sb_free(record);
    return st;
}

static int is_ours(const char *name)
{
    static const char *const start[] = {"corpus.json", "counts", "made-from",
                                        "unit-",       "train-", "heldout-"};
    for (size_t i = 0; i < sizeof start / sizeof start[0]; i++)
        if (strncmp(name, start[i], strlen(start[i])) == 0) return 1;
    return 0;
}

static sb_status remove_ours(const char *dir)
{
    char **name;
    size_t n;
    SB_TRY(sb_dir_list(dir, &name, &n));
    sb_status st = SB_OK;
    for (size_t i = 0; i < n && st == SB_OK; i++) {
        if (!is_ours(name[i])) continue;
        char *path = sb_path_join(dir, name[i]);
        st = path ? sb_dir_remove(path)
                  : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                            "out of memory: a path");
        sb_free(path);
    }
    sb_names_free(name, n);
    return st;
}

/* Rank 0: go on with what lies there only if it was made from the same. */
static sb_status write_record(const job *j, const char *record)
{
    int same = 0;
    SB_TRY(sb_dir_make(j->dir));
    sb_status st = sb_app_compare(record, j->from, "corpus", 0, &same);
    if (st != SB_OK && st != SB_EINVAL) return st;
    if (same) return SB_OK;
    SB_TRY(remove_ours(j->dir));
    return sb_file_write(record, j->from, strlen(j->from));
}

static sb_status work(job *j, const char *record, const char *used)
{
    sb_comm *c = j->app->comm;
    int first = sb_comm_rank(c) == 0;
    SB_TRY(sb_agree(c, first ? write_record(j, record) : SB_OK));
    SB_TRY(sb_agree(c, do_units(j)));
    sb_bad bad = {0};
    uint64_t documents = 0;
    sb_manifest m = {.vocab_size = sb_vocab_size(j->vocab),
                     .vocab_hash = sb_vocab_hash(j->vocab),
                     .input_identity = sb_sources_identity(j->sources)};
    snprintf(m.config, sizeof m.config, "%s", used);
    /* All sources are one, with weight 1. */
    sb_source_entry all = {.spec = "all", .weight = 1};
    m.source = &all;
    m.sources = 1;
    SB_TRY(sb_agree(c, first ? tally(j, &m, &bad, &documents) : SB_OK));
    SB_TRY(sb_app_check_bad(j->app, documents, &bad));
    sb_status st = sb_agree(c, first ? finish(j, &m) : SB_OK);
    free(m.shard);
    return st;
}

sb_status sb_cmd_ingest(sb_app *a)
{
    job j = {.app = a};
    char *used = NULL, *record = NULL;
    int done = 0;
    sb_status st;
    SB_GOTO(st, sb_app_sources(a, &j.sources), out);
    SB_GOTO(st, sb_app_vocab(a, &j.vocab), out);
    SB_GOTO(st, sb_agree(a->comm, prepare(&j, &record, &done)), out);
    sb_comm_bcast(a->comm, &done, sizeof done, 0);
    if (done) {
        sb_log(SB_LOG_INFO, "ingest: done before, in %s", j.dir);
        st = sb_agree(a->comm, sb_comm_rank(a->comm) ? SB_OK : clear_marks(&j));
        goto out;
    }
    SB_GOTO(st, sb_app_begin(a, "ingest", &used), out);
    st = work(&j, record, used);
out:
    sb_encoder_close(j.encoder);
    sb_vocab_close(j.vocab);
    sb_sources_close(j.sources);
    for (int k = 0; k < SPLITS; k++) {
        free(j.split[k].ids.id);
        free(j.split[k].end);
    }
    char *owned[] = {used, record, j.dir, j.from};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        sb_free(owned[i]);
    return st;
}
