/* SPDX-License-Identifier: MIT
 * init_from.h - what --init of mlm names. */
#ifndef SB_LAUNCH_INIT_FROM_H
#define SB_LAUNCH_INIT_FROM_H

#include "launch/common.h"
#include "trainer/mlm/pretrain.h"

/* word2vec is the run's word2vec folder, none is chance, hf:DIR a model,
 * word2vec:FILE a file of word vectors, and all else a word2vec folder.
 * *path_out: sb_free; NULL for chance. For hf: the sizes of its config.json
 * become the options dim, layers, heads, ffn and positions; SB_EINVAL if the
 * user has set one of them otherwise. Collective. */
SB_MUST_USE sb_status sb_init_from_option(const sb_app *a, sb_first *from_out,
                                          char **path_out);

#endif
