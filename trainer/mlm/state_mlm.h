/* SPDX-License-Identifier: MIT
 * state_mlm.h - the model's checkpoints. */
#ifndef SB_MLM_STATE_MLM_H
#define SB_MLM_STATE_MLM_H

#include "trainer/mlm/engine.h"

/* Checkpoint after `step` updates. Tensors: Hugging Face's names, the moments
 * as adam.m/<name>, adam.v/<name>, mlm.divergence, and a frozen table's hash.
 * SB_EBUG, and nothing is written, if a frozen table has changed. Collective. */
SB_MUST_USE sb_status sb_mlm_save(sb_mlm *m, const sb_vocab *vocab,
                                  uint64_t step, const sb_divergence *d);

/* Go on from the newest checkpoint in o->dir: *step_out updates are done, or
 * *found_out = 0 (and both are zero). SB_EINVAL: of another vocabulary or
 * shape. SB_EFORMAT: its frozen table is not the one that run began with.
 * Collective. */
SB_MUST_USE sb_status sb_mlm_load(sb_mlm *m, const sb_vocab *vocab,
                                  uint64_t *step_out, sb_divergence *d_out,
                                  int *found_out);

/* Only the weights (no moments), from any mlm checkpoint: for fill. `w`
 * [layout total] is filled on every rank, the table's own rows on each. */
SB_MUST_USE sb_status sb_mlm_load_weights(sb_comm *c, sb_ckpt *ckpt,
                                          const sb_layout *l, float *w,
                                          sb_table *table);

#endif
