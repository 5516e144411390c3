/* SPDX-License-Identifier: MIT
 * to_file.c - rows leave in another order than they are stored in. So the file
 * is written band by band: the table passes by, and the rows of the band are
 * kept. */
#include "trainer/word2vec/to_file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "trainer/names.h"
#include "trainer/word2vec/candidates.h"

enum { PANEL_BYTES = 32 << 20, NO_PLACE = UINT32_MAX };

typedef struct writer {
    sb_ckpt *ckpt;
    const sb_vocab *vocab;
    const sb_w2v_file *how;
    sb_tensor tensor; /* [V, D] */
    size_t D;
    sb_candidates words; /* the order */
    uint32_t *place;     /* [V] in the file, or NO_PLACE */
    float *panel;        /* [panel_rows, D] as stored */
    size_t panel_rows;
    float *band; /* [band_rows, D] in the order of the file */
    size_t band_rows;
    sb_out *out;
} writer;

/* ---- rows ---------------------------------------------------------------- */

/* Rows [from, to) of the file's order into w->band. */
static sb_status read_band(writer *w, size_t from, size_t to)
{
    uint64_t V = w->tensor.dim[0];
    size_t row_bytes = w->D * sizeof *w->band;
    for (uint64_t first = 0; first < V; first += w->panel_rows) {
        uint64_t n = V - first < w->panel_rows ? V - first : w->panel_rows;
        SB_TRY(
            sb_ckpt_get(w->ckpt, &w->tensor, first * w->D, n * w->D, w->panel));
        for (uint64_t i = 0; i < n; i++) {
            uint32_t at = w->place[first + i];
            if (at < from || at >= to) continue;
            memcpy(w->band + (at - from) * w->D, w->panel + i * w->D,
                   row_bytes);
        }
    }
    return SB_OK;
}

static void put_row(writer *w, size_t at, const float *row)
{
    const char *piece = sb_vocab_piece(w->vocab, w->words.row[at]);
    char number[32];
    sb_out_put(w->out, piece, strlen(piece));
    if (w->how->binary) {
        sb_out_put(w->out, " ", 1);
        sb_out_put(w->out, row, w->D * sizeof *row);
    }
    for (size_t i = 0; i < w->D && !w->how->binary; i++) {
        int n = snprintf(number, sizeof number, " %.9g", (double)row[i]);
        sb_out_put(w->out, number, (size_t)n);
    }
    sb_out_put(w->out, "\n", 1);
}

static sb_status put_all(writer *w)
{
    char head[64];
    size_t n = w->words.n;
    sb_out_put(w->out, head,
               (size_t)snprintf(head, sizeof head, "%zu %zu\n", n, w->D));
    for (size_t from = 0; from < n; from += w->band_rows) {
        size_t to = n - from < w->band_rows ? n : from + w->band_rows;
        SB_TRY(read_band(w, from, to));
        for (size_t at = from; at < to; at++)
            put_row(w, at, w->band + (at - from) * w->D);
    }
    return SB_OK;
}

/* ---- the order ----------------------------------------------------------- */

static sb_status open_tensor(writer *w)
{
    size_t i;
    uint32_t V = sb_vocab_size(w->vocab);
    SB_TRY(sb_ckpt_find(w->ckpt, w->how->tensor, &i));
    w->tensor = *sb_ckpt_tensor(w->ckpt, i);
    SB_REQUIRE(w->tensor.ndim == 2 && w->tensor.dtype == SB_F32 &&
                   w->tensor.dim[0] == V && w->tensor.dim[1] > 0 &&
                   w->tensor.dim[1] <= SB_VECTORS_DIM_MAX,
               SB_EINVAL,
               "tensor '%s' is not a row of floats for each of the "
               "vocabulary's %u pieces",
               w->tensor.name, V);
    w->D = (size_t)w->tensor.dim[1];
    return SB_OK;
}

static sb_status order_words(writer *w)
{
    uint32_t V = sb_vocab_size(w->vocab);
    uint64_t *counts;
    sb_tensor t = {SB_W2V_COUNTS, SB_U64, 1, {V}};
    SB_TRY(sb_alloc(V, sizeof *counts, "counts", &counts));
    sb_status st = sb_ckpt_get(w->ckpt, &t, 0, V, counts);
    if (st == SB_OK)
        st = sb_candidates_of_vocab(w->vocab, counts, 0, &w->words);
    sb_free(counts);
    SB_TRY(st);
    SB_TRY(sb_alloc(V, sizeof *w->place, "places", &w->place));
    for (uint32_t id = 0; id < V; id++) w->place[id] = NO_PLACE;
    for (size_t i = 0; i < w->words.n; i++) {
        const char *piece = sb_vocab_piece(w->vocab, w->words.row[i]);
        SB_REQUIRE(!strpbrk(piece, " \t") &&
                       strlen(piece) <= SB_VECTORS_WORD_MAX,
                   SB_EFORMAT,
                   "the piece '%.64s' holds a blank, or is too long: a file of "
                   "word vectors cannot name it",
                   piece);
        w->place[w->words.row[i]] = (uint32_t)i;
    }
    return SB_OK;
}

static size_t rows_in(size_t bytes, size_t D, size_t most)
{
    size_t n = bytes / (D * sizeof(float));
    return n < 1 ? 1 : n < most ? n : most;
}

static sb_status open_writer(writer *w)
{
    SB_TRY(open_tensor(w));
    SB_TRY(order_words(w));
    w->panel_rows = rows_in(PANEL_BYTES, w->D, (size_t)w->tensor.dim[0]);
    w->band_rows = rows_in(w->how->memory, w->D, w->words.n);
    SB_TRY(
        sb_alloc(w->panel_rows * w->D, sizeof *w->panel, "vectors", &w->panel));
    return sb_alloc(w->band_rows * w->D, sizeof *w->band, "vectors", &w->band);
}

static sb_status write_file(writer *w, const char *path, const char *tmp)
{
    SB_TRY(open_writer(w));
    unlink(tmp); /* left by a process that was killed */
    SB_TRY(sb_out_open(tmp, &w->out));
    sb_status st = put_all(w);
    if (st != SB_OK) {
        sb_out_abandon(w->out);
        return st;
    }
    st = sb_out_close(w->out);
    if (st == SB_OK) st = sb_rename(tmp, path);
    if (st != SB_OK) unlink(tmp);
    return st;
}

sb_status sb_w2v_to_file(sb_ckpt *ckpt, const sb_vocab *vocab,
                         const sb_w2v_file *how, const char *path,
                         size_t *rows_out)
{
    writer w = {.ckpt = ckpt, .vocab = vocab, .how = how};
    char *tmp = sb_format("%s.tmp", path);
    sb_status st =
        tmp ? write_file(&w, path, tmp)
            : sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    if (st == SB_OK) *rows_out = w.words.n;
    sb_free(tmp);
    sb_free(w.place);
    sb_free(w.panel);
    sb_free(w.band);
    sb_candidates_free(&w.words);
    return st;
}
