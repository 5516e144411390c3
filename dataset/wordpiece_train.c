/* SPDX-License-Identifier: MIT
 * wordpiece_train.c - a WordPiece vocabulary from word counts.
 *
 * Every word is a row of pieces. The pair of neighbours with the highest count
 * becomes a piece, wherever it stands, until there are enough.
 *
 * Rows lie behind each other in cells: a header, then a cell for each letter.
 * A piece of several letters keeps its number in its first and its last cell,
 * so that both its neighbours can be found; behind the last row stands a
 * header, too. The first cell of every piece that has a right neighbour is a
 * place of that pair, and lies in the list of the pair's places.
 *
 * Invariants:
 *   1. Between merges a pair's list holds exactly its places, and its count is
 *      the sum of their words' counts. (Of "aaa" both places of a, a count.)
 *   2. Memory: 12 bytes a letter and word; no more pairs than places, of which
 *      there are fewer and fewer. sb_wordpiece_memory adds that up.
 *   3. Nothing depends on the order of the words: pairs are chosen by count
 *      and number, and lists are worked off in an order that does not matter.
 *
 * Against Hugging Face's BpeTrainer: the same choice of pairs. There, numbers
 * of "##x" letters and ties at the limit of the alphabet hang on the order of
 * a hash map; here on the code point. */
#include "dataset/wordpiece_train.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/hash.h"
#include "comm/base/life.h"
#include "comm/base/mem.h"
#include "dataset/letters.h"
#include "dataset/pairs.h"
#include "dataset/word.h"

enum {
    NONE = UINT32_MAX,
    PIECES_MAX = 1 << 24,
    PIECE_BYTES = 160 /* for a piece: its text, in tables and lists of both */
};

static const char *const special[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]",
                                      "[MASK]"};
enum { SPECIALS = 5, UNK = 1 };

typedef struct piece {
    uint64_t used;
    uint32_t at; /* in the arena */
    uint16_t n;
    uint16_t letters;
} piece;

/* Of a row's header: symbol NONE, the word's count in prev and next. */
typedef struct cell {
    uint32_t symbol;
    uint32_t prev, next; /* places of the same pair, NONE at the ends */
} cell;

/* What a letter is as a piece. 0: not in the alphabet. */
typedef struct letter_ids {
    uint32_t first, inside;
} letter_ids;

typedef struct trainer {
    sb_buffer arena; /* the pieces' texts */
    piece *pieces;
    size_t n_pieces, pieces_cap;
    uint32_t *by_text; /* piece by hash of its text, NONE: free */
    size_t text_mask;

    letter_ids *ids; /* by code point */
    cell *cells;
    size_t n_cells;
    sb_pairs pairs;
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
                             size_t letters, uint32_t *id_out)
{
    if (!t->by_text || t->n_pieces * 2 > t->text_mask) SB_TRY(widen_texts(t));
    uint32_t *s = text_slot(t, text, n);
    if (*s == NONE) {
        SB_REQUIRE(t->n_pieces < PIECES_MAX && t->arena.n <= NONE - n,
                   SB_ELIMIT, "too many pieces");
        SB_TRY(sb_grow(&t->pieces, &t->pieces_cap, t->n_pieces + 1,
                       sizeof *t->pieces, "pieces"));
        piece *p = &t->pieces[t->n_pieces];
        *p = (piece){.at = (uint32_t)t->arena.n,
                     .n = (uint16_t)n,
                     .letters = (uint16_t)letters};
        SB_TRY(sb_buffer_add(&t->arena, text, n));
        *s = (uint32_t)t->n_pieces++;
    }
    *id_out = *s;
    return SB_OK;
}

/* ---- places of pairs ----------------------------------------------------- */

static uint64_t key_of(uint32_t left, uint32_t right)
{
    return (uint64_t)left << 32 | right;
}

static void link_place(trainer *t, sb_pair *p, uint32_t at)
{
    cell *c = t->cells;
    c[at].prev = NONE;
    c[at].next = p->head;
    if (p->head != NONE) c[p->head].prev = at;
    p->head = at;
}

