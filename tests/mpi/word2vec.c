/* SPDX-License-Identifier: MIT
 * Phase 1 and its neighbours on a small made-up corpus, for any number of
 * ranks. Rank 0 writes, everybody reads. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/rng.h"
#include "comm/base/stop.h"
#include "comm/comm.h"
#include "dataset/corpus.h"
#include "dataset/shard.h"
#include "dataset/vocab.h"
#include "trainer/metrics.h"
#include "trainer/state.h"
#include "trainer/word2vec/neighbours.h"
#include "trainer/word2vec/w2v.h"
#include "tests/seal_corpus.h"

/* Topics of 8 words. The first two words of a topic are synonyms: they stand
 * in the same places and never together. The last piece never occurs. */
enum { TOPICS = 6, TOPIC = 8, V = 5 + TOPICS * TOPIC + 1, SENTENCE = 6 };
enum { BLOCKS = 16, SENTENCES = 250, FEW = 2 };

static sb_comm *comm;
static sb_vocab *vocab;
static char base[256];
static uint64_t failures;

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
static void must(sb_status st)
{
    if (st != SB_OK) sb_fatal(comm);
}

static char *path(const char *name)
{
    char *p = sb_path_join(base, name);
    if (!p) sb_fatal(comm);
    return p;
}

/* ---- the corpus ---------------------------------------------------------- */

static void make_vocab(void)
{
    char text[V * 8] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    size_t at = strlen(text);
    for (int i = 5; i < V; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "w%02d\n", i);
    must(sb_vocab_parse(text, at, "vocab.txt", &vocab));
}

static uint32_t draw(uint64_t a, uint32_t b, uint32_t n)
{
    sb_rng_key key = sb_rng_key_make(5, SB_RNG_TEST);
    return sb_rng_below(sb_rng_at(key, a, b, 0).v[0], n);
}

/* Sentence s: [CLS], a synonym of its topic among other words of it. */
static void make_sentence(uint64_t s, uint32_t *ids)
{
    uint32_t first = 5 + TOPIC * draw(s, 0, TOPICS);
    for (uint32_t i = 0; i < SENTENCE; i++)
        ids[i] = first + 2 + draw(s, i + 1, TOPIC - 2);
    ids[SENTENCE / 2] = first + draw(s, 100, 2);
    ids[0] = 2;
}

static void write_block(sb_shard_writer *w, uint64_t b)
{
    static uint32_t ids[SENTENCES * SENTENCE];
    sb_lengths l = {0};
    uint32_t n = SENTENCES - 7 * (uint32_t)(b % 3); /* not all the same */
    for (uint32_t s = 0; s < n; s++) {
        make_sentence(b * SENTENCES + s, ids + s * SENTENCE);
        must(sb_lengths_sentence(&l, (s + 1) * SENTENCE));
    }
    sb_lengths_document(&l);
    sb_block block = {ids, l.data, l.tokens, l.sentences, l.documents};
    must(sb_shard_append(w, &block));
    sb_free(l.data);
}

/* Blocks [first, last) as a shard of source `unit`. */
static sb_shard_entry write_shard(const char *dir, uint32_t unit,
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
static void write_corpus(const char *name, uint64_t blocks, size_t sources,
                         double first_weight, double second_weight)
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

static sb_corpus *open_corpus(const char *name)
{
    char *dir = path(name);
    sb_corpus *c;
    must(sb_corpus_open(dir, SB_TRAIN, &c));
    sb_free(dir);
    return c;
}

/* ---- running ------------------------------------------------------------- */

static sb_w2v_options plain(void)
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
                            .checkpoint_minutes = 10,
                            .keep = 2};
}

static sb_status train(const char *name, sb_corpus *corpus, sb_w2v_options o)
{
    char *dir = path(name);
    o.dir = dir;
    sb_status st = sb_w2v_train(comm, corpus, vocab, &o);
    sb_free(dir);
    return st;
}

static sb_ckpt *latest(const char *name)
{
    char *dir = path(name);
    sb_ckpt *k;
    must(sb_state_latest(comm, dir, &k));
    sb_free(dir);
    return k;
}

