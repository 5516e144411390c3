/* SPDX-License-Identifier: MIT
 * folder.c - build beside, rename. */
#include "trainer/export/folder.h"

#include <string.h>
#include <sys/stat.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"

static int is_among(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, list[i]) == 0) return 1;
    return 0;
}

/* Nothing is there that would be lost. */
static sb_status check_place(const char *dir, const char *const *replace,
                             size_t n)
{
    struct stat s;
    char **name;
    size_t names;
    if (stat(dir, &s) != 0) return SB_OK; /* making it will tell */
    SB_REQUIRE(S_ISDIR(s.st_mode), SB_EINVAL, "'%s' is there, and no folder",
               dir);
    SB_TRY(sb_dir_list(dir, &name, &names));
    sb_status st = SB_OK;
    for (size_t i = 0; i < names && st == SB_OK; i++) {
        if (is_among(name[i], replace, n)) continue;
        st = sb_fail(SB_EINVAL, __FILE__, __LINE__,
                     replace ? "folder '%s' holds '%.100s', which is no part "
                               "of an export: it is not replaced"
                             : "folder '%s' is not empty: it holds '%.100s'",
                     dir, name[i]);
    }
    sb_names_free(name, names);
    return st;
}

/* Of "a/b/": "a" and "b". */
static sb_status split(const char *dir, char **parent, char **base)
{
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/') n--;
    size_t at = n;
    while (at > 0 && dir[at - 1] != '/') at--;
    const char *name = dir + at;
    size_t length = n - at;
    SB_REQUIRE(length > 0 && strncmp(name, "..", length) != 0, SB_EINVAL,
               "'%s' is no name for a new folder", dir);
    *parent = at > 1 ? sb_format("%.*s", (int)at - 1, dir)
                     : sb_format("%s", at ? "/" : ".");
    *base = sb_format("%.*s", (int)length, name);
    SB_REQUIRE(*parent && *base, SB_ENOMEM, "out of memory: a path");
    return SB_OK;
}

static void release(sb_folder *f)
{
    char *owned[] = {f->path, f->dir, f->parent, f->old};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        sb_free(owned[i]);
    *f = (sb_folder){0};
}

static sb_status name_all(const char *dir, sb_folder *f)
{
    char *base = NULL;
    sb_status st = split(dir, &f->parent, &base);
    if (st == SB_OK) {
        f->dir = sb_path_join(f->parent, base);
        f->path = sb_format("%s/.tmp-%s", f->parent, base);
        f->old = sb_format("%s/.tmp-old-%s", f->parent, base);
        if (!f->dir || !f->path || !f->old)
            st =
                sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    }
    sb_free(base);
    return st;
}

/* A run that was killed between two renames left the old folder aside. */
static sb_status clear(const sb_folder *f)
{
    if (!sb_file_exists(f->dir) && sb_file_exists(f->old))
        SB_TRY(sb_rename(f->old, f->dir));
    SB_TRY(sb_dir_remove(f->old));
    return sb_dir_remove(f->path);
}

sb_status sb_folder_open(const char *dir, const char *const *replace, size_t n,
                         sb_folder *folder_out)
{
    sb_folder f = {0};
    sb_status st = name_all(dir, &f);
    if (st == SB_OK) st = clear(&f);
    if (st == SB_OK) st = check_place(dir, replace, n);
    if (st == SB_OK) st = sb_dir_make(f.path);
    if (st == SB_OK)
        *folder_out = f;
    else
        release(&f);
    return st;
}

/* An old folder goes aside first: rename replaces only empty ones. */
static sb_status put_in_place(const sb_folder *f)
{
    int there = sb_file_exists(f->dir);
    SB_TRY(sb_dir_sync(f->path));
    if (there) SB_TRY(sb_rename(f->dir, f->old));
    sb_status st = sb_rename(f->path, f->dir);
    if (st != SB_OK && there) {
        sb_error why = *sb_error_last();
        st = sb_rename(f->old, f->dir);
        return sb_error_set(&why);
    }
    SB_TRY(st);
    SB_TRY(sb_dir_sync(f->parent));
    return sb_dir_remove(f->old);
}

sb_status sb_folder_commit(sb_folder *f)
{
    sb_status st = put_in_place(f);
    if (st != SB_OK)
        sb_folder_abandon(f);
    else
        release(f);
    return st;
}

void sb_folder_abandon(sb_folder *f)
{
    sb_error why = *sb_error_last();
    if (f->path && sb_dir_remove(f->path) != SB_OK && why.code != SB_OK)
        (void)sb_error_set(&why);
    release(f);
}

sb_status sb_folder_path(const sb_folder *f, const char *name, char **path_out)
{
    char *path = sb_path_join(f->path, name);
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    *path_out = path;
    return SB_OK;
}
