/* SPDX-License-Identifier: MIT
 * no_memory.c - at every single allocation that some work makes, ours or that
 * of LMDB, protobuf-c, expat, zlib and their like, memory is refused once: the
 * work fails with SB_ENOMEM, crashes nothing, and can be done again at once.
 *
 * tests/fault/fail_calls.c refuses; the program starts itself again under it.
 * Not with sanitizers, which keep malloc for themselves. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>

#include "comm/base/config.h"
#include "comm/base/pool.h"
#include "dataset/batch.h"
#include "dataset/corpus.h"
#include "dataset/tokenizer_files.h"
#include "dataset/word_runs.h"
#include "dataset/wordpiece_train.h"
#include "dataset/unit_files.h"
#include "dataset/words.h"
#include "proto/checkpoint.h"
#include "proto/counts.h"
#include "tests/unit/made_ingest.h"
#include "tests/seal_corpus.h"
#include "trainer/word2vec/similarity.h"

static void (*arm)(long at);
static long (*disarm)(void);

/* `forget` comes before each `work`. */
static void refuse_each_anew(const char *name, void (*forget)(void),
                             sb_status (*work)(void))
{
    for (long n = 1;; n++) {
        forget();
        arm(n);
        sb_status st = work();
        if (disarm() < n) {
            if (st != SB_OK)
                fail_msg("%s: %d with all memory: %s", name, (int)st,
                         sb_error_last()->text);
            assert_true(n > 1);
            return;
        }
        /* a thread that cannot be had is a limit */
        if (st != SB_ENOMEM && st != SB_ELIMIT)
            fail_msg("%s: %d without allocation %ld: %s", name, (int)st, n,
                     sb_error_last()->text);
    }
}

static void nothing_to_forget(void)
{
}

static void refuse_each(const char *name, sb_status (*work)(void))
{
    refuse_each_anew(name, nothing_to_forget, work);
}

