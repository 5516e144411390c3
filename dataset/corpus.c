/* SPDX-License-Identifier: MIT
 * corpus.c - a split's shards as one row of blocks and documents.
 *
 * Invariants: prefix sums start at 0 and end at the totals; shards come by
 * rising source, so that a source is a range of documents and of blocks. A
 * shard's own summary must say what the manifest says.
 */
#include "dataset/corpus.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/life.h"
#include "comm/base/mem.h"
#include "dataset/piece_counts.h"

struct sb_corpus {
    sb_shard_reader **shard; /* [shards] */
    size_t shards;
    uint64_t *shard_block;    /* [shards + 1] first block of each */
    uint64_t *block_doc;      /* [blocks + 1] first document of each */
    sb_corpus_source *source; /* [sources] */
    size_t sources;
    sb_shard_info total;
    /* of the training split */
    uint64_t *counts; /* [vocab size] */
    sb_mix *document_mix, *block_mix;
};

/* ---- shards -------------------------------------------------------------- */

static sb_status open_shard(const char *dir, const sb_shard_entry *e,
                            sb_shard_reader **r_out)
{
    char *path = sb_path_join(dir, e->name);
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    sb_shard_reader *r;
    sb_status st = sb_shard_open(path, e->bytes, &r);
    sb_free(path);
    SB_TRY(st);
    if (memcmp(sb_shard_get_info(r), &e->info, sizeof e->info) != 0) {
        sb_shard_close(r);
        SB_FAIL(SB_EFORMAT,
                "shard '%s/%s' is not the one corpus.json describes", dir,
                e->name);
    }
    *r_out = r;
    return SB_OK;
}

static sb_status add_shard(sb_corpus *c, const char *dir,
                           const sb_shard_entry *e)
{
    SB_TRY(open_shard(dir, e, &c->shard[c->shards]));
    c->shards++;
    c->source[e->source].blocks += e->info.blocks;
    c->source[e->source].tokens += e->info.tokens;
    c->source[e->source].documents += e->info.documents;
    c->total.blocks += e->info.blocks;
    c->total.tokens += e->info.tokens;
    c->total.sentences += e->info.sentences;
    c->total.documents += e->info.documents;
    return SB_OK;
}

static sb_status number_through(sb_corpus *c)
{
    SB_TRY(sb_alloc(c->shards + 1, sizeof *c->shard_block, "shard list",
                    &c->shard_block));
    SB_TRY(sb_alloc((size_t)c->total.blocks + 1, sizeof *c->block_doc,
                    "block list", &c->block_doc));
    uint64_t block = 0;
    for (size_t s = 0; s < c->shards; s++) {
        const sb_block_index *n = sb_shard_index(c->shard[s]);
        uint64_t blocks = sb_shard_get_info(c->shard[s])->blocks;
        for (uint64_t i = 0; i < blocks; i++, block++)
            c->block_doc[block + 1] = c->block_doc[block] + n[i].documents;
        c->shard_block[s + 1] = block;
    }
    for (size_t i = 1; i < c->sources; i++) {
        sb_corpus_source *s = &c->source[i];
        s->first_document = s[-1].first_document + s[-1].documents;
        s->first_block = s[-1].first_block + s[-1].blocks;
    }
    return SB_OK;
}

/* ---- what training asks for ---------------------------------------------- */

/* As an epoch's places: what can come up is never counted 0 times. */
static uint64_t weighed(uint64_t count, double weight)
{
    uint64_t n = (uint64_t)llround(weight * (double)count);
    return n == 0 && count > 0 && weight > 0 ? 1 : n;
}

/* An epoch sees a source weight times, and so counts its pieces. */
static sb_status weigh_counts(sb_corpus *c, const char *dir,
                              const sb_manifest *m)
{
    uint64_t V = m->vocab_size, *of;
    SB_TRY(sb_alloc((size_t)V, sizeof *c->counts, "piece counts", &c->counts));
    SB_TRY(sb_piece_counts_read(dir, m, &of));
    for (size_t s = 0; s < m->sources; s++) {
        double weight = m->source[s].weight;
        for (uint64_t i = 0; i < V; i++)
            c->counts[i] +=
                weight == 1 ? of[s * V + i] : weighed(of[s * V + i], weight);
    }
    sb_free(of);
    return SB_OK;
}

static sb_status open_mixes(sb_corpus *c)
{
    size_t n = c->sources;
    uint64_t *items;
    double *weight;
    SB_TRY(sb_alloc(2 * n, sizeof *items, "sources", &items));
    sb_status st;
    SB_GOTO(st, sb_alloc(n, sizeof *weight, "sources", &weight), out);
    for (size_t i = 0; i < n; i++) {
        items[i] = c->source[i].documents;
        items[n + i] = c->source[i].blocks;
        weight[i] = c->source[i].weight;
    }
    st = sb_mix_open(items, weight, n, &c->document_mix);
    if (st == SB_OK) st = sb_mix_open(items + n, weight, n, &c->block_mix);
    sb_free(weight);
out:
    sb_free(items);
    return st;
}

/* ---- sources ------------------------------------------------------------- */

static sb_status open_sources(sb_corpus *c, const sb_manifest *m)
{
    SB_TRY(sb_alloc(m->sources, sizeof *c->source, "sources", &c->source));
    c->sources = m->sources;
    for (size_t i = 0; i < m->sources; i++) {
        sb_manifest_source_name(m, i, c->source[i].name);
        c->source[i].weight = m->source[i].weight;
    }
    return SB_OK;
}

