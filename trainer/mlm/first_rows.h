/* SPDX-License-Identifier: MIT
 * first_rows.h - token rows that a model is given before it is trained: each
 * rank takes its own ones. */
#ifndef SB_MLM_FIRST_ROWS_H
#define SB_MLM_FIRST_ROWS_H

#include "trainer/mlm/engine.h"

/* have [own rows]: 1 where m->table->rows was given a row, else 0. */

/* From word2vec's newest checkpoint in o->init_path: the pieces that occur,
 * by `counts` [V], but for special tokens. SB_ENOENT; SB_EINVAL: of another
 * vocabulary or width. Collective. */
SB_MUST_USE sb_status sb_rows_of_run(sb_mlm *m, const sb_vocab *vocab,
                                     const uint64_t *counts,
                                     unsigned char *have);

/* From the file of word vectors o->init_path (trainer/vectors.h): the pieces
 * whose text is a word of it, but for special tokens; of a word that comes
 * again the first row. Every rank reads the file and keeps its rows of it.
 * SB_EINVAL: of another width, and what sb_vectors_each says. Collective. */
SB_MUST_USE sb_status sb_rows_of_file(sb_mlm *m, const sb_vocab *vocab,
                                      unsigned char *have);

/* SB_EINVAL unless `identity` of what was read is the same on all ranks.
 * Collective. */
SB_MUST_USE sb_status sb_rows_same(const sb_mlm *m, uint64_t identity);

#endif
