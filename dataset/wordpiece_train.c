/* SPDX-License-Identifier: MIT
 * wordpiece_train.c - a WordPiece vocabulary from word counts.
 *
 * Every word is a row of piece numbers. The pair of neighbours with the highest
 * count becomes a piece, in all rows that hold it, until there are enough.
 *
 * Invariants:
 *   1. pair.count is the exact number of places of that pair in all rows,
 *      weighted by the words' counts, between merges.
 *   2. pair.head lists at least all words that hold the pair (words that no
 *      longer hold it may linger).
 *   3. Every pair with count > 0 has an entry in the heap whose count is not
 *      below its own; entries above it are put right when they come to the top.
 *   4. Nothing depends on the order of counting: words are sorted first, and
 *      two entries of the heap never compare equal unless they are the same
 *      pair at the same count.
 *
 * Against Hugging Face's BpeTrainer: the same choice of pairs. There, numbers
 * of "##x" letters and ties at the limit of the alphabet hang on the order of
 * a hash map; here on the words' bytes and on the code point. */
#include "dataset/wordpiece_train.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "dataset/word.h"

enum { NONE = UINT32_MAX, FIRST_PAIRS = 1 << 16, PIECES_MAX = 1 << 24 };

static const char *const special[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]",
                                      "[MASK]"};
enum { SPECIALS = 5 };

typedef struct piece {
    size_t at; /* in the arena */
    uint32_t n;
    uint64_t used;
} piece;

typedef struct row {
    size_t at; /* in symbols */
    uint32_t n;
    int64_t count;
} row;

typedef struct pair {
    uint64_t key; /* left << 32 | right; 0: free slot */
    int64_t count;
    uint32_t head; /* first place, or NONE */
    int raised;    /* its count rose in this merge */
} pair;

typedef struct place {
    uint32_t row, next;
} place;

typedef struct entry {
    int64_t count;
    uint64_t key;
} entry;

typedef struct trainer {
    sb_buffer arena; /* the pieces' texts */
    piece *pieces;
    size_t n_pieces, pieces_cap;
    uint32_t *by_text; /* piece by hash of its text, NONE: free */
    size_t text_mask;

    uint32_t *symbols;
    row *rows;
    size_t n_rows;

    pair *pairs;
    size_t pair_mask, n_pairs;
    place *places;
    size_t n_places, places_cap;
    uint32_t spare; /* places to use again */
    entry *heap;
    size_t n_heap, heap_cap;
    uint64_t *raised;
    size_t n_raised, raised_cap;
} trainer;

/* ---- pieces -------------------------------------------------------------- */

static uint32_t *text_slot(trainer *t, const char *text, size_t n)
{
    for (size_t i = sb_hash64(text, n) & t->text_mask;;
         i = (i + 1) & t->text_mask) {
        uint32_t *s = &t->by_text[i];
        if (*s == NONE) return s;
        const piece *p = &t->pieces[*s];
        if (p->n == n && memcmp(t->arena.data + p->at, text, n) == 0) return s;
    }
}

static sb_status widen_texts(trainer *t)
{
    size_t cap = t->by_text ? (t->text_mask + 1) * 2 : 1 << 12;
    sb_free(t->by_text);
    t->by_text = NULL;
    SB_TRY(sb_alloc(cap, sizeof *t->by_text, "piece table", &t->by_text));
    memset(t->by_text, 0xff, cap * sizeof *t->by_text);
    t->text_mask = cap - 1;
    for (uint32_t i = 0; i < t->n_pieces; i++) {
        const piece *p = &t->pieces[i];
        *text_slot(t, t->arena.data + p->at, p->n) = i;
    }
    return SB_OK;
}

/* The number of the piece text[0..n), a new one if need be. `text` must not
 * lie in the arena. */
static sb_status piece_named(trainer *t, const char *text, size_t n,
                             uint32_t *id_out)
{
    if (!t->by_text || t->n_pieces * 2 > t->text_mask) SB_TRY(widen_texts(t));
    uint32_t *s = text_slot(t, text, n);
    if (*s == NONE) {
        SB_REQUIRE(t->n_pieces < PIECES_MAX, SB_ELIMIT, "too many pieces");
        SB_TRY(sb_grow(&t->pieces, &t->pieces_cap, t->n_pieces + 1,
                       sizeof *t->pieces, "pieces"));
        piece *p = &t->pieces[t->n_pieces];
        *p = (piece){.at = t->arena.n, .n = (uint32_t)n};
        SB_TRY(sb_buffer_add(&t->arena, text, n));
        *s = (uint32_t)t->n_pieces++;
    }
    *id_out = *s;
    return SB_OK;
}

/* ---- pairs --------------------------------------------------------------- */

