/* SPDX-License-Identifier: MIT
 * model_config.c - config.json of a model of others. */
#include "dataset/model_config.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    sb_model_config c;
    if (sb_model_config_read(fuzz_file("config.json", data, n), &c) != SB_OK)
        return 0;
    HOLDS(c.vocab && c.dim && c.layers && c.heads && c.ffn && c.positions);
    return 0;
}
