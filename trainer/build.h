/* SPDX-License-Identifier: MIT
 * build.h - what this program was built with and computes with. */
#ifndef SB_TRAINER_BUILD_H
#define SB_TRAINER_BUILD_H

#include "comm/comm.h"
#include "proto/checkpoint.h"

/* Version, compiler, BLAS kernel and instruction set, and those of oneDNN if
 * the run multiplies by it: what the bits of a run depend on beside its recipe.
 * For sb_ckpt_meta.build. */
void sb_build_name(int onednn, char build_out[128]);
/* The same for people, with what this build can do: for --version. */
void sb_build_version(char version_out[256]);
/* Warn if the ranks' builds differ, or this one from that of `then` (NULL: no
 * checkpoint): from here on bits will differ from a run on one build.
 * Collective. */
void sb_build_compare(sb_comm *c, int onednn, const sb_ckpt_meta *then);

#endif
