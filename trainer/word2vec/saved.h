/* SPDX-License-Identifier: MIT
 * saved.h - the checkpoint of phase 1, written and read.
 *
 * Step, cursor: blocks done. Total: blocks x epochs. Beside the tensors named
 * in names.h there is SB_W2V_OPTIONS, u64 [SB_W2V_OPTIONS_N]: what makes the
 * run what it is and is no shape, so that going on with other options is
 * refused and not silently done. */
#ifndef SB_TRAINER_SAVED_H
#define SB_TRAINER_SAVED_H

#include "comm/comm.h"
#include "proto/checkpoint.h"
#include "trainer/saver.h"
#include "trainer/word2vec/hogwild.h"
#include "trainer/word2vec/w2v.h"

#define SB_W2V_OPTIONS "word2vec.options"
enum { SB_W2V_OPTIONS_N = 5 }; /* cbow, window, negative, sample, power */

/* What both directions need to know. */
typedef struct sb_w2v_saved {
    const sb_w2v_options *options;
    const sb_w2v_tables *tables;
    const uint64_t *counts; /* [V] */
    uint64_t vocab_hash;
    uint64_t blocks; /* of one epoch */
} sb_w2v_saved;

/* Bytes that rank c saves of tables of V rows of D floats: its share of rows.
 * Local. */
uint64_t sb_w2v_saved_bytes(const sb_comm *c, uint32_t V, uint32_t D);

/* Save ckpt-<cursor>; each rank its share of rows. Collective. */
SB_MUST_USE sb_status sb_w2v_save(sb_comm *c, sb_saver *saver,
                                  const sb_w2v_saved *s, uint64_t cursor,
                                  sb_save_when when);

/* Can the run of `s` go on from k? Looks at meta, shapes, options and counts;
 * s->tables need only V and D. SB_EINVAL says what differs. Local. */
SB_MUST_USE sb_status sb_w2v_check(sb_ckpt *k, const sb_w2v_saved *s);

/* Rows [first, last) of both tables into s->tables. Local. */
SB_MUST_USE sb_status sb_w2v_load(sb_ckpt *k, const sb_w2v_saved *s,
                                  uint32_t first, uint32_t last);

#endif
