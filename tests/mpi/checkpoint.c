/* SPDX-License-Identifier: MIT
 * checkpoint.c - tests of checkpoints by the saver, on any number of ranks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "tests/mpi/open_latest.h"
#include "trainer/saver.h"
#include "trainer/build.h"

enum { ROWS = 1000, WIDE = 3, IDS = 17 };

static const sb_tensor table[] = {
    {"table", SB_F32, 2, {ROWS, WIDE}},
    {"ids", SB_U64, 1, {IDS}},
    {"bias", SB_F32, 1, {5}},
};
enum { TENSORS = 3 };

/* Of the contents below: the same for any number of ranks, for ever. */
#define HASH 0x1501ece33f13d57u

static sb_comm *comm;
static int rank, size;
static uint64_t failures;
static float rows[ROWS * WIDE], bias[5];
static uint64_t ids[IDS];
static char dir[64];

#define CHECK(cond)                                                            \
    do {                                                                       \
        if (!(cond)) {                                                         \
            failures++;                                                        \
            fprintf(stderr, "rank %d of %d, line %d: %s\n", rank, size,        \
                    __LINE__, #cond);                                          \
        }                                                                      \
    } while (0)

/* Everybody's status is `want`, and the same error of the same rank. */
static void check_all(sb_status st, sb_status want, int line)
{
    const sb_error *e = sb_error_last();
    uint64_t all[64] = {0};
    uint64_t mine = (uint64_t)st * 1000 + (st ? (uint64_t)(e->rank + 1) : 0);
    sb_comm_gather(comm, &mine, sizeof mine, all);
    for (int r = 0; r < size; r++)
        if (all[r] != mine || st != want) {
            failures++;
            fprintf(stderr,
                    "rank %d, line %d: status %d (%s), rank %d has %d\n", rank,
                    line, st, e->text, r, (int)(all[r] / 1000));
        }
}
#define ALL(call, want) check_all((call), (want), __LINE__)

/* At once, by a saver of its own. */
static sb_status save_pieces(const sb_ckpt_meta *m, const sb_piece *p, size_t n,
                             unsigned keep)
{
    const sb_saver_options o = {.dir = dir, .keep = keep};
    sb_saver *s;
    SB_TRY(sb_saver_open(comm, &o, &s));
    sb_status st = sb_saver_save(s, m, table, TENSORS, p, n, SB_SAVE_NOW);
    CHECK(sb_saver_newest(s) == (st == SB_OK ? m->step : 0));
    CHECK(sb_saver_close(s) == SB_OK);
    return st;
}

static sb_status save(uint64_t step, int owners, unsigned keep)
{
    static char config[] = "steps = 3\n";
    sb_ckpt_meta m = {"mlm", step, 9, 7, 42, 5, "", config};
    sb_build_name(0, m.build);
    sb_piece p[3];
    size_t n = 0;
    if (rank < owners) {
        uint64_t first = sb_share(ROWS, rank, owners) * WIDE;
        uint64_t last = sb_share(ROWS, rank + 1, owners) * WIDE;
        p[n++] = (sb_piece){0, first, last - first, rows + first, 0, 0};
        first = sb_share(IDS, rank, owners);
        last = sb_share(IDS, rank + 1, owners);
        p[n++] = (sb_piece){1, first, last - first, ids + first, 0, 0};
    }
    if (rank == owners - 1) p[n++] = (sb_piece){2, 0, 5, bias, 0, 0};
    return save_pieces(&m, p, n, keep);
}

static void check_contents(uint64_t step)
{
    sb_ckpt *c = NULL;
    ALL(open_latest(comm, dir, &c), SB_OK);
    CHECK(c != NULL);
    if (!c) return;
    CHECK(sb_ckpt_get_meta(c)->step == step);
    CHECK(strcmp(sb_ckpt_get_meta(c)->config, "steps = 3\n") == 0);
    /* Ranges that nobody wrote: rows dealt the other way round. */
    float got[ROWS * WIDE];
    uint64_t first = sb_share(ROWS, size - 1 - rank, size + 1) * WIDE;
    uint64_t last = sb_share(ROWS, size + 1 - rank, size + 1) * WIDE;
    CHECK(sb_ckpt_get(c, &table[0], first, last - first, got) == SB_OK);
    CHECK(memcmp(got, rows + first, (last - first) * sizeof *got) == 0);
    uint64_t some[IDS], hash = 0;
    CHECK(sb_ckpt_get(c, &table[1], 0, IDS, some) == SB_OK);
    CHECK(memcmp(some, ids, sizeof some) == 0);
    CHECK(sb_ckpt_get(c, &table[2], 1, 3, got) == SB_OK);
    CHECK(memcmp(got, bias + 1, 3 * sizeof *got) == 0);
    CHECK(sb_ckpt_hash(c, &hash) == SB_OK);
    CHECK(hash == HASH);
    if (hash != HASH && rank == 0)
        fprintf(stderr, "hash %#llx\n", (unsigned long long)hash);
    sb_ckpt_close(c);
}

static size_t entries(void)
{
    char **name;
    size_t n = 0;
    sb_comm_barrier(comm);
    if (sb_dir_list(dir, &name, &n) == SB_OK) sb_names_free(name, n);
    sb_comm_barrier(comm);
    return n;
}

static void fault(const char *what)
{
    if (what)
        setenv("SB_FAULT", what, 1);
    else
        unsetenv("SB_FAULT");
}

static void nothing_saved_is_nothing_found(void)
{
    sb_ckpt *c = (sb_ckpt *)&c;
    ALL(open_latest(comm, dir, &c), SB_OK);
    CHECK(c == NULL);
}

static void any_owners_save_what_all_can_read(void)
{
    ALL(save(1, size, 0), SB_OK);
    check_contents(1);
    ALL(save(2, size > 1 ? size - 1 : 1, 0), SB_OK); /* the last: nothing */
    check_contents(2);
    ALL(save(3, 1, 0), SB_OK); /* all at rank 0 */
    check_contents(3);
    CHECK(entries() == 3);
}

static void a_checkpoint_that_exists_is_left_alone(void)
{
    rows[0] += 1;
    ALL(save(3, size, 0), SB_OK);
    rows[0] -= 1;
    check_contents(3);
}

static void only_the_newest_are_kept(void)
{
    ALL(save(4, size, 2), SB_OK);
    CHECK(entries() == 2);
    check_contents(4);
    ALL(save(5, size, 1), SB_OK);
    CHECK(entries() == 1);
    check_contents(5);
}

/* fsio counts per process and only while SB_FAULT names the call. */
static void a_failure_of_one_rank_is_everybodys(void)
{
    char what[40];
    int victim = size > 1 ? 1 : 0;
    snprintf(what, sizeof what, "write:1@rank%d", victim);
    fault(what);
    ALL(save(6, size, 1), SB_EIO);
    CHECK(sb_error_last()->rank == victim);
    CHECK(sb_error_last()->hint[0]);
    fault(NULL);
    CHECK(entries() == 1);
    check_contents(5);
    fault("rename:1@rank0"); /* the commit */
    ALL(save(6, size, 1), SB_EIO);
    fault(NULL);
    CHECK(entries() == 1);
    check_contents(5);
    snprintf(what, sizeof what, "fsync:1@rank%d", size - 1);
    fault(what);
    ALL(save(6, size, 1), SB_EIO);
    fault(NULL);
    CHECK(entries() == 1);
    check_contents(5);
}

static void a_removal_that_fails_is_no_failure_to_save(void)
{
    fault("rename:3@rank0"); /* 1: failed above; 2: commit; 3: remove */
    ALL(save(6, size, 1), SB_OK);
    fault(NULL);
    check_contents(6);
    CHECK(entries() == 2);
    ALL(save(7, size, 1), SB_OK);
    CHECK(entries() == 1);
}

static void pieces_that_do_not_fit_are_refused_by_all(void)
{
    sb_ckpt_meta m = {"mlm", 8, 9, 7, 42, 5, "", NULL};
    sb_piece p[3] = {{0, 0, ROWS * WIDE, rows, 0, 0},
                     {1, 0, IDS, ids, 0, 0},
                     {2, 0, 4, bias, 0, 0}};
    size_t n = rank == size - 1 ? 3 : 0; /* one element of bias is missing */
    ALL(save_pieces(&m, p, n, 1), SB_EBUG);
    p[2].n = 6;
    ALL(save_pieces(&m, p, n, 1), SB_EBUG);
    CHECK(sb_error_last()->rank == size - 1);
    if (size > 1) {
        m.step += (uint64_t)rank;
        ALL(save_pieces(&m, p, 0, 1), SB_EBUG);
    }
    CHECK(entries() == 1);
    check_contents(7);
}

static void a_damaged_checkpoint_is_refused_by_all(void)
{
    char *path = sb_path_join(dir, "ckpt-000000007/manifest.pb");
    if (rank == 0) CHECK(truncate(path, 50) == 0);
    sb_comm_barrier(comm);
    sb_ckpt *c;
    ALL(open_latest(comm, dir, &c), SB_EFORMAT);
    sb_free(path);
}

int main(int argc, char **argv)
{
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    rank = sb_comm_rank(comm);
    size = sb_comm_size(comm);
    sb_log_open(rank, SB_LOG_WARN);
    for (int i = 0; i < ROWS * WIDE; i++) rows[i] = (float)i * 0.5f;
    for (int i = 0; i < IDS; i++) ids[i] = (uint64_t)i * 0x0123456789abcdefu;
    for (int i = 0; i < 5; i++) bias[i] = (float)-i;
    strcpy(dir, "/tmp/sb-state-XXXXXX");
    if (rank == 0 && !mkdtemp(dir)) return 1;
    sb_comm_bcast(comm, dir, sizeof dir, 0);

    nothing_saved_is_nothing_found();
    any_owners_save_what_all_can_read();
    a_checkpoint_that_exists_is_left_alone();
    only_the_newest_are_kept();
    a_failure_of_one_rank_is_everybodys();
    a_removal_that_fails_is_no_failure_to_save();
    pieces_that_do_not_fit_are_refused_by_all();
    a_damaged_checkpoint_is_refused_by_all();

    sb_comm_sum_u64(comm, &failures, 1);
    if (rank == 0 && sb_dir_remove(dir) != SB_OK) failures++;
    if (rank == 0) printf("%llu failures\n", (unsigned long long)failures);
    sb_comm_close(comm);
    return failures != 0;
}