static void unlink_place(trainer *t, sb_pair *p, uint32_t at)
{
    cell *c = t->cells, *old = &c[at];
    if (old->prev == NONE)
        p->head = old->next;
    else
        c[old->prev].next = old->next;
    if (old->next != NONE) c[old->next].prev = old->prev;
}

static sb_status raise_pair(trainer *t, uint32_t left, uint32_t right,
                            uint32_t at, int64_t count)
{
    uint32_t id;
    SB_TRY(sb_pairs_add(&t->pairs, key_of(left, right), &id));
    link_place(t, &t->pairs.of[id], at);
    t->pairs.of[id].count += count;
    return sb_pairs_raised(&t->pairs, id);
}

static void lower_pair(trainer *t, uint32_t left, uint32_t right, uint32_t at,
                       int64_t count)
{
    uint32_t id = sb_pairs_find(&t->pairs, key_of(left, right));
    sb_pair *p = &t->pairs.of[id];
    unlink_place(t, p, at);
    p->count -= count;
    if (!p->count && !p->raised) sb_pairs_drop(&t->pairs, id);
}

/* ---- rows ---------------------------------------------------------------- */

static size_t next_word(const sb_word_list *l, size_t at, sb_counted *w)
{
    return sb_word_unpack(l->data + at, l->n - at, w);
}

static sb_status add_letters(trainer *t, const sb_letter *a, size_t n)
{
    uint32_t id;
    for (size_t i = 0; i < SPECIALS; i++)
        SB_TRY(piece_named(t, special[i], strlen(special[i]), 1, &id));
    for (int inside = 0; inside < 2; inside++)
        for (size_t i = 0; i < n; i++) {
            char text[2 + 4] = "##";
            if (inside && !a[i].inside) continue;
            size_t k = sb_letter_put(a[i].c, text + 2);
            SB_TRY(piece_named(t, inside ? text : text + 2, inside ? k + 2 : k,
                               1, &id));
            *(inside ? &t->ids[a[i].c].inside : &t->ids[a[i].c].first) = id;
        }
    return SB_OK;
}

/* The header and the letters of a word. Letters outside the alphabet fall out
 * of it, as in Hugging Face's. */
static sb_status add_row(trainer *t, const sb_counted *w)
{
    cell *c = t->cells + t->n_cells;
    uint32_t n = 0;
    c[n++] =
        (cell){NONE, (uint32_t)(w->count & NONE), (uint32_t)(w->count >> 32)};
    for (size_t i = 0, k; i < w->n; i += k) {
        letter_ids id = t->ids[sb_letter_at(w->text + i, w->n - i, &k)];
        if (id.first) c[n++].symbol = i ? id.inside : id.first;
    }
    uint32_t at = (uint32_t)t->n_cells, id;
    for (uint32_t i = 1; i + 1 < n; i++) {
        SB_TRY(
            sb_pairs_add(&t->pairs, key_of(c[i].symbol, c[i + 1].symbol), &id));
        link_place(t, &t->pairs.of[id], at + i);
        t->pairs.of[id].count += (int64_t)w->count;
    }
    t->n_cells += n;
    return SB_OK;
}

static sb_status make_rows(trainer *t, const sb_word_list *words)
{
    sb_counted w;
    size_t n = (size_t)(words->size.letters + words->size.words) + 1;
    SB_REQUIRE(n < NONE, SB_ELIMIT, "too many distinct words: %" PRIu64,
               words->size.words);
    SB_TRY(sb_alloc(n, sizeof *t->cells, "letters", &t->cells));
    for (size_t at = 0, k; (k = next_word(words, at, &w)) > 0; at += k)
        SB_TRY(add_row(t, &w));
    t->cells[t->n_cells].symbol = NONE;
    return SB_OK;
}

static int64_t count_of(const trainer *t, uint32_t at)
{
    const cell *c = t->cells + at - 1;
    while (c->symbol != NONE) c -= t->pieces[c->symbol].letters;
    return (int64_t)((uint64_t)c->next << 32 | c->prev);
}