/* "<folder>/name", in one of a few buffers. */
static const char *in_folder(const char *name)
{
    static char path[4][160];
    static int turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

/* ---- options, threads ---------------------------------------------------- */

static sb_status read_options(void)
{
    static const sb_option table[] = {
        {"steps", SB_OPT_INT, 1, "10", 1, 1e9, NULL, "N", ""},
        {"source", SB_OPT_LIST, 1, NULL, 0, 0, NULL, "S", ""},
    };
    char *args[] = {"--steps", "1k", "--source=a", "--source=b", "word"};
    sb_config *c;
    SB_TRY(sb_config_open(table, 2, &c));
    sb_status st = sb_config_parse(c, "steps = 7\nsource = x\n", "f");
    if (st == SB_OK) st = sb_config_args(c, 1, 5, args);
    if (st == SB_OK) {
        char *text = sb_config_effective(c, 1);
        if (!text) st = SB_ENOMEM;
        sb_free(text);
    }
    sb_config_close(c);
    return st;
}

static sb_status nothing(void *context, size_t task, int worker)
{
    (void)context, (void)task, (void)worker;
    return SB_OK;
}

static sb_status run_threads(void)
{
    sb_pool *p;
    SB_TRY(sb_pool_open(3, &p));
    sb_status st = sb_pool_run(p, 5, nothing, NULL);
    sb_pool_close(p);
    return st;
}

static void options_and_threads(void **state)
{
    (void)state;
    refuse_each("options", read_options);
    refuse_each("threads", run_threads);
}

/* ---- sources ------------------------------------------------------------- */

static const char *spec;

static sb_status read_source(void)
{
    sb_sources *s;
    sb_source *from = NULL;
    sb_tally tally = {0};
    SB_TRY(sb_sources_open(&spec, 1, &how, &s));
    sb_status st = sb_source_open(s, 0, &from);
    for (int more = 1; st == SB_OK && more;) {
        sb_document d;
        st = sb_source_next(from, &d, &tally, &more);
    }
    if (st == SB_OK) assert_int_equal(tally.documents, 2);
    assert_int_equal(tally.bad, 0); /* no document is lost to a full memory */
    sb_source_close(from);
    sb_sources_close(s);
    return st;
}

/* A file of this kind with two documents, plain or as `pack` packs it. */
static void refuse_kind(const char *kind, const char *text, const char *pack)
{
    char *name = sb_format("%s/file", folder), *command;
    put("file", text, strlen(text));
    if (pack) {
        command = sb_format("%s -c %s > %s.p && mv %s.p %s", pack, name, name,
                            name, name);
        assert_int_equal(system(command), 0);
        sb_free(command);
    }
    char *whole = sb_format("%s:%s", kind, name);
    spec = whole;
    refuse_each(pack ? pack : kind, read_source);
    sb_free(whole);
    sb_free(name);
}

static void sources_of_every_kind(void **state)
{
    (void)state;
    static const char lines[] = "one\ntwo\n";
    static const char dump[] =
        "<mediawiki><page><title>A</title><ns>0</ns><revision><text>''a'' "
        "[[b|c]] &lt;p&gt; {{d|e={{f}}}}\n== G ==\nh</text></revision></page>"
        "<page><title>B</title><ns>0</ns><revision><text>x</text></revision>"
        "</page></mediawiki>";
    static const char *const packers[] = {"gzip", "bzip2", "xz", "zstd -q"};
    refuse_kind("text", lines, NULL);
    refuse_kind("tsv", lines, NULL);
    refuse_kind("wikipedia", dump, NULL);
    refuse_kind("wikipedia",
                "<doc id=1>\nA\ntext &amp;\n</doc>\n<doc id=2>\nB\nmore\n"
                "</doc>\n",
                NULL);
    refuse_kind("c4", "{\"text\":\"one\"}\n{\"text\":\"two\"}\n", NULL);
    refuse_kind("news",
                "{\"title\":\"t\",\"text\":\"u\"}\n"
                "{\"title\":\"v\",\"text\":\"w\"}\n",
                NULL);
    for (size_t i = 0; i < sizeof packers / sizeof *packers; i++)
        refuse_kind("text", lines, packers[i]);
}

/* ---- words and pieces ---------------------------------------------------- */

static const char words_text[] = "a ab abc abcd b bc bcd c cd d the of to and "
                                 "in that is for on with as by at from";

static sb_status train_pieces(sb_word_list *list)
{
    sb_wordpiece_options o = {40, 30, 1};
    sb_buffer out = {0};
    uint64_t *uses = NULL;
    uint32_t size;
    sb_status st = sb_wordpiece_train(list, &o, NULL, NULL, &out, &uses, &size);
    sb_free(uses);
    free(out.data);
    return st;
}

static sb_status count_and_train(void)
{
    const char *stem = in_folder("w");
    sb_words *w;
    sb_word_list list = {0};
    size_t runs = 0;
    char *run = NULL;
    SB_TRY(sb_words_open(stem, 1 << 20, &w));
    sb_status st = sb_words_count(w, words_text, strlen(words_text));
    if (st == SB_OK) st = sb_words_end(w, 1, &runs);
    sb_words_close(w);
    if (st == SB_OK && !(run = sb_run_path(stem, 0))) st = SB_ENOMEM;
    const char *paths[] = {run}, *to = in_folder("merged.run");
    if (st == SB_OK) st = sb_runs_merge(paths, 1, 0, SB_RUN_SECTIONS, to, NULL);
    if (st == SB_OK) st = sb_run_load(to, 1, &list);
    if (st == SB_OK) st = train_pieces(&list);
    sb_free(run);
    sb_free(list.data);
    unlink(in_folder("w-0.run"));
    unlink(in_folder("merged.run"));
    return st;
}

static sb_status write_vocabulary(void)
{
    static const uint64_t counts[15] = {1, 2, 3};
    sb_vocab *v;
    char *text;
    SB_TRY(sb_tokenizer_write(folder, vocab, 512));
    text = sb_decode(vocab, (const uint32_t[]){5, 6, 7}, 3);
    SB_REQUIRE(text, SB_ENOMEM, "a text");
    sb_free(text);
    SB_TRY(sb_vocab_load(in_folder("tokenizer.json"), &v));
    sb_status st = sb_counts_write(in_folder("counts.pb"), 1, counts, 15);
    uint64_t back[15];
    if (st == SB_OK) st = sb_counts_read(in_folder("counts.pb"), 1, back, 15);
    sb_vocab_close(v);
    return st;
}

static void words_and_pieces(void **state)
{
    (void)state;
    refuse_each("words", count_and_train);
    refuse_each("vocabulary", write_vocabulary);
}

/* ---- shards, a corpus, batches ------------------------------------------- */

static sb_status ingest(void)
{
    sb_ingest_options o = usual();
    sb_ingest *g;
    sb_source_stats s;
    uint64_t counts[15] = {0};
    int done;
    o.held_out = 0.3;
    o.drop = 1;
    SB_TRY(sb_ingest_open(&o, &g));
    sb_status st = sb_ingest_hash(g, 0);
    if (st == SB_OK) st = sb_ingest_unit(g, 0);
    if (st == SB_OK) st = sb_ingest_done(g, 0, &done, &s);
    if (st == SB_OK) st = sb_ingest_add_counts(g, 0, counts);
    sb_ingest_close(g);
    return st;
}

/* corpus.json over the shards that `ingest` left. */
static void seal(void)
{
    static sb_manifest m;
    static sb_source_entry source = {.spec = "text:x", .weight = 1};
    static sb_shard_entry shard[2];
    for (int k = 0; k < 2; k++) {
        sb_shard_reader *r;
        shard[k].split = (sb_split)k;
        sb_shard_name((sb_split)k, 0, shard[k].name);
        char *path = sb_path_join(corpus, shard[k].name);
        assert_int_equal(sb_file_size(path, &shard[k].bytes), SB_OK);
        assert_int_equal(sb_shard_open(path, 0, &r), SB_OK);
        shard[k].info = *sb_shard_get_info(r);
        sb_shard_close(r);
        sb_free(path);
    }
    m.vocab_size = sb_vocab_size(vocab);
    m.vocab_hash = sb_vocab_hash(vocab);
    m.source = &source;
    m.shard = shard;
    m.sources = 1;
    m.shards = 2;
    assert_int_equal(seal_corpus(corpus, &m), SB_OK);
}

static sb_status draw(sb_corpus *c, const sb_sampling_options *so)
{
    sb_sampling sampling = {0};
    sb_batch b = {0};
    sb_status st = sb_sampling_open(so, vocab, c, &sampling);
    sb_batch_options o = {42,
                          so->max_length,
                          0.15f,
                          sb_vocab_special(vocab),
                          sb_vocab_size(vocab),
                          &sampling};
    if (st == SB_OK) st = sb_batch_open(3, so->max_length, &b);
    if (st == SB_OK) st = sb_batch_train(&b, c, &o, 0, 3);
    sb_batch_close(&b);
    sb_sampling_close(&sampling);
    return st;
}

static sb_status read_corpus(void)
{
    static const sb_sampling_options packed = {16, 0, 1, 1};
    static const sb_sampling_options cut = {16, 20, 0, 0};
    sb_corpus *c;
    SB_TRY(sb_corpus_open(corpus, SB_TRAIN, &c));
    sb_status st = draw(c, &packed);
    if (st == SB_OK) st = draw(c, &cut);
    sb_corpus_close(c);
    if (st == SB_OK) st = sb_corpus_open(corpus, SB_HELDOUT, &c);
    if (st == SB_OK) sb_corpus_close(c);
    return st;
}

static void a_corpus(void **state)
{
    (void)state;
    static const uint64_t drop[] = {3};
    put_text("a.txt", "a b c\nd e\nf\na b c\ng h i j\nb\nc c\nd\n");
    up_sources(SB_DOC_LINE, 0);
    assert_int_equal(sb_unit_put(corpus, 0, "drop",
                                 sb_unit_identity(sources, 0), drop,
                                 sizeof drop),
                     SB_OK);
    refuse_each("ingest", ingest);
    seal();
    refuse_each("corpus", read_corpus);
}

/* ---- checkpoints --------------------------------------------------------- */

static const sb_tensor table[] = {{"w", SB_F32, 2, {4, 3}},
                                  {"n", SB_U64, 1, {2}}};

static sb_status put_all(uint64_t step, void **desc, size_t *bytes)
{
    static const float w[12] = {1};
    static const uint64_t n[2] = {2};
    sb_ckpt_part *p;
    SB_TRY(sb_ckpt_part_open(in_folder("mlm"), step, 0, table, 2, &p));
    sb_status st = sb_ckpt_put(p, 0, 0, 12, w);
    if (st == SB_OK) st = sb_ckpt_put(p, 1, 0, 2, n);
    if (st == SB_OK) return sb_ckpt_part_close(p, desc, bytes);
    sb_ckpt_part_abandon(p);
    return st;
}

static sb_status save(uint64_t step)
{
    static char config[] = "x = 1\n";
    sb_ckpt_meta m = {"mlm", step, 10, 1, 2, 3, "a test", config};
    void *desc = NULL;
    size_t bytes;
    SB_TRY(sb_ckpt_begin(in_folder("mlm"), step));
    sb_status st = put_all(step, &desc, &bytes);
    const void *list = desc;
    if (st == SB_OK)
        st = sb_ckpt_commit(in_folder("mlm"), &m, table, 2, &list, &bytes, 1);
    sb_free(desc);
    return st;
}

static sb_status save_and_read(void)
{
    char *latest = NULL;
    sb_ckpt *c = NULL;
    uint64_t hash;
    float w[12];
    sb_status st = save(1);
    if (st == SB_OK) st = save(2);
    if (st == SB_OK) st = sb_ckpt_prune(in_folder("mlm"), 1, 0);
    if (st == SB_OK) st = sb_ckpt_latest(in_folder("mlm"), &latest);
    if (st == SB_OK) st = sb_ckpt_open(latest, &c);
    if (st == SB_OK) st = sb_ckpt_get(c, &table[0], 0, 12, w);
    if (st == SB_OK) st = sb_ckpt_hash(c, &hash);
    sb_ckpt_close(c);
    sb_free(latest);
    return st;
}

static void forget(void)
{
    assert_int_equal(sb_dir_remove(in_folder("mlm")), SB_OK);
}

static void a_checkpoint(void **state)
{
    (void)state;
    refuse_each_anew("checkpoint", forget, save_and_read);
}

/* ---- word vectors -------------------------------------------------------- */

static sb_status judge_vectors(void)
{
    sb_vectors v = {0};
    sb_candidates c = {0};
    sb_similarity s = {0};
    sb_status st = sb_vectors_read(in_folder("vectors"), &v);
    if (st == SB_OK) st = sb_candidates_of_vectors(&v, 0, &c);
    if (st == SB_OK) st = sb_similarity_open(in_folder("pairs"), &c, &s);
    if (st == SB_OK) st = sb_similarity_run(&s, &c, v.table, v.dim, v.dim);
    sb_similarity_close(&s);
    sb_candidates_free(&c);
    sb_vectors_free(&v);
    return st;
}

static void word_vectors(void **state)
{
    (void)state;
    put_text("vectors", "3 2\na 1 2\nb 3 4\nc 5 -6\n");
    put_text("pairs", "a b 1\na c 2\nb c 3\n");
    refuse_each("vectors", judge_vectors);
}

/* ---- the program --------------------------------------------------------- */

/* Once more, under the library that lies beside the program. */
static int start_again(char **argv)
{
    char self[512], library[600];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n < 0 ? 0 : n] = 0;
    char *slash = strrchr(self, '/');
    snprintf(library, sizeof library, "%.*s/fault_fail_calls.so",
             slash ? (int)(slash - self) : 0, self);
    if (getenv("LD_PRELOAD") || access(library, R_OK) != 0) {
        printf("skipped: no %s, which builds with sanitizers lack\n", library);
        return 77;
    }
    setenv("LD_PRELOAD", library, 1);
    execv(self, argv);
    return 1;
}

int main(int argc, char **argv)
{
    (void)argc;
    *(void **)&arm = dlsym(RTLD_DEFAULT, "fail_calls_arm");
    *(void **)&disarm = dlsym(RTLD_DEFAULT, "fail_calls_disarm");
    if (!arm || !disarm) return start_again(argv);
    unsetenv("LD_PRELOAD"); /* not for gzip and the others */
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
        cmocka_unit_test(options_and_threads),
        T(sources_of_every_kind),
        T(words_and_pieces),
        T(a_corpus),
        T(a_checkpoint),
        T(word_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
