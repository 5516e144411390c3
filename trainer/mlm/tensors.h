/* SPDX-License-Identifier: MIT
 * tensors.h - the sharded tensors as checkpoints name them, and the shape of a
 * model from its checkpoint. Local. */
#ifndef SB_MLM_TENSORS_H
#define SB_MLM_TENSORS_H

#include "dataset/vocab.h"
#include "proto/checkpoint.h"
#include "trainer/mlm/layout.h"

/* [V, D] and [V] of this name, fp32. */
sb_tensor sb_mlm_table_tensor(const sb_mlm_shape *s, const char *name);
sb_tensor sb_mlm_bias_tensor(const sb_mlm_shape *s, const char *name);

/* The checkpoint has this tensor, of this shape; else SB_EINVAL: the options
 * do not fit it. */
SB_MUST_USE sb_status sb_mlm_check_tensor(const sb_ckpt *c,
                                          const sb_tensor *want);

/* What the checkpoint's configuration says of an option, in new memory
 * (sb_free); NULL in *value_out: nothing. */
SB_MUST_USE sb_status sb_mlm_option(const sb_ckpt *c, const char *name,
                                    char **value_out);

/* The number of attention heads, which no tensor's shape tells, from the
 * checkpoint's configuration. SB_EINVAL: that says nothing of them. */
SB_MUST_USE sb_status sb_mlm_heads(const sb_ckpt *c, uint32_t *heads_out);

/* The shape of the model in any checkpoint that has its encoder and token
 * table. SB_ENOENT, SB_EFORMAT. */
SB_MUST_USE sb_status sb_mlm_read_shape(const sb_ckpt *c,
                                        sb_mlm_shape *shape_out);

/* The same, of a model that was made with this vocabulary; else SB_EINVAL. */
SB_MUST_USE sb_status sb_mlm_shape_with(const sb_ckpt *c, const sb_vocab *vocab,
                                        sb_mlm_shape *shape_out);

#endif
