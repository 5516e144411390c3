/* SPDX-License-Identifier: MIT
 * candidates.h - the rows of a table of word vectors that a test of them looks
 * at, most frequent first, and their words. */
#ifndef SB_TRAINER_CANDIDATES_H
#define SB_TRAINER_CANDIDATES_H

#include "dataset/vocab.h"
#include "trainer/vectors.h"
#include "trainer/word_index.h"

/* Words that differ in the case of ASCII letters alone are one word here, as
 * word2vec's compute-accuracy and gensim have it; the most frequent of them
 * lends it its row. */
typedef struct sb_candidates {
    uint32_t *row;        /* [n] in the table */
    uint32_t *word;       /* [n] number in `words` */
    uint32_t *best;       /* [words]: the candidate whose row is the word's */
    sb_word_index *words; /* in small letters */
    size_t n, best_cap;
    size_t V; /* rows of the table */
} sb_candidates;

/* The pieces of a vocabulary, but for special tokens and those that never
 * occur; by counts [V], the lower id first among equals. `restrict_to` not 0:
 * the first so many of them only. Pieces that begin with ## are candidates,
 * though no question asks for them: a program that trains on the text of
 * `inspect --dump-text` has them too. Local. */
SB_MUST_USE sb_status sb_candidates_of_vocab(const sb_vocab *vocab,
                                             const uint64_t *counts,
                                             size_t restrict_to,
                                             sb_candidates *c_out);

/* All rows of a file, or the first `restrict_to`: files have the most frequent
 * words first. Local. */
SB_MUST_USE sb_status sb_candidates_of_vectors(const sb_vectors *v,
                                               size_t restrict_to,
                                               sb_candidates *c_out);
void sb_candidates_free(sb_candidates *c); /* zeroed is fine */

/* The number of a word, in whatever letters, or SB_NO_WORD. */
uint32_t sb_candidates_find(const sb_candidates *c, const char *text, size_t n);

#endif
