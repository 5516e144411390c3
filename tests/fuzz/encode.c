/* SPDX-License-Identifier: MIT
 * encode.c - text to ids and back. Bytes that are not UTF-8 become '?'. */
#include "dataset/tokenize.h"

#include "comm/base/mem.h"
#include "dataset/text.h"
#include "tests/fuzz/fuzz.h"

static const char pieces[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nab\n##a\n"
    "##b\n##ab\nthe\n##s\n.\n,\n[\n]\n\xe4\xb8\xad\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static sb_vocab *vocab;
    static sb_encoder *encoder;
    static sb_buffer normal;
    static sb_ids ids;
    if (!encoder) {
        HOLDS(sb_vocab_parse(pieces, sizeof pieces - 1, "a test", &vocab) ==
              SB_OK);
        HOLDS(sb_encoder_open(vocab, &encoder) == SB_OK);
    }
    fuzz_input in = {data, n};
    int specials = fuzz_byte(&in) & 1;
    char *text = fuzz_text(&in);
    n = in.left;
    for (size_t at; (at = sb_utf8_valid(text, n)) < n;) text[at] = '?';
    HOLDS(sb_normalise(text, n, &normal) == SB_OK);
    HOLDS(sb_utf8_valid(normal.data, normal.n) == normal.n);
    ids.n = 0;
    HOLDS(sb_encode(encoder, text, n, specials, &ids) == SB_OK);
    HOLDS(ids.n <= n);
    for (size_t i = 0; i < ids.n; i++) HOLDS(ids.id[i] < sb_vocab_size(vocab));
    char *back = sb_decode(vocab, ids.id, ids.n);
    HOLDS(back);
    sb_free(back);
    free(text);
    return 0;
}
