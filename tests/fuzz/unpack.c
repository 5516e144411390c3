/* SPDX-License-Identifier: MIT
 * unpack.c - compressed files: gzip, bzip2, xz, zstd, and several members one
 * behind the other. The first byte says how much is read at once. */
#include "dataset/stream.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    enum { ENOUGH = 8 << 20 };
    static char to[1 << 16];
    fuzz_input in = {data, n};
    size_t room = 1 + 255u * fuzz_byte(&in), all = 0, got = 1;
    const char *path = fuzz_file("packed", in.at, in.left);
    sb_stream *s;
    if (sb_stream_open(path, 0, in.left, 200, &s) != SB_OK) return 0;
    while (got && all < ENOUGH && sb_stream_read(s, to, room, &got) == SB_OK) {
        HOLDS(got <= room);
        HOLDS(sb_stream_taken(s) <= in.left);
        all += got;
    }
    sb_stream_close(s);
    return 0;
}
