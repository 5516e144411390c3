/* SPDX-License-Identifier: MIT
 * sampling.c - tests of dataset/sampling.c and of what batches do with it:
 * words masked whole, documents cut by characters. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "tests/unit/made_corpus.h"
#include "dataset/batch.h"

enum { PER = 25, DOCS = 4 * PER, LONGEST = 64 };

static sb_corpus *corpus;
static sb_vocab *vocab;

/* Two of three ordinary pieces go on with a word. */
static int goes_on(uint32_t id)
{
    return id >= 5 && id % 3 != 0;
}

static int up(void **state)
{
    char text[1024] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    for (uint32_t id = 5; id < MADE_VOCAB; id++)
        sprintf(text + strlen(text), "%sw%u\n", goes_on(id) ? "##" : "", id);
    return made_dir_up(state) || made_corpus(made_dir, PER) != SB_OK ||
           sb_corpus_open(made_dir, SB_TRAIN, &corpus) != SB_OK ||
           sb_vocab_parse(text, strlen(text), "made", &vocab) != SB_OK;
}

static int down(void **state)
{
    sb_corpus_close(corpus);
    sb_vocab_close(vocab);
    return made_dir_down(state);
}

static sb_sampling sampling_of(int whole_word, int pack, uint32_t max_chars)
{
    sb_sampling_options o = {.max_length = LONGEST,
                             .max_chars = max_chars,
                             .whole_word = whole_word,
                             .pack = pack};
    sb_sampling s;
    assert_int_equal(sb_sampling_open(&o, vocab, corpus, &s), SB_OK);
    return s;
}

static sb_batch_options options_of(const sb_sampling *how)
{
    return (sb_batch_options){.seed = 42,
                              .max_length = LONGEST,
                              .mask_prob = 0.15f,
                              .special = sb_vocab_special(vocab),
                              .vocab_size = MADE_VOCAB,
                              .sampling = how};
}

static sb_batch batch_of(const sb_sampling *how, uint64_t g)
{
    sb_batch_options o = options_of(how);
    sb_batch b;
    assert_int_equal(sb_batch_open(DOCS, LONGEST, &b), SB_OK);
    assert_int_equal(sb_batch_train(&b, corpus, &o, g, DOCS), SB_OK);
    return b;
}

static void same(const sb_batch *a, const sb_batch *b)
{
    assert_int_equal(a->tokens, b->tokens);
    assert_int_equal(a->nmasked, b->nmasked);
    assert_memory_equal(a->ids, b->ids, a->tokens * sizeof *a->ids);
    assert_memory_equal(a->masked, b->masked, a->nmasked * sizeof *a->masked);
    assert_memory_equal(a->target, b->target, a->nmasked * sizeof *a->target);
}

static void nothing_asked_for_is_the_plain_sample(void **state)
{
    (void)state;
    sb_sampling how = sampling_of(0, 0, 0);
    assert_null(how.continues);
    assert_null(how.widths);
    assert_null(how.packing);
    assert_ptr_equal(sb_sampling_mix(&how, corpus),
                     sb_sampling_mix(NULL, corpus));
    assert_int_equal(sb_batch_places(corpus, NULL), DOCS);
    sb_batch a = batch_of(NULL, 300), b = batch_of(&how, 300);
    same(&a, &b);
    sb_batch_close(&a);
    sb_batch_close(&b);
    sb_sampling_close(&how);
}

/* Each token of a batch: 1 masked, 0 not; ids are what they were. */
static void unmask(sb_batch *b, uint8_t *is)
{
    memset(is, 0, b->tokens);
    for (size_t m = 0; m < b->nmasked; m++) {
        is[b->masked[m]] = 1;
        b->ids[b->masked[m]] = b->target[m];
    }
}

/* Masked or not is the draw of the word's first piece. */
static void a_word_is_masked_whole_or_not_at_all(void **state)
{
    (void)state;
    static uint8_t is[DOCS * LONGEST];
    sb_sampling how = sampling_of(1, 0, 0);
    sb_rng_key key = sb_rng_key_make(42, SB_RNG_MASK);
    unsigned long_words = 0, masked = 0;
    for (uint64_t e = 0; e < 3; e++) {
        sb_batch b = batch_of(&how, e * DOCS);
        unmask(&b, is);
        for (size_t s = 0; s < DOCS; s++) {
            uint32_t begin = b.seq_begin[s], end = b.seq_begin[s + 1] - 1;
            uint32_t first = begin + 1;
            for (uint32_t i = begin + 1; i < end; i++) {
                if (!goes_on(b.ids[i])) first = i;
                sb_rng4 r = sb_rng_at(key, b.sample[s], first - begin, 0);
                assert_int_equal(is[i], sb_rng_unit(r.v[0]) < 0.15f);
                long_words += i == first + 2;
                masked += is[i] && i == first + 2;
            }
            assert_int_equal(is[begin] + is[end], 0);
        }
        sb_batch_close(&b);
    }
    assert_true(long_words > 100 && masked > 10);
    sb_sampling_close(&how);
}

/* The pieces of one masked word do not become the same. */
static void each_piece_becomes_what_its_own_draw_says(void **state)
{
    (void)state;
    sb_sampling how = sampling_of(1, 0, 0);
    double tokens = 0, chosen = 0, as_mask = 0, mixed = 0;
    for (uint64_t e = 0; e < 200; e++) {
        sb_batch b = batch_of(&how, e * DOCS);
        tokens += (double)(b.tokens - 2 * b.sequences);
        chosen += (double)b.nmasked;
        for (size_t m = 0; m < b.nmasked; m++) {
            int is_mask = b.ids[b.masked[m]] == 4;
            as_mask += is_mask;
            if (m && b.masked[m - 1] + 1 == b.masked[m] && goes_on(b.target[m]))
                mixed += is_mask != (b.ids[b.masked[m - 1]] == 4);
        }
        sb_batch_close(&b);
    }
    /* Words of up to some ten pieces: wider than a binomial count. */
    assert_true(fabs(chosen / tokens - 0.15) < 0.005);
    assert_true(fabs(as_mask / chosen - 0.8) < 0.01);
    assert_true(mixed > 100);
    sb_sampling_close(&how);
}

