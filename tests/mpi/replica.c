/* SPDX-License-Identifier: MIT
 * Copies of both tables and their turns, against a simulation of all of them
 * in one process: the same bits after every turn, whatever the groups. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/hash.h"
#include "comm/base/rng.h"
#include "comm/group.h"
#include "tests/mpi/check.h"
#include "trainer/word2vec/replica.h"

enum { REPLICAS = 4, V_MAX = 200, D_MAX = 17, ROWS_MAX = 2 * V_MAX };

static int rank, size;
static sb_pool *pool;
static sb_rng_key key;

/* ---- the simulation ------------------------------------------------------ */

typedef float rows[ROWS_MAX][D_MAX]; /* table t, row v: t * V_MAX + v */

static struct {
    rows row[REPLICAS], change[REPLICAS], base, fresh, total;
    uint8_t touched[REPLICAS][ROWS_MAX], mine[REPLICAS][ROWS_MAX];
    uint8_t any[ROWS_MAX], hot[ROWS_MAX];
    float updates[ROWS_MAX];
    sb_replica_options o;
    int replicas, pending;
    uint64_t turn;
} ref;

static size_t row_of(int t, uint32_t v)
{
    return (size_t)t * V_MAX + v;
}

static void ref_hot(int t)
{
    uint32_t V = ref.o.V;
    for (uint32_t v = 0; v < V; v++) {
        float mine = ref.updates[row_of(t, v)];
        uint32_t before = 0; /* rows with more, or as many and a lower number */
        for (uint32_t u = 0; u < V; u++) {
            float its = ref.updates[row_of(t, u)];
            before += its > mine || (its == mine && u < v);
        }
        ref.hot[row_of(t, v)] = before < ref.o.hot;
    }
}

static int is_due(size_t i, uint64_t share, int with_hot)
{
    uint64_t words = (ref.o.V + 63) / 64, w = i % V_MAX / 64;
    if (with_hot && ref.hot[i]) return 1;
    return w >= words * share / ref.o.cycle &&
           w < words * (share + 1) / ref.o.cycle;
}

static void ref_take_in(void)
{
    for (size_t i = 0; i < ROWS_MAX && ref.pending; i++) {
        if (!ref.any[i]) continue;
        for (int q = 0; q < ref.replicas; q++)
            for (uint32_t d = 0; d < ref.o.D; d++) {
                float since = ref.row[q][i][d] - ref.base[i][d];
                if (ref.mine[q][i]) since -= ref.change[q][i][d];
                ref.row[q][i][d] = ref.fresh[i][d] + since;
            }
        memcpy(ref.base[i], ref.fresh[i], sizeof ref.base[i]);
    }
    ref.pending = 0;
}

static void ref_prepare(uint64_t share, int with_hot)
{
    size_t D = ref.o.D;
    for (size_t i = 0; i < ROWS_MAX; i++) {
        const float *change[REPLICAS];
        float scratch[D_MAX];
        size_t n = 0;
        int due = i % V_MAX < ref.o.V && is_due(i, share, with_hot);
        for (int q = 0; q < ref.replicas; q++) {
            ref.mine[q][i] = due && ref.touched[q][i];
            if (!ref.mine[q][i]) continue;
            ref.touched[q][i] = 0;
            for (size_t d = 0; d < D; d++)
                ref.change[q][i][d] = ref.row[q][i][d] - ref.base[i][d];
            change[n++] = ref.change[q][i];
        }
        ref.any[i] = n > 0;
        if (n == 0) continue;
        memcpy(ref.fresh[i], ref.base[i], sizeof ref.fresh[i]);
        /* Expected updates are 0 or enormous: c is 0 or as good as infinite */
        sb_combine_changes(ref.o.how, ref.fresh[i], change, n,
                           ref.updates[i] > 0 ? 1e9 : 0, scratch, D);
    }
    ref.pending = 1;
}

static void ref_turn(void)
{
    if (ref.replicas == 1) return;
    ref_take_in();
    ref_prepare(ref.turn++ % ref.o.cycle, 1);
}