/* ---- merging ------------------------------------------------------------- */

/* `to` instead of a at cell `at` and b behind it. */
static sb_status merge_place(trainer *t, uint32_t at, uint32_t a, uint32_t b,
                             uint32_t to)
{
    const piece *p = t->pieces;
    cell *c = t->cells;
    uint32_t mid = at + p[a].letters, end = mid + p[b].letters;
    uint32_t left = c[at - 1].symbol, right = c[end].symbol;
    int64_t count = count_of(t, at);
    lower_pair(t, a, b, at, count);
    c[at].symbol = c[end - 1].symbol = to;
    if (right != NONE) {
        lower_pair(t, b, right, mid, count);
        SB_TRY(raise_pair(t, to, right, at, count));
    }
    if (left != NONE) {
        uint32_t before = at - p[left].letters;
        lower_pair(t, left, a, before, count);
        SB_TRY(raise_pair(t, left, to, before, count));
    }
    return SB_OK;
}

/* In a row of equals pairs are taken from the left: "aaa" is aa, a. */
static sb_status merge_equals(trainer *t, uint32_t at, uint32_t a, uint32_t to)
{
    const cell *c = t->cells;
    uint32_t k = t->pieces[a].letters;
    while (c[at - 1].symbol == a) at -= k;
    for (; c[at].symbol == a && c[at + k].symbol == a; at += 2 * k)
        SB_TRY(merge_place(t, at, a, a, to));
    return SB_OK;
}

static sb_status piece_of_pair(trainer *t, uint32_t a, uint32_t b,
                               uint32_t *to_out)
{
    char text[2 + 2 * SB_WORD_BYTES];
    const piece *left = &t->pieces[a], *right = &t->pieces[b];
    size_t n = left->n, k = right->n - 2u; /* right is "##..." */
    SB_REQUIRE(right->n > 2 && n + k <= sizeof text, SB_EBUG, "a piece of %zu",
               n + k);
    memcpy(text, t->arena.data + left->at, n);
    memcpy(text + n, t->arena.data + right->at + 2, k);
    return piece_named(t, text, n + k, (size_t)left->letters + right->letters,
                       to_out);
}

/* The pair counts as raised meanwhile, so that its entry stays. */
static sb_status merge(trainer *t, uint32_t id)
{
    uint64_t key = t->pairs.of[id].key;
    uint32_t a = (uint32_t)(key >> 32), b = (uint32_t)key, to, at;
    SB_TRY(piece_of_pair(t, a, b, &to));
    SB_TRY(sb_pairs_raised(&t->pairs, id));
    while ((at = t->pairs.of[id].head) != NONE)
        SB_TRY(a == b ? merge_equals(t, at, a, to)
                      : merge_place(t, at, a, b, to));
    sb_pairs_file(&t->pairs);
    return SB_OK;
}

