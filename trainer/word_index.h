/* SPDX-License-Identifier: MIT
 * word_index.h - words numbered from 0 in the order they came. A word is any
 * bytes, NUL among them. Local. */
#ifndef SB_TRAINER_WORD_INDEX_H
#define SB_TRAINER_WORD_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

enum { SB_NO_WORD = UINT32_MAX };

typedef struct sb_word_index sb_word_index;

SB_MUST_USE sb_status sb_word_index_open(sb_word_index **index_out);
void sb_word_index_close(sb_word_index *x); /* NULL is fine */

/* The number of text[0..n), which is copied and gets the next one if it is
 * new. SB_ELIMIT: 2^32 - 1 words. */
SB_MUST_USE sb_status sb_word_index_add(sb_word_index *x, const char *text,
                                        size_t n, uint32_t *id_out);
/* Its number, or SB_NO_WORD. */
uint32_t sb_word_index_find(const sb_word_index *x, const char *text, size_t n);

uint32_t sb_word_index_size(const sb_word_index *x);
/* id < size; borrowed until the next add, not NUL-terminated. */
const char *sb_word_index_word(const sb_word_index *x, uint32_t id,
                               size_t *n_out);

#endif
