/* SPDX-License-Identifier: MIT
 * batch.c - tests of dataset/batch.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "tests/unit/made_corpus.h"
#include "dataset/batch.h"

enum { PER = 25, DOCS = 4 * PER, LONGEST = 32 };

static const sb_batch_options options = {
    .seed = 42,
    .max_length = LONGEST,
    .mask_prob = 0.15f,
    .special = {0, 1, 2, 3, 4},
    .vocab_size = MADE_VOCAB,
};

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

static sb_batch batch_of(size_t n)
{
    sb_batch b;
    assert_int_equal(sb_batch_open(n, LONGEST, &b), SB_OK);
    return b;
}

static void train(sb_batch *b, const sb_batch_options *o, uint64_t g, size_t n)
{
    assert_int_equal(sb_batch_train(b, corpus, o, g, n), SB_OK);
    assert_int_equal(b->sequences, n);
    assert_int_equal(b->seq_begin[0], 0);
    assert_int_equal(b->seq_begin[n], b->tokens);
    assert_true(b->tokens <= b->token_cap);
}

/* The ids of sequence s before masking. */
static uint32_t plain(const sb_batch *b, size_t s, uint32_t *ids)
{
    uint32_t begin = b->seq_begin[s], end = b->seq_begin[s + 1];
    memcpy(ids, b->ids + begin, (end - begin) * sizeof *ids);
    for (size_t m = 0; m < b->nmasked; m++)
        if (b->masked[m] >= begin && b->masked[m] < end)
            ids[b->masked[m] - begin] = b->target[m];
    return end - begin;
}

/* The made document these ids are, which must be complete or cut right. */
static uint64_t which(const uint32_t *ids, uint32_t n)
{
    assert_int_equal(ids[0], options.special.cls);
    assert_int_equal(ids[n - 1], options.special.sep);
    for (uint64_t d = 0; d < DOCS; d++) {
        uint32_t len = made_length(d), t = 0;
        if ((len < LONGEST - 2 ? len : LONGEST - 2) != n - 2) continue;
        while (t < n - 2 && ids[t + 1] == made_id(d, t)) t++;
        if (t == n - 2) return d;
    }
    fail_msg("not a document");
    return 0;
}

static void each_epoch_visits_each_document_once(void **state)
{
    (void)state;
    sb_batch b = batch_of(DOCS);
    int order_differs = 0;
    uint64_t first[DOCS];
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        int seen[DOCS] = {0}, short_ones = 0, long_ones = 0;
        train(&b, &options, epoch * DOCS, DOCS);
        for (size_t s = 0; s < DOCS; s++) {
            uint32_t ids[LONGEST], n = plain(&b, s, ids);
            assert_int_equal(b.sample[s], epoch * DOCS + s);
            short_ones += n == 3;
            long_ones += n == LONGEST;
            /* Different documents may read the same; count texts. */
            uint64_t d = which(ids, n);
            seen[d]++;
            if (epoch == 0) first[s] = d;
            order_differs |= first[s] != d;
        }
        int total = 0;
        for (int d = 0; d < DOCS; d++) total += seen[d];
        assert_int_equal(total, DOCS);
        for (uint64_t d = 0; d < DOCS; d++) /* texts of > 1 token are unique */
            if (made_length(d) > 1) assert_int_equal(seen[d], 1);
        assert_true(short_ones > 0 && long_ones > 0);
    }
    assert_true(order_differs);
    sb_batch_close(&b);
}

static void a_sample_is_the_same_in_any_batch(void **state)
{
    (void)state;
    sb_batch all = batch_of(DOCS), part = batch_of(7);
    train(&all, &options, 50, DOCS);
    for (size_t first = 0; first < DOCS; first++) {
        size_t n = first % 7 + 1;
        if (first + n > DOCS) n = DOCS - first;
        train(&part, &options, 50 + first, n);
        uint32_t at = all.seq_begin[first];
        assert_int_equal(all.seq_begin[first + n] - at, part.tokens);
        assert_memory_equal(all.ids + at, part.ids,
                            part.tokens * sizeof *part.ids);
        size_t m = 0;
        while (m < all.nmasked && all.masked[m] < at) m++;
        for (size_t k = 0; k < part.nmasked; k++) {
            assert_int_equal(all.masked[m + k], part.masked[k] + at);
            assert_int_equal(all.target[m + k], part.target[k]);
        }
        assert_memory_equal(all.sample + first, part.sample,
                            n * sizeof *part.sample);
    }
    sb_batch_close(&all);
    sb_batch_close(&part);
}

