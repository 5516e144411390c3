/* SPDX-License-Identifier: MIT
 * ingest.c - one unit of the input becomes its own sealed shards.
 *
 * Invariant: what a shard holds depends on the unit's files, the vocabulary
 * and the options alone; two ingests of the same input give the same bytes. */
#include "dataset/ingest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "dataset/tokenize.h"
#include "dataset/unit_files.h"

enum { SPLITS = 2 };

/* A block being filled, of one split of one unit. */
typedef struct building {
    sb_shard_writer *writer; /* NULL: no block yet */
    sb_ids ids;
    sb_lengths lengths;
} building;

struct sb_ingest {
    sb_ingest_options o;
    sb_encoder *encoder;
    uint64_t held_below; /* a document is held out, if its hash is below */
    size_t unit;
    building split[SPLITS];
    sb_source_stats stats;
    uint64_t *counts; /* [vocabulary] of the unit's training ids */
    uint64_t *hash;   /* [hashes] of the documents read */
    size_t hashes, hash_cap;
    uint64_t *drop; /* [drops] */
    size_t drops, dropped;
    uint64_t text_read;
};

sb_status sb_ingest_open(const sb_ingest_options *o, sb_ingest **ingest_out)
{
    sb_ingest *g;
    SB_TRY(sb_alloc(1, sizeof *g, "ingest", &g));
    g->o = *o;
    g->held_below = (uint64_t)(o->held_out * 0x1p64);
    sb_status st = sb_encoder_open(o->vocab, &g->encoder);
    if (st == SB_OK)
        st = sb_alloc(sb_vocab_size(o->vocab), sizeof *g->counts,
                      "piece counts", &g->counts);
    if (st == SB_OK)
        *ingest_out = g;
    else
        sb_ingest_close(g);
    return st;
}

static void empty(building *b)
{
    b->ids.n = 0;
    b->lengths.n = 0;
    b->lengths.sentences = b->lengths.documents = b->lengths.tokens = 0;
}

/* Ready for another unit, whatever became of the last one. */
static void clear(sb_ingest *g)
{
    for (int k = 0; k < SPLITS; k++) {
        building *b = &g->split[k];
        sb_shard_abandon(b->writer);
        b->writer = NULL;
        empty(b);
    }
    memset(&g->stats, 0, sizeof g->stats);
    if (g->counts)
        memset(g->counts, 0, sb_vocab_size(g->o.vocab) * sizeof *g->counts);
    sb_free(g->drop);
    g->drop = NULL;
    g->hashes = g->drops = g->dropped = 0;
    g->text_read = 0;
}

void sb_ingest_close(sb_ingest *g)
{
    if (!g) return;
    clear(g);
    for (int k = 0; k < SPLITS; k++) {
        sb_free(g->split[k].ids.id);
        sb_free(g->split[k].lengths.data);
    }
    sb_encoder_close(g->encoder);
    sb_free(g->counts);
    sb_free(g->hash);
    sb_free(g);
}

/* ---- blocks -------------------------------------------------------------- */

static sb_status shard_path(const sb_ingest *g, sb_split split, char **out)
{
    char name[32];
    sb_shard_name(split, g->unit, name);
    *out = sb_path_join(g->o.dir, name);
    SB_REQUIRE(*out, SB_ENOMEM, "out of memory: a path");
    return SB_OK;
}

/* What a shard may grow to is address space, not disk: be generous. A byte of
 * text takes at most 8 (its id, its sentence's length, padding); a compressed
 * one may stand for max_ratio of them, or for more where it is few. */
static uint64_t map_bytes(const sb_ingest *g, const sb_unit *u)
{
    const double most = 0x1p43;
    double times = 16, ratio = 8 * sb_sources_max_ratio(g->o.sources);
    if (u->packed || u->files > 1) times = ratio > 1024 ? ratio : 1024;
    double bytes = ((double)u->bytes + 2.0 * SB_DOCUMENT_MAX) * times;
    return (uint64_t)(bytes < most ? bytes : most);
}

static sb_status create(sb_ingest *g, sb_split split)
{
    sb_unit u = sb_sources_unit(g->o.sources, g->unit);
    char *path;
    SB_TRY(shard_path(g, split, &path));
    sb_status st =
        sb_shard_create(path, map_bytes(g, &u), sb_vocab_size(g->o.vocab),
                        sb_vocab_hash(g->o.vocab), &g->split[split].writer);
    sb_free(path);
    return st;
}

