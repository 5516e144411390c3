/* SPDX-License-Identifier: MIT
 * vocab.c - pieces and their ids.
 *
 * Invariants: pieces are distinct, not empty, valid UTF-8 and without NUL; the
 * table is at most half full, so every search ends. A piece "##x" is filed
 * under (continued, "x"), so that a search inside a word needs no copy. */
#include "dataset/vocab.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "dataset/text.h"
#include "dataset/tokenizer_files.h"
#include "dataset/word.h"

enum { VOCAB_BYTES_MAX = 1 << 30, VOCAB_PIECES_MAX = 1 << 24 };

/* A piece without its "##", as bytes of sb_vocab.text. */
typedef struct slot {
    uint32_t id, at, bytes;
} slot;

struct sb_vocab {
    char *text;   /* pieces, NUL behind each */
    uint32_t *at; /* [size + 1] offsets into text */
    uint32_t size, longest;
    uint8_t *tag; /* [slots] tag_of its piece; 0: free */
    slot *slots;
    size_t mask; /* slots - 1, a power of two less one */
    int shift;   /* leaves the bits of a hash that are a slot */
    uint64_t hash;
    sb_special_ids special;
};

/* ---- search -------------------------------------------------------------- */

/* Byte by byte: the hashes of all beginnings of a word are found on the way to
 * that of the word. The upper bits, which are best, choose the slot. */
static uint64_t hash_none(int continued)
{
    return continued ? 0x9e3779b97f4a7c15u : 0xd6e8feb86659fd93u;
}

static uint64_t hash_byte(uint64_t h, char c)
{
    return (h ^ (unsigned char)c) * 0x9fb21c651e98df25u;
}

/* "##x" as a whole and "x" continued are the same key. */
static void canonical(const char **body, size_t *n, int *continued)
{
    if (*continued || *n <= 2 || memcmp(*body, "##", 2) != 0) return;
    *body += 2;
    *n -= 2;
    *continued = 1;
}

/* Six bits of the hash, whether it is continued, and that it is there. */
static uint8_t tag_of(uint64_t h, int continued)
{
    return (uint8_t)((h >> 16 & 0xfc) | (continued ? 2 : 0) | 1);
}

static int same(const sb_vocab *v, const slot *s, const char *body, size_t n)
{
    return s->bytes == n && memcmp(v->text + s->at, body, n) == 0;
}

/* Where the piece is, or the free slot where it would be. Most of what is
 * looked for is not there, and most of that is known from tags alone: they lie
 * apart, because so they fit the processor's cache. */
static size_t slot_of(const sb_vocab *v, uint64_t h, const char *body, size_t n,
                      int continued)
{
    uint8_t tag = tag_of(h, continued);
    size_t i = h >> v->shift;
    while (v->tag[i] && !(v->tag[i] == tag && same(v, &v->slots[i], body, n)))
        i = (i + 1) & v->mask;
    return i;
}

static uint32_t find(const sb_vocab *v, uint64_t h, const char *body, size_t n,
                     int continued)
{
    size_t i = slot_of(v, h, body, n, continued);
    return v->tag[i] ? v->slots[i].id : SB_NO_ID;
}

static uint64_t key_hash(const char *body, size_t n, int continued)
{
    uint64_t h = hash_none(continued);
    for (size_t i = 0; i < n; i++) h = hash_byte(h, body[i]);
    return h;
}

uint32_t sb_vocab_find(const sb_vocab *v, const char *piece, size_t n,
                       int continued)
{
    if (n > v->longest) return SB_NO_ID;
    continued = continued != 0;
    if (continued && !n) {
        piece = "##";
        n = 2;
        continued = 0;
    }
    canonical(&piece, &n, &continued);
    return find(v, key_hash(piece, n, continued), piece, n, continued);
}

