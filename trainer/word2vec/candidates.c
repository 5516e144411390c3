/* SPDX-License-Identifier: MIT
 * candidates.c - an order of rows, and an index of their words in small
 * letters. */
#include "trainer/word2vec/candidates.h"

#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "dataset/piece_counts.h"

enum { WORD_MAX = SB_VECTORS_WORD_MAX };

/* At most WORD_MAX bytes. */
static void small_letters(char *to, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (char)(text[i] + (text[i] >= 'A' && text[i] <= 'Z' ? 32 : 0));
}

/* Candidate i has this word. One that is too long for a file of vectors is
 * asked for by nobody: its beginning stands for it. */
static sb_status add_word(sb_candidates *c, size_t i, const char *text,
                          size_t n)
{
    char small[WORD_MAX];
    uint32_t before = sb_word_index_size(c->words);
    if (n > WORD_MAX) n = WORD_MAX;
    small_letters(small, text, n);
    SB_TRY(sb_word_index_add(c->words, small, n, &c->word[i]));
    if (c->word[i] < before) return SB_OK;
    SB_TRY(sb_grow(&c->best, &c->best_cap, (size_t)before + 1, sizeof *c->best,
                   "words"));
    c->best[before] = (uint32_t)i;
    return SB_OK;
}

static sb_status begin(sb_candidates *c, size_t n)
{
    SB_TRY(sb_alloc(n, sizeof *c->row, "candidates", &c->row));
    SB_TRY(sb_alloc(n, sizeof *c->word, "candidates", &c->word));
    return sb_word_index_open(&c->words);
}

/* ---- of a vocabulary ----------------------------------------------------- */

static sb_status of_vocab(const sb_vocab *v, const uint64_t *counts,
                          size_t restrict_to, uint32_t *order, sb_candidates *c)
{
    size_t n = 0;
    for (uint32_t id = 0; id < sb_vocab_size(v); id++)
        if (counts[id] && !sb_vocab_is_special(v, id)) order[n++] = id;
    SB_TRY(sb_piece_counts_sort(counts, order, n));
    c->n = restrict_to && restrict_to < n ? restrict_to : n;
    SB_TRY(begin(c, c->n));
    for (size_t i = 0; i < c->n; i++) {
        const char *piece = sb_vocab_piece(v, order[i]);
        c->row[i] = order[i];
        SB_TRY(add_word(c, i, piece, strlen(piece)));
    }
    return SB_OK;
}

sb_status sb_candidates_of_vocab(const sb_vocab *vocab, const uint64_t *counts,
                                 size_t restrict_to, sb_candidates *c_out)
{
    sb_candidates c = {.V = sb_vocab_size(vocab)};
    uint32_t *order;
    SB_TRY(sb_alloc(sb_vocab_size(vocab), sizeof *order, "order", &order));
    sb_status st = of_vocab(vocab, counts, restrict_to, order, &c);
    sb_free(order);
    if (st != SB_OK)
        sb_candidates_free(&c);
    else
        *c_out = c;
    return st;
}

/* ---- of a file ----------------------------------------------------------- */

static sb_status of_vectors(const sb_vectors *v, sb_candidates *c)
{
    SB_TRY(begin(c, c->n));
    for (size_t i = 0; i < c->n; i++) {
        size_t n;
        const char *word = sb_word_index_word(v->words, (uint32_t)i, &n);
        c->row[i] = (uint32_t)i;
        SB_TRY(add_word(c, i, word, n));
    }
    return SB_OK;
}

sb_status sb_candidates_of_vectors(const sb_vectors *v, size_t restrict_to,
                                   sb_candidates *c_out)
{
    sb_candidates c = {
        .V = v->n, .n = restrict_to && restrict_to < v->n ? restrict_to : v->n};
    sb_status st = of_vectors(v, &c);
    if (st != SB_OK)
        sb_candidates_free(&c);
    else
        *c_out = c;
    return st;
}

void sb_candidates_free(sb_candidates *c)
{
    sb_free(c->row);
    sb_free(c->word);
    free(c->best);
    sb_word_index_close(c->words);
    *c = (sb_candidates){0};
}

uint32_t sb_candidates_find(const sb_candidates *c, const char *text, size_t n)
{
    char small[WORD_MAX];
    if (n > WORD_MAX) return SB_NO_WORD;
    small_letters(small, text, n);
    return sb_word_index_find(c->words, small, n);
}
