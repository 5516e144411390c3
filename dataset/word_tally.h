/* SPDX-License-Identifier: MIT
 * word_tally.h - counted words as a packed list, and how large a list of all
 * words above some count would be, known before anything is loaded. */
#ifndef SB_DATASET_WORD_TALLY_H
#define SB_DATASET_WORD_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

typedef struct sb_word_size {
    uint64_t words, uses; /* distinct words, and the sum of their counts */
    uint64_t letters;     /* characters of the distinct words */
    uint64_t bytes;       /* of their records in a packed list */
} sb_word_size;

/* Records behind each other: varint count, varint n, n bytes. Start zeroed,
 * free .data with sb_free. */
typedef struct sb_word_list {
    char *data;
    size_t n, cap;
    sb_word_size size;
} sb_word_list;

typedef struct sb_counted {
    const char *text;
    size_t n;
    uint64_t count;
} sb_counted;

enum { SB_RECORD_HEAD = 20 }; /* bytes before the text, at most */

/* The record of a word to `to`, which has room for SB_RECORD_HEAD + n bytes;
 * returns its bytes. */
size_t sb_word_pack(const sb_counted *word, char *to);
/* The record at data[0..n): its bytes, 0 if it is no whole one. */
size_t sb_word_unpack(const char *data, size_t n, sb_counted *word_out);

/* Room for records of `bytes` bytes in all, if they are not there yet. */
SB_MUST_USE sb_status sb_word_list_reserve(sb_word_list *l, uint64_t bytes);
SB_MUST_USE sb_status sb_word_list_add(sb_word_list *l, const sb_counted *word);

/* Sizes by count: every count below 4096 by itself, above that 64 steps to
 * each power of two. Sums of tallies are sums of their numbers. */
enum { SB_TALLY_STEPS = 4096 + 52 * 64 };
typedef struct sb_word_tally {
    sb_word_size at[SB_TALLY_STEPS];
} sb_word_tally;

void sb_tally_add(sb_word_tally *t, const sb_counted *word);

/* The least count from which on all words together `fit`; sizes of those and
 * of the others. *least_out is 1 if all words fit. It is UINT64_MAX if not even
 * those of the highest count do; *kept_out is their size then. */
void sb_tally_cut(const sb_word_tally *t,
                  int (*fit)(const void *arg, const sb_word_size *size),
                  const void *arg, uint64_t *least_out, sb_word_size *kept_out,
                  sb_word_size *left_out);

#endif
