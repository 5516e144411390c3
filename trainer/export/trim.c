/* SPDX-License-Identifier: MIT
 * trim.c - rows on their way from one checkpoint to another: a piece of the
 * old tensor is read, its rows that stay are moved together, and written. */
#include "trainer/export/trim.h"

#include <inttypes.h>
#include <string.h>

#include "comm/base/mem.h"
#include "trainer/names.h"

enum { PIECE = 8 << 20 /* floats */ };

typedef struct trimmer {
    sb_ckpt *ckpt;
    uint64_t rows; /* of the old vocabulary */
    uint32_t kept; /* of the new one */
    const uint32_t *old;
    sb_tensor *tensor; /* [tensors] of the new checkpoint */
    size_t *from;      /* [tensors] index in the old one */
    size_t tensors;
    float *piece;
    sb_ckpt_part *part;
} trimmer;

static int is_by_row(const sb_tensor *t)
{
    return strcmp(t->name, SB_TABLE_NAME) == 0 ||
           strcmp(t->name, SB_BIAS_NAME) == 0;
}

static int is_weight(const sb_tensor *t)
{
    return t->dtype == SB_F32 && strncmp(t->name, "adam.", 5) != 0;
}

/* ---- tensors ------------------------------------------------------------- */

static sb_status choose(trimmer *k)
{
    size_t n = sb_ckpt_tensors(k->ckpt), i;
    SB_TRY(sb_ckpt_find(k->ckpt, SB_TABLE_NAME, &i));
    SB_TRY(sb_alloc(n, sizeof *k->tensor, "tensors", &k->tensor));
    SB_TRY(sb_alloc(n, sizeof *k->from, "tensors", &k->from));
    for (i = 0; i < n; i++) {
        sb_tensor t = *sb_ckpt_tensor(k->ckpt, i);
        if (!is_weight(&t)) continue;
        if (is_by_row(&t)) {
            SB_REQUIRE(t.dim[0] == k->rows && t.ndim <= 2, SB_EFORMAT,
                       "tensor '%s' has %" PRIu64
                       " rows, the vocabulary %" PRIu64 " pieces",
                       t.name, t.dim[0], k->rows);
            t.dim[0] = k->kept;
        }
        k->from[k->tensors] = i;
        k->tensor[k->tensors++] = t;
    }
    return SB_OK;
}

static sb_status copy_whole(trimmer *k, size_t i)
{
    const sb_tensor *t = sb_ckpt_tensor(k->ckpt, k->from[i]);
    uint64_t n = sb_tensor_elements(t);
    for (uint64_t at = 0; at < n; at += PIECE) {
        uint64_t m = n - at < PIECE ? n - at : PIECE;
        SB_TRY(sb_ckpt_get(k->ckpt, t, at, m, k->piece));
        SB_TRY(sb_ckpt_put(k->part, i, at, m, k->piece));
    }
    return SB_OK;
}

static sb_status copy_rows(trimmer *k, size_t i)
{
    const sb_tensor *t = sb_ckpt_tensor(k->ckpt, k->from[i]);
    uint64_t width = t->ndim == 2 ? t->dim[1] : 1, step = PIECE / width;
    SB_REQUIRE(step, SB_ELIMIT, "tensor '%s' is %" PRIu64 " wide", t->name,
               width);
    uint32_t done = 0;
    for (uint64_t row = 0; row < k->rows; row += step) {
        uint64_t n = k->rows - row < step ? k->rows - row : step;
        uint32_t begin = done;
        SB_TRY(sb_ckpt_get(k->ckpt, t, row * width, n * width, k->piece));
        for (; done < k->kept && k->old[done] < row + n; done++)
            memmove(k->piece + (done - begin) * width,
                    k->piece + (k->old[done] - row) * width,
                    width * sizeof *k->piece);
        SB_TRY(sb_ckpt_put(k->part, i, begin * width, (done - begin) * width,
                           k->piece));
    }
    return SB_OK;
}

/* ---- the checkpoint ------------------------------------------------------ */

static sb_status write_part(trimmer *k, const char *dir, uint64_t step,
                            void **desc, size_t *bytes)
{
    SB_TRY(
        sb_reserve(PIECE, sizeof *k->piece, "a piece of a tensor", &k->piece));
    SB_TRY(sb_ckpt_part_open(dir, step, 0, k->tensor, k->tensors, &k->part));
    for (size_t i = 0; i < k->tensors; i++) {
        sb_status st =
            is_by_row(&k->tensor[i]) ? copy_rows(k, i) : copy_whole(k, i);
        if (st == SB_OK) continue;
        sb_ckpt_part_abandon(k->part);
        return st;
    }
    return sb_ckpt_part_close(k->part, desc, bytes);
}

static sb_status write_checkpoint(trimmer *k, const sb_vocab *smaller,
                                  const char *dir)
{
    sb_ckpt_meta meta = *sb_ckpt_get_meta(k->ckpt);
    void *desc = NULL;
    size_t bytes = 0;
    meta.vocab_hash = sb_vocab_hash(smaller);
    SB_TRY(sb_ckpt_begin(dir, meta.step));
    sb_status st = write_part(k, dir, meta.step, &desc, &bytes);
    if (st == SB_OK)
        st = sb_ckpt_commit(dir, &meta, k->tensor, k->tensors,
                            (const void *const[]){desc}, &bytes, 1);
    if (st != SB_OK) sb_ckpt_abandon(dir, meta.step);
    sb_free(desc);
    return st;
}

sb_status sb_trim_write(sb_ckpt *ckpt, uint64_t rows, const sb_vocab *smaller,
                        const uint32_t *old, const char *dir)
{
    trimmer k = {
        .ckpt = ckpt, .rows = rows, .kept = sb_vocab_size(smaller), .old = old};
    sb_status st = choose(&k);
    if (st == SB_OK) st = write_checkpoint(&k, smaller, dir);
    sb_free(k.tensor);
    sb_free(k.from);
    sb_free(k.piece);
    return st;
}
