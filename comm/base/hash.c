/* SPDX-License-Identifier: MIT
 * hash.c - CRC-32C and XXH3. */
#include "comm/base/hash.h"

#include <string.h>
#include <xxhash.h>

static uint32_t crc_table[256];

__attribute__((constructor)) static void crc_table_fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? (c >> 1) ^ 0x82f63b78u : c >> 1;
        crc_table[i] = c;
    }
}

static uint32_t crc_portable(uint32_t c, const unsigned char *p, size_t n)
{
    while (n--) c = crc_table[(c ^ *p++) & 0xff] ^ (c >> 8);
    return c;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_sse42(
    uint32_t c, const unsigned char *p, size_t n)
{
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
