/* SPDX-License-Identifier: MIT
 * analogies.h - "athens is to greece as oslo is to ?" (Mikolov et al. 2013a,
 * section 4.1), judged as word2vec's compute-accuracy and gensim do. */
#ifndef SB_TRAINER_ANALOGIES_H
#define SB_TRAINER_ANALOGIES_H

#include "comm/base/pool.h"
#include "comm/comm.h"
#include "trainer/word2vec/candidates.h"

enum { SB_SECTION_NAME_MAX = 64 };

typedef struct sb_section {
    char name[SB_SECTION_NAME_MAX];
    uint64_t asked;   /* questions in the file                     */
    uint64_t covered; /* of those, all four words are candidates   */
    uint64_t right;   /* of those, answered with the fourth        */
} sb_section;

typedef struct sb_analogies sb_analogies;

/* Read questions in the format of questions-words.txt: lines of four words
 * under lines ": section". SB_EFORMAT names the line; a file without a question
 * is one, too. `words` is borrowed until close. Local. */
SB_MUST_USE sb_status sb_analogies_open(const char *path,
                                        const sb_candidates *words,
                                        sb_analogies **analogies_out);
void sb_analogies_close(sb_analogies *q); /* NULL is fine */

/* Answer each question a : b = c : ? with the candidate nearest by cosine to
 * b - a + c, each row divided by its length (3CosAdd, Levy & Goldberg 2014);
 * a, b and c are no answers, and of equally near ones the more frequent is it.
 * Rows without a finite length are no answers either. table: rows of D floats,
 * `stride` apart, V of them as in the candidates; the same on all ranks. Ranks
 * and threads share the questions, and the result is the same whatever their
 * number. Never more than a block of questions times a block of rows is in
 * memory. SB_ESTOP after a signal. Collective. */
SB_MUST_USE sb_status sb_analogies_run(sb_analogies *q, sb_comm *c,
                                       sb_pool *pool, const float *table,
                                       size_t D, size_t stride);

/* Borrowed; `right` is that of the last run. */
const sb_section *sb_analogies_sections(const sb_analogies *q, size_t *n_out);

#endif
