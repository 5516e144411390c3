/* SPDX-License-Identifier: MIT
 * Runs of phase 1 with one and several copies of the tables: the same bits
 * again, through a stop, and what ends them. */
#include <signal.h>

#include "comm/base/stop.h"
#include "comm/group.h"
#include "tests/mpi/made_word2vec.h"

/* Several copies become equal, and may be saved, after every 16 rounds; here
 * one is about an epoch. */
enum { LONG = 40 };

static sb_w2v_options long_run(int replica_ranks)
{
    sb_w2v_options o = plain();
    o.dim = 9;
    o.epochs = LONG;
    o.replica_ranks = replica_ranks;
    o.sync_words = 2500;
    return o;
}

static void hosts(int n)
{
    char text[16];
    snprintf(text, sizeof text, "%d", n);
    setenv("SB_COMM_HOSTS", text, 1);
}

static uint64_t copies_give_the_same_bits_again(sb_corpus *corpus)
{
    EXPECT(train("a", corpus, long_run(1)) == SB_OK);
    uint64_t h = hash("a");
    EXPECT(h != 0);
    hosts(2); /* as many copies, elsewhere */
    EXPECT(train("b", corpus, long_run(1)) == SB_OK);
    hosts(1);
    EXPECT(hash("b") == h);
    sb_w2v_options o = long_run(1);
    o.checkpoint_minutes = 1e-9; /* saving changes no bit */
    EXPECT(train("c", corpus, o) == SB_OK);
    EXPECT(hash("c") == h);
    if (sb_comm_size(comm) > 1) return h;
    EXPECT(train("d", corpus, long_run(0)) == SB_OK);
    EXPECT(hash("d") == h);
    return h;
}

static void every_rule_learns_and_repeats(sb_corpus *corpus)
{
    for (int how = SB_COMBINE_SUM; how <= SB_COMBINE_DAMPED; how++) {
        char name[2][16];
        for (int i = 0; i < 2; i++) {
            snprintf(name[i], sizeof name[i], "rule-%d-%d", how, i);
            sb_w2v_options o = plain();
            o.combine = (sb_combine)how;
            o.cbow = how % 2;
            /* The sum of what all say of rows that all know goes too far. */
            if (how == SB_COMBINE_SUM) o.sync_words = 50;
            EXPECT(train(name[i], corpus, o) == SB_OK);
        }
        EXPECT(loss_falls(name[0]));
        EXPECT(hash(name[0]) == hash(name[1]));
    }
}

static void shared_tables_learn(sb_corpus *corpus)
{
    for (int n = 1; n <= 2; n++) { /* all ranks one copy; two hosts */
        hosts(n);
        sb_w2v_options o = plain();
        o.replica_ranks = 0;
        o.threads = 2;
        EXPECT(train(n == 1 ? "one-host" : "two-hosts", corpus, o) == SB_OK);
        EXPECT(loss_falls(n == 1 ? "one-host" : "two-hosts"));
    }
    hosts(1);
}

static void a_loss_that_is_not_finite_ends_the_run(sb_corpus *corpus)
{
    for (int ranks = 0; ranks <= 1; ranks++) {
        sb_w2v_options o = long_run(ranks);
        o.alpha = 1e30;
        EXPECT(train("nan", corpus, o) == SB_ENAN);
        EXPECT(strstr(sb_error_last()->text, "not a finite number"));
        EXPECT(sb_error_last()->hint[0]);
        EXPECT(same_message());
        EXPECT(latest("nan") == NULL);
    }
}

/* So few pairs are left that numbers grow for many epochs. */
static void a_loss_that_rises_ends_the_run(sb_corpus *corpus)
{
    for (int ranks = 0; ranks <= 1; ranks++) {
        sb_w2v_options o = long_run(ranks);
        o.sample = 1e-5;
        o.epochs = 100;
        o.alpha = o.min_alpha = 1;
        EXPECT(train("rising", corpus, o) == SB_ENAN);
        EXPECT(strstr(sb_error_last()->text, "the loss rises"));
        EXPECT(sb_error_last()->hint[0]);
        EXPECT(same_message());
    }
}

/* Turns a byte of the 8th block over. */
static void damage(const char *name)
{
    char shard[32], *dir = path(name), *text;
    sb_shard_name(SB_TRAIN, 0, shard);
    char *file = sb_path_join(dir, shard);
    if (sb_comm_rank(comm) == 0) {
        size_t bytes, seen = 0;
        must(sb_file_read(file, (size_t)1 << 28, &text, &bytes));
        for (size_t i = 0; i + 400 < bytes; i++)
            if (memcmp(text + i, "SBK2", 4) == 0 && ++seen == BLOCKS / 2)
                text[i + 300] ^= 1;
        EXPECT(seen == BLOCKS);
        must(sb_file_write(file, text, bytes));
        sb_free(text);
    }
    sb_comm_barrier(comm);
    sb_free(file);
    sb_free(dir);
}

