/* SPDX-License-Identifier: MIT
 * similarity.h - do words that people find alike have vectors that are? */
#ifndef SB_TRAINER_SIMILARITY_H
#define SB_TRAINER_SIMILARITY_H

#include "trainer/word2vec/candidates.h"

typedef struct sb_similarity {
    uint64_t asked, covered; /* pairs in the file; both words are candidates */
    double rho;              /* of the last run; NAN: fewer than 2 pairs, or
                                all alike on one side */
    struct sb_word_pair *pair;
    size_t n, cap;
} sb_similarity;

/* Read lines "word1 word2 score" (WordSim-353, SimLex-999, MEN); tabs or blanks
 * between. Lines that begin with # are passed over. The first line may name the
 * columns; one that is called SimLex999 has the score then, else the third has
 * it. SB_EFORMAT names the line; a file without a pair is one, too. Local. */
SB_MUST_USE sb_status sb_similarity_open(const char *path,
                                         const sb_candidates *words,
                                         sb_similarity *s_out);
void sb_similarity_close(sb_similarity *s); /* zeroed is fine */

/* Compare the cosines of rows of the table with the scores: s->rho. table: [V]
 * rows of D floats, `stride` apart. `words` is that of open. Local. */
SB_MUST_USE sb_status sb_similarity_run(sb_similarity *s,
                                        const sb_candidates *words,
                                        const float *table, size_t D,
                                        size_t stride);

/* Spearman's rank correlation: that of Pearson between ranks, where equal
 * values share the mean of theirs. x, y: [n], finite. NAN if n < 2 or if all
 * values of x, or of y, are equal. Local. */
SB_MUST_USE sb_status sb_spearman(const double *x, const double *y, size_t n,
                                  double *rho_out);

#endif
