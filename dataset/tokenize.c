/* SPDX-License-Identifier: MIT
 * tokenize.c - text to ids and back.
 *
 * Most of a text is short words of ASCII letters, parted by spaces. They are
 * found and lowered at once (dataset/ascii.h) and looked up in a cache; what
 * is not so simple goes through sb_normalise and sb_next_word, from where it
 * begins to the next white space: nothing of the normalisation reaches across
 * white space, or across the border of two ASCII characters.
 *
 * The cache has a fixed size, 4 MiB: a word has two places beside each other, a
 * newcomer takes the first and the older of the two goes. It holds short words
 * of few pieces, and changes speed, never ids. */
#include "dataset/tokenize.h"

#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "dataset/ascii.h"
#include "dataset/text.h"
#include "dataset/word.h"

enum { CACHE_BITS = 16, WAYS = 2, CACHE_WORD = 16, CACHE_IDS = 3, BATCH = 32 };

/* A word with zeros behind it; no word has zeros inside. */
typedef struct key {
    uint64_t part[CACHE_WORD / 8];
} key;

typedef struct place {
    key word; /* all zeros: free */
    uint32_t n;
    uint32_t id[CACHE_IDS];
} place;

_Static_assert(WAYS * sizeof(place) == 64, "one line of the processor's cache");

struct sb_encoder {
    const sb_vocab *vocab;
    place (*cache)[WAYS];
    sb_buffer text;
};

sb_status sb_encoder_open(const sb_vocab *vocab, sb_encoder **encoder_out)
{
    sb_encoder *e;
    SB_TRY(sb_alloc(1, sizeof *e, "encoder", &e));
    sb_status st = sb_alloc((size_t)1 << CACHE_BITS, sizeof *e->cache,
                            "word cache", &e->cache);
    if (st != SB_OK) {
        sb_free(e);
        return st;
    }
    e->vocab = vocab;
    *encoder_out = e;
    return SB_OK;
}

void sb_encoder_close(sb_encoder *e)
{
    if (!e) return;
    sb_free(e->cache);
    sb_free(e->text.data);
    sb_free(e);
}

/* ---- a word -------------------------------------------------------------- */

size_t sb_wordpiece(const sb_vocab *v, const char *word, size_t n,
                    uint32_t id_out[SB_WORD_CHARS])
{
    size_t from = 0, k = 0;
    if (n > SB_WORD_CHARS && sb_word_chars(word, n) > SB_WORD_CHARS) return 0;
    while (from < n) {
        size_t bytes = 0;
        uint32_t id =
            sb_vocab_longest(v, word + from, n - from, from > 0, &bytes);
        if (id == SB_NO_ID || k == SB_WORD_CHARS) return 0;
        id_out[k++] = id;
        from += bytes;
    }
    return k;
}

/* Room for the ids of some words. */
static sb_status room(sb_ids *ids, size_t words)
{
    size_t need = ids->n + words * SB_WORD_CHARS;
    return sb_grow(&ids->id, &ids->cap, need, sizeof *ids->id, "ids");
}

static size_t pieces_of(const sb_encoder *e, const char *word, size_t n,
                        uint32_t id_out[SB_WORD_CHARS])
{
    size_t k = sb_wordpiece(e->vocab, word, n, id_out);
    if (k) return k;
    id_out[0] = sb_vocab_special(e->vocab).unk;
    return 1;
}

static inline place *place_of(const sb_encoder *e, const key *k)
{
    uint64_t h = k->part[0] ^ k->part[1] * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32) * 0xff51afd7ed558ccdu;
    return e->cache[h >> (64 - CACHE_BITS)];
}

static inline int holds(const place *p, const key *k)
{
    return ((p->word.part[0] ^ k->part[0]) | (p->word.part[1] ^ k->part[1])) ==
           0;
}

/* The ids of a word that is not in the cache, into its first place `p`; what
 * was there moves into the second one. */
