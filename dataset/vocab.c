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

enum { VOCAB_BYTES_MAX = 64 << 20, VOCAB_PIECES_MAX = 1 << 24 };

typedef struct slot {
    uint32_t tag; /* high half of the hash */
    uint32_t id;  /* SB_NO_ID: free */
} slot;

struct sb_vocab {
    char *text;   /* pieces, NUL behind each */
    uint32_t *at; /* [size + 1] offsets into text */
    uint32_t size, longest;
    slot *slots;
    size_t mask;
    uint64_t hash;
    sb_special_ids special;
};

/* ---- search -------------------------------------------------------------- */

static uint64_t key_hash(const char *body, size_t n, int continued)
{
    uint64_t h = sb_hash64(body, n);
    return continued ? h ^ 0x9e3779b97f4a7c15u : h;
}

/* "##x" as a whole and "x" continued are the same key. */
static void canonical(const char **body, size_t *n, int *continued)
{
    if (*continued || *n <= 2 || memcmp(*body, "##", 2) != 0) return;
    *body += 2;
    *n -= 2;
    *continued = 1;
}

static int same(const sb_vocab *v, uint32_t id, const char *body, size_t n,
                int continued)
{
    const char *piece = v->text + v->at[id];
    size_t bytes = v->at[id + 1] - v->at[id] - 1;
    int inside = 0;
    canonical(&piece, &bytes, &inside);
    return inside == continued && bytes == n && memcmp(piece, body, n) == 0;
}

static slot *find(const sb_vocab *v, const char *body, size_t n, int continued)
{
    uint64_t h = key_hash(body, n, continued);
    uint32_t tag = (uint32_t)(h >> 32);
    for (size_t i = h & v->mask;; i = (i + 1) & v->mask) {
        slot *s = &v->slots[i];
        if (s->id == SB_NO_ID) return s;
        if (s->tag == tag && same(v, s->id, body, n, continued)) return s;
    }
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
    return find(v, piece, n, continued)->id;
}

/* ---- reading ------------------------------------------------------------- */

static sb_status check_piece(const char *p, size_t n, const char *name,
                             uint32_t line)
{
    SB_REQUIRE(n > 0, SB_EFORMAT, "vocabulary '%s', line %" PRIu32 ": empty",
               name, line);
    SB_REQUIRE(sb_utf8_valid(p, n) == n && !memchr(p, 0, n), SB_EFORMAT,
               "vocabulary '%s', line %" PRIu32 ": not UTF-8 text", name, line);
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
    while (cap < 2 * (size_t)v->size) cap *= 2;
    SB_TRY(sb_alloc(cap, sizeof *v->slots, "vocabulary", &v->slots));
    for (size_t i = 0; i < cap; i++) v->slots[i].id = SB_NO_ID;
    v->mask = cap - 1;
    for (uint32_t id = 0; id < v->size; id++) {
        const char *body = sb_vocab_piece(v, id);
        size_t n = v->at[id + 1] - v->at[id] - 1;
        int continued = 0;
        canonical(&body, &n, &continued);
        slot *s = find(v, body, n, continued);
        SB_REQUIRE(s->id == SB_NO_ID, SB_EFORMAT,
                   "vocabulary '%s', line %" PRIu32
                   ": '%.64s' is on line %" PRIu32 " already",
                   name, id + 1, sb_vocab_piece(v, id), s->id + 1);
        s->tag = (uint32_t)(key_hash(body, n, continued) >> 32);
        s->id = id;
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
    sb_free(v->slots);
    sb_free(v);
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
    const sb_special_ids *s = &v->special;
    return id == s->pad || id == s->unk || id == s->cls || id == s->sep ||
           id == s->mask;
}

const char *sb_vocab_piece(const sb_vocab *v, uint32_t id)
{
    return v->text + v->at[id];
}
