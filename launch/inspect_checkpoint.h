/* SPDX-License-Identifier: MIT
 * inspect_checkpoint.h - what a checkpoint holds, for people. Local. */
#ifndef SB_LAUNCH_INSPECT_CHECKPOINT_H
#define SB_LAUNCH_INSPECT_CHECKPOINT_H

#include "comm/base/status.h"

/* To standard output: progress, build, every tensor with shape and norm, the
 * configuration. Reads everything. */
SB_MUST_USE sb_status sb_inspect_checkpoint(const char *path);
/* One line: sb_ckpt_hash. */
SB_MUST_USE sb_status sb_inspect_hash(const char *path);
/* Read everything; a line to standard output that says that it is whole, or the
 * first damage. */
SB_MUST_USE sb_status sb_verify_checkpoint(const char *path);

#endif
