/* SPDX-License-Identifier: MIT
 * vocab.h - a WordPiece vocabulary: pieces and their ids.
 *
 * On disk: vocab.txt, one piece a line, the line number (from 0) is the id.
 * The five special tokens are ids 0-4 in this order when we trained it;
 * a vocabulary brought from elsewhere may have them anywhere.
 */
#ifndef SB_DATASET_VOCAB_H
#define SB_DATASET_VOCAB_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

enum { SB_NO_ID = UINT32_MAX };

typedef struct sb_vocab sb_vocab;

typedef struct sb_special_ids {
    uint32_t pad, unk, cls, sep, mask;
} sb_special_ids;

static inline int sb_special_is(const sb_special_ids *s, uint32_t id)
{
    return id == s->pad || id == s->unk || id == s->cls || id == s->sep ||
           id == s->mask;
}

/* "##x" goes on with the word of the piece before it. */
static inline int sb_is_continuation(const char *piece)
{
    return piece[0] == '#' && piece[1] == '#' && piece[2];
}

/* Read vocab.txt, or the vocabulary of a tokenizer.json, which is recognised by
 * its first bytes (tokenizer_files.h says which are taken). SB_EFORMAT (with
 * the line, which is id + 1): an empty or doubled piece, not UTF-8, a special
 * token missing. At most 2^24 pieces and 64 MiB. */
SB_MUST_USE sb_status sb_vocab_load(const char *path, sb_vocab **vocab_out);
/* From the text of a vocab.txt; `name` is used in messages. */
SB_MUST_USE sb_status sb_vocab_parse(const char *text, size_t bytes,
                                     const char *name, sb_vocab **vocab_out);
void sb_vocab_close(sb_vocab *v);
/* Write vocab.txt, all or nothing. */
SB_MUST_USE sb_status sb_vocab_write(const char *path, const sb_vocab *v);

uint32_t sb_vocab_size(const sb_vocab *v);
/* XXH3-64 of vocab.txt as we would write it: pieces, '\n' behind each. */
uint64_t sb_vocab_hash(const sb_vocab *v);
sb_special_ids sb_vocab_special(const sb_vocab *v);
int sb_vocab_is_special(const sb_vocab *v, uint32_t id);

/* Borrowed, NUL-terminated. id < size. */
const char *sb_vocab_piece(const sb_vocab *v, uint32_t id);
/* The id of piece[0..n), or SB_NO_ID. `continued` looks up "##" + piece. */
uint32_t sb_vocab_find(const sb_vocab *v, const char *piece, size_t n,
                       int continued);

#endif
