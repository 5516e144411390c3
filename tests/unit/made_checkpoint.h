/* SPDX-License-Identifier: MIT
 * made_checkpoint.h - a small checkpoint of two parts for the tests of
 * proto/. */
#ifndef SB_TESTS_MADE_CHECKPOINT_H
#define SB_TESTS_MADE_CHECKPOINT_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "proto/checkpoint.h"

enum { ROWS = 7, COLS = 5, CELLS = ROWS * COLS, IDS = 3 };

static const sb_tensor table[] = {
    {"weights", SB_F32, 2, {ROWS, COLS}},
    {"ids", SB_U64, 1, {IDS}},
    {"bias", SB_F32, 1, {1}},
};
enum { TENSORS = sizeof table / sizeof *table };

static float weights[CELLS], bias[1] = {0.5f};
static uint64_t ids[IDS] = {1, UINT64_MAX, 3};
static char dir[64];
static char config[] = "steps = 10\n";

static int up(void **state)
{
    (void)state;
    for (int i = 0; i < CELLS; i++) weights[i] = (float)i + 0.25f;
    strcpy(dir, "/tmp/sb-test-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int down(void **state)
{
    (void)state;
    return sb_dir_remove(dir) == SB_OK ? 0 : -1;
}

static inline sb_ckpt_meta meta_of(uint64_t step)
{
    sb_ckpt_meta m = {"mlm",        step,  100, 320, 42, 0xfeedfacecafebeefu,
                      "test build", config};
    return m;
}

typedef struct plan {
    size_t tensor;
    uint64_t first, n;
} plan;

/* The parts of a small checkpoint: everything once, over two writers. */
static const plan plan0[] = {{0, 0, 20}, {1, 0, 3}};
static const plan plan1[] = {{2, 0, 1}, {0, 20, CELLS - 20}};

static inline const void *cells(size_t tensor, uint64_t first)
{
    return tensor == 0   ? (const void *)(weights + first)
           : tensor == 1 ? (const void *)(ids + first)
                         : (const void *)(bias + first);
}

static inline sb_status write_part(uint64_t step, uint32_t writer,
                                   const plan *p, size_t n, void **desc,
                                   size_t *bytes)
{
    sb_ckpt_part *part;
    SB_TRY(sb_ckpt_part_open(dir, step, writer, table, TENSORS, &part));
    for (size_t i = 0; i < n; i++) {
        sb_status st = sb_ckpt_put(part, p[i].tensor, p[i].first, p[i].n,
                                   cells(p[i].tensor, p[i].first));
        if (st != SB_OK) {
            sb_ckpt_part_abandon(part);
            return st;
        }
    }
    return sb_ckpt_part_close(part, desc, bytes);
}

static inline sb_status save_plans(uint64_t step, const plan *a, size_t na,
                                   const plan *b, size_t nb)
{
    void *desc[2] = {0};
    size_t bytes[2];
    sb_ckpt_meta m = meta_of(step);
    sb_status st = sb_ckpt_begin(dir, step);
    if (st == SB_OK) st = write_part(step, 0, a, na, &desc[0], &bytes[0]);
    if (st == SB_OK) st = write_part(step, 9, b, nb, &desc[1], &bytes[1]);
    if (st == SB_OK)
        st = sb_ckpt_commit(dir, &m, table, TENSORS, (const void *const *)desc,
                            bytes, 2);
    if (st != SB_OK) sb_ckpt_abandon(dir, step);
    sb_free(desc[0]);
    sb_free(desc[1]);
    return st;
}

static inline sb_status save_small(uint64_t step)
{
    return save_plans(step, plan0, 2, plan1, 2);
}

static inline sb_ckpt *open_latest(void)
{
    char *path;
    sb_ckpt *c;
    assert_int_equal(sb_ckpt_latest(dir, &path), SB_OK);
    assert_int_equal(sb_ckpt_open(path, &c), SB_OK);
    sb_free(path);
    return c;
}

static inline const char *path_of(uint64_t step)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/ckpt-%09llu", dir,
             (unsigned long long)step);
    return path;
}

/* Open the checkpoint of `step`, read all of it, and compare: SB_EBUG would be
 * a checkpoint that lies. */
static inline sb_status read_all(uint64_t step)
{
    sb_ckpt *c;
    SB_TRY(sb_ckpt_open(path_of(step), &c));
    sb_status st;
    float w[CELLS], b[1];
    uint64_t d[IDS];
    st = sb_ckpt_get(c, &table[0], 0, CELLS, w);
    if (st == SB_OK) st = sb_ckpt_get(c, &table[1], 0, IDS, d);
    if (st == SB_OK) st = sb_ckpt_get(c, &table[2], 0, 1, b);
    const sb_ckpt_meta *m = sb_ckpt_get_meta(c);
    sb_ckpt_meta is = meta_of(step);
    if (st == SB_OK &&
        (memcmp(w, weights, sizeof w) || memcmp(d, ids, sizeof d) ||
         memcmp(b, bias, sizeof b) || strcmp(m->phase, is.phase) ||
         strcmp(m->build, is.build) || strcmp(m->config, config) ||
         m->step != step || m->total != is.total || m->cursor != is.cursor ||
         m->seed != is.seed || m->vocab_hash != is.vocab_hash))
        st = SB_EBUG;
    sb_ckpt_close(c);
    return st;
}

/* Open it and look at all of it without asking for anything. */
static inline sb_status verify(uint64_t step)
{
    sb_ckpt *c;
    SB_TRY(sb_ckpt_open(path_of(step), &c));
    sb_status st = sb_ckpt_verify(c);
    sb_ckpt_close(c);
    return st;
}

static inline size_t entries(void)
{
    char **names;
    size_t n;
    assert_int_equal(sb_dir_list(dir, &names, &n), SB_OK);
    sb_names_free(names, n);
    return n;
}

#endif
