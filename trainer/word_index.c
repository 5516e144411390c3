/* SPDX-License-Identifier: MIT
 * word_index.c - open addressing with linear steps, at most half full; the
 * words lie one behind the other. */
#include "trainer/word_index.h"

#include <stdlib.h>
#include <string.h>

#include "comm/base/hash.h"
#include "comm/base/mem.h"

struct sb_word_index {
    char *text;
    size_t text_cap;
    size_t *start; /* [n + 1] of each word in text */
    size_t start_cap;
    uint32_t n;
    uint32_t *slot; /* [slots] a word's number, or SB_NO_WORD */
    size_t slots;   /* a power of 2 */
};

enum { SLOTS_AT_FIRST = 1024 };

static sb_status make_slots(sb_word_index *x, size_t slots)
{
    uint32_t *slot;
    SB_TRY(sb_alloc(slots, sizeof *slot, "an index of words", &slot));
    memset(slot, 0xff, slots * sizeof *slot);
    sb_free(x->slot);
    x->slot = slot;
    x->slots = slots;
    return SB_OK;
}

sb_status sb_word_index_open(sb_word_index **index_out)
{
    sb_word_index *x;
    SB_TRY(sb_alloc(1, sizeof *x, "an index of words", &x));
    sb_status st = make_slots(x, SLOTS_AT_FIRST);
    if (st == SB_OK)
        st = sb_grow(&x->start, &x->start_cap, 1, sizeof *x->start,
                     "an index of words");
    if (st != SB_OK) {
        sb_word_index_close(x);
        return st;
    }
    x->start[0] = 0;
    *index_out = x;
    return SB_OK;
}

void sb_word_index_close(sb_word_index *x)
{
    if (!x) return;
    free(x->text);
    free(x->start);
    sb_free(x->slot);
    sb_free(x);
}

/* The slot that holds the word, or the free one where it belongs. */
static size_t place(const sb_word_index *x, const char *text, size_t n)
{
    size_t at = (size_t)sb_hash64(text, n) & (x->slots - 1);
    for (; x->slot[at] != SB_NO_WORD; at = (at + 1) & (x->slots - 1)) {
        size_t k;
        const char *word = sb_word_index_word(x, x->slot[at], &k);
        if (k == n && (n == 0 || memcmp(word, text, n) == 0)) break;
    }
    return at;
}

static sb_status make_larger(sb_word_index *x)
{
    SB_TRY(make_slots(x, 2 * x->slots));
    for (uint32_t id = 0; id < x->n; id++) {
        size_t n;
        const char *word = sb_word_index_word(x, id, &n);
        x->slot[place(x, word, n)] = id;
    }
    return SB_OK;
}

sb_status sb_word_index_add(sb_word_index *x, const char *text, size_t n,
                            uint32_t *id_out)
{
    size_t at = place(x, text, n), end = x->start[x->n];
    if (x->slot[at] != SB_NO_WORD) {
        *id_out = x->slot[at];
        return SB_OK;
    }
    SB_REQUIRE(x->n < SB_NO_WORD - 1, SB_ELIMIT, "more than 2^32 - 2 words");
    if (2 * ((size_t)x->n + 1) > x->slots) {
        SB_TRY(make_larger(x));
        at = place(x, text, n);
    }
    SB_TRY(sb_grow(&x->text, &x->text_cap, end + n, 1, "words"));
    SB_TRY(sb_grow(&x->start, &x->start_cap, (size_t)x->n + 2, sizeof *x->start,
                   "words"));
    if (n) memcpy(x->text + end, text, n);
    x->start[x->n + 1] = end + n;
    x->slot[at] = x->n;
    *id_out = x->n++;
    return SB_OK;
}

uint32_t sb_word_index_find(const sb_word_index *x, const char *text, size_t n)
{
    return x->slot[place(x, text, n)];
}

uint32_t sb_word_index_size(const sb_word_index *x)
{
    return x->n;
}

const char *sb_word_index_word(const sb_word_index *x, uint32_t id,
                               size_t *n_out)
{
    *n_out = x->start[id + 1] - x->start[id];
    return x->text + x->start[id];
}