/* The last rank reads the damaged copy. */
static void one_damaged_block_ends_the_run_everywhere(void)
{
    write_corpus("damaged", BLOCKS, 1, 1, 1);
    write_corpus("sound", BLOCKS, 1, 1, 1);
    damage("damaged");
    int bad = sb_comm_size(comm) - 1;
    sb_corpus *c = open_corpus(sb_comm_rank(comm) == bad ? "damaged" : "sound");
    for (int ranks = 0; ranks <= 1; ranks++) {
        EXPECT(train("bad", c, long_run(ranks)) == SB_EFORMAT);
        EXPECT(sb_error_last()->rank == bad);
        EXPECT(same_message());
    }
    sb_corpus_close(c);
}

/* No pairs at all; some sentences without. */
static void sentences_of_one_token_are_passed_over(void)
{
    sentence_tokens = 1;
    write_corpus("ones", 5, 1, 1, 1);
    sentence_tokens = SENTENCE - 1;
    write_corpus("fives", BLOCKS, 1, 1, 1);
    sentence_tokens = SENTENCE;
    sb_corpus *ones = open_corpus("ones"), *fives = open_corpus("fives");
    for (int cbow = 0; cbow < 2; cbow++) {
        sb_w2v_options o = plain();
        o.cbow = cbow;
        EXPECT(train(cbow ? "ones-cbow" : "ones-run", ones, o) == SB_OK);
        EXPECT(train(cbow ? "fives-cbow" : "fives-run", fives, o) == SB_OK);
        EXPECT(loss_falls(cbow ? "fives-cbow" : "fives-run"));
    }
    EXPECT(hash("ones-run") != 0); /* finished: the first vectors */
    sb_corpus_close(ones);
    sb_corpus_close(fives);
}

/* ---- after a request to stop, which stays -------------------------------- */

/* Every call ends with a checkpoint, and the next goes on from it. */
static int go_on(const char *name, sb_corpus *corpus, sb_w2v_options o)
{
    int stops = 0;
    sb_status st;
    while ((st = train(name, corpus, o)) == SB_ESTOP) {
        stops++;
        EXPECT(same_message());
    }
    EXPECT(st == SB_OK);
    return stops;
}

static void stopping_and_going_on_gives_the_same_bits(sb_corpus *corpus,
                                                      uint64_t h)
{
    int stops = go_on("stop", corpus, long_run(1));
    EXPECT(stops >= (sb_comm_size(comm) == 1 ? LONG - 1 : 2));
    EXPECT(hash("stop") == h);
}

static void options_of_the_tables_may_change_between_stops(sb_corpus *corpus)
{
    EXPECT(train("other", corpus, long_run(1)) == SB_ESTOP);
    sb_w2v_options o = long_run(0);
    o.threads = 2;
    EXPECT(train("other", corpus, o) == SB_ESTOP);
    hosts(2);
    o.threads = 1;
    o.combine = SB_COMBINE_AVERAGE;
    o.sync_cycle = 1;
    o.sync_hot = 1000;
    go_on("other", corpus, o);
    hosts(1);
    EXPECT(loss_falls("other"));
}

/* Begun by the ranks of one of two hosts, ended by all. */
static void another_number_of_ranks_goes_on(sb_corpus *corpus)
{
    sb_comm *node, *leaders;
    hosts(2);
    must(sb_comm_split_nodes(comm, 0, &node, &leaders));
    hosts(1);
    raise(SIGUSR1); /* rank 0's group too */
    if (sb_comm_rank(comm) % 2 == 0)
        EXPECT(train_with(node, "more", corpus, long_run(1)) == SB_ESTOP);
    sb_comm_barrier(comm);
    go_on("more", corpus, long_run(1));
    EXPECT(loss_falls("more"));
    sb_comm_free(leaders);
    sb_comm_free(node);
}

static void all_tests(void)
{
    hosts(1);
    write_corpus("corpus", BLOCKS, 1, 1, 1);
    write_corpus("mixed", BLOCKS, 2, 0.3, 1.5);
    sb_corpus *corpus = open_corpus("corpus"), *mixed = open_corpus("mixed");
    uint64_t h = copies_give_the_same_bits_again(corpus);
    EXPECT(train("mixed-run", mixed, long_run(1)) == SB_OK);
    every_rule_learns_and_repeats(corpus);
    shared_tables_learn(corpus);
    a_loss_that_is_not_finite_ends_the_run(corpus);
    a_loss_that_rises_ends_the_run(corpus);
    one_damaged_block_ends_the_run_everywhere();
    sentences_of_one_token_are_passed_over();

    sb_stop_install(); /* one rank is asked */
    if (sb_comm_rank(comm) == sb_comm_size(comm) - 1) raise(SIGUSR1);
    stopping_and_going_on_gives_the_same_bits(corpus, h);
    options_of_the_tables_may_change_between_stops(corpus);
    another_number_of_ranks_goes_on(corpus);
    go_on("mixed-stop", mixed, long_run(1));
    EXPECT(hash("mixed-stop") == hash("mixed-run"));
    sb_corpus_close(corpus);
    sb_corpus_close(mixed);
}

int main(int argc, char **argv)
{
    return run_tests(argc, argv, all_tests);
}
