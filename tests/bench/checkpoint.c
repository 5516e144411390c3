/* SPDX-License-Identifier: MIT
 * checkpoint.c - seconds that writing and reading a checkpoint takes, one rank.
 * usage: bench_checkpoint write|read DIR MIB
 *   write: a checkpoint of one tensor of noise, step 1, in DIR, which is new;
 *          prints the seconds until it is synced, and those of reading it back
 *   read:  all of it into the same 24 MiB of memory; prints the seconds
 * tests/bench/checkpoint.sh runs it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/rng.h"
#include "proto/checkpoint.h"

enum { D = 768, PANEL = 8192 * D };

static sb_status fill(float *x, size_t n)
{
    sb_rng_key key = sb_rng_key_make(1, SB_RNG_TEST);
    for (size_t i = 0; i < n; i += 4) {
        sb_rng4 four = sb_rng_at(key, i, 0, 0);
        memcpy(x + i, four.v, sizeof four.v);
    }
    return SB_OK;
}

static sb_status write_one(const char *dir, const sb_tensor *t, const float *x)
{
    sb_ckpt_meta m = {.phase = "mlm", .step = 1, .total = 1};
    sb_ckpt_part *p;
    void *desc;
    size_t bytes;
    SB_TRY(sb_ckpt_begin(dir, 1));
    double start = sb_now();
    SB_TRY(sb_ckpt_part_open(dir, 1, 0, t, 1, &p));
    SB_TRY(sb_ckpt_put(p, 0, 0, sb_tensor_elements(t), x));
    SB_TRY(sb_ckpt_part_sync(p));
    double written = sb_now();
    SB_TRY(sb_ckpt_part_verify(p));
    double verified = sb_now();
    SB_TRY(sb_ckpt_part_close(p, &desc, &bytes));
    const void *all[] = {desc};
    SB_TRY(sb_ckpt_commit(dir, &m, t, 1, all, &bytes, 1));
    double end = sb_now();
    sb_free(desc);
    printf("%.4f %.4f\n", written - start + (end - verified),
           verified - written);
    return SB_OK;
}

static sb_status read_one(const char *dir, const sb_tensor *t, float *x)
{
    char *path;
    sb_ckpt *c;
    double start = sb_now();
    SB_TRY(sb_ckpt_latest(dir, &path));
    SB_TRY(sb_ckpt_open(path, &c));
    uint64_t all = sb_tensor_elements(t);
    for (uint64_t at = 0, n; at < all; at += n) {
        n = all - at < PANEL ? all - at : PANEL;
        SB_TRY(sb_ckpt_get(c, t, at, n, x));
    }
    sb_ckpt_close(c);
    sb_free(path);
    printf("%.4f\n", sb_now() - start);
    return SB_OK;
}

int main(int argc, char **argv)
{
    if (argc != 4) return 2;
    sb_tensor t = {"noise", SB_F32, 2, {0, D}};
    t.dim[0] = strtoull(argv[3], NULL, 10) * (1 << 20) / (D * sizeof(float));
    size_t n = (size_t)sb_tensor_elements(&t);
    float *x;
    int writes = strcmp(argv[1], "write") == 0;
    sb_status st = sb_alloc(writes ? n : PANEL, sizeof *x, "noise", &x);
    if (st == SB_OK && writes) st = fill(x, n);
    if (st == SB_OK)
        st = writes ? write_one(argv[2], &t, x) : read_one(argv[2], &t, x);
    if (st != SB_OK) sb_fatal(NULL);
    sb_free(x);
    return 0;
}
