/* SPDX-License-Identifier: MIT
 * letters.h - the alphabet of counted words. Private to words and training. */
#ifndef SB_DATASET_LETTERS_H
#define SB_DATASET_LETTERS_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/word_tally.h"

enum { SB_CODES = 0x110000 };

typedef struct sb_letter {
    uint32_t c;      /* code point */
    uint32_t inside; /* 1 if it also stands behind a word's first letter */
    uint64_t count;
} sb_letter;

/* The letter that begins word[0..n), n > 0; its bytes in *bytes_out. */
uint32_t sb_letter_at(const char *word, size_t n, size_t *bytes_out);

/* Its bytes to `to`; how many. */
size_t sb_letter_put(uint32_t c, char to[4]);

/* The `limit` most frequent letters of the words, ties to the lower one;
 * sorted by code point. letters_out: sb_free. */
SB_MUST_USE sb_status sb_letters_count(const sb_word_list *words, size_t limit,
                                       sb_letter **letters_out, size_t *n_out);

#endif