static void ref_settle(void)
{
    if (ref.replicas == 1) return;
    ref_take_in();
    for (uint64_t k = 0; k < ref.o.cycle; k++) {
        ref_prepare(k, 0);
        ref_take_in();
    }
    ref.turn = 0;
}

/* ---- both at once -------------------------------------------------------- */

typedef struct world {
    sb_replica *r;
    sb_comm *node, *leaders; /* the same groups as the replica's */
    int mine;                /* number of this rank's replica */
    int whole;               /* changes are whole numbers */
} world;

static float *real_row(const world *w, int t, uint32_t v)
{
    const sb_w2v_tables *s = sb_replica_tables(w->r);
    return (t ? s->out : s->in) + v * s->stride;
}

static void open_world(world *w, const sb_replica_options *o)
{
    OK(sb_replica_open(comm, o, &w->r));
    OK(sb_comm_split_nodes(comm, o->ranks, &w->node, &w->leaders));
    if (w->leaders) w->mine = sb_comm_rank(w->leaders);
    sb_comm_bcast(w->node, &w->mine, sizeof w->mine, 0);
    w->whole = o->how == SB_COMBINE_SUM;
    memset(&ref, 0, sizeof ref);
    ref.o = *o;
    ref.replicas = sb_replica_count(w->r);
    CHECK(sb_replica_ranks(w->r) == sb_comm_size(w->node));
    CHECK(!w->leaders || sb_comm_size(w->leaders) == ref.replicas);
    CHECK((sb_replica_tables(w->r)->in_touched != NULL) == (ref.replicas > 1));
    for (int t = 0; t < 2; t++) {
        for (uint32_t v = 0; v < o->V; v++) /* in the middle, every third */
            ref.updates[row_of(t, v)] =
                v % 3 == 1 ? 1e9f + 1024 * (float)(v * 7 % 5) : 0;
        ref_hot(t);
    }
}

static void close_world(world *w)
{
    sb_comm_free(w->leaders);
    sb_comm_free(w->node);
    sb_replica_close(w->r);
}

/* Rows that are whole numbers, each rank its share. */
static void begin(world *w)
{
    uint32_t first, last;
    sb_replica_share(w->r, &first, &last);
    for (int t = 0; t < 2; t++)
        for (uint32_t v = 0; v < ref.o.V; v++)
            for (uint32_t d = 0; d < ref.o.D; d++) {
                float x = (float)((v * 5 + d * 3 + (uint32_t)t) % 11) - 5;
                size_t i = row_of(t, v);
                ref.base[i][d] = ref.total[i][d] = x;
                for (int q = 0; q < ref.replicas; q++) ref.row[q][i][d] = x;
                if (v >= first && v < last) real_row(w, t, v)[d] = x;
            }
    OK(sb_replica_begin(w->r, ref.updates, ref.updates + V_MAX));
}

/* Every replica changes about a third of its rows, but nobody every fifth;
 * ranks of a replica take turns. */
static void change_rows(world *w, uint32_t step)
{
    const sb_w2v_tables *s = sb_replica_tables(w->r);
    int ranks = sb_comm_size(w->node), me = sb_comm_rank(w->node);
    for (uint32_t at = 0; at < 2 * ref.o.V * (uint32_t)ref.replicas; at++) {
        uint32_t line = at / (uint32_t)ref.replicas, v = line / 2;
        int q = (int)(at % (uint32_t)ref.replicas), t = (int)(line % 2);
        size_t i = row_of(t, v);
        sb_rng4 x = sb_rng_at(key, step, (uint32_t)i, (uint32_t)q);
        if (v % 5 == 4 || x.v[0] % 3) continue;
        int here = q == w->mine && (int)(v % (uint32_t)ranks) == me;
        for (uint32_t d = 0; d < ref.o.D; d++) {
            x = sb_rng_at(key, step, (uint32_t)i, (uint32_t)q + 100 * (d + 1));
            float delta = w->whole ? (float)(x.v[0] % 17) - 8
                                   : sb_rng_unit(x.v[0]) - 0.5f;
            ref.row[q][i][d] += delta;
            ref.total[i][d] += delta;
            if (here) real_row(w, t, v)[d] += delta;
        }
        ref.touched[q][i] = 1;
        if (here && s->in_touched) (t ? s->out_touched : s->in_touched)[v] = 1;
    }
}

