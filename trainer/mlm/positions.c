/* SPDX-License-Identifier: MIT
 * positions.c - one message a slot to every other rank, in the slots' order. */
#include "trainer/mlm/positions.h"

#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"

sb_status sb_positions_open(sb_comm *c, size_t slots, size_t dim, int tag,
                            sb_positions *p_out)
{
    int r = sb_comm_rank(c), size = sb_comm_size(c);
    sb_positions p = {.comm = c, .dim = dim, .slots = slots};
    p.first = (size_t)sb_share(slots, r, size);
    p.last = (size_t)sb_share(slots, r + 1, size);
    sb_status st = sb_flight_open(c, tag, &p.flight);
    if (st == SB_OK)
        st = sb_alloc(slots + 1, sizeof *p.slot_at, "positions", &p.slot_at);
    if (st == SB_OK)
        st = sb_alloc((size_t)size + 1, sizeof *p.cut, "positions", &p.cut);
    if (st == SB_OK) st = sb_alloc(slots, sizeof *p.done, "positions", &p.done);
    if (st == SB_OK)
        *p_out = p;
    else
        sb_positions_close(&p);
    return st;
}

void sb_positions_close(sb_positions *p)
{
    sb_flight_close(p->flight);
    sb_free(p->slot_at);
    sb_free(p->cut);
    sb_free(p->done);
    free(p->z);
    free(p->target);
    memset(p, 0, sizeof *p);
}

sb_status sb_positions_room(sb_positions *p, const uint64_t *masked)
{
    int size = sb_comm_size(p->comm);
    size_t floats;
    for (size_t s = 0; s < p->slots; s++)
        p->slot_at[s + 1] = p->slot_at[s] + (size_t)masked[s];
    for (int r = 0; r <= size; r++)
        p->cut[r] = p->slot_at[sb_share(p->slots, r, size)];
    p->n = p->slot_at[p->slots];
    SB_REQUIRE(!__builtin_mul_overflow(p->n, p->dim, &floats), SB_ELIMIT,
               "%zu masked positions do not fit in memory", p->n);
    SB_TRY(sb_grow(&p->z, &p->z_cap, floats, sizeof *p->z, "scored vectors"));
    return sb_grow(&p->target, &p->target_cap, p->n, sizeof *p->target,
                   "targets");
}

static size_t bytes_of(const sb_positions *p, size_t slot)
{
    return (p->slot_at[slot + 1] - p->slot_at[slot]) * p->dim * sizeof *p->z;
}

static float *vectors_of(const sb_positions *p, size_t slot)
{
    return p->z + p->slot_at[slot] * p->dim;
}

/* From the next rank on, so that not all send to rank 0 first. */
void sb_positions_begin(sb_positions *p)
{
    int me = sb_comm_rank(p->comm), size = sb_comm_size(p->comm);
    memset(p->done, 0, p->slots * sizeof *p->done);
    p->sent = p->first;
    for (int k = 1; k < size; k++) {
        int from = (me + size - k) % size, to = (me + k) % size;
        sb_flight_recv(p->flight, p->target + p->cut[from],
                       (p->cut[from + 1] - p->cut[from]) * sizeof *p->target,
                       from);
        for (uint64_t s = sb_share(p->slots, from, size);
             s < sb_share(p->slots, from + 1, size); s++)
            sb_flight_recv(p->flight, vectors_of(p, s), bytes_of(p, s), from);
        sb_flight_send(p->flight, p->target + p->cut[me],
                       (p->cut[me + 1] - p->cut[me]) * sizeof *p->target, to);
    }
}

void sb_positions_put(sb_positions *p, size_t slot, const float *z)
{
    size_t bytes = bytes_of(p, slot);
    if (bytes) memcpy(vectors_of(p, slot), z, bytes);
    __atomic_store_n(&p->done[slot], 1, __ATOMIC_RELEASE);
}

static void send_slot(sb_positions *p, size_t slot)
{
    int me = sb_comm_rank(p->comm), size = sb_comm_size(p->comm);
    for (int k = 1; k < size; k++)
        sb_flight_send(p->flight, vectors_of(p, slot), bytes_of(p, slot),
                       (me + k) % size);
}

int sb_positions_poll(sb_positions *p)
{
    while (p->sent < p->last &&
           __atomic_load_n(&p->done[p->sent], __ATOMIC_ACQUIRE))
        send_slot(p, p->sent++);
    return !sb_flight_done(p->flight) || p->sent < p->last;
}

void sb_positions_end(sb_positions *p)
{
    (void)sb_positions_poll(p);
    sb_flight_wait(p->flight);
}