static void masking_follows_the_rates(void **state)
{
    (void)state;
    sb_batch b = batch_of(DOCS);
    double ordinary = 0, chosen = 0, as_mask = 0, kept = 0, other = 0;
    double low_ids = 0;
    for (uint64_t e = 0; e < 400; e++) {
        train(&b, &options, e * DOCS, DOCS);
        ordinary += (double)(b.tokens - 2 * b.sequences);
        chosen += (double)b.nmasked;
        for (size_t m = 0; m < b.nmasked; m++) {
            uint32_t id = b.ids[b.masked[m]];
            assert_true(m == 0 || b.masked[m] > b.masked[m - 1]);
            assert_true(b.target[m] >= 5 && id < MADE_VOCAB);
            as_mask += id == options.special.mask;
            kept += id == b.target[m];
            other += id != options.special.mask && id != b.target[m];
            low_ids += id < 4; /* special ids: only as random ones */
        }
    }
    /* Five deviations of a binomial count each. */
    double sd = sqrt(ordinary * 0.15 * 0.85);
    assert_true(fabs(chosen - 0.15 * ordinary) < 5 * sd);
    double v = 1.0 / MADE_VOCAB, p = 0.8 + 0.1 * v;
    assert_true(fabs(as_mask - p * chosen) < 5 * sqrt(chosen * p * (1 - p)));
    p = 0.1 + 0.1 * v;
    assert_true(fabs(kept - p * chosen) < 5 * sqrt(chosen * p * (1 - p)));
    p = 0.1 - 0.2 * v;
    assert_true(fabs(other - p * chosen) < 5 * sqrt(chosen * p * (1 - p)));
    p = 0.1 * 4 * v;
    assert_true(fabs(low_ids - p * chosen) < 5 * sqrt(chosen * p * (1 - p)));
    sb_batch_close(&b);
}

static void special_tokens_are_never_masked(void **state)
{
    (void)state;
    sb_batch b = batch_of(DOCS);
    sb_batch_options o = options;
    o.mask_prob = 1;
    o.special.unk = made_id(2, 1); /* an id that documents hold */
    train(&b, &o, 0, DOCS);
    size_t m = 0, unknown = 0;
    for (uint32_t i = 0; i < b.tokens; i++) {
        if (m < b.nmasked && b.masked[m] == i) {
            assert_int_not_equal(b.target[m], o.special.unk);
            m++;
        } else {
            uint32_t id = b.ids[i];
            assert_true(id == 2 || id == 3 || id == o.special.unk);
            unknown += id == o.special.unk;
        }
    }
    assert_int_equal(m, b.nmasked);
    assert_true(unknown > 0);
    o.mask_prob = 0;
    train(&b, &o, 0, DOCS);
    assert_int_equal(b.nmasked, 0);
    sb_batch_close(&b);
}

static void another_seed_gives_another_order_and_other_masks(void **state)
{
    (void)state;
    sb_batch a = batch_of(DOCS), b = batch_of(DOCS);
    sb_batch_options o = options;
    o.seed++;
    train(&a, &options, 0, DOCS);
    train(&b, &o, 0, DOCS);
    assert_true(a.tokens == b.tokens); /* one epoch either way */
    assert_int_not_equal(memcmp(a.ids, b.ids, a.tokens * sizeof *a.ids), 0);
    sb_batch_close(&a);
    sb_batch_close(&b);
}

static void heldout_samples_are_documents_in_order_for_any_seed(void **state)
{
    (void)state;
    sb_corpus *held;
    assert_int_equal(sb_corpus_open(made_dir, SB_HELDOUT, &held), SB_OK);
    sb_batch a = batch_of(PER), b = batch_of(PER);
    sb_batch_options o = options;
    o.seed = 1234567;
    assert_int_equal(sb_batch_heldout(&a, held, &options, 0, PER), SB_OK);
    assert_int_equal(sb_batch_heldout(&b, held, &o, 0, PER), SB_OK);
    assert_int_equal(a.sequences, PER);
    assert_int_equal(a.tokens, b.tokens);
    assert_int_equal(a.nmasked, b.nmasked);
    assert_memory_equal(a.ids, b.ids, a.tokens * sizeof *a.ids);
    assert_true(a.nmasked > 0);
    for (size_t s = 0; s < PER; s++) {
        uint32_t ids[LONGEST];
        plain(&a, s, ids);
        assert_int_equal(a.sample[s], s);
        assert_int_equal(ids[1], made_id(1000 + s, 0));
    }
    assert_int_equal(sb_batch_heldout(&b, held, &o, 20, 10), SB_OK);
    assert_int_equal(b.sequences, 5);
    assert_memory_equal(a.ids + a.seq_begin[20], b.ids,
                        b.tokens * sizeof *b.ids);
    assert_int_equal(sb_batch_heldout(&b, held, &o, PER, 10), SB_OK);
    assert_int_equal(b.sequences + b.tokens + b.nmasked, 0);
    assert_int_equal(sb_batch_heldout(&b, held, &o, UINT64_MAX, 10), SB_OK);
    assert_int_equal(b.sequences, 0);
    sb_batch_close(&a);
    sb_batch_close(&b);
    sb_corpus_close(held);
}

