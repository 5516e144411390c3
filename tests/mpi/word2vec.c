/* SPDX-License-Identifier: MIT
 * Phase 1 and its neighbours on a small made-up corpus, for any number of
 * ranks: what is learnt, what is refused. word2vec_runs.c has the rest. */
#include "tests/mpi/made_word2vec.h"
#include "trainer/saver.h"
#include "trainer/word2vec/neighbours.h"

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
    enum { N = 16 };
    sb_w2v_options o[N];
    for (int i = 0; i < N; i++) o[i] = plain();
    o[0].window = 0;
    o[1].negative = TOPICS * TOPIC; /* as many as there are pieces */
    o[2].dim = 0;
    o[3].alpha = 0;
    o[4].epochs = 0;
    o[5].threads = 0;
    o[6].min_alpha = 1;
    o[7].alpha = -0.05;
    o[8].alpha = NAN;
    o[9].negative = 64;
    o[10].negative = 0;
    o[11].window = 1001;
    o[12].sync_words = 0;
    o[13].sync_cycle = 0;
    o[14].replica_ranks = -1;
    o[15].min_alpha = -1;
    for (int i = 0; i < N; i++) {
        EXPECT(train("no", corpus, o[i]) == SB_EINVAL);
        EXPECT(same_message());
        EXPECT(latest("no") == NULL);
    }
    sb_w2v_options most = plain();
    most.negative = TOPICS * TOPIC - 1;
    most.epochs = 1;
    EXPECT(train("most", corpus, most) == SB_OK);
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
    sb_saver *saver;
    must(sb_saver_open(comm, &(sb_saver_options){.dir = dir}, &saver));
    EXPECT(sb_saver_save(saver, &m, &t, 1, &p, sb_comm_rank(comm) == 0,
                         SB_SAVE_NOW) == SB_OK);
    EXPECT(sb_saver_close(saver) == SB_OK);
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
           SB_EINVAL);
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

static void all_tests(void)
{
    write_corpus("corpus", BLOCKS, 1, 1, 1);
    write_corpus("mixed", BLOCKS, 2, 0.3, 1.5);
    write_corpus("ones", BLOCKS, 2, 1, 1);
    sb_corpus *corpus = open_corpus("corpus"), *mixed = open_corpus("mixed");
    uint64_t h = two_runs_give_the_same_bits(corpus);
    synonyms_become_neighbours();
    other_options_do_not_go_on(corpus, h);
    options_without_sense_are_refused(corpus);
    cbow_and_threads_and_few_blocks_learn(corpus);
    neighbours_of_a_given_checkpoint_are_known();
    weights_decide_how_often_a_block_is_drawn(mixed, h);
    sb_corpus_close(corpus);
    sb_corpus_close(mixed);
}

int main(int argc, char **argv)
{
    return run_tests(argc, argv, all_tests);
}
