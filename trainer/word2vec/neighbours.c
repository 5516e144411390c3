/* SPDX-License-Identifier: MIT
 * neighbours.c - each rank looks through its share of the rows, then all
 * merge the size x k best. A cosine is formed from one row and the query
 * alone, so it has the same bits wherever it is formed. */
#include "trainer/word2vec/neighbours.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/mem.h"
#include "trainer/kernels/kernels.h"

enum { PANEL_BYTES = 4 << 20 };

typedef struct search {
    sb_ckpt *ckpt;
    const sb_vocab *vocab;
    sb_tensor tensor; /* [V, D] */
    const uint32_t *ids;
    size_t n, k;
    float *query;       /* [D] of length 1 */
    float *panel;       /* rows of the tensor */
    sb_neighbour *best; /* [k], best first */
    size_t found;
} search;

static int better(const sb_neighbour *a, const sb_neighbour *b)
{
    if (a->cosine > b->cosine) return 1;
    if (a->cosine < b->cosine) return 0;
    return a->id < b->id;
}

/* Keep x if it is among the k best so far. */
static void offer(sb_neighbour *best, size_t *found, size_t k, sb_neighbour x)
{
    if (*found == k && !better(&x, &best[k - 1])) return;
    size_t i = *found < k ? (*found)++ : k - 1;
    for (; i > 0 && better(&x, &best[i - 1]); i--) best[i] = best[i - 1];
    best[i] = x;
}

static sb_status find_tensor(search *s, const char *name)
{
    size_t i;
    SB_TRY(sb_ckpt_find(s->ckpt, name, &i));
    s->tensor = *sb_ckpt_tensor(s->ckpt, i);
    uint32_t V = sb_vocab_size(s->vocab);
    SB_REQUIRE(s->tensor.ndim == 2 && s->tensor.dtype == SB_F32 &&
                   s->tensor.dim[0] == V && s->tensor.dim[1] > 0,
               SB_EINVAL,
               "tensor '%s' is not a row of floats for each of the "
               "vocabulary's %u pieces",
               name, V);
    SB_REQUIRE(s->n > 0 && s->k > 0, SB_EINVAL,
               "neighbours need a word and a number above 0");
    for (size_t j = 0; j < s->n; j++)
        SB_REQUIRE(s->ids[j] < V, SB_EINVAL,
                   "id %u is beyond the vocabulary's %u pieces", s->ids[j], V);
    return SB_OK;
}

/* query <- the mean of the rows asked for, divided by its length. */
static sb_status make_query(search *s)
{
    size_t D = s->tensor.dim[1];
    for (size_t j = 0; j < s->n; j++) {
        SB_TRY(sb_ckpt_get(s->ckpt, &s->tensor, (uint64_t)s->ids[j] * D, D,
                           s->panel));
        sb_axpy(s->query, 1.0f / (float)s->n, s->panel, D);
    }
    double length = sqrt(sb_sum_squares(s->query, D));
    SB_REQUIRE(length > 0 && isfinite(length), SB_EINVAL,
               "the vector asked for has %s, so nothing is near it",
               length > 0 ? "values that are not finite" : "no length");
    for (size_t i = 0; i < D; i++) s->query[i] = (float)(s->query[i] / length);
    return SB_OK;
}

static int left_out(const search *s, uint32_t id)
{
    for (size_t j = 0; j < s->n; j++)
        if (s->ids[j] == id) return 1;
    return sb_vocab_is_special(s->vocab, id);
}

static sb_status look_through(search *s, uint64_t first, uint64_t last,
                              uint64_t rows)
{
    size_t D = s->tensor.dim[1];
    for (uint64_t at = first; at < last; at += rows) {
        uint64_t n = last - at < rows ? last - at : rows;
        SB_TRY(sb_ckpt_get(s->ckpt, &s->tensor, at * D, n * D, s->panel));
        for (uint64_t i = 0; i < n; i++) {
            const float *row = s->panel + i * D;
            double length = sqrt(sb_sum_squares(row, D));
            if (!(length > 0) || !isfinite(length)) continue;
            sb_neighbour x = {(uint32_t)(at + i), 0};
            x.cosine = (float)((double)sb_dot(s->query, row, D) / length);
            if (!left_out(s, x.id)) offer(s->best, &s->found, s->k, x);
        }
    }
    return SB_OK;
}

static sb_status search_share(sb_comm *c, search *s, const char *name)
{
    SB_TRY(find_tensor(s, name));
    uint64_t V = s->tensor.dim[0];
    size_t D = s->tensor.dim[1];
    uint64_t rows = PANEL_BYTES / (D * sizeof(float)) + 1;
    int rank = sb_comm_rank(c), size = sb_comm_size(c);
    SB_TRY(sb_alloc(D, sizeof(float), "query", &s->query));
    SB_TRY(sb_alloc(rows * D, sizeof(float), "rows", &s->panel));
    SB_TRY(sb_alloc(s->k, sizeof *s->best, "neighbours", &s->best));
    SB_TRY(make_query(s));
    return look_through(s, sb_share(V, rank, size), sb_share(V, rank + 1, size),
                        rows);
}

sb_status sb_neighbours(sb_comm *c, sb_ckpt *ckpt, const char *name,
                        const sb_vocab *vocab, const uint32_t *ids, size_t n,
                        size_t k, sb_neighbour *out, size_t *found_out)
{
    search s = {.ckpt = ckpt, .vocab = vocab, .ids = ids, .n = n, .k = k};
    size_t size = (size_t)sb_comm_size(c);
    if (s.k > sb_vocab_size(vocab)) s.k = sb_vocab_size(vocab);
    sb_neighbour *all = NULL;
    sb_status st = search_share(c, &s, name);
    if (st == SB_OK)
        st = sb_alloc(size * s.k, sizeof *all, "neighbours of all", &all);
    st = sb_agree(c, st);
    if (st == SB_OK) {
        for (size_t i = s.found; i < s.k; i++)
            s.best[i] = (sb_neighbour){SB_NO_ID, 0};
        sb_comm_gather(c, s.best, s.k * sizeof *s.best, all);
        size_t found = 0;
        for (size_t i = 0; i < size * s.k; i++)
            if (all[i].id != SB_NO_ID) offer(out, &found, s.k, all[i]);
        *found_out = found;
    }
    sb_free(s.query);
    sb_free(s.panel);
    sb_free(s.best);
    sb_free(all);
    return st;
}
