/* SPDX-License-Identifier: MIT
 * batch.c - which item is sample g, and what of it is masked.
 *
 * Invariants: seq_begin[0] == 0, seq_begin[sequences] == tokens <= token_cap;
 * masked rises; [CLS], [SEP] and any other special token is never masked. */
#include "dataset/batch.h"

#include <string.h>

#include "comm/base/mem.h"
#include "comm/base/rng.h"

/* Held-out sets are masked alike in all runs, whatever their seed. */
#define HELDOUT_SEED 0x68656c646f7574u /* "heldout" */

sb_status sb_batch_open(size_t sequences, uint32_t max_length,
                        sb_batch *batch_out)
{
    size_t tokens;
    SB_REQUIRE(
        !__builtin_mul_overflow(sequences, (size_t)max_length, &tokens) &&
            tokens <= UINT32_MAX,
        SB_ELIMIT, "a batch of %zu sequences of %u tokens is too large",
        sequences, max_length);
    sb_batch b = {0};
    b.token_cap = tokens;
    b.sequence_cap = sequences;
    sb_status st;
    SB_GOTO(st, sb_alloc(tokens, sizeof *b.ids, "batch ids", &b.ids), fail);
    SB_GOTO(st,
            sb_alloc(sequences + 1, sizeof *b.seq_begin, "batch offsets",
                     &b.seq_begin),
            fail);
    SB_GOTO(st,
            sb_alloc(sequences, sizeof *b.sample, "batch samples", &b.sample),
            fail);
    SB_GOTO(st, sb_alloc(tokens, sizeof *b.masked, "masked places", &b.masked),
            fail);
    SB_GOTO(st, sb_alloc(tokens, sizeof *b.target, "masked ids", &b.target),
            fail);
    *batch_out = b;
    return SB_OK;
fail:
    sb_batch_close(&b);
    return st;
}

void sb_batch_close(sb_batch *b)
{
    sb_free(b->ids);
    sb_free(b->seq_begin);
    sb_free(b->sample);
    sb_free(b->masked);
    sb_free(b->target);
    memset(b, 0, sizeof *b);
}

/* ---- masks --------------------------------------------------------------- */

/* Mask the newest sequence, which is sample g and begins at `begin`. Where
 * `continues` is not NULL, a piece that goes on with a word shares the choice
 * of the piece before it. */
static void mask(sb_batch *b, const sb_batch_options *o,
                 const uint8_t *continues, sb_rng_key key, uint64_t g,
                 uint32_t begin)
{
    int chosen = 0, in_word = 0;
    for (uint32_t i = begin; i < b->tokens; i++) {
        uint32_t id = b->ids[i];
        if (sb_special_is(&o->special, id)) {
            in_word = 0;
            continue;
        }
        sb_rng4 r = sb_rng_at(key, g, i - begin, 0);
        if (!(in_word && continues && continues[id]))
            chosen = sb_rng_unit(r.v[0]) < o->mask_prob;
        in_word = 1;
        if (!chosen) continue;
        b->masked[b->nmasked] = i;
        b->target[b->nmasked++] = id;
        float what = sb_rng_unit(r.v[1]);
        if (what < 0.8f)
            b->ids[i] = o->special.mask;
        else if (what < 0.9f)
            b->ids[i] = sb_rng_below(r.v[2], o->vocab_size);
    }
}

/* ---- samples ------------------------------------------------------------- */

/* Document `doc`, cut, to ids [max_length - 2]. */
static sb_status read_document(sb_corpus *corpus, const sb_batch_options *o,
                               uint64_t doc, uint32_t *ids, uint32_t *n_out)
{
    const sb_sampling *how = o->sampling;
    const uint32_t *from;
    uint32_t n;
    SB_TRY(sb_corpus_document(corpus, doc, &from, &n));
    if (n > o->max_length - 2) n = o->max_length - 2;
    if (how && how->widths)
        n = sb_piece_widths_cut(how->widths, from, n, how->max_chars);
    memcpy(ids, from, n * sizeof *ids);
    *n_out = n;
    return SB_OK;
}

