/* SPDX-License-Identifier: MIT
 * host_memory.h - what this process may still take. */
#ifndef SB_BASE_HOST_MEMORY_H
#define SB_BASE_HOST_MEMORY_H

#include <stdint.h>

/* Bytes that this host has free, or the control groups of this process (of
 * version 1 or 2, all the way up: a batch system sets limits there) where that
 * is less; file caches count as free. UINT64_MAX where nobody says. */
uint64_t sb_memory_free(void);
/* The same of a host whose /proc and /sys lie under `root`. */
uint64_t sb_memory_free_in(const char *root);

#endif
