/* SPDX-License-Identifier: MIT
 * unit_files.c - what an unfinished ingest remembers of its units. */
#include "dataset/unit_files.h"

#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/mem.h"

typedef struct head {
    char magic[4];
    uint32_t crc; /* of what follows */
    uint64_t made_from;
} head;

enum { CRC_AT = 8 };
#define MAGIC     "SBU1"
#define BYTES_MAX ((size_t)1 << 36)

static char *path_of(const char *dir, size_t unit, const char *kind)
{
    return sb_format("%s/unit-%05zu.%s", dir, unit, kind);
}

sb_status sb_unit_put(const char *dir, size_t unit, const char *kind,
                      uint64_t made_from, const void *data, size_t bytes)
{
    char *all, *path = path_of(dir, unit, kind);
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    head h = {MAGIC, 0, made_from};
    sb_status st = sb_alloc(sizeof h + bytes, 1, "a unit's record", &all);
    if (st == SB_OK) {
        memcpy(all, &h, sizeof h);
        if (bytes) memcpy(all + sizeof h, data, bytes);
        h.crc = sb_crc32c(0, all + CRC_AT, sizeof h - CRC_AT + bytes);
        memcpy(all, &h, sizeof h);
        st = sb_file_write(path, all, sizeof h + bytes);
        sb_free(all);
    }
    sb_free(path);
    return st;
}

/* The head of all[0..n), checked. */
static sb_status check(const char *path, const char *all, size_t n, size_t item,
                       head *h)
{
    int good = n >= sizeof *h && (n - sizeof *h) % item == 0;
    if (good) {
        memcpy(h, all, sizeof *h);
        good = memcmp(h->magic, MAGIC, sizeof h->magic) == 0 &&
               h->crc == sb_crc32c(0, all + CRC_AT, n - CRC_AT);
    }
    if (good) return SB_OK;
    sb_fail(SB_EFORMAT, __FILE__, __LINE__, "'%s' is damaged", path);
    return sb_hint("delete it and run the same command again");
}

sb_status sb_unit_get(const char *dir, size_t unit, const char *kind,
                      uint64_t made_from, size_t item, void **data_out,
                      size_t *bytes_out)
{
    char *all = NULL, *path = path_of(dir, unit, kind);
    head h;
    size_t n;
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    *data_out = NULL;
    *bytes_out = 0;
    sb_status st = SB_OK;
    if (!sb_file_exists(path)) goto out;
    SB_GOTO(st, sb_file_read(path, BYTES_MAX, &all, &n), out);
    SB_GOTO(st, check(path, all, n, item, &h), out);
    if (h.made_from != made_from) goto out;
    *bytes_out = n - sizeof h;
    memmove(all, all + sizeof h, *bytes_out);
    *data_out = all;
    all = NULL;
out:
    sb_free(all);
    sb_free(path);
    return st;
}

sb_status sb_unit_remove(const char *dir, size_t unit, const char *kind)
{
    char *path = path_of(dir, unit, kind);
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    sb_status st = sb_dir_remove(path);
    sb_free(path);
    return st;
}
