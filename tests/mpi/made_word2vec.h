/* SPDX-License-Identifier: MIT
 * made_word2vec.h - a small corpus of synonyms and runs of phase 1 on it.
 * Rank 0 writes, everybody reads. */
#ifndef SB_TESTS_MADE_WORD2VEC_H
#define SB_TESTS_MADE_WORD2VEC_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/rng.h"
#include "comm/comm.h"
#include "dataset/corpus.h"
#include "dataset/shard.h"
#include "dataset/vocab.h"
#include "tests/mpi/open_latest.h"
#include "tests/seal_corpus.h"
#include "trainer/metrics.h"
#include "trainer/build.h"
#include "trainer/word2vec/w2v.h"

/* Topics of 8 words. The first two words of a topic are synonyms: they stand
 * in the same places and never together. The last piece never occurs. */
enum { TOPICS = 6, TOPIC = 8, V = 5 + TOPICS * TOPIC + 1, SENTENCE = 6 };
enum { BLOCKS = 16, SENTENCES = 250, FEW = 2 };

static sb_comm *comm;
static sb_vocab *vocab;
static char base[256];
static uint64_t failures;
static uint32_t sentence_tokens = SENTENCE; /* of written sentences */

#define EXPECT(cond)                                                           \
    do {                                                                       \
        if (!(cond)) {                                                         \
            failures++;                                                        \
            fprintf(stderr, "rank %d: %s:%d: %s (last error: %s)\n",           \
                    sb_comm_rank(comm), __FILE__, __LINE__, #cond,             \
                    sb_error_last()->text);                                    \
        }                                                                      \
    } while (0)

/* What a test cannot go on without. */
static inline void must(sb_status st)
{
    if (st != SB_OK) sb_fatal(comm);
}

static inline char *path(const char *name)
{
    char *p = sb_path_join(base, name);
    if (!p) sb_fatal(comm);
    return p;
}

/* ---- the corpus ---------------------------------------------------------- */

static inline void make_vocab(void)
{
    char text[V * 8] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    size_t at = strlen(text);
    for (int i = 5; i < V; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "w%02d\n", i);
    must(sb_vocab_parse(text, at, "vocab.txt", &vocab));
}

static inline uint32_t draw(uint64_t a, uint32_t b, uint32_t n)
{
    sb_rng_key key = sb_rng_key_make(5, SB_RNG_TEST);
    return sb_rng_below(sb_rng_at(key, a, b, 0).v[0], n);
}

/* Sentence s: [CLS], a synonym of its topic among other words of it. */
static inline void make_sentence(uint64_t s, uint32_t *ids)
{
    uint32_t first = 5 + TOPIC * draw(s, 0, TOPICS);
    for (uint32_t i = 0; i < SENTENCE; i++)
        ids[i] = first + 2 + draw(s, i + 1, TOPIC - 2);
    ids[SENTENCE / 2] = first + draw(s, 100, 2);
    ids[0] = 2;
}

static inline void write_block(sb_shard_writer *w, uint64_t b)
{
    static uint32_t ids[SENTENCES * SENTENCE];
    sb_lengths l = {0};
    uint32_t n = SENTENCES - 7 * (uint32_t)(b % 3); /* not all the same */
    for (uint32_t s = 0; s < n; s++) {
        make_sentence(b * SENTENCES + s, ids + s * SENTENCE);
        uint32_t end = (s + 1) * SENTENCE;
        while (end - l.tokens > sentence_tokens)
            must(sb_lengths_sentence(&l, l.tokens + sentence_tokens));
        must(sb_lengths_sentence(&l, end));
    }
    sb_lengths_document(&l);
    sb_block block = {ids, l.data, l.tokens, l.sentences, l.documents};
    must(sb_shard_append(w, &block));
    sb_free(l.data);
}

/* Blocks [first, last) as a shard of source `unit`. */
static inline sb_shard_entry write_shard(const char *dir, uint32_t unit,
                                         uint64_t first, uint64_t last)
{
    sb_shard_entry e = {.split = SB_TRAIN, .source = unit};
    sb_shard_name(SB_TRAIN, unit, e.name);
    char *file = sb_path_join(dir, e.name);
    sb_shard_writer *w;
    must(sb_shard_create(file, (uint64_t)1 << 26, V, sb_vocab_hash(vocab), &w));
    for (uint64_t b = first; b < last; b++) write_block(w, b);
    must(sb_shard_seal(w, &e.info));
    must(sb_file_size(file, &e.bytes));
    sb_free(file);
    return e;
}