static uint64_t hash(const char *name)
{
    uint64_t h = 0;
    sb_ckpt *k = latest(name);
    if (!k) return 0;
    must(sb_ckpt_hash(k, &h));
    sb_ckpt_close(k);
    return h;
}

/* The first and last "loss" of metrics.jsonl. */
static int loss_falls(const char *name)
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

static int has_neighbour(sb_ckpt *k, uint32_t id, uint32_t wanted, size_t n)
{
    sb_neighbour near[8];
    size_t found = 0;
    EXPECT(sb_neighbours(comm, k, SB_W2V_INPUT, vocab, &id, 1, n, near,
                         &found) == SB_OK);
    EXPECT(found == n);
    for (size_t i = 0; i < found; i++)
        if (near[i].id == wanted) return 1;
    return 0;
}

/* ---- tests --------------------------------------------------------------- */

static uint64_t two_runs_give_the_same_bits(sb_corpus *corpus)
{
    EXPECT(train("a", corpus, plain()) == SB_OK);
    EXPECT(loss_falls("a"));
    EXPECT(train("b", corpus, plain()) == SB_OK);
    uint64_t h = hash("a");
    EXPECT(h != 0 && h == hash("b"));
    sb_w2v_options o = plain();
    o.seed = 4;
    EXPECT(train("seed", corpus, o) == SB_OK);
    EXPECT(hash("seed") != h);
    /* A finished phase stays as it is. */
    EXPECT(train("a", corpus, plain()) == SB_OK);
    EXPECT(hash("a") == h);
    return h;
}

static void synonyms_become_neighbours(void)
{
    sb_ckpt *k = latest("a");
    for (uint32_t t = 0; t < TOPICS; t++) {
        uint32_t one = 5 + TOPIC * t;
        EXPECT(has_neighbour(k, one, one + 1, 2));
        EXPECT(has_neighbour(k, one + 1, one, 2));
    }
    sb_ckpt_close(k);
}

static void other_options_do_not_go_on(sb_corpus *corpus, uint64_t h)
{
    sb_w2v_options o[6];
    for (int i = 0; i < 6; i++) o[i] = plain();
    o[0].window = 4;
    o[1].dim = 17;
    o[2].cbow = 1;
    o[3].sample = 0;
    o[4].seed = 77;
    o[5].epochs = 2;
    for (int i = 0; i < 6; i++) EXPECT(train("b", corpus, o[i]) == SB_EINVAL);
    EXPECT(hash("b") == h);
    sb_w2v_options more = plain();
    more.epochs = 7;
    EXPECT(train("b", corpus, more) == SB_OK);
    EXPECT(hash("b") != h);
}

static void options_without_sense_are_refused(sb_corpus *corpus)
{
    sb_w2v_options o[7];
    for (int i = 0; i < 7; i++) o[i] = plain();
    o[0].window = 0;
    o[1].negative = TOPICS * TOPIC;
    o[2].dim = 0;
    o[3].alpha = 0;
    o[4].epochs = 0;
    o[5].threads = 0;
    o[6].min_alpha = 1;
    for (int i = 0; i < 7; i++) EXPECT(train("no", corpus, o[i]) == SB_EINVAL);
}

static void cbow_and_threads_and_few_blocks_learn(sb_corpus *corpus)
{
    sb_w2v_options o = plain();
    o.threads = 2;
    EXPECT(train("threads", corpus, o) == SB_OK);
    EXPECT(loss_falls("threads"));
    o = plain();
    o.cbow = 1;
    EXPECT(train("cbow", corpus, o) == SB_OK);
    EXPECT(loss_falls("cbow"));

    write_corpus("few-corpus", FEW, 1, 1,
                 1); /* with 3 ranks, one never has a block */
    sb_corpus *few = open_corpus("few-corpus");
    o = plain();
    o.epochs = 1;
    EXPECT(train("few", few, o) == SB_OK);
    sb_corpus_close(few);
    sb_ckpt *k = latest("few");
    EXPECT(k && sb_ckpt_get_meta(k)->cursor == FEW);
    sb_ckpt_close(k);
}

