/* SPDX-License-Identifier: MIT
 * word_tally.c - packed words, and sizes by count. */
#include "dataset/word_tally.h"

#include <string.h>

#include "comm/base/mem.h"
#include "dataset/word.h"

enum { SINGLE = 4096, SINGLE_BITS = 12, STEP_BITS = 6 };

/* ---- records ------------------------------------------------------------- */

static size_t put_varint(uint64_t x, char *to)
{
    size_t n = 0;
    for (; x >= 0x80; x >>= 7) to[n++] = (char)(unsigned char)(x | 0x80);
    to[n++] = (char)x;
    return n;
}

/* Bytes of the number at data[0..n), 0 if it is cut off or too long. */
static size_t get_varint(const char *data, size_t n, uint64_t *out)
{
    uint64_t x = 0;
    for (size_t i = 0; i < n && i < 9; i++) {
        x |= (uint64_t)(data[i] & 0x7f) << (7 * i);
        if ((unsigned char)data[i] < 0x80) {
            *out = x;
            return i + 1;
        }
    }
    return 0;
}

size_t sb_word_pack(const sb_counted *word, char *to)
{
    size_t k = put_varint(word->count, to);
    k += put_varint(word->n, to + k);
    memcpy(to + k, word->text, word->n);
    return k + word->n;
}

size_t sb_word_unpack(const char *data, size_t n, sb_counted *out)
{
    uint64_t count = 0, bytes = 0;
    size_t k = get_varint(data, n, &count), m = 0;
    if (k) m = get_varint(data + k, n - k, &bytes);
    if (!m || !count || !bytes || bytes > SB_WORD_BYTES || bytes > n - k - m)
        return 0;
    *out = (sb_counted){data + k + m, (size_t)bytes, count};
    return k + m + (size_t)bytes;
}

static void add_size(sb_word_size *s, const sb_counted *word, size_t record)
{
    s->words++;
    s->uses += word->count;
    s->letters += sb_word_chars(word->text, word->n);
    s->bytes += record;
}

sb_status sb_word_list_reserve(sb_word_list *l, uint64_t bytes)
{
    if (bytes <= l->cap) return SB_OK;
    char *to;
    SB_REQUIRE(bytes <= SIZE_MAX, SB_ELIMIT, "too many words");
    SB_TRY(sb_alloc((size_t)bytes, 1, "words", &to));
    if (l->n) memcpy(to, l->data, l->n);
    sb_free(l->data);
    l->data = to;
    l->cap = (size_t)bytes;
    return SB_OK;
}

sb_status sb_word_list_add(sb_word_list *l, const sb_counted *word)
{
    char record[SB_RECORD_HEAD + SB_WORD_BYTES];
    size_t k = sb_word_pack(word, record);
    if (k > l->cap - l->n) SB_TRY(sb_word_list_reserve(l, 2 * l->cap + k));
    memcpy(l->data + l->n, record, k);
    l->n += k;
    add_size(&l->size, word, k);
    return SB_OK;
}

/* ---- sizes by count ------------------------------------------------------ */

static size_t step_of(uint64_t count)
{
    if (count < SINGLE) return (size_t)count;
    unsigned power = 63u - (unsigned)__builtin_clzll(count);
    uint64_t step = count >> (power - STEP_BITS) & ((1u << STEP_BITS) - 1);
    return SINGLE + ((power - SINGLE_BITS) << STEP_BITS) + (size_t)step;
}

/* The least count of a step. */
static uint64_t count_of(size_t step)
{
    if (step < SINGLE) return step;
    size_t power = SINGLE_BITS + ((step - SINGLE) >> STEP_BITS);
    uint64_t within = (step - SINGLE) & ((1u << STEP_BITS) - 1);
    return (within | 1u << STEP_BITS) << (power - STEP_BITS);
}

void sb_tally_add(sb_word_tally *t, const sb_counted *word)
{
    char record[SB_RECORD_HEAD];
    size_t head = put_varint(word->count, record);
    head += put_varint(word->n, record);
    add_size(&t->at[step_of(word->count)], word, head + word->n);
}

static sb_word_size sum(const sb_word_size *a, const sb_word_size *b)
{
    return (sb_word_size){a->words + b->words, a->uses + b->uses,
                          a->letters + b->letters, a->bytes + b->bytes};
}

void sb_tally_cut(const sb_word_tally *t,
                  int (*fit)(const void *, const sb_word_size *),
                  const void *arg, uint64_t *least_out, sb_word_size *kept_out,
                  sb_word_size *left_out)
{
    sb_word_size kept = {0, 0, 0, 0}, left = {0, 0, 0, 0}, more;
    size_t step = SB_TALLY_STEPS;
    for (; step > 1; step--, kept = more) {
        more = sum(&kept, &t->at[step - 1]);
        if (more.words > kept.words && !fit(arg, &more)) break;
    }
    *least_out = count_of(step);
    if (step > 1 && !kept.words) {
        *least_out = UINT64_MAX;
        kept = more;
        step--;
    }
    for (size_t i = 0; i < step; i++) left = sum(&left, &t->at[i]);
    *kept_out = kept;
    *left_out = left;
}
