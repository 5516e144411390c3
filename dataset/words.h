/* SPDX-License-Identifier: MIT
 * words.h - the words of texts and how often each occurs, in bounded memory.
 *
 * Counts are kept in a table. One that has grown to its limit is written to a
 * file, a run (dataset/word_runs.h), and counting goes on with an empty table.
 * Local: every rank counts for itself; launch/gather_words.h brings the ranks'
 * runs together. */
#ifndef SB_DATASET_WORDS_H
#define SB_DATASET_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

typedef struct sb_words sb_words;

/* Runs will be <stem>-0.run, <stem>-1.run, ...: their folder must be there, and
 * removing them is up to the caller. `memory`: most bytes of the table. */
SB_MUST_USE sb_status sb_words_open(const char *stem, uint64_t memory,
                                    sb_words **words_out);
void sb_words_close(sb_words *w);

/* Count every word of normalised text. Words over 100 characters are counted
 * in one number (they encode to [UNK], as in BERT). */
SB_MUST_USE sb_status sb_words_count(sb_words *w, const char *text, size_t n);

/* Put everything into runs, at most `most` (> 0) of them, and free the table:
 * nothing can be counted any more. Runs that lie there: *runs_out. */
SB_MUST_USE sb_status sb_words_end(sb_words *w, size_t most, size_t *runs_out);

uint64_t sb_words_table(const sb_words *w);    /* distinct words in the table */
uint64_t sb_words_total(const sb_words *w);    /* counted since the start */
uint64_t sb_words_too_long(const sb_words *w); /* passed over */

#endif