static void a_loss_that_is_not_finite_ends_the_run(sb_corpus *corpus)
{
    sb_w2v_options o = plain();
    o.alpha = 1e30;
    EXPECT(train("nan", corpus, o) == SB_ENAN);
    EXPECT(sb_error_last()->hint[0]);
    sb_ckpt *k = latest("nan");
    EXPECT(k == NULL);
}

/* The last rank reads a copy with one byte turned over. */
static void one_damaged_block_ends_the_run_everywhere(void)
{
    write_corpus("damaged", BLOCKS, 1, 1, 1);
    char name[32], *dir = path("damaged");
    sb_shard_name(SB_TRAIN, 0, name);
    char *file = sb_path_join(dir, name), *text;
    if (sb_comm_rank(comm) == 0) {
        size_t bytes;
        must(sb_file_read(file, (size_t)1 << 28, &text, &bytes));
        /* From the back: the last blocks; all, so that one is met early. */
        for (size_t i = 0; i + 400 < bytes; i++)
            if (memcmp(text + i, "SBK2", 4) == 0) text[i + 300] ^= 1;
        must(sb_file_write(file, text, bytes));
        sb_free(text);
    }
    sb_comm_barrier(comm);
    int last = sb_comm_rank(comm) == sb_comm_size(comm) - 1;
    sb_corpus *c = open_corpus(last ? "damaged" : "corpus-2");
    EXPECT(train("bad", c, plain()) == SB_EFORMAT);
    EXPECT(sb_error_last()->rank == sb_comm_size(comm) - 1);
    sb_corpus_close(c);
    sb_free(file);
    sb_free(dir);
}

/* Rows on a circle in the plane of the first two columns: the neighbours of a
 * row are known without asking. */
static void neighbours_of_a_given_checkpoint_are_known(void)
{
    enum { D = 4 };
    static float x[V * D];
    for (int v = 0; v < V; v++) {
        double a = 0.05 * v, length = 1 + v % 3;
        x[v * D] = (float)(length * cos(a));
        x[v * D + 1] = (float)(length * sin(a));
    }
    sb_tensor t = {SB_W2V_INPUT, SB_F32, 2, {V, D}};
    char config[] = "", *dir = path("given");
    sb_ckpt_meta m = {.phase = "word2vec",
                      .step = 1,
                      .total = 1,
                      .cursor = 1,
                      .config = config};
    sb_piece p = {0, 0, V * D, x, 0, 0};
    must(sb_comm_rank(comm) == 0 ? sb_dir_make(dir) : SB_OK);
    sb_comm_barrier(comm);
    EXPECT(sb_state_save(comm, dir, &m, &t, 1, &p, sb_comm_rank(comm) == 0,
                         0) == SB_OK);
    sb_free(dir);
    sb_ckpt *k = latest("given");
    sb_neighbour near[V];
    size_t n = 0;
    /* 5, 6: ids 0-4 are special. Equal angles: the lower id first. */
    static const uint32_t ids[] = {20, 6}, of_20[] = {19, 21, 18, 22},
                          of_6[] = {5, 7, 8, 9};
    EXPECT(sb_neighbours(comm, k, SB_W2V_INPUT, vocab, ids, 1, 4, near, &n) ==
           SB_OK);
    EXPECT(n == 4);
    /* 19 and 21, 18 and 22 are as near up to rounding: in either order. */
    for (size_t i = 0; i < n; i++)
        EXPECT(near[i].id == of_20[i] || near[i].id == of_20[i ^ 1]);
    EXPECT(fabs((double)near[0].cosine - cos(0.05)) < 1e-6);
    EXPECT(sb_neighbours(comm, k, SB_W2V_INPUT, vocab, ids + 1, 1, 4, near,
                         &n) == SB_OK);
    for (size_t i = 0; i < n; i++)
        EXPECT(near[i].id == of_6[i] || (i < 2 && near[i].id == of_6[1 - i]));
    /* All there are: everybody but the special ones and the two asked for. */
    EXPECT(sb_neighbours(comm, k, SB_W2V_INPUT, vocab, ids, 2, V, near, &n) ==
           SB_OK);
    EXPECT(n == V - 5 - 2);
    EXPECT(sb_neighbours(comm, k, "none", vocab, ids, 1, 4, near, &n) ==
           SB_ENOENT);
    static const uint32_t beyond[] = {V};
    EXPECT(sb_neighbours(comm, k, SB_W2V_INPUT, vocab, beyond, 1, 4, near,
                         &n) == SB_EINVAL);
    sb_ckpt_close(k);
}

