/* SPDX-License-Identifier: MIT
 * vectors.c - word vectors of other programs, text or binary. */
#include "trainer/vectors.h"

#include <math.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    sb_vectors v = {0};
    if (sb_vectors_read(fuzz_file("vectors", data, n), &v) != SB_OK) return 0;
    HOLDS(v.n > 0 && v.dim > 0 && sb_word_index_size(v.words) == v.n);
    for (size_t i = 0; i < v.n * v.dim; i++) HOLDS(isfinite(v.table[i]));
    sb_vectors_free(&v);
    return 0;
}
