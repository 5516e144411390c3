/* SPDX-License-Identifier: MIT
 * frozen.c - the hash of the token table. */
#include "trainer/mlm/frozen.h"

#include "comm/base/hash.h"
#include "trainer/names.h"

uint64_t sb_frozen_hash(const sb_table *t)
{
    uint64_t sum = 0;
    for (uint64_t row = t->first; row < t->last; row++) {
        const float *x = t->rows + (row - t->first) * t->dim;
        const uint64_t named[2] = {row, sb_hash64(x, t->dim * sizeof *x)};
        sum += sb_hash64(named, sizeof named);
    }
    sb_comm_sum_u64(t->comm, &sum, 1);
    return sum;
}

sb_status sb_frozen_check(const sb_table *t, uint64_t was)
{
    SB_REQUIRE(sb_frozen_hash(t) == was, SB_EBUG,
               "the frozen tensor '%s' has changed since the run began, "
               "nothing is saved",
               SB_TABLE_NAME);
    return SB_OK;
}
