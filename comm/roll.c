/* SPDX-License-Identifier: MIT
 * roll.c - who holds up the run. */
#include "comm/roll.h"

#include "comm/base/mem.h"

sb_status sb_roll_open(int size, double limit, sb_roll *roll_out)
{
    sb_roll r = {.size = size, .limit = limit};
    SB_TRY(sb_alloc((size_t)size, sizeof *r.rank, "roll of ranks", &r.rank));
    *roll_out = r;
    return SB_OK;
}

void sb_roll_close(sb_roll *r)
{
    sb_free(r->rank);
    *r = (sb_roll){0};
}

void sb_roll_hear(sb_roll *r, int rank, const sb_life *life, double now)
{
    sb_roll_rank *x = &r->rank[rank];
    if (!x->seen || x->life.beats != life->beats) x->moved = now;
    x->seen = 1;
    x->heard = now;
    x->life = *life;
}

void sb_roll_leave(sb_roll *r, int rank)
{
    r->rank[rank].done = 1;
}

void sb_roll_forgive(sb_roll *r, double now)
{
    for (int i = 0; i < r->size; i++) r->rank[i].heard = r->rank[i].moved = now;
}

int sb_roll_unseen(const sb_roll *r, int *first_out)
{
    int n = 0;
    for (int i = r->size; i-- > 0;) {
        if (r->rank[i].seen) continue;
        *first_out = i;
        n++;
    }
    return n;
}

/* Seconds for which a rank has been silent, or has stood; 0 if it is fine. */
static double silent(const sb_roll *r, const sb_roll_rank *x, double now)
{
    if (!x->seen || x->done || now - x->heard <= r->limit) return 0;
    return now - x->heard;
}

static double stands(const sb_roll *r, const sb_roll_rank *x, double now)
{
    if (!x->seen || x->done || x->life.waiting) return 0;
    return now - x->moved > r->limit ? now - x->moved : 0;
}

/* The rank with the largest, the lowest of equal ones; 0: none has any. */
static int find(const sb_roll *r, double now, int *rank_out,
                double *seconds_out,
                double (*of)(const sb_roll *, const sb_roll_rank *, double))
{
    double most = 0;
    for (int i = 0; i < r->size; i++) {
        double s = of(r, &r->rank[i], now);
        if (s <= most) continue;
        most = s;
        *rank_out = i;
    }
    if (most > 0) *seconds_out = most;
    return most > 0;
}

/* Seconds for which all seen ranks have waited. Whoever was silent for half
 * the limit may be the reason: that is not known yet. */
static double knot(const sb_roll *r, double now, int *rank_out)
{
    double least = -1;
    for (int i = 0; i < r->size; i++) {
        const sb_roll_rank *x = &r->rank[i];
        if (!x->seen || x->done) continue;
        if (!x->life.waiting || now - x->heard > r->limit / 2) return 0;
        if (least >= 0 && now - x->moved >= least) continue;
        least = now - x->moved;
        *rank_out = i;
    }
    return least > r->limit ? least : 0;
}

sb_verdict sb_roll_judge(const sb_roll *r, double now, int *rank_out,
                         double *seconds_out)
{
    int rank = 0;
    if (find(r, now, rank_out, seconds_out, silent)) return SB_ROLL_SILENT;
    if (find(r, now, rank_out, seconds_out, stands)) return SB_ROLL_STANDS;
    double s = knot(r, now, &rank);
    if (s <= 0) return SB_ROLL_WELL;
    *seconds_out = s;
    if (sb_roll_unseen(r, rank_out)) return SB_ROLL_UNSEEN;
    *rank_out = rank;
    return SB_ROLL_KNOT;
}
