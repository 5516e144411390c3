/* SPDX-License-Identifier: MIT
 * positions.h - the masked positions of a wave, of all ranks in global order:
 * their targets, and the vectors that the head scores. A slot's vectors set out
 * for the other ranks as soon as it is computed, while others are.
 */
#ifndef SB_MLM_POSITIONS_H
#define SB_MLM_POSITIONS_H

#include "comm/flight.h"

typedef struct sb_positions {
    sb_comm *comm;
    size_t dim, slots;
    sb_flight *flight;
    size_t *slot_at;  /* [slots + 1] first position of each slot         */
    size_t *cut;      /* [size + 1]  first position of each rank         */
    float *z;         /* [n, dim]                                        */
    uint32_t *target; /* [n]                                            */
    size_t n, z_cap, target_cap;
    size_t first, last, sent; /* own slots; those below `sent` are under way */
    int *done;                /* [slots] own ones that are computed         */
} sb_positions;

/* For `slots` slots over all ranks (sb_share). tag: comm/flight.h. Local. */
SB_MUST_USE sb_status sb_positions_open(sb_comm *c, size_t slots, size_t dim,
                                        int tag, sb_positions *p_out);
void sb_positions_close(sb_positions *p);

/* A new wave, with masked[s] positions in slot s. Local. */
SB_MUST_USE sb_status sb_positions_room(sb_positions *p,
                                        const uint64_t *masked);
/* All own targets are in p->target: they set out, and the vectors of others are
 * expected. Collective, does not wait. */
void sb_positions_begin(sb_positions *p);
/* Own slot `slot` is computed: z [masked, dim] is copied. Any thread. */
void sb_positions_put(sb_positions *p, size_t slot, const float *z);
/* Move messages, if there are any under way; 1: there are. Local. */
int sb_positions_poll(sb_positions *p);
/* All own slots are computed: wait for those of others. Collective. */
void sb_positions_end(sb_positions *p);

#endif
