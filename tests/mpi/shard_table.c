/* SPDX-License-Identifier: MIT
 * The sharded table at this np: pull gives the rows that were put, push adds
 * per slot in slot order, whatever the number of ranks; with a rank that owns
 * nothing and one that asks for nothing. */
#include <string.h>

#include "comm/base/rng.h"
#include "tests/mpi/check.h"
#include "trainer/mlm/shard_table.h"

enum { D = 5, SLOTS = 6, IDS = 40 };
static int rank, size;

static float cell(uint64_t row, size_t i)
{
    return (float)(row * 10 + i);
}

static uint32_t id_of(uint64_t slot, size_t i, uint32_t vocab)
{
    sb_rng_key key = sb_rng_key_make(3, SB_RNG_TEST);
    return sb_rng_at(key, slot, (uint32_t)i, 0).v[0] % (i % 3 ? vocab : 4);
}

static float grad_of(uint64_t slot, size_t i, size_t k)
{
    sb_rng_key key = sb_rng_key_make(4, SB_RNG_TEST);
    return sb_rng_unit(sb_rng_at(key, slot, (uint32_t)i, (uint32_t)k).v[0]) *
           (slot % 2 ? 1e4f : 1.0f);
}

static void pull_gives_the_rows(sb_table *t, uint32_t vocab)
{
    uint32_t ids[100];
    const float *rows;
    const uint32_t *place;
    for (int round = 0; round < 3; round++) {
        size_t n =
            rank == size - 1 && size > 1 ? 0 : 100; /* one asks nothing */
        for (size_t i = 0; i < n; i++)
            ids[i] = id_of((uint64_t)(rank + 10 * round), i, vocab);
        OK(sb_table_pull(t, ids, n, &rows, &place));
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < D; k++)
                CHECK(rows[place[i] * D + k] == cell(ids[i], k));
    }
}

static void an_id_beyond_the_table_is_refused_everywhere(sb_table *t,
                                                         uint32_t vocab)
{
    const float *rows;
    const uint32_t *place;
    uint32_t ids[2] = {0, rank == 0 ? vocab : 1};
    CHECK(sb_table_pull(t, ids, 2, &rows, &place) == SB_EINVAL);
    ids[1] = 1;
    OK(sb_table_pull(t, ids, 2, &rows, &place));
    CHECK(rows[place[1] * D] == cell(1, 0));
}

/* The definition: inside a slot in position order, then slot by slot. */
static float expected(uint64_t row, size_t k, uint32_t vocab, uint32_t skip)
{
    float sum = 0;
    for (uint64_t s = 0; s < SLOTS && row != skip; s++) {
        float in_slot = 0;
        int any = 0;
        for (size_t i = 0; i < IDS; i++) {
            if (id_of(s, i, vocab) != row) continue;
            in_slot = any ? in_slot + grad_of(s, i, k) : grad_of(s, i, k);
            any = 1;
        }
        if (any) sum += in_slot;
    }
    return sum;
}

static void push_adds_in_slot_order(sb_table *t, uint32_t vocab)
{
    static uint32_t ids[SLOTS][IDS];
    static float grad[SLOTS][IDS][D];
    sb_slot_grad own[SLOTS];
    size_t n = 0;
    uint64_t last = sb_share(SLOTS, rank + 1, size);
    for (uint64_t s = sb_share(SLOTS, rank, size); s < last; s++) {
        for (size_t i = 0; i < IDS; i++) {
            ids[s][i] = id_of(s, i, vocab);
            for (size_t k = 0; k < D; k++) grad[s][i][k] = grad_of(s, i, k);
        }
        own[n++] = (sb_slot_grad){ids[s], &grad[s][0][0], IDS};
    }
    OK(sb_table_push(t, own, n, 2));
    for (uint64_t row = t->first; row < t->last; row++)
        for (size_t k = 0; k < D; k++)
            CHECK(t->grad[(row - t->first) * D + k] ==
                  expected(row, k, vocab, 2));
}

static void check_table(uint32_t vocab, uint64_t block)
{
    sb_table *t;
    OK(sb_table_open(comm, vocab, block, D, 1, &t));
    uint64_t rows[2] = {t->last - t->first, t->last == t->first};
    sb_comm_sum_u64(comm, rows, 2);
    CHECK(rows[0] == vocab);
    for (uint64_t row = t->first; row < t->last; row++)
        for (size_t k = 0; k < D; k++)
            t->rows[(row - t->first) * D + k] = cell(row, k);
    pull_gives_the_rows(t, vocab);
    an_id_beyond_the_table_is_refused_everywhere(t, vocab);
    push_adds_in_slot_order(t, vocab);
    sb_table_close(t);
}

int main(int argc, char **argv)
{
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    rank = sb_comm_rank(comm);
    size = sb_comm_size(comm);
    check_table(100, 7);  /* blocks do not divide the vocabulary */
    check_table(100, 60); /* two blocks: from np 3 on a rank owns none */
    check_table(9, 1);
    sb_comm_close(comm);
    return 0;
}
