/* SPDX-License-Identifier: MIT
 * first_hf.h - the weights of a DistilBERT that Hugging Face's programs saved.
 */
#ifndef SB_MLM_FIRST_HF_H
#define SB_MLM_FIRST_HF_H

#include "trainer/mlm/engine.h"

/* Read the folder o->init_path: config.json, whose shape must be o's,
 * model.safetensors, and vocab.txt or else tokenizer.json.
 *
 * The encoder must be there as a whole; the head's transform, if it is not, is
 * left as it was. Token rows and output biases go by the text of their pieces,
 * special tokens too: each rank reads those of its own rows. have, have_bias
 * [own rows]: 1 where it was given one. Names may lack their "distilbert.", as
 * of a model without a head. What else the file holds (a classifier) is left
 * out. All of it is told. Collective. SB_ENOENT, SB_EFORMAT; SB_EINVAL: another
 * shape. */
SB_MUST_USE sb_status sb_weights_of_hf(sb_mlm *m, const sb_vocab *vocab,
                                       unsigned char *have,
                                       unsigned char *have_bias);

#endif