/* The newest sequence is [CLS], the n ids behind it, [SEP]: sample g. Returns
 * its beginning. */
static uint32_t finish(sb_batch *b, const sb_batch_options *o, uint64_t g,
                       uint32_t n)
{
    uint32_t begin = (uint32_t)b->tokens;
    b->ids[begin] = o->special.cls;
    b->ids[begin + n + 1] = o->special.sep;
    b->tokens += n + 2;
    b->sample[b->sequences++] = g;
    b->seq_begin[b->sequences] = (uint32_t)b->tokens;
    return begin;
}

static sb_status begin(sb_batch *b, const sb_corpus *corpus,
                       const sb_batch_options *o, size_t n)
{
    SB_REQUIRE(o->max_length >= 3, SB_EINVAL,
               "sequences of %u tokens: at least 3 are needed", o->max_length);
    SB_REQUIRE(n <= b->sequence_cap && n <= b->token_cap / o->max_length,
               SB_EBUG, "%zu sequences of %u tokens in a batch made for %zu", n,
               o->max_length, b->sequence_cap);
    SB_REQUIRE(sb_corpus_vocab_size(corpus) <= o->vocab_size, SB_EINVAL,
               "the corpus has a vocabulary of %llu pieces, the model one of "
               "%u",
               (unsigned long long)sb_corpus_vocab_size(corpus), o->vocab_size);
    SB_REQUIRE(o->mask_prob >= 0 && o->mask_prob <= 1, SB_EINVAL,
               "a masking probability of %g", (double)o->mask_prob);
    SB_REQUIRE(!o->sampling || !o->sampling->packing ||
                   sb_packing_max_length(o->sampling->packing) == o->max_length,
               SB_EBUG, "samples packed for another length than %u",
               o->max_length);
    b->tokens = b->sequences = b->nmasked = 0;
    b->seq_begin[0] = 0;
    return SB_OK;
}

uint64_t sb_batch_places(const sb_corpus *train, const sb_sampling *sampling)
{
    return sb_mix_places(sb_sampling_mix(sampling, train));
}

sb_status sb_batch_train(sb_batch *b, sb_corpus *corpus,
                         const sb_batch_options *o, uint64_t g, size_t n)
{
    const sb_sampling *how = o->sampling;
    const sb_packing *packing = how ? how->packing : NULL;
    const sb_mix *mix = sb_sampling_mix(how, corpus);
    SB_REQUIRE(mix, SB_EBUG, "training samples of the held-out split");
    SB_TRY(begin(b, corpus, o, n));
    sb_rng_key order = sb_rng_key_make(o->seed, SB_RNG_ORDER);
    sb_rng_key masks = sb_rng_key_make(o->seed, SB_RNG_MASK);
    uint64_t places = sb_mix_places(mix);
    for (uint64_t s = g; s < g + n; s++) {
        uint64_t item = sb_mix_item(mix, order, s / places, s % places);
        uint32_t *ids = b->ids + b->tokens + 1, k;
        if (packing)
            SB_TRY(sb_packing_sample(packing, corpus, item, o->special.sep, ids,
                                     &k));
        else
            SB_TRY(read_document(corpus, o, item, ids, &k));
        mask(b, o, how ? how->continues : NULL, masks, s, finish(b, o, s, k));
    }
    return SB_OK;
}

sb_status sb_batch_heldout(sb_batch *b, sb_corpus *corpus,
                           const sb_batch_options *o, uint64_t first, size_t n)
{
    uint64_t documents = sb_corpus_documents(corpus);
    if (first >= documents)
        n = 0;
    else if (n > documents - first)
        n = (size_t)(documents - first);
    SB_TRY(begin(b, corpus, o, n));
    sb_rng_key masks = sb_rng_key_make(HELDOUT_SEED, SB_RNG_MASK);
    for (uint64_t d = first; d < first + n; d++) {
        uint32_t k;
        SB_TRY(read_document(corpus, o, d, b->ids + b->tokens + 1, &k));
        mask(b, o, NULL, masks, d, finish(b, o, d, k));
    }
    return SB_OK;
}
