/* SPDX-License-Identifier: MIT
 * names.h - names of the tensors by which phases hand over to each other: a
 * file format, known to both sides. */
#ifndef SB_TRAINER_NAMES_H
#define SB_TRAINER_NAMES_H

#define SB_W2V_INPUT  "word2vec.input"  /* f32 [V, dim] */
#define SB_W2V_OUTPUT "word2vec.output" /* f32 [V, dim] */
#define SB_W2V_COUNTS "word2vec.counts" /* u64 [V] */

#define SB_TABLE_NAME                                                          \
    "distilbert.embeddings.word_embeddings.weight" /* [V, D] */
#define SB_BIAS_NAME   "vocab_projector.bias"      /* [V] */
#define SB_FROZEN_NAME "frozen/" SB_TABLE_NAME     /* u64 [1], a hash */

#endif