static pair *pair_slot(const trainer *t, uint64_t key)
{
    uint64_t h = key * 0x9e3779b97f4a7c15u;
    for (size_t i = (h ^ h >> 32) & t->pair_mask;; i = (i + 1) & t->pair_mask)
        if (t->pairs[i].key == key || !t->pairs[i].key) return &t->pairs[i];
}

static sb_status widen_pairs(trainer *t)
{
    size_t old = t->pairs ? t->pair_mask + 1 : 0;
    size_t cap = old ? old * 2 : FIRST_PAIRS;
    pair *from = t->pairs, *to;
    SB_TRY(sb_alloc(cap, sizeof *to, "pairs", &to));
    t->pairs = to;
    t->pair_mask = cap - 1;
    for (size_t i = 0; i < old; i++)
        if (from[i].key) *pair_slot(t, from[i].key) = from[i];
    sb_free(from);
    return SB_OK;
}

static sb_status add_place(trainer *t, pair *p, uint32_t r)
{
    if (p->head != NONE && t->places[p->head].row == r) return SB_OK;
    uint32_t at = t->spare;
    if (at != NONE) {
        t->spare = t->places[at].next;
    } else {
        SB_REQUIRE(t->n_places < NONE, SB_ELIMIT, "too many distinct words");
        SB_TRY(sb_grow(&t->places, &t->places_cap, t->n_places + 1,
                       sizeof *t->places, "places of pairs"));
        at = (uint32_t)t->n_places++;
    }
    t->places[at] = (place){r, p->head};
    p->head = at;
    return SB_OK;
}

static sb_status raise_pair(trainer *t, uint32_t a, uint32_t b, uint32_t r)
{
    uint64_t key = (uint64_t)a << 32 | b;
    if (!t->pairs || t->n_pairs * 3 > t->pair_mask * 2) SB_TRY(widen_pairs(t));
    pair *p = pair_slot(t, key);
    if (!p->key) {
        *p = (pair){.key = key, .head = NONE};
        t->n_pairs++;
    }
    SB_TRY(add_place(t, p, r));
    p->count += t->rows[r].count;
    if (p->raised) return SB_OK;
    SB_TRY(sb_grow(&t->raised, &t->raised_cap, t->n_raised + 1,
                   sizeof *t->raised, "pairs"));
    t->raised[t->n_raised++] = key;
    p->raised = 1;
    return SB_OK;
}

static void lower_pair(trainer *t, uint32_t a, uint32_t b, uint32_t r)
{
    pair_slot(t, (uint64_t)a << 32 | b)->count -= t->rows[r].count;
}

/* ---- the heap of pairs --------------------------------------------------- */

static int before(entry a, entry b)
{
    return a.count != b.count ? a.count > b.count : a.key < b.key;
}

static void sift_down(trainer *t, entry e)
{
    size_t i = 0;
    for (size_t k; (k = 2 * i + 1) < t->n_heap; i = k) {
        if (k + 1 < t->n_heap && before(t->heap[k + 1], t->heap[k])) k++;
        if (!before(t->heap[k], e)) break;
        t->heap[i] = t->heap[k];
    }
    t->heap[i] = e;
}

static sb_status push(trainer *t, entry e)
{
    SB_TRY(sb_grow(&t->heap, &t->heap_cap, t->n_heap + 1, sizeof *t->heap,
                   "pairs"));
    size_t i = t->n_heap++;
    for (; i && before(e, t->heap[(i - 1) / 2]); i = (i - 1) / 2)
        t->heap[i] = t->heap[(i - 1) / 2];
    t->heap[i] = e;
    return SB_OK;
}

static sb_status push_raised(trainer *t)
{
    for (size_t i = 0; i < t->n_raised; i++) {
        pair *p = pair_slot(t, t->raised[i]);
        p->raised = 0;
        if (p->count > 0) SB_TRY(push(t, (entry){p->count, p->key}));
    }
    t->n_raised = 0;
    return SB_OK;
}

/* The best pair, or NULL when none has a count above 0. Invariant 3. */
static pair *best(trainer *t)
{
    while (t->n_heap) {
        entry top = t->heap[0];
        pair *p = pair_slot(t, top.key);
        if (p->count == top.count && p->count > 0) return p;
        if (p->count > 0)
            sift_down(t, (entry){p->count, top.key});
        else if (--t->n_heap)
            sift_down(t, t->heap[t->n_heap]);
    }
    return NULL;
}

/* ---- rows ---------------------------------------------------------------- */

