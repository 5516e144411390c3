/* SPDX-License-Identifier: MIT
 * hash.c - CRC-32C and XXH3. */
#include "comm/base/hash.h"

#include <string.h>
#include <xxhash.h>

/* ---- CRC-32C ------------------------------------------------------------- */

enum { STRIPE = 8192 }; /* long enough for the prefetcher */

static uint32_t crc_table[256];
static uint32_t skip_table[4][256]; /* see skip */

static uint32_t crc_portable(uint32_t c, const unsigned char *p, size_t n)
{
    while (n--) c = crc_table[(c ^ *p++) & 0xff] ^ (c >> 8);
    return c;
}

/* A state with STRIPE zero bytes behind it. That is linear in the state's
 * bits, so the sum of what its four bytes give alone. */
static uint32_t skip(uint32_t c)
{
    return skip_table[0][c & 0xff] ^ skip_table[1][c >> 8 & 0xff] ^
           skip_table[2][c >> 16 & 0xff] ^ skip_table[3][c >> 24];
}

__attribute__((constructor)) static void fill_tables(void)
{
    static const unsigned char zeros[STRIPE];
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? (c >> 1) ^ 0x82f63b78u : c >> 1;
        crc_table[i] = c;
    }
    for (uint32_t bit = 0; bit < 32; bit++) {
        uint32_t *t = skip_table[bit / 8], top = 1u << bit % 8;
        t[top] = crc_portable(1u << bit, zeros, STRIPE);
        for (uint32_t i = 1; i < top; i++) t[top + i] = t[top] ^ t[i];
    }
}

#if defined(__x86_64__)
/* The instruction takes three cycles and one can begin in each: three stripes
 * side by side (Gopal et al., "Fast CRC computation for iSCSI polynomial
 * using CRC32 instruction", Intel 2011). */
__attribute__((target("sse4.2"))) static uint32_t crc_sse42(
    uint32_t c, const unsigned char *p, size_t n)
{
    for (; n >= 3 * STRIPE; n -= 3 * STRIPE, p += 3 * STRIPE) {
        uint64_t s[3] = {c, 0, 0}, v[3];
        for (size_t i = 0; i < STRIPE; i += 8) {
            for (size_t k = 0; k < 3; k++) {
                memcpy(&v[k], p + k * STRIPE + i, 8);
                s[k] = __builtin_ia32_crc32di(s[k], v[k]);
            }
        }
        c = skip(skip((uint32_t)s[0]) ^ (uint32_t)s[1]) ^ (uint32_t)s[2];
    }
    uint64_t wide = c;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        wide = __builtin_ia32_crc32di(wide, v);
    }
    c = (uint32_t)wide;
    while (n--) c = __builtin_ia32_crc32qi(c, *p++);
    return c;
}
#endif

uint32_t sb_crc32c(uint32_t crc, const void *data, size_t bytes)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~crc_sse42(~crc, data, bytes);
#endif
    return ~crc_portable(~crc, data, bytes);
}

/* ---- XXH3 ---------------------------------------------------------------- */

uint64_t sb_hash64(const void *data, size_t bytes)
{
    return XXH3_64bits(data, bytes);
}

sb_hasher *sb_hasher_new(void)
{
    XXH3_state_t *s = XXH3_createState();
    if (s) XXH3_64bits_reset(s);
    return (sb_hasher *)s;
}

void sb_hasher_add(sb_hasher *h, const void *data, size_t bytes)
{
    XXH3_64bits_update((XXH3_state_t *)h, data, bytes);
}

uint64_t sb_hasher_end(sb_hasher *h)
{
    uint64_t v = XXH3_64bits_digest((XXH3_state_t *)h);
    XXH3_freeState((XXH3_state_t *)h);
    return v;
}
