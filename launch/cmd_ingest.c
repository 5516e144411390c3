/* SPDX-License-Identifier: MIT
 * cmd_ingest.c - `shardbert ingest`: ranks take units of the input from a
 * shared queue and make shards of them (dataset/ingest.h); rank 0 writes the
 * manifest.
 *
 *   <corpus>/made-from          options and identity of the input
 *   <corpus>/unit-00000.*       what is known of unit 0 (removed at the end)
 *   <corpus>/train-00000.mdb    shards (dataset/shard.h)
 *   <corpus>/counts             how often each piece occurs, by source
 *   <corpus>/corpus.json        the manifest, written last
 *
 * Killed and started again it does only the units that are missing, or whose
 * files or options have changed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/life.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/stop.h"
#include "comm/queue.h"
#include "dataset/corpus.h"
#include "dataset/ingest.h"
#include "dataset/piece_counts.h"
#include "dataset/text.h"
#include "launch/common.h"
#include "launch/crew.h"
#include "launch/duplicates.h"

typedef struct job {
    sb_app *app;
    sb_sources *sources;
    sb_vocab *vocab;
    sb_ingest *ingest;
    sb_crew crew;
    char *dir, *from, *record;
    int drop;
    sb_manifest m;        /* rank 0's grows */
    uint64_t *duplicates; /* [sources] */
} job;

/* ---- units --------------------------------------------------------------- */

static sb_status hash_unit(void *arg, size_t unit)
{
    return sb_ingest_hash(((job *)arg)->ingest, unit);
}

static sb_status do_unit(void *arg, size_t unit)
{
    return sb_ingest_unit(((job *)arg)->ingest, unit);
}

/* The units that are not done, largest first, the same on all ranks.
 * list_out: [units] */
static sb_status missing(job *j, size_t *list_out, size_t *n_out)
{
    size_t n = sb_sources_units(j->sources), kept = 0;
    sb_source_stats ignored;
    SB_TRY(sb_sources_order(j->sources, list_out));
    for (size_t i = 0; i < n; i++) {
        int done;
        SB_TRY(sb_ingest_done(j->ingest, list_out[i], &done, &ignored));
        if (!done) list_out[kept++] = list_out[i];
    }
    *n_out = kept;
    return SB_OK;
}

static sb_status do_units(job *j)
{
    sb_comm *c = j->app->comm;
    size_t *list, n = sb_sources_units(j->sources);
    sb_status st = sb_alloc(n, sizeof *list, "units", &list);
    SB_TRY(sb_agree(c, st));
    if (j->drop) {
        st = sb_agree(c, sb_sources_order(j->sources, list));
        if (st == SB_OK)
            st = sb_crew_work(&j->crew, "reading", list, n, hash_unit, j);
        if (st == SB_OK)
            st = sb_duplicates_find(c, j->sources, j->dir,
                                    sb_app_memory(j->app), 1, j->duplicates);
        if (st != SB_OK) goto out;
    }
    st = sb_comm_rank(c) == 0 ? missing(j, list, &n) : SB_OK;
    SB_GOTO(st, sb_agree(c, st), out);
    sb_comm_bcast(c, &n, sizeof n, 0);
    sb_comm_bcast(c, list, n * sizeof *list, 0);
    SB_GOTO(st, sb_crew_work(&j->crew, "ingest", list, n, do_unit, j), out);
    if (!j->drop)
        st = sb_duplicates_find(c, j->sources, j->dir, sb_app_memory(j->app), 0,
                                j->duplicates);
out:
    sb_free(list);
    return st;
}

/* ---- the manifest -------------------------------------------------------- */

static void add_stats(sb_source_stats *to, const sb_source_stats *s)
{
    to->documents += s->documents;
    to->heldout += s->heldout;
    to->text_bytes += s->text_bytes;
    to->tokens += s->tokens;
    to->unknown += s->unknown;
    to->dropped += s->dropped;
    to->skipped += s->skipped;
    if (to->bad == 0 && s->bad)
        memcpy(to->first_bad, s->first_bad, sizeof to->first_bad);
    to->bad += s->bad;
    for (int i = 0; i < SB_LENGTHS; i++) to->length[i] += s->length[i];
}

