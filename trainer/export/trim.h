/* SPDX-License-Identifier: MIT
 * trim.h - a checkpoint with some rows of its vocabulary only. Local. */
#ifndef SB_EXPORT_TRIM_H
#define SB_EXPORT_TRIM_H

#include "dataset/vocab.h"
#include "proto/checkpoint.h"

/* Write the weights of `ckpt` as a checkpoint of the same phase and step into
 * `dir`: of the token table and the output bias the rows `old` [size of
 * `smaller`, rising], which are rows 0, 1, ... of the new ones; all other
 * tensors of floats as they are. Moments are left out: training does not go on
 * from it. Tensors pass through in pieces of 32 MiB. SB_EFORMAT: a table that
 * is not of `rows` rows. */
SB_MUST_USE sb_status sb_trim_write(sb_ckpt *ckpt, uint64_t rows,
                                    const sb_vocab *smaller,
                                    const uint32_t *old, const char *dir);

#endif
