/* SPDX-License-Identifier: MIT
 * inspect_corpus.c - what a corpus holds, for people. */
#include "launch/inspect_corpus.h"

#include <inttypes.h>
#include <stdio.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/corpus.h"
#include "dataset/tokenize.h"

/* What is worth a warning: shares of the tokens that training sees. */
static const double thin = 0.02, dominant = 0.6, unknown = 0.01,
                    duplicated = 0.2;

static double per(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static double effective(const sb_source_entry *e)
{
    return e->weight * (double)e->stats.tokens;
}

static double sum_effective(const sb_manifest *m)
{
    double all = 0;
    for (size_t i = 0; i < m->sources; i++) all += effective(&m->source[i]);
    return all > 0 ? all : 1;
}

/* ---- tables -------------------------------------------------------------- */

static void show_shards(const char *dir, const sb_manifest *m)
{
    uint64_t all = 0, text = 0;
    for (size_t i = 0; i < m->shards; i++) all += m->shard[i].bytes;
    for (size_t i = 0; i < m->sources; i++)
        text += m->source[i].stats.text_bytes;
    printf("corpus %s: vocabulary of %" PRIu64 " pieces, hash %016" PRIx64
           "\n%zu shards, %s, %.3f bytes a byte of text\n",
           dir, m->vocab_size, m->vocab_hash, m->shards, sb_bytes_text(all),
           per(all, text));
    for (int split = 0; split < 2; split++) {
        uint64_t shards = 0, blocks = 0, tokens = 0, documents = 0;
        for (size_t i = 0; i < m->shards; i++) {
            if ((int)m->shard[i].split != split) continue;
            shards++;
            blocks += m->shard[i].info.blocks;
            tokens += m->shard[i].info.tokens;
            documents += m->shard[i].info.documents;
        }
        printf("  %-8s %" PRIu64 " shards, %" PRIu64 " blocks, %" PRIu64
               " documents, %" PRIu64 " tokens\n",
               split ? "held out" : "train", shards, blocks, documents, tokens);
    }
}

static void show_sources(const sb_manifest *m)
{
    double all = sum_effective(m);
    puts("\n  source   weight   documents      tokens        text  bytes/token"
         "  unknown  duplicate   share");
    for (size_t i = 0; i < m->sources; i++) {
        const sb_source_entry *e = &m->source[i];
        const sb_source_stats *s = &e->stats;
        printf("  %6zu %8g %11" PRIu64 " %11" PRIu64
               " %11s %12.2f %7.3f%% %9.2f%% %6.1f%%\n",
               i + 1, e->weight, s->documents, s->tokens,
               sb_bytes_text(s->text_bytes), per(s->text_bytes, s->tokens),
               100 * per(s->unknown, s->tokens),
               100 * per(s->duplicates, s->documents + s->dropped),
               100 * effective(e) / all);
    }
    for (size_t i = 0; i < m->sources; i++) {
        const sb_source_stats *s = &m->source[i].stats;
        printf("\n  %zu: %s\n     %" PRIu64 " held out, %" PRIu64
               " duplicates left out, %" PRIu64
               " records without a document, %" PRIu64 " unreadable%s%s\n",
               i + 1, m->source[i].spec, s->heldout, s->dropped, s->skipped,
               s->bad, s->bad ? ", first: " : "", s->first_bad);
    }
}

/* Documents by tokens: shares, in steps of two octaves. */
static void show_lengths(const sb_manifest *m)
{
    enum { STEP = 2, LAST = 12 };
    puts("\n  documents by length in tokens\n  source    1-3   4-15  16-63 "
         "64-255   -1023  -4095  longer");
    for (size_t i = 0; i < m->sources; i++) {
        const sb_source_stats *s = &m->source[i].stats;
        uint64_t rest = 0;
        printf("  %6zu", i + 1);
        for (int k = LAST; k < SB_LENGTHS; k++) rest += s->length[k];
        for (int k = 0; k < LAST; k += STEP)
            printf(" %5.1f%%",
                   100 * per(s->length[k] + s->length[k + 1], s->documents));
        printf("  %5.1f%%\n", 100 * per(rest, s->documents));
    }
}

static void warn(const sb_manifest *m)
{
    double all = sum_effective(m);
    puts("");
    for (size_t i = 0; i < m->sources; i++) {
        const sb_source_entry *e = &m->source[i];
        const sb_source_stats *s = &e->stats;
        double share = effective(e) / all;
        if (share > dominant)
            printf("warning: source %zu dominates: %.0f %% of all tokens that "
                   "training sees%s\n",
                   i + 1, 100 * share,
                   m->sources > 1 ? ""
                                  : "; a corpus of one source is not diverse");
        if (share < thin && e->weight > 0)
            printf("warning: source %zu is thin: %.2f %% of all tokens that "
                   "training sees\n",
                   i + 1, 100 * share);
        if (per(s->unknown, s->tokens) > unknown)
            printf("warning: %.1f %% of the tokens of source %zu are [UNK]: "
                   "was the vocabulary made from such text?\n",
                   100 * per(s->unknown, s->tokens), i + 1);
        if (per(s->duplicates, s->documents + s->dropped) > duplicated &&
            !s->dropped)
            printf("warning: %.0f %% of the documents of source %zu are "
                   "duplicates; --drop-duplicates leaves them out\n",
                   100 * per(s->duplicates, s->documents), i + 1);
    }
}

/* ---- documents ----------------------------------------------------------- */

/* --vocab, or the vocabulary beside the corpus, or the run's. */
static sb_status find_vocab(const sb_app *a, const char *dir, sb_vocab **v_out)
{
    char *beside = sb_format("%s/../vocab/vocab.txt", dir), *path = NULL;
    SB_REQUIRE(beside, SB_ENOMEM, "out of memory: a path");
    int use = !sb_config_text(a->config, "vocab") && sb_file_exists(beside);
    sb_status st =
        use ? SB_OK : sb_app_path(a, "vocab", "vocab/vocab.txt", &path);
    if (st == SB_OK) st = sb_vocab_load(use ? beside : path, v_out);
    if (st == SB_ENOENT) sb_hint("name it with --vocab FILE");
    sb_free(beside);
    sb_free(path);
    return st;
}

static sb_status show_document(const sb_vocab *v, sb_corpus *c, uint64_t i)
{
    const uint32_t *id;
    uint32_t n;
    SB_TRY(sb_corpus_document(c, i, &id, &n));
    char *text = sb_decode(v, id, n);
    SB_REQUIRE(text, SB_ENOMEM, "out of memory: a document");
    size_t source = 0;
    while (source + 1 < sb_corpus_sources(c) &&
           sb_corpus_source_at(c, source + 1)->first_document <= i)
        source++;
    printf("\ndocument %" PRIu64 ", source %zu, %" PRIu32
           " tokens\n  text:   %s\n  pieces:",
           i, source + 1, n, text);
    for (uint32_t k = 0; k < n; k++) printf(" %s", sb_vocab_piece(v, id[k]));
    putchar('\n');
    sb_free(text);
    return SB_OK;
}

sb_status sb_inspect_open(const sb_app *a, const char *dir, sb_vocab **v_out,
                          sb_corpus **c_out)
{
    sb_vocab *v = NULL;
    sb_corpus *c = NULL;
    sb_status st = sb_corpus_open(dir, SB_TRAIN, &c);
    if (st == SB_OK) st = find_vocab(a, dir, &v);
    if (st == SB_OK && sb_vocab_hash(v) != sb_corpus_vocab_hash(c)) {
        st = sb_fail(SB_EINVAL, __FILE__, __LINE__,
                     "the corpus '%s' was made with another vocabulary", dir);
        sb_hint("name it with --vocab FILE");
    }
    if (st != SB_OK) {
        sb_corpus_close(c);
        sb_vocab_close(v);
        return st;
    }
    *v_out = v;
    *c_out = c;
    return SB_OK;
}

static sb_status show_sample(const sb_app *a, const char *dir, uint64_t n)
{
    sb_vocab *v;
    sb_corpus *c;
    sb_status st = SB_OK;
    SB_TRY(sb_inspect_open(a, dir, &v, &c));
    uint64_t all = sb_corpus_documents(c);
    if (n > all) n = all;
    for (uint64_t i = 0; i < n && st == SB_OK; i++) /* spread evenly */
        st = show_document(v, c, all / n * i + all % n * i / n);
    sb_corpus_close(c);
    sb_vocab_close(v);
    return st;
}

sb_status sb_inspect_corpus(const sb_app *a, const char *dir)
{
    sb_manifest *m;
    uint64_t sample = (uint64_t)sb_config_int(a->config, "sample");
    SB_TRY(sb_alloc(1, sizeof *m, "manifest", &m));
    sb_status st = sb_manifest_read(dir, m);
    if (st == SB_OK) {
        show_shards(dir, m);
        show_sources(m);
        show_lengths(m);
        warn(m);
        if (sample) st = show_sample(a, dir, sample);
    }
    sb_manifest_free(m);
    sb_free(m);
    return st;
}

/* ---- verify -------------------------------------------------------------- */

static sb_status read_split(const char *dir, sb_split split, uint64_t *blocks)
{
    sb_corpus *c;
    sb_status st = sb_corpus_open(dir, split, &c);
    if (st == SB_EINVAL) return SB_OK; /* it has no document */
    SB_TRY(st);
    for (uint64_t i = 0; i < sb_corpus_blocks(c) && st == SB_OK; i++) {
        sb_block b;
        st = sb_corpus_block(c, i, &b);
        ++*blocks;
    }
    sb_corpus_close(c);
    return st;
}

sb_status sb_verify_corpus(const char *dir)
{
    uint64_t blocks = 0;
    sb_status st = read_split(dir, SB_TRAIN, &blocks);
    if (st == SB_OK) st = read_split(dir, SB_HELDOUT, &blocks);
    if (st == SB_OK)
        printf("%s: OK, %" PRIu64 " blocks\n", dir, blocks);
    else
        printf("%s: %s\n", dir, sb_error_last()->text);
    return st;
}
