/* SPDX-License-Identifier: MIT
 * pieces.h - what a rank holds of a checkpoint's tensors: counted, copied, put
 * into a part. Local; knows no ranks. */
#ifndef SB_TRAINER_PIECES_H
#define SB_TRAINER_PIECES_H

#include "comm/base/pool.h"
#include "proto/checkpoint.h"

/* Elements [first, first + n) of tensor `tensor` of the table, in memory: one
 * behind the other or, if stride is not 0, in rows of `width` elements that are
 * `stride` elements apart; first and n are then whole rows. */
typedef struct sb_piece {
    size_t tensor;
    uint64_t first, n;
    const void *data;
    uint64_t width, stride;
} sb_piece;

/* Bytes of their elements. */
uint64_t sb_pieces_bytes(const sb_tensor *table, const sb_piece *piece,
                         size_t pieces);

/* Copy all elements to `to` [sb_pieces_bytes], one behind the other; from then
 * on the pieces are these. Shared out over the workers of `pool` (NULL: none),
 * which must be idle. */
SB_MUST_USE sb_status sb_pieces_copy(const sb_tensor *table, sb_piece *piece,
                                     size_t pieces, void *to, sb_pool *pool);

/* Put them all. */
SB_MUST_USE sb_status sb_pieces_put(sb_ckpt_part *p, const sb_tensor *table,
                                    const sb_piece *piece, size_t pieces);

#endif
