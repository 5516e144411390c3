/* SPDX-License-Identifier: MIT
 * plan.c - rounds and stretches. */
#include "trainer/word2vec/plan.h"

#include "comm/base/mem.h"
#include "comm/comm.h"

/* Tokens of a stretch: what windows are combined over. */
enum { STRETCH_TOKENS = 1 << 19 };

static uint32_t longest_block(const sb_w2v_plan *p)
{
    uint32_t longest = 1;
    for (uint64_t i = 0; i < sb_corpus_blocks(p->corpus); i++)
        if (p->tokens[i] > longest) longest = p->tokens[i];
    return longest;
}

/* Enough text for context combining, but something for every worker, and no
 * more than four times that text if all blocks were as long as the longest. */
static uint64_t choose_stretch(const sb_w2v_plan *p)
{
    uint64_t epoch = sb_mix_sum(p->mix, p->order, 1, p->tokens);
    uint64_t mean = epoch / p->blocks + 1;
    uint64_t want = (STRETCH_TOKENS + mean / 2) / mean;
    uint64_t most = 4 * (uint64_t)STRETCH_TOKENS / longest_block(p);
    if (want > most) want = most;
    if (want > p->blocks / p->workers) want = p->blocks / p->workers;
    return want > 0 ? want : 1;
}

sb_status sb_w2v_plan_open(sb_w2v_plan *p, sb_corpus *corpus, uint64_t seed,
                           uint32_t epochs, uint32_t workers)
{
    *p = (sb_w2v_plan){.corpus = corpus, .seed = seed, .workers = workers};
    p->mix = sb_corpus_block_mix(corpus);
    p->order = sb_rng_key_make(seed, SB_RNG_WORD2VEC_ORDER);
    p->blocks = sb_mix_places(p->mix);
    p->total = p->blocks * epochs; /* < 2^53 x 10^6: options.c */
    uint64_t n = sb_corpus_blocks(corpus);
    SB_REQUIRE(p->total / epochs == p->blocks, SB_ELIMIT,
               "%u epochs of %llu blocks", epochs,
               (unsigned long long)p->blocks);
    SB_TRY(sb_alloc((size_t)n, sizeof *p->tokens, "block list", &p->tokens));
    for (uint64_t i = 0; i < n; i++)
        p->tokens[i] = sb_corpus_block_tokens(corpus, i);
    p->rate.total = sb_mix_sum(p->mix, p->order, epochs, p->tokens);
    p->stretch = choose_stretch(p);
    return SB_OK;
}

void sb_w2v_plan_close(sb_w2v_plan *p)
{
    sb_free(p->tokens);
    *p = (sb_w2v_plan){0};
}

static uint64_t block_at(const sb_w2v_plan *p, uint64_t g)
{
    return sb_mix_item(p->mix, p->order, g / p->blocks, g % p->blocks);
}

uint64_t sb_w2v_plan_next(const sb_w2v_plan *p, uint64_t cursor)
{
    uint64_t width = p->workers * p->stretch;
    return p->total - cursor > width ? cursor + width : p->total;
}

uint64_t sb_w2v_plan_words(const sb_w2v_plan *p, uint64_t first, uint64_t last)
{
    uint64_t n = 0;
    for (uint64_t g = first; g < last; g++) n += p->tokens[block_at(p, g)];
    return n;
}

uint64_t sb_w2v_plan_before(const sb_w2v_plan *p, uint64_t g)
{
    uint64_t epochs = g / p->blocks;
    return sb_mix_sum(p->mix, p->order, epochs, p->tokens) +
           sb_w2v_plan_words(p, epochs * p->blocks, g);
}

size_t sb_w2v_plan_most(const sb_w2v_plan *p)
{
    return longest_block(p) * p->stretch;
}

sb_status sb_w2v_plan_give(const sb_w2v_plan *p, uint64_t cursor, uint64_t last,
                           uint64_t words, uint32_t w, sb_w2v_task *t)
{
    uint64_t n = last - cursor;
    uint64_t from = cursor + sb_share(n, (int)w, (int)p->workers);
    uint64_t to = cursor + sb_share(n, (int)w + 1, (int)p->workers);
    sb_rng_key text = sb_rng_key_make(p->seed, SB_RNG_WORD2VEC);
    sb_rng_key noise = sb_rng_key_make(p->seed, SB_RNG_WORD2VEC_NOISE);
    t->loss = 0;
    t->pairs = t->moved = 0;
    t->pieces = 0;
    t->rng = sb_fast_rng_start(noise, 0, from);
    t->rate = &p->rate;
    t->words_first = words;
    t->words_last = words + sb_w2v_plan_words(p, cursor, last);
    for (uint64_t g = from; g < to; g++) {
        sb_w2v_piece *piece = &t->piece[t->pieces++];
        uint64_t epoch = g / p->blocks;
        SB_TRY(sb_corpus_block(p->corpus, block_at(p, g), &piece->block));
        /* Not the block's number: an epoch may have it twice. */
        piece->rng = sb_fast_rng_start(
            text, (uint32_t)epoch,
            sb_mix_number(p->mix, p->order, epoch, g % p->blocks));
    }
    return SB_OK;
}
