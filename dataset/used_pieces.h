/* SPDX-License-Identifier: MIT
 * used_pieces.h - the part of a vocabulary that some text needs.
 *
 * A vocabulary without the other pieces encodes that text alike: the longest
 * piece at a place is still there, and no longer one has come. A word that
 * could not be covered must not become one that can: so the pieces that lead
 * to where it fails are needed, too. Local. */
#ifndef SB_DATASET_USED_PIECES_H
#define SB_DATASET_USED_PIECES_H

#include "dataset/vocab.h"

typedef struct sb_used sb_used;

/* Of `vocab` (borrowed), the special tokens at first. */
SB_MUST_USE sb_status sb_used_open(const sb_vocab *vocab, sb_used **used_out);
void sb_used_close(sb_used *u); /* NULL is fine */

/* What text[0..n), valid UTF-8, is encoded with; what these ids are. */
SB_MUST_USE sb_status sb_used_add_text(sb_used *u, const char *text, size_t n);
void sb_used_add_ids(sb_used *u, const uint32_t *ids, size_t n);

/* [UNK]s among all that was added. */
uint64_t sb_used_unknown(const sb_used *u);

/* The vocabulary of what is needed, in its old order; *old_out [its size],
 * borrowed: the old ids. Once; sb_vocab_close before u. */
SB_MUST_USE sb_status sb_used_make(sb_used *u, sb_vocab **vocab_out,
                                   const uint32_t **old_out);

/* After that: encode a text again, with both. SB_EBUG if the pieces are not
 * the same. */
SB_MUST_USE sb_status sb_used_check(sb_used *u, const char *text, size_t n);

#endif
