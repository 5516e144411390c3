/* SPDX-License-Identifier: MIT
 * inspect_corpus.h - what a corpus holds, for people. Local. */
#ifndef SB_LAUNCH_INSPECT_CORPUS_H
#define SB_LAUNCH_INSPECT_CORPUS_H

#include "launch/common.h"

/* Tables and warnings to standard output; then as many documents as --sample
 * asks for, spread over the corpus, as text and as pieces (with --vocab, or
 * the vocabulary of the run the corpus lies in). */
SB_MUST_USE sb_status sb_inspect_corpus(const sb_app *a, const char *dir);

#endif
