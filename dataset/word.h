/* SPDX-License-Identifier: MIT
 * word.h - what counting, training and encoding share about words. Private to
 * dataset. */
#ifndef SB_DATASET_WORD_H
#define SB_DATASET_WORD_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/vocab.h"

/* A longer word is [UNK] whatever it holds. */
enum { SB_WORD_CHARS = 100, SB_WORD_BYTES = 4 * SB_WORD_CHARS };

/* Characters of n bytes of valid UTF-8. */
size_t sb_word_chars(const char *word, size_t n);

/* Sums of counts stay below this, so that what is summed over a word's letters
 * cannot overflow. */
#define SB_COUNT_MAX ((uint64_t)INT64_MAX / SB_WORD_CHARS)

/* By bytes: < 0, 0, > 0. */
int sb_word_compare(const char *a, size_t n, const char *b, size_t m);

/* SB_ESTOP: counting and training leave nothing behind. */
SB_MUST_USE sb_status sb_words_stopped(void);

/* The longest piece that word[0..n) begins with, its bytes (without a "##") in
 * *bytes_out; SB_NO_ID: none. At most SB_WORD_BYTES of the word count. */
uint32_t sb_vocab_longest(const sb_vocab *v, const char *word, size_t n,
                          int continued, size_t *bytes_out);

/* Greedy longest match first. Returns the pieces of word[0..n) written to
 * id_out, or 0 if the word cannot be covered or is too long. */
size_t sb_wordpiece(const sb_vocab *v, const char *word, size_t n,
                    uint32_t id_out[SB_WORD_CHARS]);

#endif