static void same_as_simulated(const world *w)
{
    sb_comm_barrier(comm);
    size_t D = ref.o.D, stride = sb_replica_tables(w->r)->stride;
    for (int t = 0; t < 2; t++)
        for (uint32_t v = 0; v < ref.o.V; v++) {
            const float *x = real_row(w, t, v);
            size_t i = row_of(t, v);
            CHECK(memcmp(x, ref.row[w->mine][i], D * sizeof *x) == 0);
            for (size_t d = D; d < stride; d++) CHECK(x[d] == 0);
        }
    sb_comm_barrier(comm);
}

static uint64_t hash_of(const world *w)
{
    const sb_w2v_tables *s = sb_replica_tables(w->r);
    size_t bytes = s->V * s->stride * sizeof(float);
    uint64_t h[2] = {sb_hash64(s->in, bytes), sb_hash64(s->out, bytes)};
    return sb_hash64(h, sizeof h);
}

static void settle(world *w)
{
    sb_replica_exchange(w->r);
    sb_replica_settle(w->r, pool, 0.5);
    ref_settle();
    same_as_simulated(w);
    CHECK(sb_comm_same(comm, hash_of(w)));
}

static void nobodys_rows_stay(const world *w)
{
    for (int t = 0; t < 2; t++)
        for (uint32_t v = 4; v < ref.o.V; v += 5)
            for (uint32_t d = 0; d < ref.o.D; d++)
                CHECK(real_row(w, t, v)[d] ==
                      (float)((v * 5 + d * 3 + (uint32_t)t) % 11) - 5);
}

static void nothing_is_lost(const world *w)
{
    for (int t = 0; t < 2 && w->whole; t++)
        for (uint32_t v = 0; v < ref.o.V; v++)
            for (uint32_t d = 0; d < ref.o.D; d++)
                CHECK(real_row(w, t, v)[d] == ref.total[row_of(t, v)][d]);
}

/* ---- tests --------------------------------------------------------------- */

/* Rows change before the exchange of what was set aside, and after it: always
 * between a turn and the take-in. */
static void turns_are_as_simulated(const sb_replica_options *o)
{
    world w;
    open_world(&w, o);
    begin(&w);
    uint32_t step = 0, turns = o->cycle < 6 ? o->cycle + 2 : 7;
    for (int again = 0; again < 2; again++) {
        for (uint32_t n = 0; n < turns; n++) {
            change_rows(&w, step++);
            sb_replica_exchange(w.r);
            if (n % 3) change_rows(&w, step++);
            sb_replica_turn(w.r, pool, 0.5);
            ref_turn();
            same_as_simulated(&w);
        }
        settle(&w);
        nobodys_rows_stay(&w);
        nothing_is_lost(&w);
        uint64_t h = hash_of(&w);
        settle(&w);
        CHECK(hash_of(&w) == h);
        sb_comm_barrier(comm);
    }
    close_world(&w);
}

/* Replica 0 adds 1 to every number before the first turn. Another sees it at
 * the turn after the row's own, and its own is when it must be. */