static sb_status merge_all(trainer *t, const sb_wordpiece_options *o,
                           int (*progress)(void *, double), void *arg)
{
    size_t first = t->n_pieces;
    int64_t least =
        o->min_count < INT64_MAX ? (int64_t)o->min_count : INT64_MAX;
    while (t->n_pieces < o->size) {
        uint32_t id;
        SB_TRY(sb_pairs_best(&t->pairs, least > 0 ? least : 1, &id));
        if (id == SB_NO_PAIR) break;
        SB_TRY(merge(t, id));
        sb_life_beat();
        double share =
            (double)(t->n_pieces - first) / (double)(o->size - first);
        if (progress && t->n_pieces % 256 == 0 && progress(arg, share))
            return sb_words_stopped();
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
static sb_status count_use(trainer *t, const sb_word_list *words)
{
    sb_buffer text = {NULL, 0, 0};
    sb_vocab *v = NULL;
    sb_counted w;
    sb_status st = SB_OK;
    for (uint32_t i = 0; i < t->n_pieces; i++)
        SB_GOTO(st, add_line(t, i, &text), out);
    SB_GOTO(st, sb_vocab_parse(text.data, text.n, "in training", &v), out);
    for (size_t at = 0, k; (k = next_word(words, at, &w)) > 0; at += k) {
        uint32_t id[SB_WORD_CHARS];
        size_t n = sb_wordpiece(v, w.text, w.n, id);
        if (!n) id[n++] = UNK;
        for (size_t i = 0; i < n; i++) t->pieces[id[i]].used += w.count;
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

static sb_status write_all(trainer *t, sb_buffer *out, uint64_t *uses)
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
    for (uint32_t i = 0; i < t->n_pieces && st == SB_OK; i++) {
        uint32_t id = i < SPECIALS ? i : ranks[i - SPECIALS].id;
        uses[i] = t->pieces[id].used;
        st = add_line(t, id, out);
    }
    if (st != SB_OK) out->n = start;
    sb_free(ranks);
    return st;
}

static void drop_rows(trainer *t)
{
    sb_free(t->ids);
    sb_free(t->cells);
    t->ids = NULL;
    t->cells = NULL;
    sb_pairs_close(&t->pairs);
}

static sb_status train(trainer *t, const sb_word_list *words,
                       const sb_wordpiece_options *o,
                       int (*progress)(void *, double), void *arg)
{
    sb_letter *alphabet;
    size_t n;
    SB_REQUIRE(words->size.words > 0, SB_EINVAL,
               "no words to make a vocabulary from");
    SB_REQUIRE(o->size <= PIECES_MAX, SB_EINVAL,
               "a vocabulary of %" PRIu32 " pieces; at most %d", o->size,
               (int)PIECES_MAX);
    SB_TRY(sb_letters_count(words, o->alphabet_limit, &alphabet, &n));
    sb_status st = sb_alloc(SB_CODES, sizeof *t->ids, "letters", &t->ids);
    if (st == SB_OK) st = add_letters(t, alphabet, n);
    sb_free(alphabet);
    SB_TRY(st);
    if (t->n_pieces > o->size) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "%zu letters and special tokens do not fit in a vocabulary "
                "of %" PRIu32,
                t->n_pieces, o->size);
        return sb_hint("ask for a larger vocabulary or a smaller alphabet");
    }
    SB_TRY(make_rows(t, words));
    SB_TRY(merge_all(t, o, progress, arg));
    drop_rows(t); /* before count_use: memory */
    return count_use(t, words);
}

sb_status sb_wordpiece_train(const sb_word_list *words,
                             const sb_wordpiece_options *o,
                             int (*progress)(void *, double), void *arg,
                             sb_buffer *out, uint64_t **uses_out,
                             uint32_t *size_out)
{
    trainer t = {.n_pieces = 0};
    uint64_t *uses = NULL;
    sb_status st = train(&t, words, o, progress, arg);
    if (st == SB_OK) st = sb_alloc(t.n_pieces, sizeof *uses, "counts", &uses);
    if (st == SB_OK) st = write_all(&t, out, uses);
    if (st == SB_OK) {
        *uses_out = uses;
        *size_out = (uint32_t)t.n_pieces;
    } else {
        sb_free(uses);
    }
    drop_rows(&t);
    sb_free(t.arena.data);
    sb_free(t.pieces);
    sb_free(t.by_text);
    return st;
}

uint64_t sb_wordpiece_memory(const sb_word_size *words,
                             const sb_wordpiece_options *o)
{
    uint64_t cells = words->letters + words->words + 1;
    uint64_t places = words->letters - words->words;
    uint64_t pieces = places + SPECIALS + 2 * (uint64_t)o->alphabet_limit;
    if (cells >= NONE || words->uses > SB_COUNT_MAX) return UINT64_MAX;
    if (pieces > o->size) pieces = o->size;
    return words->bytes + cells * sizeof(cell) + places * SB_PAIR_BYTES +
           pieces * PIECE_BYTES + SB_PAIRS_BYTES +
           SB_CODES * sizeof(letter_ids);
}
