/* SPDX-License-Identifier: MIT
 * resume.h - the newest checkpoint that is whole, the same on all ranks. */
#ifndef SB_TRAINER_RESUME_H
#define SB_TRAINER_RESUME_H

#include "comm/comm.h"
#include "proto/checkpoint.h"

/* Takes what it needs from a checkpoint: everything anew, if a damaged one was
 * taken in part before. Collective; returns the same on all ranks, and what
 * sb_ckpt_is_damage says of it decides. */
typedef sb_status (*sb_take)(sb_ckpt *k, void *arg);

/* What becomes of the damaged ones when an older one has been taken: they stay,
 * or, of a run that will save in dir, they are set aside (sb_ckpt_set_aside).
 */
typedef enum sb_damaged { SB_DAMAGED_STAY, SB_DAMAGED_ASIDE } sb_damaged;

/* Let `take` have the newest checkpoint in dir. If opening or taking it shows
 * that it is damaged, rank 0 warns, with its path and what is wrong, and it is
 * the turn of the one before it. *found_out = 0: there is none at all. SB_OK:
 * one was taken. SB_EFORMAT: none is whole; the message names them. Whatever
 * else take says (another vocabulary, shape or option) is returned as it is.
 * Collective. */
SB_MUST_USE sb_status sb_resume(sb_comm *c, const char *dir, sb_damaged damaged,
                                sb_take take, void *arg, int *found_out);

/* What a phase is asked to call when its run stands and has changed nothing
 * yet: `config` is that of the checkpoint it goes on from, NULL if it begins
 * anew. A run that is refused does not get there. Every rank; collective. */
typedef sb_status (*sb_begun)(void *arg, const char *config);

#endif
