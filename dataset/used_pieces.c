/* SPDX-License-Identifier: MIT
 * used_pieces.c - a mark for each piece. */
#include "dataset/used_pieces.h"

#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "dataset/text.h"
#include "dataset/tokenize.h"
#include "dataset/word.h"

struct sb_used {
    const sb_vocab *vocab;
    sb_special_ids special;
    sb_encoder *encoder, *smaller;
    unsigned char *used; /* [size] */
    uint32_t *old;       /* [smaller's size] */
    uint64_t unknown;
    sb_ids ids, again;
    sb_buffer text;
};

sb_status sb_used_open(const sb_vocab *vocab, sb_used **used_out)
{
    sb_used *u;
    SB_TRY(sb_alloc(1, sizeof *u, "used pieces", &u));
    u->vocab = vocab;
    u->special = sb_vocab_special(vocab);
    sb_status st = sb_alloc(sb_vocab_size(vocab), sizeof *u->used,
                            "used pieces", &u->used);
    if (st == SB_OK) st = sb_encoder_open(vocab, &u->encoder);
    if (st != SB_OK) {
        sb_used_close(u);
        return st;
    }
    for (uint32_t id = 0; id < sb_vocab_size(vocab); id++)
        u->used[id] = (unsigned char)sb_special_is(&u->special, id);
    *used_out = u;
    return SB_OK;
}

void sb_used_close(sb_used *u)
{
    if (!u) return;
    sb_encoder_close(u->encoder);
    sb_encoder_close(u->smaller);
    sb_free(u->used);
    sb_free(u->old);
    free(u->ids.id);
    free(u->again.id);
    free(u->text.data);
    sb_free(u);
}

/* ---- marks --------------------------------------------------------------- */

/* The pieces on the way through a word, as far as it goes. */
static void walk(sb_used *u, const char *word, size_t n)
{
    if (sb_word_chars(word, n) > SB_WORD_CHARS) return; /* not looked at */
    for (size_t at = 0, bytes; at < n; at += bytes) {
        uint32_t id =
            sb_vocab_longest(u->vocab, word + at, n - at, at > 0, &bytes);
        if (id == SB_NO_ID) return;
        u->used[id] = 1;
    }
}

static sb_status walk_all(sb_used *u, const char *text, size_t n)
{
    const char *word;
    size_t at = 0, bytes;
    SB_TRY(sb_normalise(text, n, &u->text));
    while ((bytes = sb_next_word(u->text.data, u->text.n, &at, &word)))
        walk(u, word, bytes);
    return SB_OK;
}

void sb_used_add_ids(sb_used *u, const uint32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        u->used[ids[i]] = 1;
        u->unknown += ids[i] == u->special.unk;
    }
}

sb_status sb_used_add_text(sb_used *u, const char *text, size_t n)
{
    uint64_t before = u->unknown;
    u->ids.n = 0;
    SB_TRY(sb_encode(u->encoder, text, n, 0, &u->ids));
    sb_used_add_ids(u, u->ids.id, u->ids.n);
    return u->unknown > before ? walk_all(u, text, n) : SB_OK;
}

uint64_t sb_used_unknown(const sb_used *u)
{
    return u->unknown;
}

/* ---- the smaller vocabulary ---------------------------------------------- */

static sb_status list(sb_used *u, sb_buffer *lines)
{
    uint32_t size = sb_vocab_size(u->vocab), n = 0;
    SB_TRY(sb_alloc(size, sizeof *u->old, "used pieces", &u->old));
    for (uint32_t id = 0; id < size; id++) {
        if (!u->used[id]) continue;
        const char *piece = sb_vocab_piece(u->vocab, id);
        u->old[n++] = id;
        SB_TRY(sb_buffer_add(lines, piece, strlen(piece)));
        SB_TRY(sb_buffer_add(lines, "\n", 1));
    }
    return SB_OK;
}

sb_status sb_used_make(sb_used *u, sb_vocab **vocab_out,
                       const uint32_t **old_out)
{
    sb_buffer lines = {0};
    sb_vocab *v = NULL;
    sb_status st = list(u, &lines);
    if (st == SB_OK)
        st = sb_vocab_parse(lines.data, lines.n, "of used pieces", &v);
    free(lines.data);
    if (st == SB_OK) st = sb_encoder_open(v, &u->smaller);
    if (st != SB_OK) {
        sb_vocab_close(v);
        return st;
    }
    *vocab_out = v;
    *old_out = u->old;
    return SB_OK;
}

sb_status sb_used_check(sb_used *u, const char *text, size_t n)
{
    u->ids.n = u->again.n = 0;
    SB_TRY(sb_encode(u->encoder, text, n, 0, &u->ids));
    SB_TRY(sb_encode(u->smaller, text, n, 0, &u->again));
    int same = u->ids.n == u->again.n;
    for (size_t i = 0; same && i < u->ids.n; i++)
        same = u->old[u->again.id[i]] == u->ids.id[i];
    SB_REQUIRE(same, SB_EBUG,
               "the smaller vocabulary encodes a text in another way: '%.*s'",
               n < 80 ? (int)n : 80, text);
    return SB_OK;
}
