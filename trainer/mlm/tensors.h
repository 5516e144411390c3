/* SPDX-License-Identifier: MIT
 * tensors.h - the sharded tensors as checkpoints name them. Local. */
#ifndef SB_MLM_TENSORS_H
#define SB_MLM_TENSORS_H

#include "proto/checkpoint.h"
#include "trainer/mlm/layout.h"

/* [V, D] and [V] of this name, fp32. */
sb_tensor sb_mlm_table_tensor(const sb_mlm_shape *s, const char *name);
sb_tensor sb_mlm_bias_tensor(const sb_mlm_shape *s, const char *name);

/* The checkpoint has this tensor, of this shape; else SB_EINVAL: the options
 * do not fit it. */
SB_MUST_USE sb_status sb_mlm_check_tensor(const sb_ckpt *c,
                                          const sb_tensor *want);

#endif