/* Documents 0 .. 3 PER - 1 are source 0, the others source 1. */
static void an_epoch_follows_the_weights(void **state)
{
    (void)state;
    enum { PLACES = (5 * PER + 1) / 2 };
    char dir[96];
    snprintf(dir, sizeof dir, "%s/weighted", made_dir);
    assert_int_equal(sb_dir_make(dir), SB_OK);
    made_weight[0] = 0;
    made_weight[1] = 2.5;
    assert_int_equal(made_corpus(dir, PER), SB_OK);
    made_weight[0] = made_weight[1] = 1;
    sb_corpus *c;
    assert_int_equal(sb_corpus_open(dir, SB_TRAIN, &c), SB_OK);
    sb_batch b = batch_of(PLACES);
    for (uint64_t epoch = 0; epoch < 4; epoch++) {
        assert_int_equal(
            sb_batch_train(&b, c, &options, epoch * PLACES, PLACES), SB_OK);
        int seen[DOCS] = {0};
        for (size_t s = 0; s < PLACES; s++) {
            uint32_t ids[LONGEST], n = plain(&b, s, ids);
            seen[which(ids, n)]++;
        }
        for (int d = 0; d < DOCS; d++) {
            if (made_length((uint64_t)d) == 1) continue; /* not unique */
            assert_in_range(seen[d], d < 3 * PER ? 0 : 2, d < 3 * PER ? 0 : 3);
        }
    }
    sb_batch_close(&b);
    sb_corpus_close(c);
}

static void a_corpus_of_one_document_repeats_it(void **state)
{
    (void)state;
    char dir[96];
    snprintf(dir, sizeof dir, "%s/one", made_dir);
    assert_int_equal(sb_dir_make(dir), SB_OK);
    static sb_manifest m;
    static sb_source_entry source = {.weight = 1};
    sb_shard_entry e = {.name = "train-00000.mdb", .split = SB_TRAIN};
    char *path = sb_path_join(dir, e.name);
    assert_int_equal(made_shard(path, 3, 1, 1, &e.info), SB_OK); /* 1 token */
    assert_int_equal(sb_file_size(path, &e.bytes), SB_OK);
    sb_free(path);
    m = (sb_manifest){.vocab_size = MADE_VOCAB,
                      .vocab_hash = MADE_HASH,
                      .source = &source,
                      .sources = 1,
                      .shard = &e,
                      .shards = 1};
    assert_int_equal(seal_corpus(dir, &m), SB_OK);
    sb_corpus *one;
    assert_int_equal(sb_corpus_open(dir, SB_TRAIN, &one), SB_OK);
    sb_batch b = batch_of(64);
    assert_int_equal(sb_batch_train(&b, one, &options, 1000, 64), SB_OK);
    assert_int_equal(b.tokens, 3 * 64);
    assert_true(b.nmasked > 0 && b.nmasked < 40); /* masks differ per epoch */
    for (size_t s = 0; s < 64; s++) {
        uint32_t ids[LONGEST];
        assert_int_equal(plain(&b, s, ids), 3);
        assert_int_equal(ids[1], made_id(3, 0));
    }
    sb_batch_close(&b);
    sb_corpus_close(one);
}

static void options_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    sb_batch b = batch_of(4);
    sb_batch_options o = options;
    assert_int_equal(sb_batch_train(&b, corpus, &o, 0, 5), SB_EBUG);
    o.max_length = LONGEST * 2;
    assert_int_equal(sb_batch_train(&b, corpus, &o, 0, 4), SB_EBUG);
    o.max_length = 2;
    assert_int_equal(sb_batch_train(&b, corpus, &o, 0, 4), SB_EINVAL);
    o = options;
    o.vocab_size = MADE_VOCAB - 1;
    assert_int_equal(sb_batch_train(&b, corpus, &o, 0, 4), SB_EINVAL);
    o = options;
    o.mask_prob = NAN;
    assert_int_equal(sb_batch_train(&b, corpus, &o, 0, 4), SB_EINVAL);
    sb_batch_close(&b);
    assert_int_equal(sb_batch_open(SIZE_MAX / 2, 512, &b), SB_ELIMIT);
    assert_int_equal(sb_batch_open(1 << 30, 512, &b), SB_ELIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_epoch_visits_each_document_once),
        cmocka_unit_test(a_sample_is_the_same_in_any_batch),
        cmocka_unit_test(masking_follows_the_rates),
        cmocka_unit_test(special_tokens_are_never_masked),
        cmocka_unit_test(another_seed_gives_another_order_and_other_masks),
        cmocka_unit_test(heldout_samples_are_documents_in_order_for_any_seed),
        cmocka_unit_test(an_epoch_follows_the_weights),
        cmocka_unit_test(a_corpus_of_one_document_repeats_it),
        cmocka_unit_test(options_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, up, down);
}
