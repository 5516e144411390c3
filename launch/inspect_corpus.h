/* SPDX-License-Identifier: MIT
 * inspect_corpus.h - what a corpus holds, for people. Local. */
#ifndef SB_LAUNCH_INSPECT_CORPUS_H
#define SB_LAUNCH_INSPECT_CORPUS_H

#include "launch/common.h"

/* Tables and warnings to standard output; then as many documents as --sample
 * asks for, spread over the corpus, as text and as pieces (with --vocab, or
 * the vocabulary of the run the corpus lies in). */
SB_MUST_USE sb_status sb_inspect_corpus(const sb_app *a, const char *dir);

/* Read every block and the counts; a line to standard output that says that
 * all is whole, or the first damage. */
SB_MUST_USE sb_status sb_verify_corpus(const char *dir);

/* The train split of the corpus in `dir`, and the vocabulary it was made with:
 * --vocab, or the one beside the corpus, or the run's. SB_EINVAL if it is
 * another. */
SB_MUST_USE sb_status sb_inspect_open(const sb_app *a, const char *dir,
                                      sb_vocab **vocab_out,
                                      sb_corpus **corpus_out);

#endif
