/* SPDX-License-Identifier: MIT
 * questions.c - questions for word vectors: analogies and similarities. The
 * first byte says which. */
#include "tests/fuzz/fuzz.h"
#include "trainer/word2vec/analogies.h"
#include "trainer/word2vec/similarity.h"

static const char pieces[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nthe\n";
static const uint64_t counts[] = {0, 1, 0, 0, 0, 9, 8, 7, 6};

static const sb_candidates *candidates(void)
{
    static sb_candidates c;
    sb_vocab *v;
    if (c.n) return &c;
    HOLDS(sb_vocab_parse(pieces, sizeof pieces - 1, "a test", &v) == SB_OK);
    HOLDS(sb_candidates_of_vocab(v, counts, 0, &c) == SB_OK && c.n);
    sb_vocab_close(v);
    return &c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_input in = {data, n};
    const sb_candidates *words = candidates();
    int pairs = fuzz_byte(&in) & 1;
    const char *path = fuzz_file("questions", in.at, in.left);
    sb_similarity s;
    sb_analogies *a;
    if (pairs && sb_similarity_open(path, words, &s) == SB_OK) {
        HOLDS(s.asked >= s.covered && s.covered == s.n);
        sb_similarity_close(&s);
    }
    if (!pairs && sb_analogies_open(path, words, &a) == SB_OK) {
        size_t sections;
        HOLDS(sb_analogies_sections(a, &sections) && sections);
        sb_analogies_close(a);
    }
    return 0;
}