static sb_status flush(sb_ingest *g, sb_split split)
{
    building *b = &g->split[split];
    if (b->lengths.documents == 0) return SB_OK;
    if (!b->writer) SB_TRY(create(g, split));
    sb_block block = {.ids = b->ids.id,
                      .lengths = b->lengths.data,
                      .tokens = (uint32_t)b->ids.n,
                      .sentences = b->lengths.sentences,
                      .documents = b->lengths.documents};
    SB_TRY(sb_shard_append(b->writer, &block));
    uint32_t unk = sb_vocab_special(g->o.vocab).unk;
    for (size_t i = 0; i < b->ids.n; i++) {
        g->stats.unknown += b->ids.id[i] == unk;
        if (split == SB_TRAIN) g->counts[b->ids.id[i]]++;
    }
    empty(b);
    return SB_OK;
}

/* A block is full when it has its tokens and fills its pages well. */
static int is_full(const sb_ingest *g, const building *b)
{
    enum { LITTLE = 512 };
    return b->ids.n >= g->o.block_tokens &&
           (b->ids.n >= g->o.block_tokens + g->o.block_tokens / 4 ||
            sb_shard_waste(b->ids.n, b->lengths.n) < LITTLE);
}

static sb_status end_sentence(building *b)
{
    return sb_lengths_sentence(&b->lengths, (uint32_t)b->ids.n);
}

static sb_status end_document(building *b)
{
    if (b->lengths.tokens < b->ids.n) SB_TRY(end_sentence(b));
    sb_lengths_document(&b->lengths);
    return SB_OK;
}

/* ---- documents ----------------------------------------------------------- */

/* A document does not cross blocks, so one that is longer than a block can be
 * becomes several, cut at sentences where it has any. It is alone in its block:
 * add_document looks at its bytes, and a token has one at least. */
static sb_status make_room(sb_ingest *g, sb_split split, size_t sentence)
{
    building *b = &g->split[split];
    if (b->ids.n <= SB_BLOCK_TOKENS_MAX) return SB_OK;
    size_t n = b->ids.n - sentence, at = sentence;
    uint32_t *rest;
    SB_TRY(sb_alloc(n, sizeof *rest, "a long document", &rest));
    memcpy(rest, b->ids.id + at, n * sizeof *rest);
    sb_status st = SB_OK;
    b->ids.n = at;
    if (at) SB_GOTO(st, end_document(b), out);
    SB_GOTO(st, flush(g, split), out);
    for (at = 0; at < n;) {
        size_t k = n - at < SB_BLOCK_TOKENS_MAX ? n - at : SB_BLOCK_TOKENS_MAX;
        memcpy(b->ids.id, rest + at, k * sizeof *rest);
        b->ids.n = k;
        at += k;
        if (at == n) break;
        SB_GOTO(st, end_document(b), out);
        SB_GOTO(st, flush(g, split), out);
    }
out:
    sb_free(rest);
    return st;
}

/* Encode line by line: a line is a sentence. */
static sb_status encode(sb_ingest *g, sb_split split, const sb_document *d,
                        uint64_t *tokens_out)
{
    building *b = &g->split[split];
    const char *at = d->text, *end = at + d->bytes;
    uint64_t tokens = 0;
    while (at < end) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((nl ? nl : end) - at), before = b->ids.n;
        SB_TRY(sb_encode(g->encoder, at, n, 0, &b->ids));
        at += n + (nl != NULL);
        if (b->ids.n == before) continue;
        tokens += b->ids.n - before;
        SB_TRY(make_room(g, split, before));
        SB_TRY(end_sentence(b));
    }
    *tokens_out = tokens;
    return SB_OK;
}

static void count(sb_ingest *g, sb_split split, const sb_document *d,
                  uint64_t tokens)
{
    sb_source_stats *s = &g->stats;
    int i = 0;
    while (i < SB_LENGTHS - 1 && tokens >> (i + 1)) i++;
    s->length[i]++;
    s->documents++;
    s->heldout += split == SB_HELDOUT;
    s->text_bytes += d->bytes;
    s->tokens += tokens;
}

