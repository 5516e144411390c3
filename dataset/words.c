/* SPDX-License-Identifier: MIT
 * words.c - counts of words, and their journey between ranks.
 *
 * Open addressing with linear probing over slots that point into one arena of
 * bytes. Invariants: at most 2/3 of the slots are taken; every word is one
 * word in the sense of sb_next_word, valid UTF-8, without NUL, of at most
 * SB_WORD_CHARS characters; the sum of all counts fits COUNT_MAX, so that
 * what is summed over a word's letters cannot overflow.
 *
 * Packed: per word 8 bytes count, 2 bytes length (little endian), the bytes. */
#include <stdlib.h>
#include <string.h>

#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "dataset/word.h"

enum { FIRST_SLOTS = 1 << 12, PACK_HEAD = 10 };

static const uint64_t COUNT_MAX = INT64_MAX / SB_WORD_CHARS;

typedef struct slot {
    uint64_t count; /* 0: free */
    uint64_t at;    /* in the arena */
    uint32_t n;
    uint32_t tag; /* high half of the hash */
} slot;

struct sb_words {
    slot *slots;
    size_t mask, taken;
    uint64_t total;
    sb_buffer arena;
};

sb_status sb_words_open(sb_words **words_out)
{
    sb_words *w;
    SB_TRY(sb_alloc(1, sizeof *w, "word counts", &w));
    sb_status st =
        sb_alloc(FIRST_SLOTS, sizeof *w->slots, "word counts", &w->slots);
    if (st != SB_OK) {
        sb_free(w);
        return st;
    }
    w->mask = FIRST_SLOTS - 1;
    *words_out = w;
    return SB_OK;
}

void sb_words_close(sb_words *w)
{
    if (!w) return;
    sb_free(w->slots);
    sb_free(w->arena.data);
    sb_free(w);
}

uint64_t sb_words_distinct(const sb_words *w)
{
    return w->taken;
}

uint64_t sb_words_total(const sb_words *w)
{
    return w->total;
}

size_t sb_word_chars(const char *word, size_t n)
{
    size_t chars = 0;
    for (size_t i = 0; i < n; i++) chars += ((unsigned char)word[i] >> 6) != 2;
    return chars;
}

static slot *find(const sb_words *w, const char *word, size_t n, uint64_t hash)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    for (size_t i = hash & w->mask;; i = (i + 1) & w->mask) {
        slot *s = &w->slots[i];
        if (!s->count) return s;
        if (s->tag == tag && s->n == n &&
            memcmp(w->arena.data + s->at, word, n) == 0)
            return s;
    }
}

static sb_status widen(sb_words *w)
{
    size_t old = w->mask + 1;
    slot *from = w->slots, *to;
    SB_REQUIRE(old <= SIZE_MAX / 2, SB_ELIMIT, "too many distinct words");
    SB_TRY(sb_alloc(old * 2, sizeof *to, "word counts", &to));
    w->mask = old * 2 - 1;
    for (size_t i = 0; i < old; i++) {
        if (!from[i].count) continue;
        uint64_t hash = sb_hash64(w->arena.data + from[i].at, from[i].n);
        size_t j = hash & w->mask;
        while (to[j].count) j = (j + 1) & w->mask;
        to[j] = from[i];
    }
    w->slots = to;
    sb_free(from);
    return SB_OK;
}

static sb_status add(sb_words *w, const char *word, size_t n, uint64_t count)
{
    SB_REQUIRE(count <= COUNT_MAX && w->total <= COUNT_MAX - count, SB_ELIMIT,
               "more words than can be counted");
    uint64_t hash = sb_hash64(word, n);
    slot *s = find(w, word, n, hash);
    if (!s->count) {
        if ((w->taken + 1) * 3 > (w->mask + 1) * 2) {
            SB_TRY(widen(w));
            s = find(w, word, n, hash);
        }
        uint64_t at = w->arena.n;
        SB_TRY(sb_buffer_add(&w->arena, word, n));
        *s = (slot){.at = at, .n = (uint32_t)n, .tag = (uint32_t)(hash >> 32)};
        w->taken++;
    }
    s->count += count;
    w->total += count;
    return SB_OK;
}

sb_status sb_words_count(sb_words *w, const char *text, size_t n)
{
    size_t at = 0, k;
    const char *word;
    while ((k = sb_next_word(text, n, &at, &word)) > 0) {
        if (k > SB_WORD_CHARS && sb_word_chars(word, k) > SB_WORD_CHARS)
            continue;
        SB_TRY(add(w, word, k, 1));
    }
    return SB_OK;
}

/* ---- the journey --------------------------------------------------------- */

sb_status sb_words_pack(const sb_words *w, sb_buffer *out)
{
    for (size_t i = 0; i <= w->mask; i++) {
        const slot *s = &w->slots[i];
        if (!s->count) continue;
        unsigned char head[PACK_HEAD];
        for (int k = 0; k < 8; k++)
            head[k] = (unsigned char)(s->count >> (8 * k) & 0xff);
        head[8] = (unsigned char)(s->n & 0xff);
        head[9] = (unsigned char)(s->n >> 8 & 0xff);
        SB_TRY(sb_buffer_add(out, head, sizeof head));
        SB_TRY(sb_buffer_add(out, w->arena.data + s->at, s->n));
    }
    return SB_OK;
}

