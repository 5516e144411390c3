/* SPDX-License-Identifier: MIT
 * inspect_checkpoint.c - tables, norms, and whether all of it can be read. */
#include "launch/inspect_checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/base/mem.h"
#include "proto/checkpoint.h"

static void add_squares(void *sum, const void *data, size_t bytes)
{
    double s = *(double *)sum;
    for (size_t at = 0; at < bytes; at += sizeof(float)) {
        float x;
        memcpy(&x, (const char *)data + at, sizeof x);
        s += (double)x * (double)x;
    }
    *(double *)sum = s;
}

static void ignore(void *arg, const void *data, size_t bytes)
{
    (void)arg, (void)data, (void)bytes;
}

/* Texts of the file: nothing that a terminal takes for a command. */
static void put_text(const char *text)
{
    for (; *text; text++) {
        int plain =
            *text == '\n' || ((unsigned char)*text >= ' ' && *text != 0x7f);
        putchar(plain ? *text : '?');
    }
}

static void show_meta(const char *path, const sb_ckpt *c)
{
    const sb_ckpt_meta *m = sb_ckpt_get_meta(c);
    printf("checkpoint %s: phase ", path);
    put_text(m->phase);
    printf(", %" PRIu64 " of %" PRIu64 " done, cursor %" PRIu64
           ", seed %" PRIu64 ", vocabulary %016" PRIx64 ", %zu parts\nbuild: ",
           m->step, m->total, m->cursor, m->seed, m->vocab_hash,
           sb_ckpt_parts(c));
    put_text(m->build);
    putchar('\n');
}

static sb_status show_tensor(sb_ckpt *c, size_t i)
{
    const sb_tensor *t = sb_ckpt_tensor(c, i);
    int real = t->dtype == SB_F32;
    double squares = 0;
    SB_TRY(sb_ckpt_scan(c, i, real ? add_squares : ignore, &squares));
    printf("  %-72s %s [", t->name, real ? "f32" : "u64");
    for (uint32_t k = 0; k < t->ndim; k++)
        printf("%s%" PRIu64, k ? ", " : "", t->dim[k]);
    putchar(']');
    if (real) printf("  norm %.6g", sqrt(squares));
    putchar('\n');
    return SB_OK;
}

sb_status sb_inspect_checkpoint(const char *path)
{
    sb_ckpt *c;
    SB_TRY(sb_ckpt_open(path, &c));
    sb_status st = SB_OK;
    show_meta(path, c);
    for (size_t i = 0; i < sb_ckpt_tensors(c) && st == SB_OK; i++)
        st = show_tensor(c, i);
    if (st == SB_OK) {
        puts("configuration:");
        put_text(sb_ckpt_get_meta(c)->config);
    }
    sb_ckpt_close(c);
    return st;
}

sb_status sb_inspect_hash(const char *path)
{
    sb_ckpt *c;
    uint64_t hash;
    SB_TRY(sb_ckpt_open(path, &c));
    sb_status st = sb_ckpt_hash(c, &hash);
    if (st == SB_OK) printf("%016" PRIx64 "\n", hash);
    sb_ckpt_close(c);
    return st;
}

static void say_whole(const char *path, const sb_ckpt *c)
{
    size_t n = sb_ckpt_tensors(c);
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        const sb_tensor *t = sb_ckpt_tensor(c, i);
        bytes += sb_tensor_elements(t) * sb_dtype_bytes(t->dtype);
    }
    printf("%s: OK, %zu tensors, %s in %zu parts\n", path, n,
           sb_bytes_text(bytes), sb_ckpt_parts(c));
}

sb_status sb_verify_checkpoint(const char *path)
{
    sb_ckpt *c = NULL;
    sb_status st = sb_ckpt_open(path, &c);
    if (st == SB_OK) st = sb_ckpt_verify(c);
    if (st == SB_OK)
        say_whole(path, c);
    else
        printf("%s: %s\n", path, sb_error_last()->text);
    sb_ckpt_close(c);
    return st;
}
