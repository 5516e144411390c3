/* SPDX-License-Identifier: MIT
 * evaluation.h - how good a table of word vectors is: analogies and similarity
 * together. The files are read once, tables are judged as often as one likes:
 *
 *   sb_candidates_of_vocab(vocab, counts, 0, &words);
 *   sb_evaluation_open(&(sb_evaluation_files){...}, &words, &e);
 *   every now and then:
 *   sb_evaluation_run(e, comm, pool, table, V, D, stride, &r);
 */
#ifndef SB_TRAINER_EVALUATION_H
#define SB_TRAINER_EVALUATION_H

#include "trainer/word2vec/analogies.h"
#include "trainer/word2vec/similarity.h"

typedef struct sb_evaluation_files {
    const char *analogies; /* NULL: none */
    const char *const *similarity;
    size_t similarities;
} sb_evaluation_files;

/* Borrowed from the evaluation until its next run or close. */
typedef struct sb_evaluation_result {
    const sb_section *section; /* [sections] */
    size_t sections;
    sb_section total;                /* of the sections */
    const sb_similarity *similarity; /* [similarities], in the files' order */
    size_t similarities;
} sb_evaluation_result;

typedef struct sb_evaluation sb_evaluation;

/* Errors: those of sb_analogies_open and sb_similarity_open. `words` is
 * borrowed until close. Local. */
SB_MUST_USE sb_status sb_evaluation_open(const sb_evaluation_files *files,
                                         const sb_candidates *words,
                                         sb_evaluation **e_out);
void sb_evaluation_close(sb_evaluation *e); /* NULL is fine */

/* Judge a table, the same on all ranks: V rows of D floats, `stride` apart. The
 * result is the same on all ranks and for any number of ranks and threads. SB_EINVAL: V is not that of
 * the candidates; SB_ESTOP after a signal. Collective. */
SB_MUST_USE sb_status sb_evaluation_run(sb_evaluation *e, sb_comm *c,
                                        sb_pool *pool, const float *table,
                                        size_t V, size_t D, size_t stride,
                                        sb_evaluation_result *result_out);

#endif
