/* SPDX-License-Identifier: MIT
 * saver.c - tests of trainer/saver.c on any number of ranks: what is written
 * behind is what was there when it was saved. What a checkpoint holds and how
 * failures become common, when it is written at once: checkpoint.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/log.h"
#include "tests/mpi/check.h"
#include "tests/mpi/open_latest.h"
#include "trainer/saver.h"
#include "trainer/build.h"

/* Rows lie STRIDE floats apart, and are more than two strips of a copy. */
enum { ROWS = 40000, WIDE = 60, STRIDE = 64, IDS = 17, TENSORS = 2 };

static const sb_tensor table[TENSORS] = {
    {"table", SB_F32, 2, {ROWS, WIDE}},
    {"ids", SB_U64, 1, {IDS}},
};

static int rank, size;
static float rows[ROWS * STRIDE];
static uint64_t ids[IDS];
static char dir[64];
static sb_pool *pool;

static void set(float value)
{
    for (int i = 0; i < ROWS * STRIDE; i++) rows[i] = value + (float)i;
    for (int i = 0; i < IDS; i++) ids[i] = (uint64_t)(value * 1000) + 7;
}

static size_t own_pieces(sb_piece p[2])
{
    uint64_t first = sb_share(ROWS, rank, size);
    uint64_t n = sb_share(ROWS, rank + 1, size) - first;
    p[0] = (sb_piece){0,    first * WIDE, n * WIDE, rows + first * STRIDE,
                      WIDE, STRIDE};
    p[1] = (sb_piece){1, 0, IDS, ids, 0, 0};
    return rank == size - 1 ? 2 : 1;
}

static sb_saver *open_saver(unsigned keep, uint64_t every, int behind)
{
    sb_piece p[2];
    sb_saver *s;
    const sb_saver_options o = {.dir = dir,
                                .keep = keep,
                                .keep_every = every,
                                .room =
                                    sb_pieces_bytes(table, p, own_pieces(p)),
                                .behind = behind,
                                .pool = pool};
    OK(sb_saver_open(comm, &o, &s));
    return s;
}

static sb_status save(sb_saver *s, uint64_t step, sb_save_when when)
{
    char config[] = "steps = 3\n";
    sb_ckpt_meta m = {"mlm", step, 9, 7, 42, 5, "", config};
    sb_tensor t[TENSORS];
    sb_piece p[2];
    size_t n = own_pieces(p);
    memcpy(t, table, sizeof t);
    sb_status st = sb_saver_save(s, &m, t, TENSORS, p, n, when);
    memset(config, 'x', sizeof config - 1); /* all of it may change now */
    memset(t, 0, sizeof t);
    memset(p, 0, sizeof p);
    return st;
}

static uint64_t hash_of_newest(uint64_t step)
{
    sb_ckpt *c;
    uint64_t hash;
    OK(open_latest(comm, dir, &c));
    CHECK(c && sb_ckpt_get_meta(c)->step == step);
    CHECK(strcmp(sb_ckpt_get_meta(c)->config, "steps = 3\n") == 0);
    OK(sb_ckpt_hash(c, &hash));
    sb_ckpt_close(c);
    return hash;
}

static size_t entries(void)
{
    char **name;
    size_t n = 0;
    sb_comm_barrier(comm);
    OK(sb_dir_list(dir, &name, &n));
    sb_names_free(name, n);
    sb_comm_barrier(comm);
    return n;
}

static int is_there(uint64_t step)
{
    int there = rank == 0 && sb_ckpt_exists(dir, step);
    sb_comm_bcast(comm, &there, sizeof there, 0);
    return there;
}

static void empty_folder(void)
{
    sb_comm_barrier(comm);
    if (rank == 0) OK(sb_dir_remove(dir));
    if (rank == 0) OK(sb_dir_make(dir));
    sb_comm_barrier(comm);
}

static void fault(const char *call, int victim)
{
    char what[40];
    snprintf(what, sizeof what, "%s@rank%d", call, victim);
    if (call[0])
        setenv("SB_FAULT", what, 1);
    else
        unsetenv("SB_FAULT");
}

/* ---- tests --------------------------------------------------------------- */

static void what_changes_after_a_save_does_not_show(void)
{
    sb_saver *s = open_saver(0, 0, 1);
    set(1);
    OK(save(s, 1, SB_SAVE_NOW));
    CHECK(sb_saver_newest(s) == 1);
    uint64_t one = hash_of_newest(1);
    OK(save(s, 2, SB_SAVE_BEHIND));
    set(3);
    OK(sb_saver_finish(s));
    CHECK(sb_saver_newest(s) == 2 && hash_of_newest(2) == one);
    OK(save(s, 3, SB_SAVE_NOW));
    CHECK(hash_of_newest(3) != one);
    CHECK(entries() == 3);
    OK(sb_saver_close(s));
}