static void hot_rows_come_first_and_others_in_turns(const sb_replica_options *o)
{
    world w;
    open_world(&w, o);
    begin(&w);
    uint32_t first, last;
    sb_replica_share(w.r, &first, &last);
    const sb_w2v_tables *s = sb_replica_tables(w.r);
    static float was[ROWS_MAX];
    for (int t = 0; t < 2; t++)
        for (uint32_t v = 0; v < o->V; v++)
            was[row_of(t, v)] = *real_row(&w, t, v);
    sb_comm_barrier(comm);
    for (int t = 0; t < 2 && w.mine == 0 && ref.replicas > 1; t++)
        for (uint32_t v = first; v < last; v++) {
            for (uint32_t d = 0; d < o->D; d++) real_row(&w, t, v)[d] += 1;
            (t ? s->out_touched : s->in_touched)[v] = 1;
        }
    for (uint64_t turn = 0; turn <= o->cycle; turn++) {
        sb_replica_turn(w.r, pool, 0.5);
        for (int t = 0; t < 2; t++)
            for (uint32_t v = 0; v < o->V && w.mine > 0; v++) {
                size_t i = row_of(t, v);
                uint64_t own = 0;
                while (!is_due(i, own, own == 0)) own++;
                float want = was[i] + (own < turn ? 1 : 0);
                CHECK(*real_row(&w, t, v) == want);
            }
        sb_replica_exchange(w.r);
    }
    sb_replica_settle(w.r, pool, 0.5);
    close_world(&w);
}

static void the_start_is_the_same_for_all_groups(int ranks)
{
    sb_replica_options o = {150, D_MAX, ranks, SB_COMBINE_DAMPED, 9, 2};
    world w;
    open_world(&w, &o);
    sb_replica_init(w.r, 12);
    OK(sb_replica_begin(w.r, ref.updates, ref.updates + V_MAX));
    sb_rng_key start = sb_rng_key_make(12, SB_RNG_WORD2VEC_INIT);
    for (uint32_t v = 0; v < o.V; v++)
        for (uint32_t d = 0; d < D_MAX; d++) {
            uint32_t x = sb_rng_at(start, v, d / 4, 0).v[d % 4];
            float want = (sb_rng_unit(x) - 0.5f) / D_MAX;
            CHECK(want >= -0.5f / D_MAX && want < 0.5f / D_MAX);
            CHECK(real_row(&w, 0, v)[d] == want);
            CHECK(real_row(&w, 1, v)[d] == 0);
        }
    uint64_t h = hash_of(&w);
    CHECK(sb_comm_same(comm, h));
    sb_replica_settle(w.r, pool, 1);
    CHECK(hash_of(&w) == h);
    sb_comm_barrier(comm);
    close_world(&w);
}

/* One thread, and more than there are words for. */
static void all_tests(int hosts, int ranks)
{
    static const sb_replica_options shape[] = {
        {200, 5, 0, SB_COMBINE_SUM, 20, 3}, {64, 17, 0, SB_COMBINE_SUM, 64, 1},
        {37, 3, 0, SB_COMBINE_SUM, 0, 1},   {130, 1, 0, SB_COMBINE_SUM, 500, 4},
        {100, 16, 0, SB_COMBINE_SUM, 7, 9}, {1, 2, 0, SB_COMBINE_SUM, 1, 2},
    };
    enum { SHAPES = sizeof shape / sizeof *shape };
    char text[16];
    snprintf(text, sizeof text, "%d", hosts);
    setenv("SB_COMM_HOSTS", text, 1);
    OK(sb_pool_open(hosts == 1 ? 1 : 3, &pool));
    the_start_is_the_same_for_all_groups(ranks);
    for (int i = 0; i < SHAPES; i++) {
        sb_replica_options o = shape[i];
        o.ranks = ranks;
        turns_are_as_simulated(&o);
        hot_rows_come_first_and_others_in_turns(&o);
        o.how = SB_COMBINE_AVERAGE + (sb_combine)((i + ranks + hosts) % 4);
        turns_are_as_simulated(&o);
    }
    sb_pool_close(pool);
}

int main(int argc, char **argv)
{
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    rank = sb_comm_rank(comm);
    size = sb_comm_size(comm);
    CHECK(size <= REPLICAS);
    key = sb_rng_key_make(4, SB_RNG_TEST);
    for (int hosts = 1; hosts <= 2; hosts++)
        for (int ranks = 0; ranks <= 2; ranks++) all_tests(hosts, ranks);
    if (rank == 0) printf("all tests passed\n");
    sb_comm_close(comm);
    return 0;
}
