/* SPDX-License-Identifier: MIT
 * state.c - a checkpoint is written by all ranks and committed by one.
 *
 * Between two collectives every rank does its own part into a status, and
 * sb_agree makes that status common, so all ranks take the same way out. Rank
 * 0 alone touches the folder (begin, commit, abandon, prune), and only when
 * no rank holds a file of it open.
 */
#include "trainer/state.h"

#include <stdio.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/hash.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "trainer/kernels/kernels.h"

#ifndef SB_VERSION
#define SB_VERSION "0.1.0"
#endif

void sb_state_build(int onednn, char build_out[128])
{
#ifdef __clang__
    static const char compiler[] = "";
#else
    static const char compiler[] = "gcc ";
#endif
    snprintf(build_out, 128, "shardbert %s, %s%.60s, OpenBLAS %.24s, %s",
             SB_VERSION, compiler, __VERSION__, sb_kernels_core(),
             sb_kernels_set());
    char version[16];
    size_t n = strlen(build_out);
    if (onednn && sb_kernels_onednn(version))
        snprintf(build_out + n, 128 - n, ", oneDNN %s %s", version,
                 sb_kernels_onednn_set());
}

void sb_state_version(char version_out[256])
{
    char build[128], onednn[16];
    sb_state_build(1, build);
    snprintf(version_out, 256, "%s, %s%s", build,
             sb_kernels_onednn(onednn) ? "" : "no oneDNN, ",
             sb_precision_lacks(SB_BF16) ? "no bf16 here" : "bf16");
}

void sb_state_compare_build(sb_comm *c, int onednn, const sb_ckpt_meta *then)
{
    char now[128];
    sb_state_build(onednn, now);
    if (!sb_comm_same(c, sb_hash64(now, strlen(now))))
        sb_log(SB_LOG_WARN,
               "the ranks differ in build or processor (rank 0: "
               "%s): the run's bits depend on who computes what",
               now);
    if (then && strcmp(then->build, now) != 0)
        sb_log(SB_LOG_WARN,
               "the checkpoint was made by %s, this is %s: from "
               "here on bits differ from an uninterrupted run",
               then->build, now);
}

/* ---- saving -------------------------------------------------------------- */

enum { ROWS_BYTES = 8 << 20 };

typedef struct save {
    const char *dir;
    const sb_ckpt_meta *meta;
    const sb_tensor *table;
    size_t tensors;
    void *desc; /* of this rank's part */
    size_t desc_bytes;
} save;

/* A hash of what has to be the same everywhere: the step and the table. */
static sb_status same_everywhere(sb_comm *c, const save *s)
{
    uint64_t h = sb_hash64(&s->meta->step, sizeof s->meta->step);
    for (size_t i = 0; i < s->tensors; i++) {
        const sb_tensor *t = &s->table[i];
        uint64_t x[3 + SB_DIMS_MAX] = {h, (uint64_t)t->dtype, t->ndim};
        memcpy(x + 3, t->dim, sizeof t->dim);
        x[0] ^= sb_hash64(t->name, strnlen(t->name, sizeof t->name));
        h = sb_hash64(x, sizeof x);
    }
    uint64_t both[2] = {h, ~h};
    sb_comm_max_u64(c, both, 2);
    SB_REQUIRE(both[0] == ~both[1], SB_EBUG,
               "ranks save different checkpoints (step %llu)",
               (unsigned long long)s->meta->step);
    return SB_OK;
}

/* Rank 0 looks and, if need be, makes the staging folder. */
static sb_status begin(sb_comm *c, const save *s, int *exists_out)
{
    sb_status st = SB_OK;
    uint64_t exists = 0;
    if (sb_comm_rank(c) == 0) {
        exists = (uint64_t)sb_ckpt_exists(s->dir, s->meta->step);
        if (!exists) st = sb_ckpt_begin(s->dir, s->meta->step);
    }
    SB_TRY(sb_agree(c, st));
    sb_comm_bcast(c, &exists, sizeof exists, 0);
    *exists_out = exists != 0;
    return SB_OK;
}

/* Rows that lie apart are brought together some at a time. */
static sb_status put_rows(sb_ckpt_part *p, size_t item, const sb_piece *x)
{
    size_t row = item * x->width, most = ROWS_BYTES / row + 1;
    const char *from = x->data;
    char *rows;
    SB_TRY(sb_alloc(most, row, "rows to save", &rows));
    sb_status st = SB_OK;
    for (uint64_t done = 0; done < x->n && st == SB_OK;) {
        uint64_t left = (x->n - done) / x->width, n = left < most ? left : most;
        for (uint64_t i = 0; i < n; i++, from += item * x->stride)
            memcpy(rows + i * row, from, row);
        n *= x->width;
        st = sb_ckpt_put(p, x->tensor, x->first + done, n, rows);
        done += n;
    }
    sb_free(rows);
    return st;
}

static sb_status put_piece(sb_ckpt_part *p, const sb_tensor *table,
                           const sb_piece *x)
{
    if (!x->stride) return sb_ckpt_put(p, x->tensor, x->first, x->n, x->data);
    return put_rows(p, sb_dtype_bytes(table[x->tensor].dtype), x);
}