static void a_save_waits_for_the_one_before_it(void)
{
    sb_saver *s = open_saver(0, 0, 1);
    uint64_t hash[4];
    for (uint64_t step = 1; step <= 3; step++) {
        set((float)step);
        OK(save(s, step, SB_SAVE_BEHIND));
        CHECK(sb_saver_newest(s) == step - 1);
    }
    set(4);
    OK(sb_saver_finish(s));
    hash[3] = hash_of_newest(3);
    OK(sb_saver_close(s));
    s = open_saver(0, 0, 0); /* no memory: at once, and the same */
    set(3);
    OK(save(s, 13, SB_SAVE_BEHIND));
    CHECK(sb_saver_newest(s) == 13 && hash_of_newest(13) == hash[3]);
    OK(sb_saver_close(s));
    CHECK(entries() == 4);
}

static void polling_commits_it_and_closing_does(void)
{
    sb_saver *s = open_saver(0, 0, 1);
    OK(sb_saver_poll(NULL));
    OK(sb_saver_poll(s)); /* nothing is under way */
    OK(save(s, 1, SB_SAVE_BEHIND));
    while (sb_saver_newest(s) != 1) {
        OK(sb_saver_poll(s));
        usleep(1000);
    }
    CHECK(is_there(1));
    OK(save(s, 1, SB_SAVE_BEHIND)); /* exists */
    OK(save(s, 2, SB_SAVE_BEHIND));
    OK(sb_saver_close(s));
    CHECK(is_there(2) && entries() == 2);
}

static void every_nth_is_kept_beside_the_newest(void)
{
    sb_saver *s = open_saver(2, 4, 1);
    for (uint64_t step = 1; step <= 10; step++)
        OK(save(s, step, SB_SAVE_BEHIND));
    OK(sb_saver_close(s));
    CHECK(entries() == 4);
    CHECK(is_there(4) && is_there(8) && is_there(9) && is_there(10));
}

/* How a save fails whose thread does, on one rank or on the committing one. */
static void fails_behind(const char *call, int victim, uint64_t step)
{
    sb_saver *s = open_saver(1, 0, 1);
    fault(call, victim);
    OK(save(s, step, SB_SAVE_BEHIND));
    sb_status st = SB_OK;
    while (st == SB_OK) {
        st = sb_saver_poll(s);
        CHECK(sb_saver_newest(s) == 0);
    }
    fault("", 0);
    CHECK(st == SB_EIO && sb_error_last()->rank == victim);
    CHECK(entries() == 1 && is_there(1)); /* no debris */
    OK(sb_saver_poll(s));
    OK(save(s, step, SB_SAVE_BEHIND)); /* there is space again */
    OK(sb_saver_close(s));
    CHECK(entries() == 1 && is_there(step));
    if (rank == 0) OK(sb_dir_remove(dir));
    sb_comm_barrier(comm);
    s = open_saver(1, 0, 1);
    OK(save(s, 1, SB_SAVE_NOW));
    OK(sb_saver_close(s));
}

static void a_failure_behind_is_everybodys_at_the_next_poll(void)
{
    sb_saver *s = open_saver(1, 0, 1);
    OK(save(s, 1, SB_SAVE_NOW));
    OK(sb_saver_close(s));
    fails_behind("write:2", size - 1, 2);
    fails_behind("fsync:1", size - 1, 2);
    fails_behind("rename:1", 0, 2);
}

static void more_than_there_is_room_for_is_refused(void)
{
    const sb_saver_options o = {.dir = dir, .room = 100, .behind = 1};
    sb_saver *s;
    OK(sb_saver_open(comm, &o, &s));
    CHECK(save(s, 1, SB_SAVE_BEHIND) == SB_EBUG);
    CHECK(entries() == 0);
    OK(save(s, 1, SB_SAVE_NOW));
    OK(sb_saver_close(s));
}

int main(int argc, char **argv)
{
    static void (*const test[])(void) = {
        what_changes_after_a_save_does_not_show,
        a_save_waits_for_the_one_before_it,
        polling_commits_it_and_closing_does,
        every_nth_is_kept_beside_the_newest,
        a_failure_behind_is_everybodys_at_the_next_poll,
        more_than_there_is_room_for_is_refused};
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    rank = sb_comm_rank(comm);
    size = sb_comm_size(comm);
    sb_fault_rank(rank);
    sb_log_open(rank, SB_LOG_WARN);
    OK(sb_pool_open(3, &pool));
    strcpy(dir, "/tmp/sb-saver-XXXXXX");
    if (rank == 0 && !mkdtemp(dir)) return 1;
    sb_comm_bcast(comm, dir, sizeof dir, 0);
    set(1);
    for (size_t i = 0; i < sizeof test / sizeof *test; i++) {
        test[i]();
        empty_folder();
    }
    sb_pool_close(pool);
    if (rank == 0) OK(sb_dir_remove(dir));
    sb_comm_close(comm);
    return 0;
}