/* Two sources of weight 1 are one. Other weights draw more or fewer blocks,
 * and the rate is at its end when the last of them is done. */
static void weights_decide_how_often_a_block_is_drawn(sb_corpus *mixed,
                                                      uint64_t h)
{
    sb_corpus *ones = open_corpus("ones");
    EXPECT(train("ones-run", ones, plain()) == SB_OK);
    EXPECT(hash("ones-run") == h);
    sb_corpus_close(ones);
    EXPECT(train("mixed-run", mixed, plain()) == SB_OK);
    EXPECT(loss_falls("mixed-run"));
    sb_ckpt *k = latest("mixed-run");
    uint64_t third = BLOCKS / 3, rest = BLOCKS - third;
    uint64_t places =
        (uint64_t)(llround(0.3 * (double)third) + llround(1.5 * (double)rest));
    EXPECT(sb_ckpt_get_meta(k)->cursor == 6 * places);
    sb_ckpt_close(k);
    char *dir = path("mixed-run");
    double progress = 0;
    EXPECT(sb_metrics_find(dir, "progress", 1, &progress) == SB_OK);
    EXPECT(progress == 1);
    sb_free(dir);
    /* Another mix is another corpus. */
    EXPECT(train("a", mixed, plain()) == SB_EINVAL);
}

/* Comes last: a request to stop stays. One rank is asked; every round ends
 * with a checkpoint, and the next call goes on from it. */
static void stopping_and_going_on_gives_the_same_bits(sb_corpus *corpus,
                                                      const char *name,
                                                      uint64_t h)
{
    sb_stop_install();
    if (sb_comm_rank(comm) == sb_comm_size(comm) - 1) raise(SIGUSR1);
    int stops = 0;
    sb_status st;
    while ((st = train(name, corpus, plain())) == SB_ESTOP) stops++;
    EXPECT(st == SB_OK);
    EXPECT(stops > 6);
    EXPECT(hash(name) == h);
}

static void all_tests(void)
{
    make_vocab();
    write_corpus("corpus", BLOCKS, 1, 1, 1);
    write_corpus("corpus-2", BLOCKS, 1, 1, 1);
    write_corpus("mixed", BLOCKS, 2, 0.3, 1.5);
    write_corpus("ones", BLOCKS, 2, 1, 1);
    sb_corpus *corpus = open_corpus("corpus"), *mixed = open_corpus("mixed");
    uint64_t h = two_runs_give_the_same_bits(corpus);
    synonyms_become_neighbours();
    other_options_do_not_go_on(corpus, h);
    options_without_sense_are_refused(corpus);
    cbow_and_threads_and_few_blocks_learn(corpus);
    a_loss_that_is_not_finite_ends_the_run(corpus);
    one_damaged_block_ends_the_run_everywhere();
    neighbours_of_a_given_checkpoint_are_known();
    weights_decide_how_often_a_block_is_drawn(mixed, h);
    stopping_and_going_on_gives_the_same_bits(corpus, "stop", h);
    stopping_and_going_on_gives_the_same_bits(mixed, "mixed-stop",
                                              hash("mixed-run"));
    sb_corpus_close(corpus);
    sb_corpus_close(mixed);
    sb_vocab_close(vocab);
}

int main(int argc, char **argv)
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
    all_tests();
    sb_comm_sum_u64(comm, &failures, 1);
    if (sb_comm_rank(comm) == 0) {
        must(sb_dir_remove(base));
        printf("%s\n", failures ? "FAILED" : "all tests passed");
    }
    sb_comm_close(comm);
    return failures != 0;
}
