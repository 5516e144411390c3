/* SPDX-License-Identifier: MIT
 * resume.c - from the newest checkpoint to the oldest, until one is whole.
 *
 * Rank 0 says which there are; all ranks try the same one at a time, and agree
 * on what became of it. Nothing in the folder changes before one is taken. */
#include "trainer/resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/life.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"

typedef struct search {
    sb_comm *c;
    const char *dir;
    sb_take take;
    void *arg;
    uint64_t *step; /* [n] newest first */
    size_t n;
} search;

/* Rank 0's list to all. */
static sb_status share_steps(search *s)
{
    int first = sb_comm_rank(s->c) == 0;
    uint64_t n = 0;
    sb_status st = first ? sb_ckpt_steps(s->dir, &s->step, &s->n) : SB_OK;
    SB_TRY(sb_agree(s->c, st));
    n = s->n;
    sb_comm_bcast(s->c, &n, sizeof n, 0);
    s->n = (size_t)n;
    if (!first)
        st = sb_alloc(s->n, sizeof *s->step, "checkpoint list", &s->step);
    SB_TRY(sb_agree(s->c, st));
    if (n) sb_comm_bcast(s->c, s->step, s->n * sizeof *s->step, 0);
    return SB_OK;
}

static sb_status open_one(const char *path, uint64_t step, sb_ckpt **k_out)
{
    SB_TRY(sb_ckpt_open(path, k_out));
    uint64_t is = sb_ckpt_get_meta(*k_out)->step;
    SB_REQUIRE(is == step, SB_EFORMAT,
               "checkpoint '%s' is of step %" PRIu64 ", not what its name says",
               path, is);
    return SB_OK;
}

static sb_status try_one(const search *s, const char *path, uint64_t step)
{
    sb_ckpt *k = NULL;
    sb_status st = sb_agree(s->c, open_one(path, step, &k));
    if (st == SB_OK) st = s->take(k, s->arg);
    sb_ckpt_close(k);
    return st;
}

static void warn(const search *s, const char *path)
{
    const sb_error *e = sb_error_last();
    char who[96] = "";
    if (sb_comm_size(s->c) > 1 && e->rank >= 0)
        snprintf(who, sizeof who, " (rank %d, %s)", e->rank, e->host);
    sb_log(SB_LOG_WARN, "'%s' is damaged and passed over: %s%s", path, e->text,
           who);
}

/* The last failure is the oldest one's. */
static sb_status none_is_whole(const search *s, const char *names)
{
    if (s->n > 1)
        sb_fail(SB_EFORMAT, __FILE__, __LINE__,
                "none of the %zu checkpoints in '%.120s' is whole:%s", s->n,
                s->dir, names);
    return sb_hint("restore one from a copy; to begin anew instead, delete "
                   "what is there");
}

/* *damaged_out: how many are, of the newest. */
static sb_status try_all(const search *s, size_t *damaged_out)
{
    char names[300] = "";
    for (size_t i = 0; i < s->n; i++) {
        char *path = sb_ckpt_path(s->dir, s->step[i]);
        sb_status st = path ? SB_OK
                            : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                                      "out of memory: a path");
        st = sb_agree(s->c, st);
        if (st == SB_OK) st = try_one(s, path, s->step[i]);
        int damage = sb_ckpt_is_damage(st);
        if (damage) {
            size_t at = strlen(names);
            snprintf(names + at, sizeof names - at, "%s %s", at ? "," : "",
                     strrchr(path, '/') + 1);
            if (s->n > 1) warn(s, path);
        }
        sb_free(path);
        *damaged_out = i;
        if (!damage) return st;
    }
    return s->n ? none_is_whole(s, names) : SB_OK;
}

/* Rank 0 */
static sb_status set_aside(const search *s, size_t damaged)
{
    for (size_t i = 0; i < damaged; i++)
        SB_TRY(sb_ckpt_set_aside(s->dir, s->step[i]));
    return SB_OK;
}

static sb_status look(search *s, sb_damaged then, int *found_out)
{
    size_t damaged = 0;
    sb_life_doing("opening a checkpoint");
    SB_TRY(share_steps(s));
    *found_out = s->n > 0;
    SB_TRY(try_all(s, &damaged));
    if (then == SB_DAMAGED_STAY || !damaged) return SB_OK;
    sb_status st = SB_OK;
    if (sb_comm_rank(s->c) == 0) st = set_aside(s, damaged);
    return sb_agree(s->c, st);
}

sb_status sb_resume(sb_comm *c, const char *dir, sb_damaged damaged,
                    sb_take take, void *arg, int *found_out)
{
    search s = {.c = c, .dir = dir, .take = take, .arg = arg};
    sb_status st = look(&s, damaged, found_out);
    sb_free(s.step);
    return st;
}
