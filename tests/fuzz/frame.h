/* SPDX-License-Identifier: MIT
 * frame.h - a frame around any bytes, so that the checksum does not keep them
 * from the parser behind it. */
#ifndef SB_TESTS_FUZZ_FRAME_H
#define SB_TESTS_FUZZ_FRAME_H

#include "comm/base/hash.h"
#include "tests/fuzz/fuzz.h"

typedef struct fuzz_bytes {
    uint8_t *data; /* free() */
    size_t n;
} fuzz_bytes;

static inline void fuzz_add(fuzz_bytes *to, const void *data, size_t n)
{
    to->data = realloc(to->data, to->n + n + 1);
    HOLDS(to->data);
    if (n) memcpy(to->data + to->n, data, n);
    to->n += n;
}

/* crc_out may be NULL. */
static inline void fuzz_frame(fuzz_bytes *to, const void *data, size_t n,
                              uint32_t *crc_out)
{
    uint32_t head[2] = {(uint32_t)n, sb_crc32c(0, data, n)};
    fuzz_add(to, head, sizeof head);
    fuzz_add(to, data, n);
    if (crc_out) *crc_out = head[1];
}

#endif
