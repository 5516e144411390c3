/* SPDX-License-Identifier: MIT
 * piece_widths.h - how many characters of text an id stands for.
 *
 * A corpus keeps ids, not text, so what a text's first thousand characters are
 * is an estimate: the letters of each piece, and one space between two words.
 * None stands beside ideographs and punctuation that joins, such as - / ', nor
 * before any other punctuation (at "(" the space that is counted behind it
 * stands before it) or before [UNK], which is often one of many ideographs.
 * docs/math.md says how far off that is.
 */
#ifndef SB_DATASET_PIECE_WIDTHS_H
#define SB_DATASET_PIECE_WIDTHS_H

#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/vocab.h"

/* Nobody knows what stood where [UNK] stands. */
enum { SB_UNKNOWN_CHARS = 1 };

typedef struct sb_piece_width {
    uint8_t chars;         /* without "##"; 255 at most */
    uint8_t before, after; /* 1: a space may stand there */
} sb_piece_width;

/* [size of v], sb_free. */
SB_MUST_USE sb_status sb_piece_widths_open(const sb_vocab *v,
                                           sb_piece_width **widths_out);

/* How many of ids[0..n) begin within the first max_chars characters. */
uint32_t sb_piece_widths_cut(const sb_piece_width *w, const uint32_t *ids,
                             uint32_t n, uint32_t max_chars);

#endif
