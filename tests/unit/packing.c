/* SPDX-License-Identifier: MIT
 * packing.c - tests of dataset/packing.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/made_corpus.h"
#include "dataset/batch.h"

enum { PER = 25, BLOCKS = 4, SEP = 3, LENGTH = 32, MOST = 8192 };

static sb_corpus *corpus;

static int up(void **state)
{
    return made_dir_up(state) || made_corpus(made_dir, PER) != SB_OK ||
           sb_corpus_open(made_dir, SB_TRAIN, &corpus) != SB_OK;
}

static int down(void **state)
{
    sb_corpus_close(corpus);
    return made_dir_down(state);
}

static sb_packing *packing_of(uint32_t max_length)
{
    sb_packing *p = NULL;
    assert_int_equal(sb_packing_open(corpus, max_length, &p), SB_OK);
    assert_int_equal(sb_packing_max_length(p), max_length);
    return p;
}

/* The documents of block b, SEP between them. */
static uint32_t stream_of(uint64_t b, uint32_t *ids)
{
    uint32_t n = 0;
    for (uint64_t d = b * PER; d < (b + 1) * PER; d++) {
        if (d > b * PER) ids[n++] = SEP;
        for (uint32_t t = 0; t < made_length(d); t++) ids[n++] = made_id(d, t);
    }
    assert_true(n <= MOST);
    return n;
}

static uint32_t sample(const sb_packing *p, uint64_t i, uint32_t *ids)
{
    uint32_t n = UINT32_MAX;
    assert_int_equal(sb_packing_sample(p, corpus, i, SEP, ids, &n), SB_OK);
    assert_true(n <= sb_packing_max_length(p) - 2);
    return n;
}

/* Samples in their order are the stream, less separators at their ends. */
static void samples_of(uint32_t max_length)
{
    static uint32_t stream[MOST], ids[MOST];
    sb_packing *p = packing_of(max_length);
    uint64_t i = 0;
    uint32_t room = max_length - 2;
    for (uint64_t b = 0; b < BLOCKS; b++) {
        uint32_t n = stream_of(b, stream), count = (n + room - 1) / room;
        uint32_t at = 0;
        for (uint32_t k = 0; k < count; k++, i++) {
            uint32_t got = sample(p, i, ids);
            if (got && stream[at] == SEP) at++;
            assert_memory_equal(stream + at, ids, got * sizeof *ids);
            assert_true(!got || (ids[0] != SEP && ids[got - 1] != SEP));
            at += got;
            if (at < n && stream[at] == SEP) at++;
            /* none is small: cuts are at equal distances */
            assert_true(got + 2 >= n / count);
            assert_true(got <= (n + count - 1) / count);
        }
        assert_int_equal(at, n);
    }
    assert_int_equal(i, sb_mix_places(sb_packing_mix(p)));
    uint32_t none;
    assert_int_equal(sb_packing_sample(p, corpus, i, SEP, ids, &none), SB_EBUG);
    sb_packing_close(p);
}

static void samples_are_the_documents_in_order(void **state)
{
    (void)state;
    samples_of(LENGTH);
    samples_of(7);
    samples_of(4);
    samples_of(64);
    samples_of(513);
    samples_of(5000); /* a block makes one sample */
}

/* Room for one id: separators become samples without ids. */
static void the_least_length_still_holds_every_token(void **state)
{
    (void)state;
    sb_packing *p = packing_of(3);
    uint64_t tokens = 0, n = sb_mix_places(sb_packing_mix(p));
    for (uint64_t i = 0; i < n; i++) {
        uint32_t id;
        tokens += sample(p, i, &id);
    }
    assert_int_equal(tokens, sb_corpus_tokens(corpus));
    assert_int_equal(n, tokens + BLOCKS * (PER - 1));
    sb_packing_close(p);
    assert_int_equal(sb_packing_open(corpus, 2, &p), SB_EINVAL);
}

/* ---- as batches ---------------------------------------------------------- */

static sb_batch_options options_of(const sb_sampling *how)
{
    return (sb_batch_options){.seed = 42,
                              .max_length = LENGTH,
                              .mask_prob = 0.15f,
                              .special = {0, 1, 2, SEP, 4},
                              .vocab_size = MADE_VOCAB,
                              .sampling = how};
}

static void an_epoch_of_batches_has_every_token_once(void **state)
{
    (void)state;
    sb_sampling how = {.packing = packing_of(LENGTH)};
    sb_batch_options o = options_of(&how);
    uint64_t places = sb_batch_places(corpus, &how), separators = 0;
    sb_batch b;
    assert_int_equal(places, sb_mix_places(sb_packing_mix(how.packing)));
    assert_int_equal(sb_batch_open(places, LENGTH, &b), SB_OK);
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        int64_t count[MADE_VOCAB] = {0};
        uint64_t sum = 0;
        assert_int_equal(sb_batch_train(&b, corpus, &o, epoch * places, places),
                         SB_OK);
        assert_int_equal(b.sequences, places);
        for (size_t m = 0; m < b.nmasked; m++) {
            assert_int_not_equal(b.target[m], SEP);
            b.ids[b.masked[m]] = b.target[m];
        }
        for (size_t i = 0; i < b.tokens; i++) count[b.ids[i]]++;
        for (size_t s = 0; s < places; s++) {
            assert_int_equal(b.ids[b.seq_begin[s]], 2);
            assert_int_equal(b.ids[b.seq_begin[s + 1] - 1], SEP);
        }
        for (uint32_t id = 5; id < MADE_VOCAB; id++) {
            assert_int_equal(count[id], sb_corpus_counts(corpus)[id]);
            sum += (uint64_t)count[id];
        }
        assert_int_equal(sum, sb_corpus_tokens(corpus));
        if (epoch) assert_int_equal((uint64_t)count[SEP], separators);
        separators = (uint64_t)count[SEP];
    }
    assert_true(separators > places); /* some samples hold several documents */
    sb_batch_close(&b);
    sb_sampling_close(&how);
}

