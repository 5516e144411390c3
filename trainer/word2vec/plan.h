/* SPDX-License-Identifier: MIT
 * plan.h - which worker trains which blocks when, and at which learning rate.
 *
 * The positions of a run are numbered through: position g is place g mod n of
 * epoch g / n, n = places of the corpus's mix of blocks (dataset/mix.h), in an
 * order permuted anew for every epoch. A round takes the next positions and
 * deals them out evenly, one behind the other: a worker's share is a stretch.
 * An epoch has every block as often as the mix says, whatever the number of
 * workers, and the state between rounds is one number, the positions done.
 *
 * Local; the same on all ranks.
 */
#ifndef SB_TRAINER_PLAN_H
#define SB_TRAINER_PLAN_H

#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/corpus.h"
#include "trainer/word2vec/hogwild.h"

typedef struct sb_w2v_plan {
    sb_corpus *corpus; /* borrowed */
    const sb_mix *mix; /* of its blocks */
    sb_rng_key order;  /* shuffles it */
    uint64_t seed;
    uint32_t *tokens;       /* of each block of the corpus */
    uint64_t blocks, total; /* positions of an epoch, of the run */
    uint64_t stretch;       /* positions a worker gets in a round, at most */
    uint32_t workers;
    sb_w2v_rate rate; /* over the words of the whole run, exactly counted */
} sb_w2v_plan;

SB_MUST_USE sb_status sb_w2v_plan_open(sb_w2v_plan *p, sb_corpus *corpus,
                                       uint64_t seed, uint32_t epochs,
                                       uint32_t workers);
void sb_w2v_plan_close(sb_w2v_plan *p); /* a zeroed one is fine */

/* The position behind the round that begins at `cursor`. */
uint64_t sb_w2v_plan_next(const sb_w2v_plan *p, uint64_t cursor);
/* Words of positions [first, last); those of all before `g`. */
uint64_t sb_w2v_plan_words(const sb_w2v_plan *p, uint64_t first, uint64_t last);
uint64_t sb_w2v_plan_before(const sb_w2v_plan *p, uint64_t g);
/* No stretch has more tokens. */
size_t sb_w2v_plan_most(const sb_w2v_plan *p);

/* Worker w's stretch of the round [cursor, last): blocks, draws and learning
 * rate into t->piece (room for p->stretch); loss and pairs start from 0.
 * words: sb_w2v_plan_before(cursor). */
SB_MUST_USE sb_status sb_w2v_plan_give(const sb_w2v_plan *p, uint64_t cursor,
                                       uint64_t last, uint64_t words,
                                       uint32_t w, sb_w2v_task *t);

#endif
