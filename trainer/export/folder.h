/* SPDX-License-Identifier: MIT
 * folder.h - a folder of results that is there as a whole or not at all: built
 * as <parent>/.tmp-<name>, renamed last. Local. */
#ifndef SB_EXPORT_FOLDER_H
#define SB_EXPORT_FOLDER_H

#include <stddef.h>

#include "comm/base/status.h"

typedef struct sb_folder {
    char *path; /* where to write: sb_folder_commit makes it `dir` */
    char *dir, *parent, *old;
} sb_folder;

/* Make the staging folder, and remove what a killed run left of one. SB_EINVAL
 * if `dir` is there and not empty. With `replace`, a list of `n` names, it may
 * hold files called so, and only those: they give way to the new ones. */
SB_MUST_USE sb_status sb_folder_open(const char *dir,
                                     const char *const *replace, size_t n,
                                     sb_folder *folder_out);
/* Sync and rename; whatever happens, free. A failure leaves what was there. */
SB_MUST_USE sb_status sb_folder_commit(sb_folder *f);
/* Remove the staging folder; free. Zeroed is fine. The record of the failure
 * that led here is kept. */
void sb_folder_abandon(sb_folder *f);

/* <folder>/<name>, sb_free. */
SB_MUST_USE sb_status sb_folder_path(const sb_folder *f, const char *name,
                                     char **path_out);

#endif