uint32_t sb_vocab_longest(const sb_vocab *v, const char *word, size_t n,
                          int continued, size_t *bytes_out)
{
    uint64_t hash[SB_WORD_BYTES + 1]; /* of the beginnings, by their bytes */
    if (n > v->longest) n = v->longest;
    if (n > SB_WORD_BYTES) n = SB_WORD_BYTES;
    hash[0] = hash_none(continued);
    for (size_t i = 0; i < n; i++) hash[i + 1] = hash_byte(hash[i], word[i]);
    for (; n > 0; n--) {
        uint32_t id = find(v, hash[n], word, n, continued);
        if (id == SB_NO_ID) continue;
        *bytes_out = n;
        return id;
    }
    return SB_NO_ID;
}

/* ---- reading ------------------------------------------------------------- */

static sb_status check_piece(const char *p, size_t n, const char *name,
                             uint32_t line)
{
    SB_REQUIRE(n > 0, SB_EFORMAT, "vocabulary '%s', line %" PRIu32 ": empty",
               name, line);
    SB_REQUIRE(sb_utf8_valid(p, n) == n && !memchr(p, 0, n), SB_EFORMAT,
               "vocabulary '%s', line %" PRIu32 ": not UTF-8 text", name, line);
    /* others take it for the end of a line, and so would we, once written */
    SB_REQUIRE(!memchr(p, '\r', n), SB_EFORMAT,
               "vocabulary '%s', line %" PRIu32 ": a carriage return is in it",
               name, line);
    return SB_OK;
}

static size_t count_lines(const char *text, size_t bytes)
{
    size_t n = bytes && text[bytes - 1] != '\n';
    for (size_t i = 0; i < bytes; i++) n += text[i] == '\n';
    return n;
}

/* Copy the lines of text to v->text and v->at. First '\n' stands behind each
 * piece, as in the vocab.txt that we would write: its hash is the same
 * whatever the file's line ends were and whether it was a tokenizer.json. */
static sb_status split(sb_vocab *v, const char *text, size_t bytes,
                       const char *name)
{
    uint32_t to = 0, id = 0;
    for (size_t i = 0; i < bytes; id++) {
        const char *end = memchr(text + i, '\n', bytes - i);
        size_t n = end ? (size_t)(end - (text + i)) : bytes - i;
        size_t step = n + (end != NULL);
        if (n && text[i + n - 1] == '\r') n--;
        SB_TRY(check_piece(text + i, n, name, id + 1));
        v->at[id] = to;
        memcpy(v->text + to, text + i, n);
        v->text[to + n] = '\n';
        to += (uint32_t)n + 1;
        if (n > v->longest) v->longest = (uint32_t)n;
        i += step;
    }
    v->at[id] = to;
    v->size = id;
    v->hash = sb_hash64(v->text, to);
    while (id) v->text[v->at[id--] - 1] = 0;
    return SB_OK;
}

static sb_status file_pieces(sb_vocab *v, const char *name)
{
    size_t cap = 64;
    v->shift = 64 - 6;
    for (; cap < 2 * (size_t)v->size; cap *= 2) v->shift--;
    SB_TRY(sb_alloc(cap, sizeof *v->tag, "vocabulary", &v->tag));
    SB_TRY(sb_alloc(cap, sizeof *v->slots, "vocabulary", &v->slots));
    v->mask = cap - 1;
    for (uint32_t id = 0; id < v->size; id++) {
        const char *body = sb_vocab_piece(v, id);
        size_t n = v->at[id + 1] - v->at[id] - 1;
        int continued = 0;
        canonical(&body, &n, &continued);
        uint64_t h = key_hash(body, n, continued);
        size_t i = slot_of(v, h, body, n, continued);
        SB_REQUIRE(!v->tag[i], SB_EFORMAT,
                   "vocabulary '%s', line %" PRIu32
                   ": '%.64s' is on line %" PRIu32 " already",
                   name, id + 1, sb_vocab_piece(v, id), v->slots[i].id + 1);
        v->tag[i] = tag_of(h, continued);
        v->slots[i] = (slot){id, (uint32_t)(body - v->text), (uint32_t)n};
    }
    return SB_OK;
}