/* Letters outside the alphabet fall out of the word, as in Hugging Face's. */
static sb_status row_of(trainer *t, const sb_letters *a, const sb_counted *word,
                        row *r)
{
    char text[2 + 4] = "##";
    r->count = (int64_t)word->count;
    for (size_t i = 0, k; i < word->n; i += k) {
        uint32_t c = sb_letter_at(word->text + i, word->n - i, &k);
        if (!sb_letters_have(a, c)) continue;
        memcpy(text + 2, word->text + i, k);
        const char *from = i ? text : text + 2;
        SB_TRY(piece_named(t, from, i ? k + 2 : k, &t->symbols[r->at + r->n]));
        r->n++;
    }
    return SB_OK;
}

static sb_status add_alphabet(trainer *t, const sb_letters *a)
{
    uint32_t id;
    for (size_t i = 0; i < SPECIALS; i++)
        SB_TRY(piece_named(t, special[i], strlen(special[i]), &id));
    for (size_t i = 0; i < a->n; i++) {
        char text[4];
        size_t n = 0;
        for (int shift = 24; shift >= 0; shift -= 8)
            if (a->of[i].c >> shift)
                text[n++] = (char)(unsigned char)(a->of[i].c >> shift & 0xff);
        SB_TRY(piece_named(t, text, n, &id));
    }
    return SB_OK;
}

static sb_status make_rows(trainer *t, const sb_letters *a,
                           const sb_counted *words, size_t n)
{
    size_t letters = 0;
    SB_REQUIRE(n < NONE, SB_ELIMIT, "too many distinct words: %zu", n);
    for (size_t w = 0; w < n; w++)
        letters += sb_word_chars(words[w].text, words[w].n);
    SB_TRY(sb_alloc(letters, sizeof *t->symbols, "letters", &t->symbols));
    SB_TRY(sb_alloc(n, sizeof *t->rows, "words", &t->rows));
    t->n_rows = n;
    size_t at = 0;
    for (size_t w = 0; w < n; w++) {
        t->rows[w].at = at;
        SB_TRY(row_of(t, a, &words[w], &t->rows[w]));
        at += t->rows[w].n;
    }
    for (uint32_t w = 0; w < n; w++) {
        const uint32_t *s = t->symbols + t->rows[w].at;
        for (uint32_t i = 0; i + 1 < t->rows[w].n; i++)
            SB_TRY(raise_pair(t, s[i], s[i + 1], w));
    }
    return push_raised(t);
}

/* Put `to` for every a, b in row r, left to right. */
static sb_status merge_row(trainer *t, uint32_t r, uint32_t a, uint32_t b,
                           uint32_t to)
{
    uint32_t *s = t->symbols + t->rows[r].at, n = t->rows[r].n, j = 0;
    for (uint32_t i = 0; i < n;) {
        if (s[i] != a || i + 1 == n || s[i + 1] != b) {
            s[j++] = s[i++];
            continue;
        }
        if (j) {
            lower_pair(t, s[j - 1], a, r);
            SB_TRY(raise_pair(t, s[j - 1], to, r));
        }
        if (i + 2 < n) {
            lower_pair(t, b, s[i + 2], r);
            SB_TRY(raise_pair(t, to, s[i + 2], r));
        }
        s[j++] = to;
        i += 2;
    }
    t->rows[r].n = j;
    return SB_OK;
}

static sb_status merge(trainer *t, uint64_t key)
{
    uint32_t a = (uint32_t)(key >> 32), b = (uint32_t)key, to;
    char text[2 + 2 * SB_WORD_BYTES];
    const piece *left = &t->pieces[a], *right = &t->pieces[b];
    size_t n = left->n, k = right->n - 2; /* right is "##..." */
    SB_REQUIRE(right->n > 2 && n + k <= sizeof text, SB_EBUG, "a piece of %zu",
               n + k);
    memcpy(text, t->arena.data + left->at, n);
    memcpy(text + n, t->arena.data + right->at + 2, k);
    SB_TRY(piece_named(t, text, n + k, &to));

    pair *p = pair_slot(t, key);
    uint32_t head = p->head;
    p->head = NONE;
    for (uint32_t i = head; i != NONE;) {
        place now = t->places[i];
        SB_TRY(merge_row(t, now.row, a, b, to));
        t->places[i].next = t->spare;
        t->spare = i;
        i = now.next;
    }
    pair_slot(t, key)->count = 0;
    return push_raised(t);
}

static sb_status merge_all(trainer *t, const sb_wordpiece_options *o,
                           void (*progress)(void *, double), void *arg)
{
    size_t first = t->n_pieces;
    while (t->n_pieces < o->size) {
        const pair *p = best(t);
        if (!p || (uint64_t)p->count < o->min_count) break;
        SB_TRY(merge(t, p->key));
        if (progress && t->n_pieces % 256 == 0)
            progress(arg,
                     (double)(t->n_pieces - first) / (double)(o->size - first));
    }
    return SB_OK;
}

