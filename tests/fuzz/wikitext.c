/* SPDX-License-Identifier: MIT
 * wikitext.c - MediaWiki markup. Bytes that are not UTF-8 become '?'. */
#include "dataset/wikitext.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static sb_buffer out;
    fuzz_input in = {data, n};
    char *text = fuzz_text(&in);
    for (size_t at; (at = sb_utf8_valid(text, n)) < n;) text[at] = '?';
    HOLDS(sb_wikitext(text, n, &out) == SB_OK);
    free(text);
    HOLDS(sb_utf8_valid(out.data, out.n) == out.n);
    for (size_t i = 0; i < out.n; i++)
        HOLDS(out.data[i] != '\n' ||
              (i > 0 && i + 1 < out.n && out.data[i - 1] != '\n'));
    return 0;
}
