/* SPDX-License-Identifier: MIT
 * find_checkpoint.h - a checkpoint by the name a user gives. */
#ifndef SB_LAUNCH_FIND_CHECKPOINT_H
#define SB_LAUNCH_FIND_CHECKPOINT_H

#include "proto/checkpoint.h"

/* Open `path` if it is a checkpoint, else the newest of the folder `path`.
 * *dir_out (NULL: not wanted; sb_free): the folder that holds it. SB_ENOENT.
 * Local. */
SB_MUST_USE sb_status sb_find_checkpoint(const char *path, sb_ckpt **ckpt_out,
                                         char **dir_out);

#endif