/* [UNK] is a word; what follows it begins another. */
static void a_special_token_ends_a_word(void **state)
{
    (void)state;
    static uint8_t is[DOCS * LONGEST];
    sb_sampling how = sampling_of(1, 0, 0);
    sb_batch_options o = options_of(&how);
    o.special.unk = made_id(2, 1);
    sb_rng_key key = sb_rng_key_make(42, SB_RNG_MASK);
    sb_batch b;
    unsigned seen = 0;
    assert_int_equal(sb_batch_open(DOCS, LONGEST, &b), SB_OK);
    assert_int_equal(sb_batch_train(&b, corpus, &o, 0, DOCS), SB_OK);
    unmask(&b, is);
    for (size_t s = 0; s < DOCS; s++) {
        uint32_t begin = b.seq_begin[s];
        for (uint32_t i = begin + 2; i + 1 < b.seq_begin[s + 1]; i++) {
            if (b.ids[i - 1] != o.special.unk || b.ids[i] == o.special.unk)
                continue;
            sb_rng4 r = sb_rng_at(key, b.sample[s], i - begin, 0);
            assert_int_equal(is[i - 1], 0);
            assert_int_equal(is[i], sb_rng_unit(r.v[0]) < 0.15f);
            seen += (unsigned)goes_on(b.ids[i]);
        }
    }
    assert_true(seen > 0);
    sb_batch_close(&b);
    sb_sampling_close(&how);
}

static void documents_are_cut_by_the_widths_of_their_pieces(void **state)
{
    (void)state;
    sb_sampling how = sampling_of(0, 0, 40);
    sb_batch plain = batch_of(NULL, 0), b = batch_of(&how, 0);
    unsigned cut = 0;
    for (size_t s = 0; s < DOCS; s++) {
        uint32_t ids[LONGEST];
        uint32_t n = plain.seq_begin[s + 1] - plain.seq_begin[s] - 2;
        memcpy(ids, plain.ids + plain.seq_begin[s] + 1, n * sizeof *ids);
        for (size_t m = 0; m < plain.nmasked; m++)
            if (plain.masked[m] > plain.seq_begin[s] &&
                plain.masked[m] < plain.seq_begin[s + 1])
                ids[plain.masked[m] - plain.seq_begin[s] - 1] = plain.target[m];
        uint32_t keep = sb_piece_widths_cut(how.widths, ids, n, 40);
        assert_int_equal(b.seq_begin[s + 1] - b.seq_begin[s], keep + 2);
        assert_int_equal(b.ids[b.seq_begin[s + 1] - 1], 3);
        cut += keep < n;
    }
    assert_in_range(cut, 1, DOCS - 1);
    sb_batch_close(&plain);
    sb_batch_close(&b);
    sb_sampling_close(&how);
}

static void heldout_documents_are_cut_too_but_masked_token_by_token(
    void **state)
{
    (void)state;
    sb_corpus *held;
    sb_sampling cut = sampling_of(0, 0, 40), both = sampling_of(1, 0, 40);
    sb_batch_options plain = options_of(NULL), o = options_of(&cut),
                     w = options_of(&both);
    sb_batch a, b, c;
    assert_int_equal(sb_corpus_open(made_dir, SB_HELDOUT, &held), SB_OK);
    assert_int_equal(sb_batch_open(PER, LONGEST, &a), SB_OK);
    assert_int_equal(sb_batch_open(PER, LONGEST, &b), SB_OK);
    assert_int_equal(sb_batch_open(PER, LONGEST, &c), SB_OK);
    assert_int_equal(sb_batch_heldout(&a, held, &plain, 0, PER), SB_OK);
    assert_int_equal(sb_batch_heldout(&b, held, &o, 0, PER), SB_OK);
    assert_int_equal(sb_batch_heldout(&c, held, &w, 0, PER), SB_OK);
    assert_true(b.tokens < a.tokens && b.nmasked > 0);
    same(&b, &c);
    sb_batch_close(&a);
    sb_batch_close(&b);
    sb_batch_close(&c);
    sb_corpus_close(held);
    sb_sampling_close(&cut);
    sb_sampling_close(&both);
}

static void packed_samples_are_not_cut_by_characters(void **state)
{
    (void)state;
    sb_sampling_options o = {
        .max_length = LONGEST, .max_chars = 1000, .pack = 1};
    sb_sampling s;
    assert_int_equal(sb_sampling_open(&o, vocab, corpus, &s), SB_EINVAL);
    s = sampling_of(1, 1, 0);
    assert_true(sb_batch_places(corpus, &s) != DOCS);
    sb_batch b = batch_of(&s, 0);
    assert_true(b.tokens > DOCS * LONGEST * 3 / 4);
    sb_batch_close(&b);
    sb_sampling_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_asked_for_is_the_plain_sample),
        cmocka_unit_test(a_word_is_masked_whole_or_not_at_all),
        cmocka_unit_test(each_piece_becomes_what_its_own_draw_says),
        cmocka_unit_test(a_special_token_ends_a_word),
        cmocka_unit_test(documents_are_cut_by_the_widths_of_their_pieces),
        cmocka_unit_test(
            heldout_documents_are_cut_too_but_masked_token_by_token),
        cmocka_unit_test(packed_samples_are_not_cut_by_characters),
    };
    return cmocka_run_group_tests(tests, up, down);
}
