/* SPDX-License-Identifier: MIT
 * hash.h - CRC-32C (Castagnoli) for bytes on disk, XXH3 for identities. */
#ifndef SB_BASE_HASH_H
#define SB_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C of `bytes` bytes appended to what `crc` covers already (0 to
 * start). The instruction where the processor has it, a table elsewhere. */
uint32_t sb_crc32c(uint32_t crc, const void *data, size_t bytes);

/* XXH3 64-bit of a buffer. */
uint64_t sb_hash64(const void *data, size_t bytes);

/* The same over a stream. */
typedef struct sb_hasher sb_hasher;
sb_hasher *sb_hasher_new(void); /* NULL: out of memory */
void sb_hasher_add(sb_hasher *h, const void *data, size_t bytes);
uint64_t sb_hasher_end(sb_hasher *h); /* frees h */

#endif
