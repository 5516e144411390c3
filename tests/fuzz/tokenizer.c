/* SPDX-License-Identifier: MIT
 * tokenizer.c - tokenizer.json, and the vocabulary in it. */
#include "dataset/tokenizer_files.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_input in = {data, n};
    char *json = fuzz_text(&in);
    sb_buffer out = {0};
    sb_vocab *v;
    if (sb_tokenizer_read(json, n, "tokenizer.json", &out) == SB_OK &&
        sb_vocab_parse(out.data, out.n, "tokenizer.json", &v) == SB_OK)
        sb_vocab_close(v);
    free(out.data);
    free(json);
    return 0;
}
