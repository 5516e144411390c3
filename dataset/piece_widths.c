/* SPDX-License-Identifier: MIT
 * piece_widths.c - lengths of pieces, and where spaces stand. */
#include "dataset/piece_widths.h"

#include <string.h>

#include "comm/base/mem.h"
#include "dataset/text.h"

/* Punctuation that mostly stands between two words without a space. */
static int joins(uint32_t c)
{
    return c == '-' || c == '/' || c == '\'' || c == '_' || c == 0x2010 ||
           c == 0x2011 || c == 0x2013 || c == 0x2019;
}

/* Vowels and finals of Hangul: normalisation took them off their syllable. */
static int is_part(uint32_t c)
{
    return c >= 0x1160 && c <= 0x11ff;
}

static sb_piece_width width_of(const char *piece)
{
    sb_piece_width w = {.before = 1, .after = 1};
    if (sb_is_continuation(piece)) {
        w.before = 0;
        piece += 2;
    }
    unsigned chars = 0;
    uint32_t c;
    size_t n = strlen(piece), bytes;
    sb_char_kind kind = SB_CHAR_LETTER;
    for (size_t i = 0; i < n; i += bytes) {
        kind = sb_char_at(piece + i, n - i, &c, &bytes);
        chars += !is_part(c);
        if (kind == SB_CHAR_PUNCTUATION || kind == SB_CHAR_IDEOGRAPH)
            w.before = 0;
        w.after = kind != SB_CHAR_IDEOGRAPH &&
                  !(kind == SB_CHAR_PUNCTUATION && joins(c));
    }
    w.chars = (uint8_t)(chars < UINT8_MAX ? chars : UINT8_MAX);
    return w;
}

sb_status sb_piece_widths_open(const sb_vocab *v, sb_piece_width **widths_out)
{
    uint32_t n = sb_vocab_size(v);
    sb_piece_width *w;
    SB_TRY(sb_alloc(n, sizeof *w, "lengths of pieces", &w));
    for (uint32_t i = 0; i < n; i++) w[i] = width_of(sb_vocab_piece(v, i));
    w[sb_vocab_special(v).unk] =
        (sb_piece_width){.chars = SB_UNKNOWN_CHARS, .after = 1};
    *widths_out = w;
    return SB_OK;
}

uint32_t sb_piece_widths_cut(const sb_piece_width *w, const uint32_t *ids,
                             uint32_t n, uint32_t max_chars)
{
    uint64_t chars = 0;
    for (uint32_t i = 0; i < n; i++) {
        const sb_piece_width *p = &w[ids[i]];
        chars += i > 0 && w[ids[i - 1]].after && p->before;
        if (chars >= max_chars) return i;
        chars += p->chars;
    }
    return n;
}
