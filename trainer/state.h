/* SPDX-License-Identifier: MIT
 * state.h - checkpoints across ranks: the newest one, and what wrote it. How
 * they are written: saver.h. */
#ifndef SB_TRAINER_STATE_H
#define SB_TRAINER_STATE_H

#include "comm/comm.h"
#include "proto/checkpoint.h"

/* Version, compiler, BLAS kernel and instruction set, and those of oneDNN if
 * the run multiplies by it: what the bits of a run depend on beside its recipe.
 * For sb_ckpt_meta.build. */
void sb_state_build(int onednn, char build_out[128]);
/* The same for people, with what this build can do: for --version. */
void sb_state_version(char version_out[256]);
/* Warn if the ranks' builds differ, or this one from that of `then` (NULL: no
 * checkpoint): from here on bits will differ from a run on one build.
 * Collective. */
void sb_state_compare_build(sb_comm *c, int onednn, const sb_ckpt_meta *then);

#endif
