/* SPDX-License-Identifier: MIT
 * saver.h - checkpoints written by all ranks while training goes on.
 *
 * sb_saver_save copies this rank's pieces and comes back; a thread of every
 * rank then writes its part, syncs it and reads it back. When all ranks have
 * done so, rank 0's thread commits and, with the new checkpoint in its place,
 * removes old ones. Threads send no messages: sb_saver_poll, at the end of a
 * step, is where ranks learn how far the others are. A checkpoint that is not
 * wanted behind, or for which there is no memory, is written by the same steps
 * in sb_saver_save itself.
 *
 * A local save (shares.h) is each rank's own: its share in its own folder, and
 * no commit. It is a second copy: if a rank fails to make one, rank 0 warns, and
 * training goes on.
 *
 * A failure of any rank (a full disk, say) is returned on all by the next call;
 * the checkpoints before it are untouched, and nothing half-written stays.
 *
 * Collective, all of it, with the same status everywhere, unless it says local.
 */
#ifndef SB_TRAINER_SAVER_H
#define SB_TRAINER_SAVER_H

#include "comm/comm.h"
#include "trainer/pieces.h"

typedef struct sb_saver sb_saver;

typedef struct sb_saver_options {
    const char *dir;
    const char *local;   /* this rank's folder of local saves, or NULL */
    unsigned keep;       /* newest checkpoints that are kept, 0: all */
    uint64_t keep_every; /* and those of multiples of this step, 0: none */
    uint64_t room; /* of this rank's pieces, in bytes: what a copy takes */
    int behind;    /* there is memory for `room`; equal on all ranks */
    sb_pool *pool; /* borrowed, idle at every save: copies; or NULL */
} sb_saver_options;

/* SB_ENOMEM. */
SB_MUST_USE sb_status sb_saver_open(sb_comm *c, const sb_saver_options *o,
                                    sb_saver **saver_out);
/* sb_saver_finish, and free it; NULL is fine. Its status is lost to those who
 * do not look. */
sb_status sb_saver_close(sb_saver *s);

/* LOCAL: behind, if there is memory for that, and with o->local. */
typedef enum sb_save_when {
    SB_SAVE_BEHIND,
    SB_SAVE_NOW,
    SB_SAVE_LOCAL
} sb_save_when;

/* Checkpoint ckpt-<meta->step> of the pieces of all ranks, which together cover
 * each element once. Waits for the one under way, if there is one. On return
 * everything given may change; NOW: and the checkpoint is there. One that
 * exists is left alone. No rank returns before all have made their copies. */
SB_MUST_USE sb_status sb_saver_save(sb_saver *s, const sb_ckpt_meta *meta,
                                    const sb_tensor *table, size_t tensors,
                                    const sb_piece *pieces, size_t npieces,
                                    sb_save_when when);

/* Go on with the one under way, if all are ready for it. One small message if
 * there is one under way, none if not. NULL is fine. */
SB_MUST_USE sb_status sb_saver_poll(sb_saver *s);
/* Wait until nothing is under way. */
SB_MUST_USE sb_status sb_saver_finish(sb_saver *s);

/* Is nothing under way? The same on all ranks. Local. */
int sb_saver_idle(const sb_saver *s);
/* Step of the last checkpoint that was committed, or found to be there, local
 * ones apart: 0: none. Local. */
uint64_t sb_saver_newest(const sb_saver *s);

#endif
