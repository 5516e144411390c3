/* SPDX-License-Identifier: MIT
 * sampling.c - tables by id, and the packing. */
#include "dataset/sampling.h"

#include <string.h>

#include "comm/base/mem.h"

static sb_status open_continues(const sb_vocab *v, uint8_t **continues_out)
{
    uint32_t n = sb_vocab_size(v);
    uint8_t *is;
    SB_TRY(sb_alloc(n, sizeof *is, "continuations", &is));
    for (uint32_t i = 0; i < n; i++)
        is[i] = (uint8_t)sb_is_continuation(sb_vocab_piece(v, i));
    *continues_out = is;
    return SB_OK;
}

static sb_status open_parts(const sb_sampling_options *o, const sb_vocab *v,
                            const sb_corpus *train, sb_sampling *s)
{
    s->max_chars = o->max_chars;
    if (o->whole_word) SB_TRY(open_continues(v, &s->continues));
    if (o->max_chars) SB_TRY(sb_piece_widths_open(v, &s->widths));
    if (o->pack) SB_TRY(sb_packing_open(train, o->max_length, &s->packing));
    return SB_OK;
}

sb_status sb_sampling_open(const sb_sampling_options *o, const sb_vocab *vocab,
                           const sb_corpus *train, sb_sampling *sampling_out)
{
    if (o->pack && o->max_chars) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "pack = true with max-chars = %u: packed samples hold "
                "documents whole",
                o->max_chars);
        return sb_hint("--max-chars 0, or --pack false");
    }
    sb_sampling s = {0};
    sb_status st = open_parts(o, vocab, train, &s);
    if (st == SB_OK)
        *sampling_out = s;
    else
        sb_sampling_close(&s);
    return st;
}

void sb_sampling_close(sb_sampling *s)
{
    sb_free(s->continues);
    sb_free(s->widths);
    sb_packing_close(s->packing);
    memset(s, 0, sizeof *s);
}

const sb_mix *sb_sampling_mix(const sb_sampling *s, const sb_corpus *train)
{
    return s && s->packing ? sb_packing_mix(s->packing)
                           : sb_corpus_document_mix(train);
}