/* Local. A rank that owns nothing writes no file. */
static sb_status write_part(sb_comm *c, save *s, const sb_piece *piece,
                            size_t pieces)
{
    uint64_t mine = 0;
    for (size_t i = 0; i < pieces; i++) mine |= piece[i].n;
    if (!mine) return SB_OK;
    sb_ckpt_part *p;
    SB_TRY(sb_ckpt_part_open(s->dir, s->meta->step, (uint32_t)sb_comm_rank(c),
                             s->table, s->tensors, &p));
    for (size_t i = 0; i < pieces; i++) {
        sb_status st = put_piece(p, s->table, &piece[i]);
        if (st != SB_OK) {
            sb_ckpt_part_abandon(p);
            return st;
        }
    }
    return sb_ckpt_part_close(p, &s->desc, &s->desc_bytes);
}

/* Rank 0, local: commit the parts whose descriptions lie in `all`, one behind
 * the other. */
static sb_status commit(const save *s, const char *all, const size_t *bytes,
                        size_t ranks)
{
    const void **desc;
    size_t *desc_bytes, n = 0;
    SB_TRY(sb_alloc(ranks, sizeof *desc, "part list", &desc));
    sb_status st =
        sb_alloc(ranks, sizeof *desc_bytes, "part list", &desc_bytes);
    if (st == SB_OK) {
        for (size_t r = 0; r < ranks; r++) {
            if (bytes[r]) {
                desc[n] = all;
                desc_bytes[n++] = bytes[r];
            }
            all += bytes[r];
        }
        st = sb_ckpt_commit(s->dir, s->meta, s->table, s->tensors, desc,
                            desc_bytes, n);
        sb_free(desc_bytes);
    }
    sb_free(desc);
    return st;
}

/* Descriptions to rank 0, which commits. n: [2 x size] scratch. */
static sb_status gather_and_commit(sb_comm *c, const save *s, size_t *n)
{
    size_t size = (size_t)sb_comm_size(c), total = 0;
    size_t *send_n = n, *recv_n = n + size;
    send_n[0] = s->desc_bytes;
    sb_comm_exchange_counts(c, send_n, recv_n);
    for (size_t r = 0; r < size; r++) total += recv_n[r];
    char *all = NULL;
    sb_status st = sb_alloc(total, 1, "part descriptions", &all);
    st = sb_agree(c, st);
    if (st == SB_OK) {
        sb_comm_exchange(c, 1, s->desc ? s->desc : "", send_n, all, recv_n);
        if (sb_comm_rank(c) == 0) st = commit(s, all, recv_n, size);
        st = sb_agree(c, st);
    }
    sb_free(all);
    return st;
}

static sb_status write_all(sb_comm *c, save *s, const sb_piece *pieces,
                           size_t npieces)
{
    size_t *n = NULL;
    sb_status st =
        sb_alloc(2 * (size_t)sb_comm_size(c), sizeof *n, "part list", &n);
    if (st == SB_OK) st = write_part(c, s, pieces, npieces);
    st = sb_agree(c, st);
    if (st == SB_OK) st = gather_and_commit(c, s, n);
    sb_free(n);
    sb_free(s->desc);
    return st;
}

sb_status sb_state_save(sb_comm *c, const char *dir, const sb_ckpt_meta *meta,
                        const sb_tensor *table, size_t tensors,
                        const sb_piece *pieces, size_t npieces, unsigned keep)
{
    save s = {dir, meta, table, tensors, NULL, 0};
    int exists;
    SB_TRY(same_everywhere(c, &s));
    SB_TRY(begin(c, &s, &exists));
    if (exists) return SB_OK;
    sb_status st = write_all(c, &s, pieces, npieces);
    if (sb_comm_rank(c) == 0) {
        if (st != SB_OK)
            sb_ckpt_abandon(dir, meta->step);
        else if (keep && sb_ckpt_prune(dir, keep) != SB_OK)
            /* The new checkpoint is safe; an old one too many harms nobody. */
            sb_log(SB_LOG_WARN, "an old checkpoint stays: %s",
                   sb_error_last()->text);
    }
    return st;
}

/* ---- opening ------------------------------------------------------------- */

/* Rank 0's newest path to all; NULL if there is none. */
static sb_status share_path(sb_comm *c, const char *dir, char **path_out)
{
    char *path = NULL;
    sb_status st = SB_OK;
    if (sb_comm_rank(c) == 0) {
        st = sb_ckpt_latest(dir, &path);
        if (st == SB_ENOENT) st = SB_OK;
    }
    uint64_t bytes = path ? strlen(path) + 1 : 0;
    SB_TRY(sb_agree(c, st)); /* path is NULL if rank 0 failed */
    sb_comm_bcast(c, &bytes, sizeof bytes, 0);
    if (bytes && !path) st = sb_alloc((size_t)bytes, 1, "a path", &path);
    st = sb_agree(c, st);
    if (st != SB_OK) {
        sb_free(path);
        return st;
    }
    if (bytes) sb_comm_bcast(c, path, (size_t)bytes, 0);
    *path_out = path;
    return SB_OK;
}

sb_status sb_state_latest(sb_comm *c, const char *dir, sb_ckpt **ckpt_out)
{
    char *path;
    SB_TRY(share_path(c, dir, &path));
    sb_ckpt *ckpt = NULL;
    sb_status st = SB_OK;
    if (path) st = sb_ckpt_open(path, &ckpt);
    sb_free(path);
    st = sb_agree(c, st);
    if (st != SB_OK) {
        sb_ckpt_close(ckpt);
        return st;
    }
    *ckpt_out = ckpt;
    return SB_OK;
}
