/* SPDX-License-Identifier: MIT
 * letters.c - the alphabet of counted words. */
#include "dataset/letters.h"

#include <stdlib.h>

#include "comm/base/mem.h"

uint32_t sb_letter_at(const char *word, size_t n, size_t *bytes_out)
{
    const unsigned char *p = (const unsigned char *)word;
    size_t k = 1;
    uint32_t c = p[0] < 0x80   ? p[0]
                 : p[0] < 0xe0 ? p[0] & 0x1fu
                 : p[0] < 0xf0 ? p[0] & 0x0fu
                               : p[0] & 0x07u;
    for (; k < n && (p[k] >> 6) == 2; k++) c = c << 6 | (p[k] & 0x3fu);
    *bytes_out = k;
    return c < SB_CODES ? c : 0xfffd; /* of valid UTF-8 all are */
}

size_t sb_letter_put(uint32_t c, char to[4])
{
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; c >>= 6) to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)(lead[n] | c);
    return n;
}

static int by_code(const void *a, const void *b)
{
    const sb_letter *x = a, *y = b;
    return (x->c > y->c) - (x->c < y->c);
}

static int by_falling_count(const void *a, const void *b)
{
    const sb_letter *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return by_code(a, b);
}

/* tally[c]: twice the count, + 1 if the letter stands inside a word. Counts
 * fit, by SB_COUNT_MAX. */
static void count(const sb_word_list *words, uint64_t *tally)
{
    sb_counted w;
    for (size_t at = 0, k;
         (k = sb_word_unpack(words->data + at, words->n - at, &w)) > 0;
         at += k) {
        for (size_t i = 0, m; i < w.n; i += m) {
            uint64_t *t = &tally[sb_letter_at(w.text + i, w.n - i, &m)];
            *t = (*t + 2 * w.count) | (i > 0);
        }
    }
}

sb_status sb_letters_count(const sb_word_list *words, size_t limit,
                           sb_letter **letters_out, size_t *n_out)
{
    uint64_t *tally;
    sb_letter *all = NULL;
    size_t n = 0, m = 0;
    SB_TRY(sb_alloc(SB_CODES, sizeof *tally, "letters", &tally));
    count(words, tally);
    for (size_t c = 0; c < SB_CODES; c++) n += tally[c] != 0;
    sb_status st = sb_alloc(n, sizeof *all, "letters", &all);
    for (uint32_t c = 0; c < SB_CODES && st == SB_OK; c++)
        if (tally[c]) all[m++] = (sb_letter){c, tally[c] & 1, tally[c] >> 1};
    sb_free(tally);
    SB_TRY(st);
    if (n > limit) {
        qsort(all, n, sizeof *all, by_falling_count);
        qsort(all, n = limit, sizeof *all, by_code);
    }
    *letters_out = all;
    *n_out = n;
    return SB_OK;
}
