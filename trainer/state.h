/* SPDX-License-Identifier: MIT
 * state.h - checkpoints across ranks: the newest one, and what wrote it. How
 * they are written: saver.h. */
#ifndef SB_TRAINER_STATE_H
#define SB_TRAINER_STATE_H

#include "comm/comm.h"
#include "proto/checkpoint.h"

/* Version, compiler, BLAS kernel and instruction set: what the bits of a run
 * depend on beside its recipe. For sb_ckpt_meta.build. */
void sb_state_build(char build_out[128]);
/* Warn if the ranks' builds differ, or this one from that of `then` (NULL: no
 * checkpoint): from here on bits will differ from a run on one build.
 * Collective. */
void sb_state_compare_build(sb_comm *c, const sb_ckpt_meta *then);

#endif
