/* SPDX-License-Identifier: MIT
 * dump_text.c - ids to pieces, as fast as the pipe takes them.
 *
 * All pieces lie one behind the other, each with a blank behind it; a special
 * token is nothing. SLACK bytes follow the last one, so that a short piece is
 * copied by one move of SLACK bytes, whatever its length. */
#include "launch/dump_text.h"

#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "comm/base/stop.h"
#include "launch/inspect_corpus.h"
#include "launch/output.h"

enum { WRITE_BYTES = 1 << 18, SLACK = 16, RUN = 64 };

typedef struct dump {
    sb_corpus *corpus;
    char *text;    /* "the of ..." */
    size_t *start; /* [V + 1] of each piece in text */
    size_t longest;
    char *out;
    size_t n, cap; /* bytes in out */
    int unread;    /* nobody wants our output */
} dump;

static sb_status lay_out_pieces(dump *d, const sb_vocab *v)
{
    uint32_t V = sb_vocab_size(v);
    size_t at = 0;
    SB_TRY(sb_alloc((size_t)V + 1, sizeof *d->start, "pieces", &d->start));
    for (uint32_t id = 0; id < V; id++) {
        d->start[id] = at;
        if (sb_vocab_is_special(v, id)) continue;
        size_t n = 1 + strlen(sb_vocab_piece(v, id));
        if (n > d->longest) d->longest = n;
        at += n;
    }
    d->start[V] = at;
    SB_TRY(sb_alloc(at + SLACK, 1, "pieces", &d->text));
    for (uint32_t id = 0; id < V; id++) {
        size_t n = d->start[id + 1] - d->start[id];
        if (n == 0) continue;
        memcpy(d->text + d->start[id], sb_vocab_piece(v, id), n - 1);
        d->text[d->start[id] + n - 1] = ' ';
    }
    return SB_OK;
}

static sb_status flush(dump *d)
{
    SB_TRY(sb_output(d->out, d->n, &d->unread));
    d->n = 0;
    return SB_OK;
}

/* Pieces of ids[0..n) behind what is there. Room is made for a run of them at a
 * time, whatever they are. */
static sb_status put_pieces(dump *d, const uint32_t *ids, size_t n)
{
    for (size_t at = 0; at < n; at += RUN) {
        size_t last = n - at < RUN ? n : at + RUN;
        size_t most = d->n + RUN * d->longest + SLACK;
        SB_TRY(sb_grow(&d->out, &d->cap, most, 1, "a sentence"));
        char *to = d->out + d->n;
        for (size_t i = at; i < last; i++) {
            size_t start = d->start[ids[i]], k = d->start[ids[i] + 1] - start;
            if (k <= SLACK)
                memcpy(to, d->text + start, SLACK);
            else
                memcpy(to, d->text + start, k);
            to += k;
        }
        d->n = (size_t)(to - d->out);
    }
    return SB_OK;
}

static sb_status put_block(dump *d, const sb_block *b)
{
    sb_sentence s = sb_sentence_start(b);
    for (uint32_t i = 0; i < b->sentences && !d->unread; i++) {
        size_t before = d->n;
        sb_sentence_next(&s);
        SB_TRY(put_pieces(d, b->ids + s.begin, s.end - s.begin));
        if (d->n > before) d->out[d->n - 1] = '\n'; /* was a blank */
        if (d->n >= WRITE_BYTES) SB_TRY(flush(d));
    }
    return SB_OK;
}

static sb_status put_all(dump *d)
{
    uint64_t blocks = sb_corpus_blocks(d->corpus);
    for (uint64_t i = 0; i < blocks && !d->unread; i++) {
        sb_block b;
        if (sb_stop_asked()) SB_FAIL(SB_ESTOP, "asked to stop");
        SB_TRY(sb_corpus_block(d->corpus, i, &b));
        SB_TRY(put_block(d, &b));
    }
    return flush(d);
}

sb_status sb_dump_text(const sb_app *a, const char *dir)
{
    dump d = {0};
    sb_vocab *v = NULL;
    sb_output_start();
    sb_status st = sb_inspect_open(a, dir, &v, &d.corpus);
    if (st == SB_OK) st = lay_out_pieces(&d, v);
    if (st == SB_OK) st = put_all(&d);
    sb_vocab_close(v);
    sb_corpus_close(d.corpus);
    sb_free(d.text);
    sb_free(d.start);
    free(d.out);
    return st;
}
