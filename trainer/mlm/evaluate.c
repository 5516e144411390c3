/* SPDX-License-Identifier: MIT
 * evaluate.c - held-out loss. */
#include "trainer/mlm/evaluate.h"

#include <math.h>

sb_status sb_mlm_evaluate(sb_mlm *m, sb_corpus *heldout, const uint64_t *counts,
                          uint64_t samples, sb_evaluation *out)
{
    uint64_t n = sb_corpus_documents(heldout), V = m->o->shape.vocab;
    if (n > samples) n = samples;
    double total = (double)V;
    for (uint64_t i = 0; i < V; i++) total += (double)counts[i];
    sb_evaluation e = {.random = log((double)V), .documents = n};
    for (uint64_t at = 0; at < n; at += m->o->batch) {
        sb_wave w;
        SB_TRY(sb_mlm_forward(m, heldout, SB_WAVE_HELDOUT, at, n, &w));
        if (w.stop) {
            out->stop = 1;
            return SB_OK;
        }
        e.loss += w.loss_sum;
        e.masked += w.masked;
        for (size_t k = 0; k < w.masked; k++)
            e.unigram -= log(((double)counts[m->target[k]] + 1) / total);
    }
    SB_REQUIRE(e.masked, SB_EINVAL,
               "%llu held-out documents hold no masked token",
               (unsigned long long)n);
    e.loss /= (double)e.masked;
    e.unigram /= (double)e.masked;
    *out = e;
    return SB_OK;
}
