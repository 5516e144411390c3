/* SPDX-License-Identifier: MIT
 * vocab.c - vocab.txt. One that is accepted finds its pieces, and is the same
 * when it is written and read again. */
#include "dataset/vocab.h"

#include "dataset/text.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_input in = {data, n};
    char *text = fuzz_text(&in);
    sb_vocab *v, *again;
    sb_status st = sb_vocab_parse(text, n, "vocab.txt", &v);
    free(text);
    if (st != SB_OK) return 0;
    sb_buffer out = {0};
    HOLDS(sb_vocab_size(v) >= 5);
    for (uint32_t id = 0; id < sb_vocab_size(v); id++) {
        const char *piece = sb_vocab_piece(v, id);
        size_t k = strlen(piece);
        HOLDS(k && sb_utf8_valid(piece, k) == k);
        HOLDS(sb_vocab_find(v, piece, k, 0) == id);
        if (sb_is_continuation(piece))
            HOLDS(sb_vocab_find(v, piece + 2, k - 2, 1) == id);
        HOLDS(sb_buffer_add(&out, piece, k) == SB_OK);
        HOLDS(sb_buffer_add(&out, "\n", 1) == SB_OK);
    }
    HOLDS(sb_vocab_parse(out.data, out.n, "again", &again) == SB_OK);
    HOLDS(sb_vocab_hash(again) == sb_vocab_hash(v));
    free(out.data);
    sb_vocab_close(again);
    sb_vocab_close(v);
    return 0;
}