static sb_status add_document(sb_ingest *g, const sb_document *d, uint64_t hash)
{
    sb_split split = hash < g->held_below ? SB_HELDOUT : SB_TRAIN;
    building *b = &g->split[split];
    uint64_t tokens;
    if (b->ids.n + d->bytes > SB_BLOCK_TOKENS_MAX) SB_TRY(flush(g, split));
    SB_TRY(encode(g, split, d, &tokens));
    if (!tokens) { /* control characters and the like */
        g->stats.skipped++;
        return SB_OK;
    }
    SB_TRY(end_document(b));
    count(g, split, d, tokens);
    return is_full(g, b) ? flush(g, split) : SB_OK;
}

static int is_dropped(sb_ingest *g, uint64_t number)
{
    if (g->dropped == g->drops || g->drop[g->dropped] != number) return 0;
    g->dropped++;
    return 1;
}

/* Its hash, and, if asked for, its ids. */
static sb_status take_document(sb_ingest *g, const sb_document *d, int encoding)
{
    uint64_t hash = sb_hash64(d->text, d->bytes);
    SB_TRY(sb_grow(&g->hash, &g->hash_cap, g->hashes + 1, sizeof *g->hash,
                   "hashes of documents"));
    g->hash[g->hashes++] = hash;
    g->text_read += d->bytes;
    if (!encoding) return SB_OK;
    if (!is_dropped(g, g->hashes - 1)) return add_document(g, d, hash);
    g->stats.dropped++;
    return SB_OK;
}

static sb_status read_unit(sb_ingest *g, int encoding)
{
    sb_source *s;
    sb_document d;
    sb_tally tally = {0};
    int more = 1;
    SB_TRY(sb_source_open(g->o.sources, g->unit, &s));
    sb_status st = SB_OK;
    for (;;) {
        SB_GOTO(st, sb_source_next(s, &d, &tally, &more), out);
        if (!more) break;
        if (d.text) SB_GOTO(st, take_document(g, &d, encoding), out);
        g->o.progress(g->o.arg, sb_source_done(s), g->text_read, g->hashes);
        if (!g->o.stop()) continue;
        st = sb_fail(SB_ESTOP, __FILE__, __LINE__,
                     "asked to stop: sealed shards are kept, the same command "
                     "goes on from here");
        goto out;
    }
    g->stats.skipped += tally.skipped;
    g->stats.bad = tally.bad;
    memcpy(g->stats.first_bad, tally.first_bad, sizeof g->stats.first_bad);
out:
    sb_source_close(s);
    return st;
}

/* ---- a unit -------------------------------------------------------------- */

static sb_status get_drops(sb_ingest *g)
{
    void *data;
    size_t bytes;
    SB_TRY(sb_unit_get(g->o.dir, g->unit, "drop",
                       sb_unit_identity(g->o.sources, g->unit), sizeof *g->drop,
                       &data, &bytes));
    g->drop = data;
    g->drops = bytes / sizeof *g->drop;
    return SB_OK;
}

/* What a unit's shards depend on; its drops are loaded. */
static uint64_t made_from(const sb_ingest *g)
{
    uint64_t of[] = {sb_unit_identity(g->o.sources, g->unit),
                     sb_vocab_hash(g->o.vocab), g->held_below,
                     g->o.block_tokens,
                     sb_hash64(g->drop, g->drops * sizeof *g->drop)};
    return sb_hash64(of, sizeof of);
}

typedef struct counted {
    uint64_t id, count;
} counted;

/* Most pieces do not occur in a unit: keep those that do. */
static sb_status put_counts(const sb_ingest *g)
{
    uint32_t V = sb_vocab_size(g->o.vocab);
    counted *list;
    size_t n = 0;
    SB_TRY(sb_alloc(V, sizeof *list, "piece counts", &list));
    for (uint32_t id = 0; id < V; id++)
        if (g->counts[id]) list[n++] = (counted){id, g->counts[id]};
    sb_status st = sb_unit_put(g->o.dir, g->unit, "counts", made_from(g), list,
                               n * sizeof *list);
    sb_free(list);
    return st;
}

static sb_status put_hashes(const sb_ingest *g)
{
    return sb_unit_put(g->o.dir, g->unit, "hash",
                       sb_unit_identity(g->o.sources, g->unit), g->hash,
                       g->hashes * sizeof *g->hash);
}

