/* SPDX-License-Identifier: MIT
 * word.h - what counting, training and encoding share about words. Private to
 * words.c, wordpiece_train.c, vocab.c and tokenize.c. */
#ifndef SB_DATASET_WORD_H
#define SB_DATASET_WORD_H

#include <stddef.h>
#include <stdint.h>

#include "dataset/vocab.h"
#include "dataset/wordpiece_train.h"

/* A longer word is [UNK] whatever it holds. */
enum { SB_WORD_CHARS = 100, SB_WORD_BYTES = 4 * SB_WORD_CHARS };

/* Characters of n bytes of valid UTF-8. */
size_t sb_word_chars(const char *word, size_t n);

typedef struct sb_counted {
    const char *text; /* borrowed until words are added */
    size_t n;
    uint64_t count;
} sb_counted;

/* All words, sorted by bytes; all_out: [sb_words_distinct(w)], sb_free. */
SB_MUST_USE sb_status sb_words_sorted(const sb_words *w, sb_counted **all_out);

/* The letter that begins word[0..n), n > 0: its bytes as one number, high byte
 * first, which sorts like code points; how many in *bytes_out. */
uint32_t sb_letter_at(const char *word, size_t n, size_t *bytes_out);

typedef struct sb_letter {
    uint32_t c;
    uint64_t count;
} sb_letter;

/* Start zeroed, free .of with sb_free. */
typedef struct sb_letters {
    sb_letter *of; /* sorted by c */
    size_t n, cap;
} sb_letters;

/* The `limit` most frequent letters of the words; ties to the lower one. */
SB_MUST_USE sb_status sb_letters_count(const sb_counted *words, size_t n,
                                       size_t limit, sb_letters *a);
int sb_letters_have(const sb_letters *a, uint32_t c);

/* The longest piece that word[0..n) begins with, its bytes (without a "##") in
 * *bytes_out; SB_NO_ID: none. At most SB_WORD_BYTES of the word count. */
uint32_t sb_vocab_longest(const sb_vocab *v, const char *word, size_t n,
                          int continued, size_t *bytes_out);

/* Greedy longest match first. Returns the pieces of word[0..n) written to
 * id_out, or 0 if the word cannot be covered or is too long. */
size_t sb_wordpiece(const sb_vocab *v, const char *word, size_t n,
                    uint32_t id_out[SB_WORD_CHARS]);

#endif
