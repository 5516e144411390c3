/* SPDX-License-Identifier: MIT
 * host_memory.c - /proc/meminfo and the memory controller of control groups. */
#include "comm/base/host_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_ROOM = 4096 };

/* The memory controller's files of one version. */
typedef struct controller {
    const char *mount, *limit, *used;
    const char *active, *inactive; /* caches of files, in memory.stat */
} controller;

static const controller v1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                              "memory.usage_in_bytes", "total_active_file ",
                              "total_inactive_file "};
static const controller v2 = {"/sys/fs/cgroup", "memory.max", "memory.current",
                              "active_file ", "inactive_file "};

/* The number in a file that holds one, or behind `key` in it; 0: none. */
static uint64_t number_in(const char *folder, const char *name, const char *key)
{
    char text[PATH_ROOM];
    uint64_t n = 0;
    int length = snprintf(text, sizeof text, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof text) return 0;
    FILE *f = fopen(text, "r");
    if (!f) return 0;
    while (!n && fgets(text, sizeof text, f))
        if (strncmp(text, key, strlen(key)) == 0)
            n = strtoull(text + strlen(key), NULL, 10);
    fclose(f);
    return n;
}

/* What the group in this folder leaves of `bytes`. */
static uint64_t left_by(const controller *v, const char *folder, uint64_t bytes)
{
    uint64_t most = number_in(folder, v->limit, "");
    uint64_t used = number_in(folder, v->used, "");
    uint64_t file = number_in(folder, "memory.stat", v->active) +
                    number_in(folder, "memory.stat", v->inactive);
    uint64_t kept = used > file ? used - file : 0; /* caches give way */
    if (!most || (most > kept && most - kept >= bytes)) return bytes;
    return most > kept ? most - kept : 0;
}

/* What the group and all it lies in leave of `bytes`. */
static uint64_t left_by_all(const controller *v, const char *root,
                            const char *group, uint64_t bytes)
{
    char folder[PATH_ROOM];
    int n = snprintf(folder, sizeof folder, "%s%s%s", root, v->mount, group);
    size_t top = strlen(root) + strlen(v->mount);
    if (n < 0 || (size_t)n >= sizeof folder) return bytes;
    for (;;) {
        bytes = left_by(v, folder, bytes);
        char *slash = strrchr(folder, '/');
        if (!slash || slash < folder + top) return bytes;
        *slash = 0;
    }
}

uint64_t sb_memory_free_in(const char *root)
{
    char line[PATH_ROOM];
    int n = snprintf(line, sizeof line, "%s/proc", root);
    if (n < 0 || (size_t)n >= sizeof line) return UINT64_MAX;
    uint64_t bytes = 1024 * number_in(line, "meminfo", "MemAvailable:");
    if (!bytes) bytes = UINT64_MAX;
    n = snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
    FILE *f = n > 0 && (size_t)n < sizeof line ? fopen(line, "r") : NULL;
    while (f && fgets(line, sizeof line, f)) { /* number:controllers:group */
        line[strcspn(line, "\n")] = 0;
        char *names = strchr(line, ':');
        char *group = names ? strchr(names + 1, ':') : NULL;
        if (!group) continue;
        *group++ = 0;
        if (!names[1])
            bytes = left_by_all(&v2, root, group, bytes);
        else if (strstr(names + 1, "memory"))
            bytes = left_by_all(&v1, root, group, bytes);
    }
    if (f) fclose(f);
    return bytes;
}

uint64_t sb_memory_free(void)
{
    return sb_memory_free_in("");
}
