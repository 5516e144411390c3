/* SPDX-License-Identifier: MIT
 * state_mlm.h - the model's checkpoints. */
#ifndef SB_MLM_STATE_MLM_H
#define SB_MLM_STATE_MLM_H

#include "trainer/mlm/engine.h"
#include "trainer/saver.h"

/* The saver of checkpoints of m, in m->o->dir and in this rank's folder `local`
 * (NULL: none). Collective. */
SB_MUST_USE sb_status sb_mlm_saver_open(const sb_mlm *m, const char *local,
                                        sb_saver **saver_out);

/* Checkpoint after `step` updates. Tensors: Hugging Face's names, the moments
 * as adam.m/<name>, adam.v/<name>, mlm.divergence, and a frozen table's hash.
 * SB_EBUG, and nothing is written, if a frozen table has changed. Collective. */
SB_MUST_USE sb_status sb_mlm_save(sb_mlm *m, sb_saver *s, const sb_vocab *vocab,
                                  uint64_t step, const sb_divergence *d,
                                  sb_save_when when);

/* Go on from the newest whole checkpoint in o->dir (trainer/resume.h):
 * *step_out updates are done, and o->begun has been called; or *found_out = 0
 * (and both are zero). SB_EINVAL: of another vocabulary or shape. A checkpoint
 * whose frozen table is not the one its run began with is damaged.
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
