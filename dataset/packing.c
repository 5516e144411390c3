/* SPDX-License-Identifier: MIT
 * packing.c - which ids are sample i.
 *
 * Invariants: first[0] == 0, first rises with every block that has a
 * document, and first[blocks] is the number of all samples. */
#include "dataset/packing.h"

#include <inttypes.h>
#include <string.h>

#include "comm/base/mem.h"

struct sb_packing {
    uint32_t max_length;
    uint64_t blocks;
    uint64_t *first; /* [blocks + 1] first sample of each */
    sb_mix *mix;
};

/* Ids of a block's stream. */
static uint64_t stream_ids(uint64_t tokens, uint64_t documents)
{
    return tokens + (documents ? documents - 1 : 0);
}

static void number_through(sb_packing *p, const sb_corpus *train)
{
    uint64_t room = p->max_length - 2;
    for (uint64_t b = 0; b < p->blocks; b++) {
        uint64_t n = stream_ids(sb_corpus_block_tokens(train, b),
                                sb_corpus_block_documents(train, b));
        p->first[b + 1] = p->first[b] + (n + room - 1) / room;
    }
}

static sb_status open_mix(sb_packing *p, const sb_corpus *train)
{
    size_t n = sb_corpus_sources(train);
    uint64_t *items;
    double *weight = NULL;
    SB_TRY(sb_alloc(n, sizeof *items, "sources", &items));
    sb_status st;
    SB_GOTO(st, sb_alloc(n, sizeof *weight, "sources", &weight), out);
    for (size_t i = 0; i < n; i++) {
        const sb_corpus_source *s = sb_corpus_source_at(train, i);
        items[i] =
            p->first[s->first_block + s->blocks] - p->first[s->first_block];
        weight[i] = s->weight;
    }
    st = sb_mix_open(items, weight, n, &p->mix);
out:
    sb_free(items);
    sb_free(weight);
    return st;
}

sb_status sb_packing_open(const sb_corpus *train, uint32_t max_length,
                          sb_packing **packing_out)
{
    SB_REQUIRE(max_length >= 3, SB_EINVAL,
               "sequences of %u tokens: at least 3 are needed", max_length);
    sb_packing *p;
    SB_TRY(sb_alloc(1, sizeof *p, "packing", &p));
    p->max_length = max_length;
    p->blocks = sb_corpus_blocks(train);
    sb_status st = sb_alloc((size_t)p->blocks + 1, sizeof *p->first,
                            "samples of blocks", &p->first);
    if (st == SB_OK) {
        number_through(p, train);
        st = open_mix(p, train);
    }
    if (st == SB_OK)
        *packing_out = p;
    else
        sb_packing_close(p);
    return st;
}

void sb_packing_close(sb_packing *p)
{
    if (!p) return;
    sb_mix_close(p->mix);
    sb_free(p->first);
    sb_free(p);
}

uint32_t sb_packing_max_length(const sb_packing *p)
{
    return p->max_length;
}

const sb_mix *sb_packing_mix(const sb_packing *p)
{
    return p->mix;
}

/* The block of sample i. */
static uint64_t block_of(const sb_packing *p, uint64_t i)
{
    uint64_t lo = 0, hi = p->blocks; /* first[lo] <= i < first[hi] */
    while (hi - lo > 1) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (p->first[mid] <= i)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* [lo, hi) of the block's stream, without separators at its ends. */
static uint32_t copy(const sb_block *b, uint64_t lo, uint64_t hi,
                     uint32_t separator, uint32_t *ids)
{
    uint32_t n = 0, documents = 0;
    sb_sentence s = sb_sentence_start(b);
    for (uint32_t i = 0; i < b->sentences; i++) {
        sb_sentence_next(&s);
        /* the sentence lies behind `documents` separators */
        uint64_t begin = (uint64_t)s.begin + documents;
        uint64_t end = (uint64_t)s.end + documents;
        if (begin >= hi) break;
        documents += (uint32_t)s.last;
        if (end <= lo) continue;
        uint64_t from = begin > lo ? begin : lo, to = end < hi ? end : hi;
        memcpy(ids + n, b->ids + s.begin + (from - begin),
               (size_t)(to - from) * sizeof *ids);
        n += (uint32_t)(to - from);
        if (s.last && end + 1 < hi) ids[n++] = separator;
    }
    return n;
}

sb_status sb_packing_sample(const sb_packing *p, sb_corpus *train, uint64_t i,
                            uint32_t separator, uint32_t *ids, uint32_t *n_out)
{
    SB_REQUIRE(sb_corpus_blocks(train) == p->blocks && i < p->first[p->blocks],
               SB_EBUG, "no packed sample %" PRIu64, i);
    uint64_t k = block_of(p, i);
    sb_block b;
    SB_TRY(sb_corpus_block(train, k, &b));
    uint64_t n = stream_ids(b.tokens, b.documents);
    uint64_t at = i - p->first[k], of = p->first[k + 1] - p->first[k];
    *n_out = copy(&b, n * at / of, n * (at + 1) / of, separator, ids);
    return SB_OK;
}
