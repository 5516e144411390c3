/* SPDX-License-Identifier: MIT
 * resume.c - tests of trainer/resume.c: damaged checkpoints are passed over, by
 * all ranks, wherever the damage shows. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "trainer/resume.h"
#include "trainer/saver.h"

enum { ROWS = 64, KEEP = 2 };

static const sb_tensor table[] = {{"table", SB_F32, 1, {ROWS}},
                                  {"bias", SB_F32, 1, {ROWS}}};

static sb_comm *comm;
static int rank, size;
static uint64_t failures;
static char dir[64];

#define CHECK(cond)                                                            \
    do {                                                                       \
        if (!(cond)) {                                                         \
            failures++;                                                        \
            fprintf(stderr, "rank %d of %d, line %d: %s (%s)\n", rank, size,   \
                    __LINE__, #cond, sb_error_last()->text);                   \
        }                                                                      \
    } while (0)

/* ---- a state ------------------------------------------------------------- */

/* Element i of tensor t after `step`; each rank holds its share of both. */
static float value(uint64_t step, int t, uint64_t i)
{
    return (float)(1000 * step + 100 * (uint64_t)t + i);
}

static uint64_t first(void)
{
    return sb_share(ROWS, rank, size);
}

static uint64_t last(void)
{
    return sb_share(ROWS, rank + 1, size);
}

static sb_status save(uint64_t step)
{
    static char config[] = "steps = 3\n";
    float x[2][ROWS];
    sb_ckpt_meta m = {"mlm", step, 9, 7, 42, 5, "", config};
    sb_piece p[2];
    uint64_t a = first(), n = last() - a;
    for (int t = 0; t < 2; t++) {
        for (uint64_t i = 0; i < n; i++) x[t][i] = value(step, t, a + i);
        p[t] = (sb_piece){(size_t)t, a, n, x[t], 0, 0};
    }
    const sb_saver_options o = {.dir = dir, .keep = KEEP};
    sb_saver *saver;
    SB_TRY(sb_saver_open(comm, &o, &saver));
    sb_status st = sb_saver_save(saver, &m, table, 2, p, 2, SB_SAVE_NOW);
    sb_saver_close(saver);
    return st;
}

typedef struct state {
    float x[2][ROWS];
    uint64_t step;
    int taken;        /* how often */
    sb_status refuse; /* instead of taking */
} state;

/* Rows dealt the other way round, so that ranks read what others wrote. */
static sb_status take(sb_ckpt *k, void *arg)
{
    state *s = arg;
    uint64_t a = sb_share(ROWS, size - 1 - rank, size);
    uint64_t n = sb_share(ROWS, size - rank, size) - a;
    sb_status st = SB_OK;
    s->taken++;
    s->step = sb_ckpt_get_meta(k)->step;
    if (s->refuse != SB_OK)
        st = sb_fail(s->refuse, __FILE__, __LINE__, "it is refused");
    for (int t = 0; t < 2 && st == SB_OK; t++)
        st = sb_ckpt_get(k, &table[t], a, n, s->x[t] + a);
    return sb_agree(comm, st);
}

static int holds(const state *s, uint64_t step)
{
    int good = s->step == step;
    uint64_t a = sb_share(ROWS, size - 1 - rank, size);
    uint64_t b = sb_share(ROWS, size - rank, size);
    for (int t = 0; t < 2; t++)
        for (uint64_t i = a; i < b; i++)
            good &= s->x[t][i] == value(step, t, i);
    return good;
}

/* ---- damage -------------------------------------------------------------- */

/* Rank 0 flips a byte of a file of a checkpoint, counted from its end. */
static void flip(uint64_t step, const char *file, off_t from_end)
{
    if (rank == 0) {
        char *folder = sb_ckpt_path(dir, step);
        char *path = sb_path_join(folder, file), b;
        int fd = open(path, O_RDWR);
        off_t at = lseek(fd, 0, SEEK_END) - from_end;
        CHECK(pread(fd, &b, 1, at) == 1);
        b = (char)~b;
        CHECK(pwrite(fd, &b, 1, at) == 1);
        close(fd);
        sb_free(path);
        sb_free(folder);
    }
    sb_comm_barrier(comm);
}

static void drop(uint64_t step, const char *file)
{
    if (rank == 0) {
        char *folder = sb_ckpt_path(dir, step);
        char *path = sb_path_join(folder, file);
        CHECK(unlink(path) == 0);
        sb_free(path);
        sb_free(folder);
    }
    sb_comm_barrier(comm);
}

static int there(const char *name)
{
    char *path = sb_path_join(dir, name);
    int yes = sb_file_exists(path);
    sb_free(path);
    sb_comm_barrier(comm);
    return yes;
}

/* Checkpoints 1 and 2, or 1 to 3, in a folder of their own. */
static void saved(uint64_t n)
{
    if (rank == 0) CHECK(sb_dir_remove(dir) == SB_OK);
    sb_comm_barrier(comm);
    for (uint64_t step = 1; step <= n; step++) CHECK(save(step) == SB_OK);
}

static state resumed(sb_status want, int want_found)
{
    state s = {0};
    int found = -1;
    CHECK(sb_resume(comm, dir, SB_DAMAGED_ASIDE, take, &s, &found) == want);
    CHECK(found == want_found);
    sb_comm_barrier(comm);
    return s;
}

/* ---- tests --------------------------------------------------------------- */

static void where_there_is_none_nothing_is_found(void)
{
    saved(0);
    state s = resumed(SB_OK, 0);
    CHECK(s.taken == 0);
}

