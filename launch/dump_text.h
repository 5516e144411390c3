/* SPDX-License-Identifier: MIT
 * dump_text.h - a corpus as text, for other programs. */
#ifndef SB_LAUNCH_DUMP_TEXT_H
#define SB_LAUNCH_DUMP_TEXT_H

#include "launch/common.h"

/* The train split of the corpus in `dir` to standard output: a sentence a
 * line, its pieces with single blanks between them, special tokens left out
 * ([UNK] is one); a sentence without any other piece is no line. Blocks come
 * in their order, each once: the sources' weights play no part. The vocabulary
 * is found as sb_inspect_corpus finds it. Nobody reading on is the end, not a
 * failure. SB_EINVAL: another vocabulary; SB_EIO; SB_ESTOP. Local. */
SB_MUST_USE sb_status sb_dump_text(const sb_app *a, const char *dir);

#endif