/* Rank 0: what is known of the sources, from the units' marks. */
static sb_status tally(job *j)
{
    size_t n = sb_sources_count(j->sources);
    SB_TRY(sb_alloc(n, sizeof *j->m.source, "sources", &j->m.source));
    j->m.sources = n;
    for (size_t i = 0; i < n; i++) {
        sb_source_entry *e = &j->m.source[i];
        const char *spec = sb_sources_spec(j->sources, i);
        SB_REQUIRE(strlen(spec) < sizeof e->spec, SB_ELIMIT,
                   "a source of more than %zu letters: %.100s...",
                   sizeof e->spec - 1, spec);
        sb_app_utf8(e->spec, sizeof e->spec, spec);
        e->weight = sb_sources_weight(j->sources, i);
        e->stats.duplicates = j->duplicates[i];
    }
    for (size_t u = 0; u < sb_sources_units(j->sources); u++) {
        int done;
        sb_source_stats s;
        SB_TRY(sb_ingest_done(j->ingest, u, &done, &s));
        if (done) {
            uint32_t of = sb_sources_unit(j->sources, u).source;
            add_stats(&j->m.source[of].stats, &s);
            continue;
        }
        sb_fail(SB_EIO, __FILE__, __LINE__,
                "unit %zu was finished by another rank and is not in '%s'", u,
                j->dir);
        return sb_hint("the corpus needs a folder that all nodes share");
    }
    for (size_t i = 0; i < n; i++) {
        char *place = j->m.source[i].stats.first_bad;
        sb_app_utf8(place, SB_PLACE_MAX, place);
    }
    return SB_OK;
}

/* Is more of a source bad than --max-bad? Collective. */
static sb_status check_bad(const job *j)
{
    size_t n = sb_sources_count(j->sources);
    sb_tally *t;
    SB_TRY(sb_agree(j->app->comm, sb_alloc(n, sizeof *t, "sources", &t)));
    for (size_t i = 0; i < j->m.sources; i++) {
        const sb_source_stats *s = &j->m.source[i].stats;
        t[i].documents = s->documents + s->dropped;
        t[i].skipped = s->skipped;
        t[i].bad = s->bad;
        snprintf(t[i].first_bad, sizeof t[i].first_bad, "%s", s->first_bad);
    }
    sb_status st = sb_app_check_bad(j->app, j->sources, t);
    sb_free(t);
    return st;
}

static sb_status list_shard(job *j, sb_split split, size_t unit, size_t *cap)
{
    sb_manifest *m = &j->m;
    sb_shard_entry e = {.split = split,
                        .source = sb_sources_unit(j->sources, unit).source};
    sb_shard_name(split, unit, e.name);
    char *path = sb_path_join(j->dir, e.name);
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    sb_shard_reader *r = NULL;
    sb_status st = SB_OK;
    if (!sb_file_exists(path)) goto out;
    SB_GOTO(st, sb_file_size(path, &e.bytes), out);
    SB_GOTO(st, sb_shard_open(path, e.bytes, &r), out);
    e.info = *sb_shard_get_info(r);
    SB_GOTO(st,
            sb_grow(&m->shard, cap, m->shards + 1, sizeof *m->shard, "shards"),
            out);
    m->shard[m->shards++] = e;
out:
    sb_shard_close(r);
    sb_free(path);
    return st;
}

/* Is `end` what stands behind a unit's number, or that of a file begun? */
static int is_our_end(const char *end)
{
    static const char *const known[] = {".mdb", ".done", ".hash", ".counts",
                                        ".drop"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t n = strlen(known[i]);
        if (strncmp(end, known[i], n) != 0) continue;
        return !end[n] || strcmp(end + n, ".tmp") == 0;
    }
    return 0;
}

/* A name that ingest gives. --corpus may name a folder where other files lie:
 * "train-old.txt" is none of ours. */
static int is_ours(const char *name)
{
    static const char *const start[] = {"unit-", "train-", "heldout-"};
    for (size_t i = 0; i < sizeof start / sizeof start[0]; i++) {
        size_t n = strlen(start[i]), digits;
        if (strncmp(name, start[i], n) != 0) continue;
        digits = strspn(name + n, "0123456789");
        return digits >= 5 && is_our_end(name + n + digits);
    }
    return 0;
}

