/* SPDX-License-Identifier: MIT
 * pieces.c - copying and writing what a rank holds. */
#include "trainer/pieces.h"

#include <string.h>

#include "comm/base/mem.h"

enum { STRIP = 4 << 20, ROWS_BYTES = 8 << 20 };

static uint64_t bytes_of(const sb_tensor *table, const sb_piece *x)
{
    return x->n * sb_dtype_bytes(table[x->tensor].dtype);
}

uint64_t sb_pieces_bytes(const sb_tensor *table, const sb_piece *piece,
                         size_t pieces)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < pieces; i++) sum += bytes_of(table, &piece[i]);
    return sum;
}

/* `n` of a piece's bytes, from byte `at` on. */
static void copy_bytes(const sb_tensor *table, const sb_piece *x, uint64_t at,
                       uint64_t n, char *to)
{
    size_t item = sb_dtype_bytes(table[x->tensor].dtype);
    const char *from = x->data;
    if (!x->stride) {
        memcpy(to, from + at, n);
        return;
    }
    uint64_t row = x->width * item, apart = x->stride * item;
    while (n) {
        uint64_t in_row = at % row, take = row - in_row;
        if (take > n) take = n;
        memcpy(to, from + at / row * apart + in_row, take);
        at += take;
        to += take;
        n -= take;
    }
}

/* ---- copying ------------------------------------------------------------- */

typedef struct copying {
    const sb_tensor *table;
    const sb_piece *piece;
    size_t pieces;
    char *to;
} copying;

/* Bytes [task, task + 1) x STRIP of all pieces in a row. */
static sb_status copy_strip(void *context, size_t task, int worker)
{
    (void)worker;
    const copying *c = context;
    uint64_t first = (uint64_t)task * STRIP, last = first + STRIP, at = 0;
    for (size_t i = 0; i < c->pieces && at < last; i++) {
        uint64_t n = bytes_of(c->table, &c->piece[i]);
        uint64_t from = first > at ? first - at : 0;
        uint64_t to = last - at < n ? last - at : n;
        if (from < to)
            copy_bytes(c->table, &c->piece[i], from, to - from,
                       c->to + at + from);
        at += n;
    }
    return SB_OK;
}

sb_status sb_pieces_copy(const sb_tensor *table, sb_piece *piece, size_t pieces,
                         void *to, sb_pool *pool)
{
    copying c = {table, piece, pieces, to};
    uint64_t bytes = sb_pieces_bytes(table, piece, pieces);
    size_t strips = (size_t)((bytes + STRIP - 1) / STRIP);
    if (pool) SB_TRY(sb_pool_run(pool, strips, copy_strip, &c));
    for (size_t i = 0; !pool && i < strips; i++) SB_TRY(copy_strip(&c, i, 0));
    char *at = to;
    for (size_t i = 0; i < pieces; i++) {
        piece[i].data = at;
        piece[i].width = piece[i].stride = 0;
        at += bytes_of(table, &piece[i]);
    }
    return SB_OK;
}

/* ---- writing ------------------------------------------------------------- */

/* Rows that lie apart are brought together some at a time. */
static sb_status put_rows(sb_ckpt_part *p, const sb_tensor *table,
                          const sb_piece *x)
{
    size_t row = x->width * sb_dtype_bytes(table[x->tensor].dtype);
    size_t most = ROWS_BYTES / row + 1;
    char *rows;
    SB_TRY(sb_alloc(most, row, "rows to save", &rows));
    sb_status st = SB_OK;
    for (uint64_t done = 0; done < x->n && st == SB_OK;) {
        uint64_t at = done / x->width, left = x->n / x->width - at;
        uint64_t n = left < most ? left : most;
        copy_bytes(table, x, at * row, n * row, rows);
        st = sb_ckpt_put(p, x->tensor, x->first + done, n * x->width, rows);
        done += n * x->width;
    }
    sb_free(rows);
    return st;
}

sb_status sb_pieces_put(sb_ckpt_part *p, const sb_tensor *table,
                        const sb_piece *piece, size_t pieces)
{
    for (size_t i = 0; i < pieces; i++) {
        const sb_piece *x = &piece[i];
        if (x->stride)
            SB_TRY(put_rows(p, table, x));
        else
            SB_TRY(sb_ckpt_put(p, x->tensor, x->first, x->n, x->data));
    }
    return SB_OK;
}
