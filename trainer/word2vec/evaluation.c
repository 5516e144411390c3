/* SPDX-License-Identifier: MIT
 * evaluation.c - files and results in one place. */
#include "trainer/word2vec/evaluation.h"

#include "comm/agree.h"
#include "comm/base/mem.h"
#include "trainer/kernels/kernels.h"

struct sb_evaluation {
    const sb_candidates *words;
    sb_analogies *analogies;
    sb_similarity *similarity;
    size_t similarities;
};

static sb_status open_all(sb_evaluation *e, const sb_evaluation_files *f)
{
    if (f->analogies)
        SB_TRY(sb_analogies_open(f->analogies, e->words, &e->analogies));
    SB_TRY(sb_alloc(f->similarities, sizeof *e->similarity, "similarity",
                    &e->similarity));
    for (; e->similarities < f->similarities; e->similarities++)
        SB_TRY(sb_similarity_open(f->similarity[e->similarities], e->words,
                                  &e->similarity[e->similarities]));
    return SB_OK;
}

sb_status sb_evaluation_open(const sb_evaluation_files *files,
                             const sb_candidates *words, sb_evaluation **e_out)
{
    sb_evaluation *e;
    SB_TRY(sb_alloc(1, sizeof *e, "evaluation", &e));
    e->words = words;
    sb_kernels_start();
    sb_status st = open_all(e, files);
    if (st != SB_OK)
        sb_evaluation_close(e);
    else
        *e_out = e;
    return st;
}

void sb_evaluation_close(sb_evaluation *e)
{
    if (!e) return;
    for (size_t i = 0; i < e->similarities; i++)
        sb_similarity_close(&e->similarity[i]);
    sb_free(e->similarity);
    sb_analogies_close(e->analogies);
    sb_free(e);
}

static sb_status run_similarity(sb_evaluation *e, const float *table, size_t V,
                                size_t D, size_t stride)
{
    SB_REQUIRE(V == e->words->V && D > 0, SB_EINVAL,
               "a table of %zu x %zu is judged by words for %zu rows", V, D,
               e->words->V);
    for (size_t i = 0; i < e->similarities; i++)
        SB_TRY(
            sb_similarity_run(&e->similarity[i], e->words, table, D, stride));
    return SB_OK;
}

sb_status sb_evaluation_run(sb_evaluation *e, sb_comm *c, sb_pool *pool,
                            const float *table, size_t V, size_t D,
                            size_t stride, sb_evaluation_result *result_out)
{
    sb_evaluation_result r = {.similarity = e->similarity,
                              .similarities = e->similarities,
                              .total = {.name = "total"}};
    SB_TRY(sb_agree(c, run_similarity(e, table, V, D, stride)));
    if (e->analogies) {
        SB_TRY(sb_analogies_run(e->analogies, c, pool, table, D, stride));
        r.section = sb_analogies_sections(e->analogies, &r.sections);
    }
    for (size_t i = 0; i < r.sections; i++) {
        r.total.asked += r.section[i].asked;
        r.total.covered += r.section[i].covered;
        r.total.right += r.section[i].right;
    }
    *result_out = r;
    return SB_OK;
}
