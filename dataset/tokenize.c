/* SPDX-License-Identifier: MIT
 * tokenize.c - text to ids and back.
 *
 * Most words of a text are a few thousand short ones, so their pieces are kept
 * in a cache of fixed size: one place per word, the newcomer takes it over.
 * The cache changes speed, never ids. */
#include "dataset/tokenize.h"

#include <string.h>

#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "dataset/text.h"
#include "dataset/word.h"

enum { CACHE_PLACES = 1 << 15, CACHE_WORD = 30, CACHE_IDS = 8 };

typedef struct place {
    uint8_t bytes; /* 0: free */
    uint8_t n;
    char word[CACHE_WORD];
    uint32_t id[CACHE_IDS];
} place;

struct sb_encoder {
    const sb_vocab *vocab;
    place *cache;
    sb_buffer text;
};

sb_status sb_encoder_open(const sb_vocab *vocab, sb_encoder **encoder_out)
{
    sb_encoder *e;
    SB_TRY(sb_alloc(1, sizeof *e, "encoder", &e));
    sb_status st =
        sb_alloc(CACHE_PLACES, sizeof *e->cache, "word cache", &e->cache);
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
        size_t to = n;
        uint32_t id = SB_NO_ID;
        while (to > from) {
            id = sb_vocab_find(v, word + from, to - from, from > 0);
            if (id != SB_NO_ID) break;
            do to--;
            while (to > from && ((unsigned char)word[to] >> 6) == 2);
        }
        if (id == SB_NO_ID || k == SB_WORD_CHARS) return 0;
        id_out[k++] = id;
        from = to;
    }
    return k;
}

static sb_status append(sb_ids *ids, const uint32_t *id, size_t n)
{
    size_t need;
    SB_REQUIRE(!__builtin_add_overflow(ids->n, n, &need), SB_ELIMIT,
               "more ids than can be counted");
    SB_TRY(sb_grow(&ids->id, &ids->cap, need, sizeof *ids->id, "ids"));
    memcpy(ids->id + ids->n, id, n * sizeof *id);
    ids->n = need;
    return SB_OK;
}

static sb_status encode_word(sb_encoder *e, const char *word, size_t n,
                             sb_ids *ids)
{
    place *p = NULL;
    if (n <= CACHE_WORD) {
        p = &e->cache[sb_hash64(word, n) % CACHE_PLACES];
        if (p->bytes == n && memcmp(p->word, word, n) == 0)
            return append(ids, p->id, p->n);
    }
    uint32_t id[SB_WORD_CHARS];
    size_t k = sb_wordpiece(e->vocab, word, n, id);
    if (!k) {
        id[0] = sb_vocab_special(e->vocab).unk;
        k = 1;
    }
    if (p && k <= CACHE_IDS) {
        p->bytes = (uint8_t)n;
        p->n = (uint8_t)k;
        memcpy(p->word, word, n);
        memcpy(p->id, id, k * sizeof *id);
    }
    return append(ids, id, k);
}

/* ---- a text -------------------------------------------------------------- */

static sb_status encode_plain(sb_encoder *e, const char *text, size_t n,
                              sb_ids *ids)
{
    size_t at = 0, k;
    const char *word;
    SB_TRY(sb_normalise(text, n, &e->text));
    while ((k = sb_next_word(e->text.data, e->text.n, &at, &word)) > 0)
        SB_TRY(encode_word(e, word, k, ids));
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
        SB_TRY(append(ids, &id, 1));
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
        int glued = i > 0 && strncmp(piece, "##", 2) == 0 && piece[2];
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