static void the_newest_is_taken(void)
{
    saved(3); /* KEEP of them are left */
    state s = resumed(SB_OK, 1);
    CHECK(s.taken == 1 && holds(&s, 3));
    CHECK(there("ckpt-000000002") && there("ckpt-000000003"));
}

/* The last byte of a part is of the second tensor: the first has been read. */
static void damage_met_while_loading_is_passed_over_by_all(void)
{
    char part[32];
    for (int writer = 0; writer < size; writer++) {
        snprintf(part, sizeof part, "part-%05d.pb", writer);
        saved(2);
        flip(2, part, 1);
        state s = resumed(SB_OK, 1);
        CHECK(s.taken == 2 && holds(&s, 1));
        CHECK(!there("ckpt-000000002") && there("ckpt-000000002.damaged"));
    }
}

static void a_damaged_manifest_or_a_missing_file_is_passed_over(void)
{
    saved(2);
    flip(2, "manifest.pb", 9);
    state s = resumed(SB_OK, 1);
    CHECK(s.taken == 1 && holds(&s, 1));
    saved(2);
    drop(2, "part-00000.pb");
    s = resumed(SB_OK, 1);
    CHECK(holds(&s, 1));
    saved(2);
    drop(2, "manifest.pb");
    s = resumed(SB_OK, 1);
    CHECK(holds(&s, 1));
}

static void an_older_one_under_a_newer_name_is_passed_over(void)
{
    saved(2);
    if (rank == 0) {
        char *old = sb_ckpt_path(dir, 1), *new = sb_ckpt_path(dir, 3);
        CHECK(rename(old, new) == 0);
        sb_free(old);
        sb_free(new);
    }
    sb_comm_barrier(comm);
    state s = resumed(SB_OK, 1);
    CHECK(s.taken == 1 && holds(&s, 2));
    CHECK(there("ckpt-000000003.damaged"));
}

/* Else the run would not save that step, and a whole one would be removed to
 * keep the damaged one. */
static void a_step_that_was_damaged_is_saved_again(void)
{
    saved(2);
    flip(2, "part-00000.pb", 1);
    state s = resumed(SB_OK, 1);
    CHECK(save(2) == SB_OK);
    CHECK(there("ckpt-000000001") && there("ckpt-000000002"));
    s = resumed(SB_OK, 1);
    CHECK(holds(&s, 2));
    flip(2, "part-00000.pb", 1); /* once more */
    s = resumed(SB_OK, 1);
    CHECK(holds(&s, 1) && there("ckpt-000000002.damaged"));
}

static void who_only_reads_moves_nothing(void)
{
    saved(2);
    flip(2, "part-00000.pb", 1);
    state s = {0};
    int found;
    CHECK(sb_resume(comm, dir, SB_DAMAGED_STAY, take, &s, &found) == SB_OK);
    CHECK(found && holds(&s, 1) && there("ckpt-000000002"));
}

static void if_none_is_whole_all_are_named(void)
{
    saved(2);
    flip(1, "manifest.pb", 1);
    flip(2, "part-00000.pb", 1);
    state s = resumed(SB_EFORMAT, 1);
    CHECK(s.taken == 1);
    CHECK(strstr(sb_error_last()->text, "ckpt-000000001"));
    CHECK(strstr(sb_error_last()->text, "ckpt-000000002"));
    CHECK(sb_error_last()->hint[0]);
    CHECK(there("ckpt-000000001") && there("ckpt-000000002"));
    saved(1);
    flip(1, "part-00000.pb", 1);
    s = resumed(SB_EFORMAT, 1);
    CHECK(strstr(sb_error_last()->text, "ckpt-000000001"));
    CHECK(strstr(sb_error_last()->text, "checksum"));
}

/* Another vocabulary, shape, option: the older ones would go back in time. */
static void what_is_refused_is_not_passed_over(void)
{
    static const sb_status why[] = {SB_EINVAL, SB_EVERSION, SB_ENOMEM, SB_ENAN};
    saved(2);
    for (int i = 0; i < 4; i++) {
        state s = {.refuse = why[i]};
        int found;
        CHECK(sb_resume(comm, dir, SB_DAMAGED_ASIDE, take, &s, &found) ==
              why[i]);
        CHECK(s.taken == 1);
    }
    flip(2, "manifest.pb", 1); /* damage first, then a refusal */
    state s = {.refuse = SB_EINVAL};
    int found;
    CHECK(sb_resume(comm, dir, SB_DAMAGED_ASIDE, take, &s, &found) ==
          SB_EINVAL);
    CHECK(s.taken == 1 && s.step == 1);
    CHECK(there("ckpt-000000002"));
}

int main(int argc, char **argv)
{
    char parent[] = "/tmp/sb-resume-XXXXXX";
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    rank = sb_comm_rank(comm);
    size = sb_comm_size(comm);
    sb_log_open(rank, SB_LOG_ERROR);
    if (rank == 0 && !mkdtemp(parent)) return 1;
    sb_comm_bcast(comm, parent, sizeof parent, 0);
    snprintf(dir, sizeof dir, "%s/mlm", parent);

    where_there_is_none_nothing_is_found();
    the_newest_is_taken();
    damage_met_while_loading_is_passed_over_by_all();
    a_damaged_manifest_or_a_missing_file_is_passed_over();
    an_older_one_under_a_newer_name_is_passed_over();
    a_step_that_was_damaged_is_saved_again();
    who_only_reads_moves_nothing();
    if_none_is_whole_all_are_named();
    what_is_refused_is_not_passed_over();

    sb_comm_sum_u64(comm, &failures, 1);
    if (rank == 0 && sb_dir_remove(parent) != SB_OK) failures++;
    if (rank == 0) printf("%llu failures\n", (unsigned long long)failures);
    sb_comm_close(comm);
    return failures != 0;
}