static void encode_new(sb_encoder *e, const key *k, size_t n, place *p,
                       sb_ids *ids)
{
    char word[CACHE_WORD];
    memcpy(word, k, sizeof word);
    size_t pieces = pieces_of(e, word, n, ids->id + ids->n);
    if (pieces <= CACHE_IDS) {
        p[1] = p[0];
        p->word = *k;
        p->n = (uint32_t)pieces;
        memcpy(p->id, ids->id + ids->n, pieces * sizeof *p->id);
    }
    ids->n += pieces;
}

/* A word of n bytes, whose first place is p; there is room. */
static inline void encode_key(sb_encoder *e, const key *k, size_t n, place *p,
                              sb_ids *ids)
{
    if (!holds(p, k)) {
        if (!holds(p + 1, k)) {
            encode_new(e, k, n, p, ids);
            return;
        }
        p++;
    }
    memcpy(ids->id + ids->n, p->id, sizeof p->id); /* all is fastest */
    ids->n += p->n;
}

static sb_status encode_word(sb_encoder *e, const char *word, size_t n,
                             sb_ids *ids)
{
    SB_TRY(room(ids, 1));
    if (n <= CACHE_WORD) {
        key k = {{0}};
        memcpy(&k, word, n);
        encode_key(e, &k, n, place_of(e, &k), ids);
    } else {
        ids->n += pieces_of(e, word, n, ids->id + ids->n);
    }
    return SB_OK;
}

/* ---- a text -------------------------------------------------------------- */

enum kind { OTHER, SPACE, SYMBOL };

/* Of ASCII; letters, digits, dropped controls and all else are OTHER. */
static const unsigned char kind_of[256] = {
    ['\t'] = SPACE,         ['\n'] = SPACE,         ['\r'] = SPACE,
    [' '] = SPACE,          ['!' ... '/'] = SYMBOL, [':' ... '@'] = SYMBOL,
    ['[' ... '`'] = SYMBOL, ['{' ... '~'] = SYMBOL};

/* text[*at..n) up to the next white space, *at moves there. */
static sb_status encode_odd(sb_encoder *e, const unsigned char *text, size_t n,
                            size_t *at, sb_ids *ids)
{
    size_t from = *at, to = from, next = 0, k;
    const char *word;
    while (to < n && kind_of[text[to]] != SPACE) to++;
    *at = to;
    SB_TRY(sb_normalise((const char *)text + from, to - from, &e->text));
    while ((k = sb_next_word(e->text.data, e->text.n, &next, &word)) > 0)
        SB_TRY(encode_word(e, word, k, ids));
    return SB_OK;
}

/* Words that were found wait here for their ids, so that the cache's lines are
 * under way while others are found. */
typedef struct batch {
    struct {
        key word;
        place *place;
        size_t n;
    } of[BATCH];
    size_t n;
} batch;

static inline void batch_add(sb_encoder *e, batch *b, sb_ascii_word w)
{
    key k = {{w.key[0], w.key[1]}};
    place *p = place_of(e, &k);
    __builtin_prefetch(p);
    b->of[b->n].word = k;
    b->of[b->n].place = p;
    b->of[b->n].n = w.n;
    b->n++;
}

static sb_status batch_encode(sb_encoder *e, batch *b, sb_ids *ids)
{
    SB_TRY(room(ids, b->n));
    for (size_t i = 0; i < b->n; i++)
        encode_key(e, &b->of[i].word, b->of[i].n, b->of[i].place, ids);
    b->n = 0;
    return SB_OK;
}

/* Looking at a word reads so many bytes behind a space. */
enum { AHEAD = 18 };

/* The words of text[*at..n) that begin before `end`; AHEAD bytes from there
 * can be read. */
