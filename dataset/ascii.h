/* SPDX-License-Identifier: MIT
 * ascii.h - the words of ASCII text, sixteen bytes at a time and without
 * branches: eight bytes lie in each of two integers, and one addition compares
 * all of them with a bound (no byte overflows into its neighbour, because the
 * high bits are cleared before). For tokenize.c. */
#ifndef SB_DATASET_ASCII_H
#define SB_DATASET_ASCII_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the first byte of text is the lowest of the integer");

/* The letters and digits that a text begins with, in small letters, zeros
 * behind them: how many there are, at most 16. */
typedef struct sb_ascii_word {
    uint64_t key[2];
    size_t n;
} sb_ascii_word;

#define SB_EACH_BYTE(c) (0x0101010101010101u * (uint64_t)(c))

/* The bytes of x in small letters; the high bit of each byte of *others_out
 * says that it is neither letter nor digit. */
static inline uint64_t sb_ascii_lower(uint64_t x, uint64_t *others_out)
{
    const uint64_t high = SB_EACH_BYTE(0x80);
    uint64_t low = x & ~high, small = low | SB_EACH_BYTE(0x20);
    uint64_t letter = (small + SB_EACH_BYTE(0x80 - 'a')) &
                      ~(small + SB_EACH_BYTE(0x7f - 'z')) & high;
    uint64_t digit = (low + SB_EACH_BYTE(0x80 - '0')) &
                     ~(low + SB_EACH_BYTE(0x7f - '9')) & high;
    *others_out = (~(letter | digit) | x) & high;
    return x | letter >> 2; /* 'A' + 0x20 is 'a' */
}

/* All bits below the byte of the lowest bit in `others`; all bits, if none. */
static inline uint64_t sb_ascii_before(uint64_t others)
{
    return ((others & (~others + 1)) >> 7) - 1;
}

/* Reads 16 bytes. */
static inline sb_ascii_word sb_ascii_word_at(const unsigned char *p)
{
    uint64_t x[2], others[2];
    memcpy(x, p, sizeof x);
    x[0] = sb_ascii_lower(x[0], &others[0]);
    x[1] = sb_ascii_lower(x[1], &others[1]);
    uint64_t first = sb_ascii_before(others[0]);
    uint64_t second = others[0] ? 0 : sb_ascii_before(others[1]);
    uint64_t ones = (first & SB_EACH_BYTE(1)) + (second & SB_EACH_BYTE(1));
    return (sb_ascii_word){{x[0] & first, x[1] & second},
                           ones * SB_EACH_BYTE(1) >> 56}; /* their sum */
}

#endif