/* Two sources, a third of the blocks and the others, or one. */
static inline void write_corpus(const char *name, uint64_t blocks,
                                size_t sources, double first_weight,
                                double second_weight)
{
    char *dir = path(name);
    if (sb_comm_rank(comm) == 0) {
        static sb_source_entry source[2] = {{.spec = "a"}, {.spec = "b"}};
        static sb_manifest m;
        uint64_t cut = sources == 1 ? blocks : blocks / 3;
        must(sb_dir_make(dir));
        sb_shard_entry e[2] = {write_shard(dir, 0, 0, cut)};
        if (sources == 2) e[1] = write_shard(dir, 1, cut, blocks);
        source[0].weight = first_weight;
        source[1].weight = second_weight;
        m = (sb_manifest){.vocab_size = V,
                          .vocab_hash = sb_vocab_hash(vocab),
                          .source = source,
                          .sources = sources,
                          .shard = e,
                          .shards = sources};
        must(seal_corpus(dir, &m));
    }
    sb_comm_barrier(comm);
    sb_free(dir);
}

static inline sb_corpus *open_corpus(const char *name)
{
    char *dir = path(name);
    sb_corpus *c;
    must(sb_corpus_open(dir, SB_TRAIN, &c));
    sb_free(dir);
    return c;
}

/* ---- running ------------------------------------------------------------- */

static inline sb_w2v_options plain(void)
{
    return (sb_w2v_options){.config = "test = yes\n",
                            .dim = 16,
                            .window = 3,
                            .negative = 5,
                            .epochs = 6,
                            .alpha = 0.05,
                            .min_alpha = 0.0001,
                            .sample = 1e-1,
                            .power = 0.75,
                            .seed = 3,
                            .threads = 1,
                            .replica_ranks = 1,
                            .combine = SB_COMBINE_DAMPED,
                            .sync_words = 500,
                            .sync_hot = 8,
                            .sync_cycle = 3,
                            .checkpoint_minutes = 10,
                            .keep = 2};
}

static inline sb_status train_with(sb_comm *c, const char *name,
                                   sb_corpus *corpus, sb_w2v_options o)
{
    char *dir = path(name);
    o.dir = dir;
    sb_status st = sb_w2v_train(c, corpus, vocab, &o);
    sb_free(dir);
    return st;
}

static inline sb_status train(const char *name, sb_corpus *corpus,
                              sb_w2v_options o)
{
    return train_with(comm, name, corpus, o);
}

static inline sb_ckpt *latest(const char *name)
{
    char *dir = path(name);
    sb_ckpt *k;
    must(open_latest(comm, dir, &k));
    sb_free(dir);
    return k;
}

static inline uint64_t hash(const char *name)
{
    uint64_t h = 0;
    sb_ckpt *k = latest(name);
    if (!k) return 0;
    must(sb_ckpt_hash(k, &h));
    sb_ckpt_close(k);
    return h;
}

/* The same code and text on all ranks. */
static inline int same_message(void)
{
    const sb_error *e = sb_error_last();
    return sb_comm_same(comm, sb_hash64(e->text, strlen(e->text)) +
                                  (uint64_t)e->code);
}

/* The first and last "loss" of metrics.jsonl. */
static inline int loss_falls(const char *name)
{
    char *dir = path(name), *file = sb_path_join(dir, "metrics.jsonl"), *text;
    size_t bytes;
    must(sb_file_read(file, 1 << 20, &text, &bytes));
    double first = NAN, last = NAN;
    for (char *p = text; (p = strstr(p, "\"loss\":")) != NULL;) {
        p += strlen("\"loss\":");
        last = strtod(p, NULL);
        if (isnan(first)) first = last;
    }
    sb_free(text);
    sb_free(file);
    sb_free(dir);
    if (sb_comm_rank(comm) == 0)
        fprintf(stderr, "%s: loss %.3f, then %.3f\n", name, first, last);
    return last < 0.9 * first;
}

/* The main function of both programs. */
static inline int run_tests(int argc, char **argv, void (*all)(void))
{
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    sb_log_open(sb_comm_rank(comm), SB_LOG_WARN);
    const char *tmp = getenv("TMPDIR");
    snprintf(base, sizeof base, "%s/sb-word2vec-XXXXXX", tmp ? tmp : "/tmp");
    if (sb_comm_rank(comm) == 0 && !mkdtemp(base)) {
        perror(base);
        return 1;
    }
    sb_comm_bcast(comm, base, sizeof base, 0);
    make_vocab();
    all();
    sb_vocab_close(vocab);
    sb_comm_sum_u64(comm, &failures, 1);
    if (sb_comm_rank(comm) == 0) {
        must(sb_dir_remove(base));
        printf("%s\n", failures ? "FAILED" : "all tests passed");
    }
    sb_comm_close(comm);
    return failures != 0;
}

#endif
