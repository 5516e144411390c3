/* SPDX-License-Identifier: MIT
 * test_files.c - options given again, and names between commas. */
#include "launch/test_files.h"

#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"

static sb_status add_file(sb_test_files *t, const char *path)
{
    SB_TRY(sb_grow(&t->similarity, &t->cap, t->list.similarities + 1,
                   sizeof *t->similarity, "files"));
    t->similarity[t->list.similarities++] = path;
    t->list.similarity = t->similarity;
    return SB_OK;
}

sb_status sb_test_files_open(const sb_config *c, sb_test_files *t)
{
    const char *const *item;
    size_t n = sb_config_list(c, "similarity", &item), bytes = 1;
    t->list.analogies = sb_config_text(c, "analogies");
    for (size_t i = 0; i < n; i++) bytes += strlen(item[i]) + 1;
    SB_TRY(sb_alloc(bytes, 1, "files", &t->names));
    char *to = t->names;
    for (size_t i = 0; i < n; i++) {
        char *rest = NULL;
        size_t k = strlen(item[i]) + 1;
        memcpy(to, item[i], k);
        for (char *p = strtok_r(to, ",", &rest); p;
             p = strtok_r(NULL, ",", &rest))
            SB_TRY(add_file(t, p));
        to += k;
    }
    return SB_OK;
}

void sb_test_files_close(sb_test_files *t)
{
    sb_free(t->names);
    free(t->similarity);
    *t = (sb_test_files){0};
}
