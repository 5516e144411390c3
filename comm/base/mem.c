/* SPDX-License-Identifier: MIT
 * mem.c - checked allocation. */
#include "comm/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 64, HUGE_PAGE = 2 << 20, LARGE = 2 * HUGE_PAGE };

void sb_ask_huge(void *p, size_t bytes)
{
    if (bytes >= LARGE) (void)madvise(p, bytes, MADV_HUGEPAGE);
}

sb_status sb_reserve_(size_t count, size_t size, const char *what,
                      void **ptr_out)
{
    size_t bytes, padded;
    SB_REQUIRE(!__builtin_mul_overflow(count, size, &bytes) &&
                   !__builtin_add_overflow(bytes, (size_t)HUGE_PAGE, &padded),
               SB_ELIMIT, "%s: %zu x %zu bytes is more than can be addressed",
               what, count, size);
    size_t align = bytes >= LARGE ? HUGE_PAGE : ALIGN;
    padded = (bytes + align - 1) / align * align;
    void *p = aligned_alloc(align, padded ? padded : align);
    if (!p) {
        sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: %s needs %s",
                what, sb_bytes_text(bytes));
        return sb_hint("use more ranks on more nodes, or a smaller batch, "
                       "length or vocabulary");
    }
    sb_ask_huge(p, padded);
    *ptr_out = p;
    return SB_OK;
}

sb_status sb_alloc_(size_t count, size_t size, const char *what, void **ptr_out)
{
    SB_TRY(sb_reserve_(count, size, what, ptr_out));
    memset(*ptr_out, 0, count * size);
    return SB_OK;
}

void sb_free(void *p)
{
    free(p);
}

sb_status sb_grow_(void **ptr, size_t *cap, size_t need, size_t size,
                   const char *what)
{
    if (need <= *cap) return SB_OK;
    size_t want = *cap < 64 ? 64 : *cap;
    while (want < need) {
        SB_REQUIRE(!__builtin_mul_overflow(want, (size_t)2, &want), SB_ELIMIT,
                   "%s: %zu elements do not fit in memory", what, need);
    }
    size_t bytes;
    SB_REQUIRE(!__builtin_mul_overflow(want, size, &bytes), SB_ELIMIT,
               "%s: %zu x %zu bytes is more than can be addressed", what, want,
               size);
    void *p = realloc(*ptr, bytes);
    SB_REQUIRE(p, SB_ENOMEM, "out of memory: %s needs %s", what,
               sb_bytes_text(bytes));
    *ptr = p;
    *cap = want;
    return SB_OK;
}

const char *sb_bytes_text(uint64_t bytes)
{
    static _Thread_local char text[8][24];
    static _Thread_local unsigned turn;
    static const char unit[][4] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double v = (double)bytes;
    unsigned u = 0;
    while (v >= 1024 && u < 5) {
        v /= 1024;
        u++;
    }
    char *t = text[turn++ % 8];
    snprintf(t, sizeof text[0], u ? "%.1f %s" : "%.0f %s", v, unit[u]);
    return t;
}
