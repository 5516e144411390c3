/* SPDX-License-Identifier: MIT
 * text.h - UTF-8 and BERT's normalisation.
 *
 * Normalisation follows BERT's BasicTokenizer (Devlin et al. 2019, code of
 * google-research/bert, tokenization.py) as Hugging Face's BertNormalizer
 * orders it: clean (drop U+0000, U+FFFD and control characters, white space
 * becomes ' '), spaces around CJK ideographs, NFD with combining marks (Mn)
 * dropped, lower case.
 *
 * Knows nothing of files or vocabularies.
 */
#ifndef SB_DATASET_TEXT_H
#define SB_DATASET_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

/* Bytes of the longest valid UTF-8 prefix of text[0..n): n if all is valid.
 * Overlong forms, surrogates and values above U+10FFFF are invalid. */
size_t sb_utf8_valid(const char *text, size_t n);

/* How a character of normalised text stands among others: ideographs and
 * punctuation are words by themselves. */
typedef enum sb_char_kind {
    SB_CHAR_LETTER, /* and digits, and all that is nothing else */
    SB_CHAR_SPACE,
    SB_CHAR_PUNCTUATION,
    SB_CHAR_IDEOGRAPH
} sb_char_kind;
/* The first character of text[0..n), n > 0, and its bytes. */
sb_char_kind sb_char_at(const char *text, size_t n, uint32_t *code_out,
                        size_t *bytes_out);

/* A growing byte buffer; start zeroed, free .data with free(). */
typedef struct sb_buffer {
    char *data;
    size_t n, cap;
} sb_buffer;
SB_MUST_USE sb_status sb_buffer_add(sb_buffer *b, const void *data, size_t n);

/* out <- normalised text[0..n), which must be valid UTF-8. */
SB_MUST_USE sb_status sb_normalise(const char *text, size_t n, sb_buffer *out);

/* The next word of normalised text: white space separates words, each
 * punctuation character (ASCII symbols or Unicode P*) is a word by itself.
 * Starts at *at, which moves behind the word; returns its bytes (0: no more)
 * and its start in *word_out. */
size_t sb_next_word(const char *text, size_t n, size_t *at,
                    const char **word_out);

#endif