/* Rank 0: units' records mean nothing once there is a manifest, nor do shards
 * of an earlier, other input. */
static sb_status sweep(const char *dir, const sb_manifest *m)
{
    char **name;
    size_t n;
    SB_TRY(sb_dir_list(dir, &name, &n));
    sb_status st = SB_OK;
    for (size_t i = 0; i < n && st == SB_OK; i++) {
        if (!is_ours(name[i]) || sb_manifest_names(m, name[i])) continue;
        char *path = sb_path_join(dir, name[i]);
        st = path ? sb_dir_remove(path)
                  : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                            "out of memory: a path");
        sb_free(path);
    }
    sb_names_free(name, n);
    return st;
}

static void say_result(job *j)
{
    sb_source_stats all = {0};
    uint64_t duplicates = 0;
    for (size_t i = 0; i < j->m.sources; i++) {
        add_stats(&all, &j->m.source[i].stats);
        duplicates += j->m.source[i].stats.duplicates;
    }
    sb_crew_done(&j->crew,
                 "%" PRIu64 " documents (%" PRIu64 " held out, %" PRIu64
                 " duplicates%s), %.1f M tokens, %.2f bytes a token; %s",
                 all.documents, all.heldout, duplicates,
                 j->drop ? " left out" : "", (double)all.tokens / 1e6,
                 (double)all.text_bytes / (double)(all.tokens ? all.tokens : 1),
                 j->dir);
}

/* Rank 0: shards and counts, then the manifest. */
static sb_status finish(job *j)
{
    size_t cap = 0, n = sb_sources_units(j->sources), V = j->m.vocab_size;
    uint64_t *counts;
    SB_TRY(sb_alloc(j->m.sources * V, sizeof *counts, "piece counts", &counts));
    sb_status st = SB_OK;
    for (size_t i = 0; i < n; i++) {
        size_t source = sb_sources_unit(j->sources, i).source;
        SB_GOTO(st, sb_ingest_add_counts(j->ingest, i, counts + source * V),
                out);
        for (int k = 0; k < 2; k++)
            SB_GOTO(st, list_shard(j, (sb_split)k, i, &cap), out);
    }
    SB_GOTO(st, sb_piece_counts_write(j->dir, &j->m, counts), out);
    SB_GOTO(st, sb_manifest_write(j->dir, &j->m), out);
    st = sweep(j->dir, &j->m);
out:
    sb_free(counts);
    return st;
}

/* ---- the command --------------------------------------------------------- */

/* Rank 0: the corpus is there; only the weights may be others. */
static sb_status reweigh(const job *j, int *changed_out)
{
    sb_manifest m = {0};
    char *used = sb_config_effective(j->app->config, j->app->phase);
    SB_REQUIRE(used, SB_ENOMEM, "out of memory: configuration");
    sb_status st = sb_manifest_read(j->dir, &m);
    if (st == SB_OK && m.input_identity != sb_sources_identity(j->sources))
        st = sb_fail(SB_EINVAL, __FILE__, __LINE__,
                     "'%s/corpus.json' is of other input than 'made-from'",
                     j->dir);
    for (size_t i = 0; st == SB_OK && i < m.sources; i++) {
        double w = sb_sources_weight(j->sources, i);
        *changed_out |= w < m.source[i].weight || w > m.source[i].weight;
        m.source[i].weight = w;
    }
    if (st == SB_OK && *changed_out) {
        sb_app_utf8(m.config, sizeof m.config, used);
        st = sb_manifest_write(j->dir, &m);
    }
    if (st == SB_OK) st = sweep(j->dir, &m);
    sb_manifest_free(&m);
    sb_free(used);
    return st;
}

static sb_status done_before(job *j, char **used_out)
{
    sb_comm *c = j->app->comm;
    int changed = 0;
    sb_status st = sb_comm_rank(c) == 0 ? reweigh(j, &changed) : SB_OK;
    SB_TRY(sb_agree(c, st));
    sb_comm_bcast(c, &changed, sizeof changed, 0);
    if (changed) {
        SB_TRY(sb_app_begin(j->app, "ingest", used_out));
        SB_TRY(sb_app_record(j->app, "ingest", *used_out));
    }
    sb_log(SB_LOG_INFO, "ingest: done before%s, in %s",
           changed ? ", the weights are new" : "", j->dir);
    return SB_OK;
}

