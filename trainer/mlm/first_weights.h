/* SPDX-License-Identifier: MIT
 * first_weights.h - what the model begins with. */
#ifndef SB_MLM_FIRST_WEIGHTS_H
#define SB_MLM_FIRST_WEIGHTS_H

#include "trainer/mlm/engine.h"

/* Initial weights: the encoder normal(0, init_range), token rows too, [PAD]
 * zero; the output bias zero or log unigram. What o->init_from brings takes
 * their place: token rows of word2vec, scaled to deviation init_scale
 * (first_rows.h), or the weights of a model as they are (first_hf.h). `counts`:
 * [V] of the training split. Collective; the same bits for any number of
 * ranks. Fails as those do. */
SB_MUST_USE sb_status sb_mlm_init(sb_mlm *m, const sb_vocab *vocab,
                                  const uint64_t *counts);

#endif
