/* SPDX-License-Identifier: MIT
 * config.c - a recipe. What it sets is the same when it is written down and
 * read again. */
#include "comm/base/config.h"
#include "comm/base/mem.h"
#include "launch/options.h"
#include "tests/fuzz/fuzz.h"

/* The effective configuration behind `text`, or NULL. */
static char *effective(const char *text)
{
    sb_config *c;
    HOLDS(sb_config_open(sb_options, sb_options_n, &c) == SB_OK);
    char *out = NULL;
    if (sb_config_parse(c, text, "recipe") == SB_OK) {
        out = sb_config_effective(c, UINT32_MAX);
        HOLDS(out);
    }
    sb_config_close(c);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_input in = {data, n};
    char *text = fuzz_text(&in), *first = effective(text), *again = NULL;
    if (first) {
        again = effective(first);
        HOLDS(again && strcmp(first, again) == 0);
    }
    sb_free(again);
    sb_free(first);
    free(text);
    return 0;
}