static int is_word(const char *text, size_t n)
{
    size_t at = 0;
    const char *word;
    return n > 0 && n <= SB_WORD_BYTES && sb_utf8_valid(text, n) == n &&
           !memchr(text, 0, n) && sb_word_chars(text, n) <= SB_WORD_CHARS &&
           sb_next_word(text, n, &at, &word) == n;
}

sb_status sb_words_unpack(sb_words *w, const char *data, size_t n)
{
    for (size_t i = 0; i < n;) {
        SB_REQUIRE(n - i > PACK_HEAD, SB_EFORMAT,
                   "packed word counts are cut off at byte %zu", i);
        const unsigned char *head = (const unsigned char *)data + i;
        uint64_t count = 0;
        for (int k = 7; k >= 0; k--) count = count << 8 | head[k];
        size_t k = head[8] | (size_t)head[9] << 8;
        i += PACK_HEAD;
        SB_REQUIRE(k <= n - i && count && is_word(data + i, k), SB_EFORMAT,
                   "packed word counts are damaged at byte %zu", i);
        SB_TRY(add(w, data + i, k, count));
        i += k;
    }
    return SB_OK;
}

/* ---- in order ------------------------------------------------------------ */

static int by_bytes(const void *a, const void *b)
{
    const sb_counted *x = a, *y = b;
    int c = memcmp(x->text, y->text, x->n < y->n ? x->n : y->n);
    return c ? c : (x->n > y->n) - (x->n < y->n);
}

sb_status sb_words_sorted(const sb_words *w, sb_counted **all_out)
{
    sb_counted *all;
    size_t n = 0;
    SB_TRY(sb_alloc(w->taken, sizeof *all, "sorted words", &all));
    for (size_t i = 0; i <= w->mask; i++) {
        const slot *s = &w->slots[i];
        if (s->count)
            all[n++] = (sb_counted){w->arena.data + s->at, s->n, s->count};
    }
    qsort(all, n, sizeof *all, by_bytes);
    *all_out = all;
    return SB_OK;
}

/* ---- letters ------------------------------------------------------------- */

uint32_t sb_letter_at(const char *word, size_t n, size_t *bytes_out)
{
    size_t k = 1;
    uint32_t c = (unsigned char)word[0];
    for (; k < n && ((unsigned char)word[k] >> 6) == 2; k++)
        c = c << 8 | (unsigned char)word[k];
    *bytes_out = k;
    return c;
}

static int by_letter(const void *a, const void *b)
{
    const sb_letter *x = a, *y = b;
    return (x->c > y->c) - (x->c < y->c);
}

static int by_falling_count(const void *a, const void *b)
{
    const sb_letter *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return by_letter(a, b);
}

/* Sum up equal letters; leaves them sorted. */
static void fold(sb_letters *a)
{
    size_t n = 0;
    qsort(a->of, a->n, sizeof *a->of, by_letter);
    for (size_t i = 0; i < a->n; i++) {
        if (n && a->of[n - 1].c == a->of[i].c)
            a->of[n - 1].count += a->of[i].count;
        else
            a->of[n++] = a->of[i];
    }
    a->n = n;
}

static sb_status count_letters(const sb_counted *words, size_t n, sb_letters *a)
{
    uint64_t ascii[128] = {0};
    size_t fold_at = 1 << 16;
    for (size_t w = 0; w < n; w++) {
        const sb_counted *word = &words[w];
        for (size_t i = 0, k; i < word->n; i += k) {
            uint32_t c = sb_letter_at(word->text + i, word->n - i, &k);
            if (c < 128) {
                ascii[c] += word->count;
                continue;
            }
            if (a->n == fold_at) {
                fold(a);
                fold_at = 2 * a->n > 1 << 16 ? 2 * a->n : 1 << 16;
            }
            SB_TRY(
                sb_grow(&a->of, &a->cap, a->n + 1, sizeof *a->of, "letters"));
            a->of[a->n++] = (sb_letter){c, word->count};
        }
    }
    SB_TRY(sb_grow(&a->of, &a->cap, a->n + 128, sizeof *a->of, "letters"));
    for (uint32_t c = 0; c < 128; c++)
        if (ascii[c]) a->of[a->n++] = (sb_letter){c, ascii[c]};
    fold(a);
    return SB_OK;
}

sb_status sb_letters_count(const sb_counted *words, size_t n, size_t limit,
                           sb_letters *a)
{
    SB_TRY(count_letters(words, n, a));
    if (a->n <= limit) return SB_OK;
    qsort(a->of, a->n, sizeof *a->of, by_falling_count);
    a->n = limit;
    qsort(a->of, a->n, sizeof *a->of, by_letter);
    return SB_OK;
}

int sb_letters_have(const sb_letters *a, uint32_t c)
{
    sb_letter key = {c, 0};
    return a->n && bsearch(&key, a->of, a->n, sizeof *a->of, by_letter);
}
