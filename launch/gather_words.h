/* SPDX-License-Identifier: MIT
 * gather_words.h - the words that all ranks counted, brought together.
 *
 * The ranks' runs lie in one folder. Every rank merges some sections of all of
 * them; rank 0 loads the words that fit in its memory, the most frequent ones.
 * What it loads depends on the words, the options and the memory, never on the
 * number of ranks. */
#ifndef SB_LAUNCH_GATHER_WORDS_H
#define SB_LAUNCH_GATHER_WORDS_H

#include <stdint.h>

#include "comm/comm.h"
#include "dataset/word_tally.h"
#include "dataset/wordpiece_train.h"
#include "dataset/words.h"

typedef struct sb_gathered {
    sb_word_list list;       /* on rank 0; .data: sb_free */
    sb_word_size kept, left; /* in the list; rarer, and left out */
    uint64_t least;          /* count from which on words are kept */
    uint64_t too_long;       /* words that were passed over */
} sb_gathered;

/* Open the rank's counts; their runs go to `dir`, which must be there.
 * `memory`: of --memory, all that a rank may take. Local. */
SB_MUST_USE sb_status sb_gather_open(sb_comm *c, const char *dir,
                                     uint64_t memory, sb_words **words_out);

/* Bring together what the ranks counted; `w` counts no more. `dir` can be
 * removed then. SB_ELIMIT: `memory` is too small for any word. Collective. */
SB_MUST_USE sb_status sb_gather_words(sb_comm *c, sb_words *w, const char *dir,
                                      uint64_t memory,
                                      const sb_wordpiece_options *options,
                                      sb_gathered *out);

#endif