/* ---- the final order ----------------------------------------------------- */

static sb_status add_line(trainer *t, uint32_t id, sb_buffer *out)
{
    const piece *p = &t->pieces[id];
    SB_TRY(sb_buffer_add(out, t->arena.data + p->at, p->n));
    return sb_buffer_add(out, "\n", 1);
}

/* pieces[].used: how often each is used when the words are encoded. */
static sb_status count_use(trainer *t, const sb_counted *words, size_t n)
{
    sb_buffer text = {NULL, 0, 0};
    sb_vocab *v = NULL;
    sb_status st = SB_OK;
    for (uint32_t i = 0; i < t->n_pieces; i++)
        SB_GOTO(st, add_line(t, i, &text), out);
    SB_GOTO(st, sb_vocab_parse(text.data, text.n, "in training", &v), out);
    for (size_t w = 0; w < n; w++) {
        uint32_t id[SB_WORD_CHARS];
        size_t k = sb_wordpiece(v, words[w].text, words[w].n, id);
        for (size_t i = 0; i < k; i++) t->pieces[id[i]].used += words[w].count;
    }
out:
    sb_vocab_close(v);
    sb_free(text.data);
    return st;
}

typedef struct rank {
    const char *text;
    uint64_t used;
    uint32_t n, id;
} rank;

static int by_use(const void *a, const void *b)
{
    const rank *x = a, *y = b;
    if (x->used != y->used) return x->used < y->used ? 1 : -1;
    int c = memcmp(x->text, y->text, x->n < y->n ? x->n : y->n);
    return c ? c : (x->n > y->n) - (x->n < y->n);
}

static sb_status write_all(trainer *t, sb_buffer *out)
{
    rank *ranks;
    size_t n = t->n_pieces - SPECIALS, start = out->n;
    SB_TRY(sb_alloc(n, sizeof *ranks, "pieces", &ranks));
    for (uint32_t i = 0; i < n; i++) {
        const piece *p = &t->pieces[i + SPECIALS];
        ranks[i] = (rank){t->arena.data + p->at, p->used, p->n, i + SPECIALS};
    }
    qsort(ranks, n, sizeof *ranks, by_use);
    sb_status st = SB_OK;
    for (uint32_t i = 0; i < SPECIALS && st == SB_OK; i++)
        st = add_line(t, i, out);
    for (size_t i = 0; i < n && st == SB_OK; i++)
        st = add_line(t, ranks[i].id, out);
    if (st != SB_OK) out->n = start;
    sb_free(ranks);
    return st;
}

static void drop(trainer *t)
{
    sb_free(t->arena.data);
    sb_free(t->pieces);
    sb_free(t->by_text);
    sb_free(t->symbols);
    sb_free(t->rows);
    sb_free(t->pairs);
    sb_free(t->places);
    sb_free(t->heap);
    sb_free(t->raised);
}

sb_status sb_wordpiece_train(const sb_words *w, const sb_wordpiece_options *o,
                             void (*progress)(void *, double), void *arg,
                             sb_buffer *out, uint32_t *size_out)
{
    trainer t = {.spare = NONE};
    sb_letters a = {NULL, 0, 0};
    sb_counted *words = NULL;
    size_t n = (size_t)sb_words_distinct(w);
    sb_status st;
    SB_REQUIRE(n > 0, SB_EINVAL, "no words to make a vocabulary from");
    SB_REQUIRE(o->size <= PIECES_MAX, SB_EINVAL,
               "a vocabulary of %" PRIu32 " pieces; at most %d", o->size,
               (int)PIECES_MAX);
    SB_GOTO(st, sb_words_sorted(w, &words), out);
    SB_GOTO(st, sb_letters_count(words, n, o->alphabet_limit, &a), out);
    SB_GOTO(st, add_alphabet(&t, &a), out);
    SB_GOTO(st, make_rows(&t, &a, words, n), out);
    if (t.n_pieces > o->size) {
        st = sb_fail(SB_EINVAL, __FILE__, __LINE__,
                     "%zu letters and special tokens do not fit in a "
                     "vocabulary of %" PRIu32,
                     t.n_pieces, o->size);
        sb_hint("ask for a larger vocabulary or a smaller alphabet");
        goto out;
    }
    SB_GOTO(st, merge_all(&t, o, progress, arg), out);
    SB_GOTO(st, count_use(&t, words, n), out);
    SB_GOTO(st, write_all(&t, out), out);
    *size_out = (uint32_t)t.n_pieces;
out:
    sb_free(words);
    sb_free(a.of);
    drop(&t);
    return st;
}
