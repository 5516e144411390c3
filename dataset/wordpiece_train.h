/* SPDX-License-Identifier: MIT
 * wordpiece_train.h - a WordPiece vocabulary from word counts.
 *
 * As Hugging Face's WordPieceTrainer does it: byte-pair merges (Sennrich et
 * al. 2016) over word counts, where a letter inside a word is "##x". The pair
 * with the highest count merges first; ties go to the pair whose pieces have
 * the lower numbers in the order in which pieces came to be: letters, letters
 * inside words (both by code point), merges. Then the pieces are sorted by
 * falling frequency of use when the words are encoded with the result (ties by
 * bytes), behind the five special tokens.
 */
#ifndef SB_DATASET_WORDPIECE_TRAIN_H
#define SB_DATASET_WORDPIECE_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/text.h"
#include "dataset/word_tally.h"

typedef struct sb_wordpiece_options {
    uint32_t size;           /* pieces wanted, special tokens included */
    uint32_t alphabet_limit; /* most letters kept, by falling count (1000) */
    uint64_t min_count;      /* pairs rarer than this never merge (2) */
} sb_wordpiece_options;

/* The text of vocab.txt into out; it depends on the words and options alone,
 * not on the order of the list. Fewer pieces than asked for is not an error:
 * *size_out says how many there are.
 *   uses_out   how often each id occurs when the words are encoded with the
 *              result, [UNK] included; [*size_out], sb_free
 *   progress   if not NULL, is called now and then with the share done, and
 *              ends the training with SB_ESTOP if it returns nonzero
 * SB_EINVAL: no words, or the alphabet alone is larger than `size`. */
SB_MUST_USE sb_status sb_wordpiece_train(const sb_word_list *words,
                                         const sb_wordpiece_options *options,
                                         int (*progress)(void *, double),
                                         void *progress_arg, sb_buffer *out,
                                         uint64_t **uses_out,
                                         uint32_t *size_out);

/* Bytes that training on words of this size takes at the most, the list
 * included; UINT64_MAX if they are more than can be trained on. */
uint64_t sb_wordpiece_memory(const sb_word_size *words,
                             const sb_wordpiece_options *options);

#endif
