/* SPDX-License-Identifier: MIT
 * manifest.c - corpus.json. What is accepted gives the same bytes again. */
#include "dataset/manifest.h"

#include "comm/base/mem.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *path = fuzz_file("corpus.json", data, n);
    sb_manifest *m = calloc(1, sizeof *m);
    HOLDS(m);
    if (sb_manifest_read(fuzz_folder(), m) == SB_OK) {
        char *again;
        size_t bytes;
        HOLDS(sb_manifest_write(fuzz_folder(), m) == SB_OK);
        HOLDS(sb_file_read(path, SIZE_MAX / 2, &again, &bytes) == SB_OK);
        HOLDS(bytes == n && memcmp(again, data, n) == 0);
        sb_free(again);
    }
    sb_manifest_free(m);
    free(m);
    return 0;
}
