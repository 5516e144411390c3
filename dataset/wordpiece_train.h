/* SPDX-License-Identifier: MIT
 * wordpiece_train.h - a WordPiece vocabulary from word counts.
 *
 * As Hugging Face's WordPieceTrainer does it: byte-pair merges (Sennrich et
 * al. 2016) over word counts, where a letter inside a word is "##x". The pair
 * with the highest count merges first; ties go to the pair whose pieces have
 * the lower numbers in the order in which pieces came to be. Then the pieces
 * are sorted by falling frequency of use when the words are encoded with the
 * result (ties by bytes), behind the five special tokens.
 *
 * Word counts are collected locally (sb_words) and merged by the caller.
 */
#ifndef SB_DATASET_WORDPIECE_TRAIN_H
#define SB_DATASET_WORDPIECE_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/text.h"

typedef struct sb_words sb_words;

SB_MUST_USE sb_status sb_words_open(sb_words **words_out);
void sb_words_close(sb_words *w);
/* Count every word of normalised text. Words over 100 characters count as
 * nothing (they encode to [UNK], as in BERT). */
SB_MUST_USE sb_status sb_words_count(sb_words *w, const char *text, size_t n);
/* Packed counts, for the journey between ranks: append to out / add from. */
SB_MUST_USE sb_status sb_words_pack(const sb_words *w, sb_buffer *out);
SB_MUST_USE sb_status sb_words_unpack(sb_words *w, const char *data, size_t n);
uint64_t sb_words_distinct(const sb_words *w);
uint64_t sb_words_total(const sb_words *w);

typedef struct sb_wordpiece_options {
    uint32_t size;           /* pieces wanted, special tokens included */
    uint32_t alphabet_limit; /* most letters kept, by falling count (1000) */
    uint64_t min_count;      /* pairs rarer than this never merge (2) */
} sb_wordpiece_options;

/* The text of vocab.txt into out (deterministic). Fewer pieces than asked for
 * is not an error: *size_out says how many there are. `progress`, if not
 * NULL, is called now and then with the share done. SB_EINVAL: no words, or
 * the alphabet alone is larger than `size`. */
SB_MUST_USE sb_status sb_wordpiece_train(const sb_words *w,
                                         const sb_wordpiece_options *options,
                                         void (*progress)(void *, double),
                                         void *progress_arg, sb_buffer *out,
                                         uint32_t *size_out);

#endif