/* A killed run may have sealed one of the two shards. The mark goes first: it
 * may be of other options, which are asked for again later. */
static sb_status remove_old(const sb_ingest *g)
{
    SB_TRY(sb_unit_remove(g->o.dir, g->unit, "done"));
    for (int k = 0; k < SPLITS; k++) {
        char *path;
        SB_TRY(shard_path(g, (sb_split)k, &path));
        sb_status st = sb_dir_remove(path);
        sb_free(path);
        SB_TRY(st);
    }
    return SB_OK;
}

static sb_status seal(sb_ingest *g)
{
    for (int k = 0; k < SPLITS; k++) {
        sb_shard_info info;
        SB_TRY(flush(g, (sb_split)k));
        sb_shard_writer *w = g->split[k].writer;
        g->split[k].writer = NULL;
        if (w) SB_TRY(sb_shard_seal(w, &info));
    }
    SB_TRY(put_hashes(g));
    SB_TRY(put_counts(g));
    return sb_unit_put(g->o.dir, g->unit, "done", made_from(g), &g->stats,
                       sizeof g->stats);
}

sb_status sb_ingest_unit(sb_ingest *g, size_t unit)
{
    g->unit = unit;
    sb_status st = remove_old(g);
    if (st == SB_OK && g->o.drop) st = get_drops(g);
    if (st == SB_OK) st = read_unit(g, 1);
    if (st == SB_OK) st = seal(g);
    clear(g);
    return st;
}

sb_status sb_ingest_hash(sb_ingest *g, size_t unit)
{
    void *data;
    size_t bytes;
    g->unit = unit;
    SB_TRY(sb_unit_get(g->o.dir, unit, "hash",
                       sb_unit_identity(g->o.sources, unit), sizeof *g->hash,
                       &data, &bytes));
    sb_free(data);
    if (data) return SB_OK;
    sb_status st = read_unit(g, 0);
    if (st == SB_OK) st = put_hashes(g);
    clear(g);
    return st;
}

/* A unit's record of another kind than its hashes. */
static sb_status get(sb_ingest *g, size_t unit, const char *kind, size_t item,
                     void **data_out, size_t *bytes_out)
{
    g->unit = unit;
    if (g->o.drop) SB_TRY(get_drops(g));
    sb_status st = sb_unit_get(g->o.dir, unit, kind, made_from(g), item,
                               data_out, bytes_out);
    sb_free(g->drop);
    g->drop = NULL;
    g->drops = 0;
    return st;
}

/* Does the shard lie where its unit's mark says that there is one? */
static sb_status has_shard(const sb_ingest *g, sb_split split,
                           const sb_source_stats *s, int *has_out)
{
    uint64_t held = s->heldout, kept = s->documents;
    char *path;
    *has_out = 1;
    if ((split == SB_HELDOUT ? held : kept - held) == 0) return SB_OK;
    SB_TRY(shard_path(g, split, &path));
    *has_out = sb_file_exists(path);
    sb_free(path);
    return SB_OK;
}

sb_status sb_ingest_done(sb_ingest *g, size_t unit, int *done_out,
                         sb_source_stats *stats_out)
{
    void *data;
    size_t bytes;
    SB_TRY(get(g, unit, "done", sizeof *stats_out, &data, &bytes));
    *done_out = bytes == sizeof *stats_out;
    if (*done_out) memcpy(stats_out, data, sizeof *stats_out);
    sb_free(data);
    for (int k = 0; k < SPLITS && *done_out; k++)
        SB_TRY(has_shard(g, (sb_split)k, stats_out, done_out));
    return SB_OK;
}

sb_status sb_ingest_add_counts(sb_ingest *g, size_t unit, uint64_t *counts)
{
    void *data;
    size_t bytes;
    uint32_t V = sb_vocab_size(g->o.vocab);
    SB_TRY(get(g, unit, "counts", sizeof(counted), &data, &bytes));
    SB_REQUIRE(data, SB_EIO, "unit %zu is done, its counts are not in '%s'",
               unit, g->o.dir);
    const counted *list = data;
    for (size_t i = 0; i < bytes / sizeof *list; i++)
        if (list[i].id < V) counts[list[i].id] += list[i].count;
    sb_free(data);
    return SB_OK;
}