static sb_status encode_until(sb_encoder *e, const unsigned char *text,
                              size_t n, size_t end, size_t *at, sb_ids *ids)
{
    size_t i = *at;
    batch b;
    b.n = 0;
    while (i < end) {
        i += text[i] == ' ';
        sb_ascii_word w = sb_ascii_word_at(text + i);
        enum kind behind = kind_of[text[i + w.n]];
        if (w.n == 0) {
            i += behind == SPACE;
            if (behind == SPACE) continue;
            w.key[0] = text[i];
            w.n = 1;
        }
        if (behind == OTHER) {
            SB_TRY(batch_encode(e, &b, ids));
            SB_TRY(encode_odd(e, text, n, &i, ids));
            continue;
        }
        batch_add(e, &b, w);
        if (b.n == BATCH) SB_TRY(batch_encode(e, &b, ids));
        i += w.n;
    }
    *at = i;
    return batch_encode(e, &b, ids);
}

static sb_status encode_plain(sb_encoder *e, const char *text, size_t n,
                              sb_ids *ids)
{
    size_t at = 0, rest = 0;
    unsigned char last[2 * AHEAD];
    if (n > AHEAD)
        SB_TRY(encode_until(e, (const unsigned char *)text, n, n - AHEAD, &at,
                            ids));
    if (at >= n) return SB_OK;
    memset(last, ' ', sizeof last);
    memcpy(last, text + at, n - at);
    return encode_until(e, last, n - at, n - at, &rest, ids);
}

static sb_status append(sb_ids *ids, uint32_t id)
{
    SB_TRY(room(ids, 1));
    ids->id[ids->n++] = id;
    return SB_OK;
}

/* Bytes of the special token at text[0..n), 0 if there is none. */
static size_t special_at(const sb_vocab *v, const char *text, size_t n,
                         uint32_t *id_out)
{
    sb_special_ids s = sb_vocab_special(v);
    const uint32_t id[] = {s.pad, s.unk, s.cls, s.sep, s.mask};
    for (size_t i = 0; i < sizeof id / sizeof *id; i++) {
        const char *token = sb_vocab_piece(v, id[i]);
        size_t k = strlen(token);
        if (k > n || memcmp(text, token, k) != 0) continue;
        *id_out = id[i];
        return k;
    }
    return 0;
}

static sb_status encode_mixed(sb_encoder *e, const char *text, size_t n,
                              sb_ids *ids)
{
    size_t from = 0;
    for (size_t i = 0; i < n;) {
        uint32_t id;
        size_t k = 0;
        if (text[i] == '[') k = special_at(e->vocab, text + i, n - i, &id);
        if (!k) {
            i++;
            continue;
        }
        SB_TRY(encode_plain(e, text + from, i - from, ids));
        SB_TRY(append(ids, id));
        from = i += k;
    }
    return encode_plain(e, text + from, n - from, ids);
}

sb_status sb_encode(sb_encoder *e, const char *text, size_t n, int specials,
                    sb_ids *ids)
{
    size_t before = ids->n;
    if (!n) return SB_OK;
    sb_status st = specials ? encode_mixed(e, text, n, ids)
                            : encode_plain(e, text, n, ids);
    if (st != SB_OK) ids->n = before;
    return st;
}

/* ---- and back ------------------------------------------------------------ */

static const char *piece_of(const sb_vocab *v, uint32_t id)
{
    return sb_vocab_piece(v,
                          id < sb_vocab_size(v) ? id : sb_vocab_special(v).unk);
}

char *sb_decode(const sb_vocab *v, const uint32_t *ids, size_t n)
{
    sb_buffer b = {NULL, 0, 0};
    sb_status st = SB_OK;
    for (size_t i = 0; i < n; i++) {
        const char *piece = piece_of(v, ids[i]);
        int glued = i > 0 && sb_is_continuation(piece);
        if (glued) piece += 2;
        if (i > 0 && !glued) SB_GOTO(st, sb_buffer_add(&b, " ", 1), out);
        SB_GOTO(st, sb_buffer_add(&b, piece, strlen(piece)), out);
    }
    st = sb_buffer_add(&b, "", 1);
out:
    if (st == SB_OK) return b.data;
    sb_free(b.data);
    return NULL;
}
