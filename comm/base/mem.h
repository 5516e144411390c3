/* SPDX-License-Identifier: MIT
 * mem.h - checked allocation: every size is multiplied and added with care
 * before a byte is asked for, and a refusal says what for and how much.
 *
 * Memory is 64-byte aligned. Large blocks (>= 4 MiB) ask for huge pages.
 * Free with sb_free (NULL is fine).
 */
#ifndef SB_BASE_MEM_H
#define SB_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

/* count x size bytes, zeroed. count or size 0 gives a valid pointer. `what`
 * names the use in the error: "out of memory: token table needs 750.0 MiB".
 * void* results go through a pointer of any type: sb_alloc(n, sizeof *p,
 * "ids", &p). SB_ENOMEM, SB_ELIMIT (overflow). */
#define sb_alloc(count, size, what, ptr_out)                                   \
    sb_alloc_((count), (size), (what), (void **)(ptr_out))
SB_MUST_USE sb_status sb_alloc_(size_t count, size_t size, const char *what,
                                void **ptr_out);
/* The same, its contents undefined: a large block takes memory where it is
 * written to only. For arrays of the largest size that is seldom reached. */
#define sb_reserve(count, size, what, ptr_out)                                 \
    sb_reserve_((count), (size), (what), (void **)(ptr_out))
SB_MUST_USE sb_status sb_reserve_(size_t count, size_t size, const char *what,
                                  void **ptr_out);
void sb_free(void *p);

/* Ask for huge pages under bytes that did not come from sb_alloc (it asks by
 * itself), if they are >= 4 MiB. `p` lies at the start of a page. A hint. */
void sb_ask_huge(void *p, size_t bytes);

/* Make room for `need` elements in a growing array (doubles; contents kept,
 * new part not zeroed). *cap is in elements. */
#define sb_grow(ptr, cap, need, size, what)                                    \
    sb_grow_((void **)(ptr), (cap), (need), (size), (what))
SB_MUST_USE sb_status sb_grow_(void **ptr, size_t *cap, size_t need,
                               size_t size, const char *what);

/* "750.0 MiB" into a static per-thread buffer (eight rotate). */
const char *sb_bytes_text(uint64_t bytes);

#endif
