/* SPDX-License-Identifier: MIT
 * first_weights.h - what the model begins with. */
#ifndef SB_MLM_FIRST_WEIGHTS_H
#define SB_MLM_FIRST_WEIGHTS_H

#include "trainer/mlm/engine.h"

/* Initial weights: the encoder normal(0, init_range); token rows from
 * word2vec's checkpoint in o->init_dir where it trained them (scaled to
 * deviation init_scale), else normal(0, init_range), [PAD] zero; output bias
 * zero or log unigram. `counts`: [V] of the training split. Collective; the
 * same bits for any number of ranks. SB_EINVAL: word2vec of another
 * vocabulary or width. */
SB_MUST_USE sb_status sb_mlm_init(sb_mlm *m, const sb_vocab *vocab,
                                  const uint64_t *counts);

#endif
