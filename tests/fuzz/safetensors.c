/* SPDX-License-Identifier: MIT
 * safetensors.c - a model of others: header, ranges, and values. */
#include "dataset/safetensors.h"

#include <math.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    enum { MOST = 512 };
    float x[MOST];
    sb_safetensors *f;
    uint64_t at = 0;
    if (sb_safetensors_open(fuzz_file("model", data, n), &f) != SB_OK) return 0;
    for (size_t i = 0; i < sb_safetensors_count(f); i++) {
        const sb_stored *t = sb_safetensors_at(f, i);
        HOLDS(t->first == at && t->last >= at && t->last <= n);
        HOLDS(t->ndim <= SB_SAFETENSORS_DIMS_MAX);
        HOLDS(sb_safetensors_find(f, t->name) == t);
        at = t->last;
        uint64_t k = t->elements < MOST ? t->elements : MOST;
        if (sb_safetensors_get(f, t, t->elements - k, k, x) != SB_OK) continue;
        for (uint64_t e = 0; e < k; e++) HOLDS(isfinite(x[e]));
    }
    sb_safetensors_close(f);
    return 0;
}