/* ---- open, close --------------------------------------------------------- */

static sb_status open_split(sb_corpus *c, const char *dir, sb_split split,
                            const sb_manifest *m)
{
    sb_file_room(m->shards);
    c->total.vocab_size = m->vocab_size;
    c->total.vocab_hash = m->vocab_hash;
    SB_TRY(open_sources(c, m));
    SB_TRY(sb_alloc(m->shards, sizeof *c->shard, "shard list", &c->shard));
    for (size_t i = 0; i < m->shards; i++)
        if (m->shard[i].split == split) SB_TRY(add_shard(c, dir, &m->shard[i]));
    SB_REQUIRE(c->total.documents > 0, SB_EINVAL,
               "corpus '%s' has no document to %s", dir,
               split == SB_TRAIN ? "train with" : "evaluate with");
    SB_TRY(number_through(c));
    if (split == SB_HELDOUT) return SB_OK;
    SB_TRY(open_mixes(c));
    return weigh_counts(c, dir, m);
}

sb_status sb_corpus_open(const char *dir, sb_split split,
                         sb_corpus **corpus_out)
{
    sb_manifest *m;
    SB_TRY(sb_alloc(1, sizeof *m, "manifest", &m));
    sb_corpus *c = NULL;
    sb_status st = sb_manifest_read(dir, m);
    if (st == SB_OK) st = sb_alloc(1, sizeof *c, "corpus", &c);
    if (st == SB_OK) st = open_split(c, dir, split, m);
    sb_manifest_free(m);
    sb_free(m);
    if (st != SB_OK) {
        sb_corpus_close(c);
        return st;
    }
    *corpus_out = c;
    return SB_OK;
}

void sb_corpus_close(sb_corpus *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->shards; i++) sb_shard_close(c->shard[i]);
    sb_mix_close(c->document_mix);
    sb_mix_close(c->block_mix);
    void *owned[] = {c->shard, c->shard_block, c->block_doc, c->source,
                     c->counts};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        sb_free(owned[i]);
    sb_free(c);
}

/* ---- what it holds ------------------------------------------------------- */

uint64_t sb_corpus_vocab_size(const sb_corpus *c)
{
    return c->total.vocab_size;
}

uint64_t sb_corpus_vocab_hash(const sb_corpus *c)
{
    return c->total.vocab_hash;
}

uint64_t sb_corpus_tokens(const sb_corpus *c)
{
    return c->total.tokens;
}

uint64_t sb_corpus_documents(const sb_corpus *c)
{
    return c->total.documents;
}

uint64_t sb_corpus_blocks(const sb_corpus *c)
{
    return c->total.blocks;
}

size_t sb_corpus_sources(const sb_corpus *c)
{
    return c->sources;
}

const sb_corpus_source *sb_corpus_source_at(const sb_corpus *c, size_t i)
{
    return &c->source[i];
}

const uint64_t *sb_corpus_counts(const sb_corpus *c)
{
    return c->counts;
}

const sb_mix *sb_corpus_document_mix(const sb_corpus *c)
{
    return c->document_mix;
}

const sb_mix *sb_corpus_block_mix(const sb_corpus *c)
{
    return c->block_mix;
}

/* The k with first[k] <= i < first[k + 1]; first[0] == 0, i < first[n]. */
static size_t find(const uint64_t *first, size_t n, uint64_t i)
{
    size_t lo = 0, hi = n;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (first[mid] <= i)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

sb_status sb_corpus_block(sb_corpus *c, uint64_t i, sb_block *block_out)
{
    SB_REQUIRE(i < c->total.blocks, SB_EINVAL,
               "the corpus has %" PRIu64 " blocks, no block %" PRIu64,
               c->total.blocks, i);
    size_t s = find(c->shard_block, c->shards, i);
    sb_life_beat();
    return sb_shard_read(c->shard[s], i - c->shard_block[s], block_out);
}

uint32_t sb_corpus_block_tokens(const sb_corpus *c, uint64_t i)
{
    size_t s = find(c->shard_block, c->shards, i);
    return sb_shard_index(c->shard[s])[i - c->shard_block[s]].tokens;
}

uint32_t sb_corpus_block_documents(const sb_corpus *c, uint64_t i)
{
    return (uint32_t)(c->block_doc[i + 1] - c->block_doc[i]);
}

sb_status sb_corpus_document(sb_corpus *c, uint64_t i, const uint32_t **ids_out,
                             uint32_t *n_out)
{
    SB_REQUIRE(i < c->total.documents, SB_EINVAL,
               "the corpus has %" PRIu64 " documents, no document %" PRIu64,
               c->total.documents, i);
    size_t k = find(c->block_doc, (size_t)c->total.blocks, i);
    sb_block b;
    SB_TRY(sb_corpus_block(c, k, &b));
    uint32_t begin = 0;
    uint64_t d = c->block_doc[k];
    for (sb_sentence s = sb_sentence_start(&b); d <= i; d += (uint64_t)s.last) {
        sb_sentence_next(&s);
        *n_out = s.end - begin;
        if (s.last && d < i) begin = s.end;
    }
    *ids_out = b.ids + begin;
    return SB_OK;
}
