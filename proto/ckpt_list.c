/* SPDX-License-Identifier: MIT
 * ckpt_list.c - which checkpoints a folder has. */
#include <stdlib.h>

#include "comm/base/mem.h"
#include "proto/codec.h"

static int newest_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x > y ? -1 : x < y;
}

sb_status sb_ckpt_steps(const char *dir, uint64_t **steps_out, size_t *n_out)
{
    char **name = NULL;
    size_t n = 0, found = 0;
    uint64_t *step = NULL;
    sb_status st = sb_dir_list(dir, &name, &n);
    if (st != SB_OK && st != SB_ENOENT) return st;
    st = sb_alloc(n, sizeof *step, "checkpoint list", &step);
    for (size_t i = 0; i < n && st == SB_OK; i++)
        found += (size_t)sb_ckpt_name_step(name[i], &step[found]);
    if (found) qsort(step, found, sizeof *step, newest_first);
    sb_names_free(name, n);
    SB_TRY(st);
    *steps_out = step;
    *n_out = found;
    return SB_OK;
}

char *sb_ckpt_path(const char *dir, uint64_t step)
{
    char name[SB_CKPT_NAME_ROOM];
    sb_ckpt_name(step, name);
    return sb_path_join(dir, name);
}

sb_status sb_ckpt_latest(const char *dir, char **path_out)
{
    uint64_t *step;
    size_t n;
    SB_TRY(sb_ckpt_steps(dir, &step, &n));
    char *path = n ? sb_ckpt_path(dir, step[0]) : NULL;
    sb_free(step);
    SB_REQUIRE(n, SB_ENOENT, "no checkpoint in '%s'", dir);
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    *path_out = path;
    return SB_OK;
}

sb_status sb_ckpt_set_aside(const char *dir, uint64_t step)
{
    char *from = sb_ckpt_path(dir, step);
    char *to = from ? sb_format("%s.damaged", from) : NULL;
    sb_status st =
        to ? sb_dir_remove(to)
           : sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    if (st == SB_OK) st = sb_rename(from, to);
    if (st == SB_OK) st = sb_dir_sync(dir);
    sb_free(from);
    sb_free(to);
    return st;
}
