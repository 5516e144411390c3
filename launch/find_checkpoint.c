/* SPDX-License-Identifier: MIT
 * find_checkpoint.c - look inside. */
#include "launch/find_checkpoint.h"

#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"

/* "a/mlm" of "a/mlm/ckpt-000000007", with or without slashes behind it. */
static char *folder_of(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    while (n > 0 && path[n - 1] != '/') n--;
    while (n > 1 && path[n - 1] == '/') n--;
    return n ? sb_format("%.*s", (int)n, path) : sb_format(".");
}

sb_status sb_find_checkpoint(const char *path, sb_ckpt **ckpt_out,
                             char **dir_out)
{
    char *manifest = sb_path_join(path, "manifest.pb"), *found = NULL;
    SB_REQUIRE(manifest, SB_ENOMEM, "out of memory: a path");
    sb_status st = SB_OK;
    if (!sb_file_exists(manifest))
        st = sb_ckpt_latest(path, &found);
    else if (!(found = sb_format("%s", path)))
        st = sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    sb_free(manifest);
    char *dir = st == SB_OK ? folder_of(found) : NULL;
    if (st == SB_OK && !dir)
        st = sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    if (st == SB_OK) st = sb_ckpt_open(found, ckpt_out);
    if (st == SB_OK && dir_out)
        *dir_out = dir;
    else
        sb_free(dir);
    sb_free(found);
    return st;
}