static sb_status open_ingest(job *j)
{
    const sb_config *c = j->app->config;
    sb_ingest_options o = {.dir = j->dir,
                           .sources = j->sources,
                           .vocab = j->vocab,
                           .held_out = sb_config_real(c, "held-out"),
                           .block_tokens =
                               (size_t)sb_config_int(c, "block-tokens"),
                           .drop = j->drop,
                           .progress = sb_crew_report,
                           .stop = sb_stop_asked,
                           .arg = &j->crew};
    SB_TRY(sb_alloc(sb_sources_count(j->sources), sizeof *j->duplicates,
                    "sources", &j->duplicates));
    return sb_ingest_open(&o, &j->ingest);
}

static sb_status prepare(job *j, int *done_out)
{
    const sb_config *c = j->app->config;
    j->drop = sb_config_bool(c, "drop-duplicates");
    SB_TRY(sb_app_path(j->app, "corpus", "corpus", &j->dir));
    SB_TRY(open_ingest(j));
    j->from = sb_format("input = %016" PRIx64 "\nvocabulary = %016" PRIx64
                        "\nheld-out = %s\nblock-tokens = %s\n"
                        "drop-duplicates = %s\n",
                        sb_sources_identity(j->sources),
                        sb_vocab_hash(j->vocab), sb_config_text(c, "held-out"),
                        sb_config_text(c, "block-tokens"),
                        sb_config_text(c, "drop-duplicates"));
    j->record = sb_path_join(j->dir, "made-from");
    char *manifest = sb_path_join(j->dir, "corpus.json");
    sb_status st = SB_OK;
    if (!j->from || !manifest || !j->record)
        st = sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    else if (sb_file_exists(manifest))
        st = sb_app_compare(j->record, j->from, "corpus", 1, done_out);
    sb_free(manifest);
    return st;
}

/* Rank 0 */
static sb_status write_record(const job *j)
{
    SB_TRY(sb_dir_make(j->dir));
    return sb_file_write(j->record, j->from, strlen(j->from));
}

static sb_status work(job *j, const char *used)
{
    sb_comm *c = j->app->comm;
    int first = sb_comm_rank(c) == 0;
    j->m.vocab_size = sb_vocab_size(j->vocab);
    j->m.vocab_hash = sb_vocab_hash(j->vocab);
    j->m.input_identity = sb_sources_identity(j->sources);
    sb_app_utf8(j->m.config, sizeof j->m.config, used);
    SB_TRY(sb_agree(c, first ? write_record(j) : SB_OK));
    SB_TRY(do_units(j));
    sb_life_doing("shards and counts");
    SB_TRY(sb_agree(c, first ? tally(j) : SB_OK));
    SB_TRY(check_bad(j));
    SB_TRY(sb_agree(c, first ? finish(j) : SB_OK));
    if (first) say_result(j);
    return SB_OK;
}

sb_status sb_cmd_ingest(sb_app *a)
{
    job *j;
    char *used = NULL;
    int done = 0;
    sb_status st = sb_agree(a->comm, sb_alloc(1, sizeof *j, "ingest", &j));
    SB_TRY(st);
    j->app = a;
    SB_GOTO(st, sb_app_sources(a, &j->sources), out);
    SB_GOTO(st, sb_app_vocab(a, &j->vocab), out);
    sb_crew_open(&j->crew, a->comm, j->sources);
    SB_GOTO(st, sb_agree(a->comm, prepare(j, &done)), out);
    sb_comm_bcast(a->comm, &done, sizeof done, 0);
    if (done) {
        st = done_before(j, &used);
        goto out;
    }
    SB_GOTO(st, sb_app_begin(a, "ingest", &used), out);
    SB_GOTO(st, sb_app_record(a, "ingest", used), out);
    st = work(j, used);
out:
    sb_ingest_close(j->ingest);
    sb_vocab_close(j->vocab);
    sb_sources_close(j->sources);
    sb_manifest_free(&j->m);
    char *owned[] = {used, j->record, j->dir, j->from};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        sb_free(owned[i]);
    sb_free(j->duplicates);
    sb_free(j);
    return st;
}
