/* SPDX-License-Identifier: MIT
 * tokenize.h - text to ids: normalise, split into words, then greedy
 * longest-match-first WordPiece (Wu et al. 2016 as in BERT's
 * WordpieceTokenizer). A word of more than 100 characters, or one that cannot
 * be covered, is [UNK]. Adds no special tokens. */
#ifndef SB_DATASET_TOKENIZE_H
#define SB_DATASET_TOKENIZE_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/vocab.h"

typedef struct sb_ids {
    uint32_t *id; /* free() */
    size_t n, cap;
} sb_ids;

/* One encoder per thread: it holds scratch memory and a cache of words.
 * `vocab` is borrowed. */
typedef struct sb_encoder sb_encoder;
SB_MUST_USE sb_status sb_encoder_open(const sb_vocab *vocab,
                                      sb_encoder **encoder_out);
void sb_encoder_close(sb_encoder *e);

/* Append the ids of text[0..n) (valid UTF-8) to ids. With `specials` the
 * literal strings "[MASK]", "[CLS]", "[SEP]", "[PAD]", "[UNK]" become those
 * tokens (for `fill`); otherwise they are ordinary text. */
SB_MUST_USE sb_status sb_encode(sb_encoder *e, const char *text, size_t n,
                                int specials, sb_ids *ids);

/* Text from ids: pieces joined with spaces, "##" pieces glued on. New memory
 * (sb_free), NULL: out of memory. */
char *sb_decode(const sb_vocab *v, const uint32_t *ids, size_t n);

#endif
