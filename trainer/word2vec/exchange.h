/* SPDX-License-Identifier: MIT
 * exchange.h - what replicas did to a set of rows, made one by messages.
 *
 * A set of rows of both tables is due; the same set on all replicas. Of these
 * each replica sends the ones it changed. One gather of bitmaps tells
 * everybody who changed what, so no sizes need to be sent; each row's changes
 * travel to the one replica that owns it in this exchange, which combines them
 * (combine.h), in the order of the replicas, adds the row as it was, and sends
 * the new row to all: a reduce-scatter and an all-gather of changed rows only.
 *
 * Touches nothing that training touches, so it runs while training goes on.
 * Bitmaps have words of 64 rows; table 0 is the input, 1 the output table.
 */
#ifndef SB_TRAINER_EXCHANGE_H
#define SB_TRAINER_EXCHANGE_H

#include <stdint.h>

#include "comm/comm.h"
#include "trainer/word2vec/combine.h"

typedef struct sb_exchange sb_exchange;

/* What goes into one and what comes out; borrowed for its length. */
typedef struct sb_exchange_set {
    const uint64_t *due[2];  /* [words] the same on all replicas             */
    const uint64_t *mine[2]; /* [words] rows this replica changed, all due   */
    const float *change[2];  /* theirs, one behind the other, rows of D      */
    const float *base[2];    /* [V] rows, `stride` apart: before the change  */
    const float *updates[2]; /* [V] expected updates per pair; NULL: 0       */
    double pull[2];          /* c of combine.h = pull x updates              */
    uint64_t *any[2];        /* [words] out: rows that any replica changed   */
    float *fresh[2];         /* out: the new ones, rows of D                 */
} sb_exchange_set;

/* leaders: borrowed. `most` rows of a table are due at a time. Local. */
SB_MUST_USE sb_status sb_exchange_open(sb_comm *leaders, size_t words,
                                       size_t stride, size_t D, size_t most,
                                       sb_combine how, sb_exchange **out);
void sb_exchange_close(sb_exchange *x); /* NULL is fine */
/* What that takes. */
uint64_t sb_exchange_bytes(int size, size_t words, size_t D, size_t most);

/* Collective over the leaders. */
void sb_exchange_run(sb_exchange *x, const sb_exchange_set *set);

/* Rows in words [first, last) of a bitmap. */
size_t sb_count_rows(const uint64_t *bits, size_t first, size_t last);

#endif
