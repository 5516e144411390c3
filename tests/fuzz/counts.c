/* SPDX-License-Identifier: MIT
 * counts.c - counts.pb. An odd first byte: the rest is a message, and gets the
 * frame that belongs to it. */
#include "proto/counts.h"

#include "tests/fuzz/frame.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    enum { PIECES = 4 };
    uint64_t counts[PIECES] = {7, 7, 7, 7};
    fuzz_input in = {data, n};
    fuzz_bytes file = {0};
    if (fuzz_byte(&in) & 1)
        fuzz_frame(&file, in.at, in.left, NULL);
    else
        fuzz_add(&file, in.at, in.left);
    const char *path = fuzz_file("counts.pb", file.data, file.n);
    free(file.data);
    sb_status st = sb_counts_read(path, 1, counts, PIECES);
    HOLDS(st == SB_OK || (counts[0] == 7 && counts[PIECES - 1] == 7));
    return 0;
}
