/* SPDX-License-Identifier: MIT
 * state.h - checkpoints across ranks: who writes what, and one commit. */
#ifndef SB_TRAINER_STATE_H
#define SB_TRAINER_STATE_H

#include "comm/comm.h"
#include "proto/checkpoint.h"

/* Elements [first, first + n) of tensor `tensor` of the table, in memory: one
 * behind the other or, if stride is not 0, in rows of `width` elements that are
 * `stride` elements apart; first and n are then whole rows. */
typedef struct sb_piece {
    size_t tensor;
    uint64_t first, n;
    const void *data;
    uint64_t width, stride;
} sb_piece;

/* Write checkpoint ckpt-<meta->step> in dir: every rank its pieces, which
 * together cover each element once; rank 0 commits. Then removes all but the
 * newest `keep` checkpoints (0: keep all). An existing checkpoint of that step
 * is left alone. Collective; the same status everywhere; on failure the
 * previous checkpoint is untouched and nothing half-written stays. */
SB_MUST_USE sb_status sb_state_save(sb_comm *c, const char *dir,
                                    const sb_ckpt_meta *meta,
                                    const sb_tensor *table, size_t tensors,
                                    const sb_piece *pieces, size_t npieces,
                                    unsigned keep);

/* Open the newest checkpoint in dir on every rank; NULL in *ckpt_out if there
 * is none. Collective; all ranks get the same one. */
SB_MUST_USE sb_status sb_state_latest(sb_comm *c, const char *dir,
                                      sb_ckpt **ckpt_out);

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