static sb_status find_special(const sb_vocab *v, const char *token,
                              const char *name, uint32_t *id_out)
{
    uint32_t id = sb_vocab_find(v, token, strlen(token), 0);
    SB_REQUIRE(id != SB_NO_ID, SB_EFORMAT,
               "vocabulary '%s' lacks the special token %s", name, token);
    *id_out = id;
    return SB_OK;
}

static sb_status fill(sb_vocab *v, const char *text, size_t bytes,
                      const char *name)
{
    size_t lines = count_lines(text, bytes);
    SB_REQUIRE(lines <= VOCAB_PIECES_MAX, SB_ELIMIT,
               "vocabulary '%s': %zu pieces, at most %d can be used", name,
               lines, (int)VOCAB_PIECES_MAX);
    SB_TRY(sb_alloc(bytes + 1, 1, "vocabulary", &v->text));
    SB_TRY(sb_alloc(lines + 1, sizeof *v->at, "vocabulary", &v->at));
    SB_TRY(split(v, text, bytes, name));
    SB_TRY(file_pieces(v, name));
    SB_TRY(find_special(v, "[PAD]", name, &v->special.pad));
    SB_TRY(find_special(v, "[UNK]", name, &v->special.unk));
    SB_TRY(find_special(v, "[CLS]", name, &v->special.cls));
    SB_TRY(find_special(v, "[SEP]", name, &v->special.sep));
    SB_TRY(find_special(v, "[MASK]", name, &v->special.mask));
    return SB_OK;
}

sb_status sb_vocab_parse(const char *text, size_t bytes, const char *name,
                         sb_vocab **vocab_out)
{
    SB_REQUIRE(bytes <= VOCAB_BYTES_MAX, SB_ELIMIT,
               "vocabulary '%s' is larger than %s", name,
               sb_bytes_text(VOCAB_BYTES_MAX));
    sb_vocab *v;
    SB_TRY(sb_alloc(1, sizeof *v, "vocabulary", &v));
    sb_status st = fill(v, text, bytes, name);
    if (st != SB_OK) {
        sb_vocab_close(v);
        return st;
    }
    *vocab_out = v;
    return SB_OK;
}

sb_status sb_vocab_load(const char *path, sb_vocab **vocab_out)
{
    char *text;
    size_t bytes;
    sb_buffer lines = {0};
    SB_TRY(sb_file_read(path, SB_TOKENIZER_BYTES_MAX, &text, &bytes));
    sb_status st;
    if (sb_tokenizer_is_json(text, bytes)) {
        st = sb_tokenizer_read(text, bytes, path, &lines);
        if (st == SB_OK)
            st = sb_vocab_parse(lines.data, lines.n, path, vocab_out);
    } else {
        st = sb_vocab_parse(text, bytes, path, vocab_out);
    }
    sb_free(text);
    free(lines.data);
    return st;
}

void sb_vocab_close(sb_vocab *v)
{
    if (!v) return;
    sb_free(v->text);
    sb_free(v->at);
    sb_free(v->tag);
    sb_free(v->slots);
    sb_free(v);
}

/* ---- writing ------------------------------------------------------------- */

sb_status sb_vocab_write(const char *path, const sb_vocab *v)
{
    char *text;
    size_t n = v->at[v->size];
    SB_TRY(sb_alloc(n, 1, "vocabulary", &text));
    memcpy(text, v->text, n);
    for (uint32_t id = 1; id <= v->size; id++) text[v->at[id] - 1] = '\n';
    sb_status st = sb_file_write(path, text, n);
    sb_free(text);
    return st;
}

/* ---- looks --------------------------------------------------------------- */

uint32_t sb_vocab_size(const sb_vocab *v)
{
    return v->size;
}

uint64_t sb_vocab_hash(const sb_vocab *v)
{
    return v->hash;
}

sb_special_ids sb_vocab_special(const sb_vocab *v)
{
    return v->special;
}

int sb_vocab_is_special(const sb_vocab *v, uint32_t id)
{
    return sb_special_is(&v->special, id);
}

const char *sb_vocab_piece(const sb_vocab *v, uint32_t id)
{
    return v->text + v->at[id];
}