static void a_packed_sample_is_the_same_in_any_batch(void **state)
{
    (void)state;
    sb_sampling how = {.packing = packing_of(LENGTH)};
    sb_batch_options o = options_of(&how);
    sb_batch all, one;
    assert_int_equal(sb_batch_open(40, LENGTH, &all), SB_OK);
    assert_int_equal(sb_batch_open(1, LENGTH, &one), SB_OK);
    assert_int_equal(sb_batch_train(&all, corpus, &o, 1000, 40), SB_OK);
    for (size_t s = 0; s < 40; s++) {
        uint32_t begin = all.seq_begin[s];
        assert_int_equal(sb_batch_train(&one, corpus, &o, 1000 + s, 1), SB_OK);
        assert_int_equal(one.tokens, all.seq_begin[s + 1] - begin);
        assert_memory_equal(one.ids, all.ids + begin,
                            one.tokens * sizeof *one.ids);
    }
    o.max_length = LENGTH - 1; /* not what was packed for */
    assert_int_equal(sb_batch_train(&one, corpus, &o, 0, 1), SB_EBUG);
    sb_batch_close(&all);
    sb_batch_close(&one);
    sb_sampling_close(&how);
}

static void heldout_samples_are_not_packed(void **state)
{
    (void)state;
    sb_corpus *held;
    sb_sampling how = {.packing = packing_of(LENGTH)};
    sb_batch_options plain = options_of(NULL), o = options_of(&how);
    sb_batch a, b;
    assert_int_equal(sb_corpus_open(made_dir, SB_HELDOUT, &held), SB_OK);
    assert_int_equal(sb_batch_open(PER, LENGTH, &a), SB_OK);
    assert_int_equal(sb_batch_open(PER, LENGTH, &b), SB_OK);
    assert_int_equal(sb_batch_heldout(&a, held, &plain, 0, PER), SB_OK);
    assert_int_equal(sb_batch_heldout(&b, held, &o, 0, PER), SB_OK);
    assert_int_equal(a.tokens, b.tokens);
    assert_memory_equal(a.ids, b.ids, a.tokens * sizeof *a.ids);
    sb_batch_close(&a);
    sb_batch_close(&b);
    sb_corpus_close(held);
    sb_sampling_close(&how);
}

/* Source 0 is blocks 0 .. 2, source 1 is block 3. */
static void an_epoch_follows_the_weights(void **state)
{
    (void)state;
    char dir[96];
    snprintf(dir, sizeof dir, "%s/weighted", made_dir);
    assert_int_equal(sb_dir_make(dir), SB_OK);
    made_weight[0] = 0;
    made_weight[1] = 2;
    assert_int_equal(made_corpus(dir, PER), SB_OK);
    made_weight[0] = made_weight[1] = 1;
    sb_corpus *c;
    assert_int_equal(sb_corpus_open(dir, SB_TRAIN, &c), SB_OK);
    sb_sampling how = {0};
    assert_int_equal(sb_packing_open(c, LENGTH, &how.packing), SB_OK);
    sb_batch_options o = options_of(&how);
    uint64_t places = sb_batch_places(c, &how), tokens = 0;
    sb_batch b;
    assert_int_equal(sb_batch_open(places, LENGTH, &b), SB_OK);
    assert_int_equal(sb_batch_train(&b, c, &o, 0, places), SB_OK);
    for (size_t i = 0; i < b.tokens; i++)
        tokens += b.ids[i] != 2 && b.ids[i] != SEP;
    for (size_t m = 0; m < b.nmasked; m++) /* random ids may be special */
        tokens += b.ids[b.masked[m]] == 2 || b.ids[b.masked[m]] == SEP;
    assert_int_equal(tokens, 2 * sb_corpus_source_at(c, 1)->tokens);
    sb_batch_close(&b);
    sb_sampling_close(&how);
    sb_corpus_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_the_documents_in_order),
        cmocka_unit_test(the_least_length_still_holds_every_token),
        cmocka_unit_test(an_epoch_of_batches_has_every_token_once),
        cmocka_unit_test(a_packed_sample_is_the_same_in_any_batch),
        cmocka_unit_test(heldout_samples_are_not_packed),
        cmocka_unit_test(an_epoch_follows_the_weights),
    };
    return cmocka_run_group_tests(tests, up, down);
}
