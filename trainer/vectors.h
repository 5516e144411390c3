/* SPDX-License-Identifier: MIT
 * vectors.h - word vectors of other programs: the file format of word2vec,
 * text or binary, told apart by its bytes. fastText's .vec is the text one.
 *
 *   both     "<words> <dim>\n"
 *   text     a line for each word: it and its dim numbers, blanks or tabs
 *            between, perhaps one at the end
 *   binary   for each word: it, a blank, dim little-endian floats; perhaps a
 *            line feed
 *
 * The file may be compressed (dataset/stream.h). A word is any bytes but
 * blank, tab and line feed. */
#ifndef SB_TRAINER_VECTORS_H
#define SB_TRAINER_VECTORS_H

#include "trainer/word_index.h"

enum { SB_VECTORS_DIM_MAX = 65536, SB_VECTORS_WORD_MAX = 4096 };

/* Who takes the rows of a file, one after the other; a failure ends it. */
typedef struct sb_vectors_sink {
    void *context;
    /* First: how many rows of how many values the file announces. */
    sb_status (*begin)(void *context, uint64_t words, size_t dim);
    /* A word and its row [dim], all finite; borrowed until the return. */
    sb_status (*row)(void *context, const char *word, size_t n,
                     const float *row);
} sb_vectors_sink;

/* Read `path` row by row, in bounded memory. SB_ENOENT, SB_EIO; SB_EFORMAT
 * names the word or line: fewer or more words than announced, a row cut off,
 * not finite, a number that is none, a word that is empty or too long, dim 0
 * or beyond the limit. Local. */
SB_MUST_USE sb_status sb_vectors_each(const char *path,
                                      const sb_vectors_sink *sink);

typedef struct sb_vectors {
    sb_word_index *words; /* [n], in the order of the file */
    float *table;         /* [n, dim], all finite */
    size_t table_cap;
    size_t n, dim;
    uint64_t doubled; /* words that came again: the first one's row counts */
} sb_vectors;

/* All of `path` in memory, which follows what the file really holds, never
 * what its first line claims. Fails as sb_vectors_each does. Local. */
SB_MUST_USE sb_status sb_vectors_read(const char *path, sb_vectors *v_out);
void sb_vectors_free(sb_vectors *v); /* zeroed is fine */

#endif
