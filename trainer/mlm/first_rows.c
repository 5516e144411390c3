/* SPDX-License-Identifier: MIT
 * first_rows.c - rows from phase 1, and from files of other programs. */
#include "trainer/mlm/first_rows.h"

#include <inttypes.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/log.h"
#include "trainer/mlm/tensors.h"
#include "trainer/resume.h"
#include "trainer/vectors.h"

/* ---- phase 1 ------------------------------------------------------------- */

typedef struct reader {
    sb_mlm *m;
    const sb_vocab *vocab;
} reader;

/* This rank's rows. Local. */
static sb_status read_rows(const sb_mlm *m, const sb_vocab *vocab, sb_ckpt *k)
{
    uint64_t D = m->o->shape.dim, first = m->table->first;
    sb_tensor t = sb_mlm_table_tensor(&m->o->shape, SB_W2V_INPUT);
    SB_REQUIRE(sb_ckpt_get_meta(k)->vocab_hash == sb_vocab_hash(vocab),
               SB_EINVAL,
               "the word2vec checkpoint in '%s' was trained with another "
               "vocabulary",
               m->o->init_path);
    SB_TRY(sb_mlm_check_tensor(k, &t));
    return sb_ckpt_get(k, &t, first * D, (m->table->last - first) * D,
                       m->table->rows);
}

static sb_status take(sb_ckpt *k, void *arg)
{
    reader *r = arg;
    return sb_agree(r->m->comm, read_rows(r->m, r->vocab, k));
}

sb_status sb_rows_of_run(sb_mlm *m, const sb_vocab *vocab,
                         const uint64_t *counts, unsigned char *have)
{
    const sb_table *t = m->table;
    reader r = {m, vocab};
    int found;
    sb_status st =
        sb_resume(m->comm, m->o->init_path, SB_DAMAGED_STAY, take, &r, &found);
    if (st == SB_EINVAL)
        return sb_hint("--init names a word2vec folder of the same vocabulary "
                       "and --dim");
    SB_TRY(st);
    for (uint64_t row = t->first; row < t->last; row++)
        have[row - t->first] =
            counts[row] > 0 && !sb_vocab_is_special(vocab, (uint32_t)row);
    if (found) return SB_OK;
    sb_fail(SB_ENOENT, __FILE__, __LINE__, "no word2vec checkpoint in '%s'",
            m->o->init_path);
    return sb_hint("run `shardbert word2vec` first, or start from random rows "
                   "with --init none");
}

/* ---- a file -------------------------------------------------------------- */

typedef struct taker {
    const sb_mlm *m;
    const sb_vocab *vocab;
    unsigned char *have;
    uint64_t words, taken; /* announced; by this rank */
} taker;

static sb_status check_width(void *context, uint64_t words, size_t dim)
{
    taker *t = context;
    t->words = words;
    if (dim == t->m->o->shape.dim) return SB_OK;
    sb_fail(SB_EINVAL, __FILE__, __LINE__,
            "the vectors in '%s' have %zu values, the model is %u wide",
            t->m->o->init_path, dim, t->m->o->shape.dim);
    return sb_hint("--dim %zu", dim);
}

static sb_status take_row(void *context, const char *word, size_t n,
                          const float *row)
{
    taker *t = context;
    const sb_table *k = t->m->table;
    uint32_t id = sb_vocab_find(t->vocab, word, n, 0);
    if (id == SB_NO_ID || id < k->first || id >= k->last ||
        sb_vocab_is_special(t->vocab, id))
        return SB_OK;
    size_t at = (size_t)(id - k->first);
    if (t->have[at]) return SB_OK;
    t->have[at] = 1;
    t->taken++;
    memcpy(k->rows + at * k->dim, row, k->dim * sizeof *row);
    return SB_OK;
}

sb_status sb_rows_of_file(sb_mlm *m, const sb_vocab *vocab, unsigned char *have)
{
    taker t = {.m = m, .vocab = vocab, .have = have};
    uint64_t bytes = 0;
    sb_status st = sb_file_size(m->o->init_path, &bytes);
    if (st == SB_OK)
        st = sb_vectors_each(m->o->init_path,
                             &(sb_vectors_sink){&t, check_width, take_row});
    SB_TRY(sb_agree(m->comm, st));
    SB_TRY(sb_rows_same(m, bytes));
    sb_comm_sum_u64(m->comm, &t.taken, 1);
    sb_log(SB_LOG_INFO,
           "%" PRIu64 " of the %" PRIu64 " words in %s are pieces of the "
           "vocabulary",
           t.taken, t.words, m->o->init_path);
    return SB_OK;
}

sb_status sb_rows_same(const sb_mlm *m, uint64_t identity)
{
    if (sb_comm_same(m->comm, identity)) return SB_OK;
    sb_fail(SB_EINVAL, __FILE__, __LINE__, "the ranks see different files '%s'",
            m->o->init_path);
    return sb_hint("it must lie in a folder that all nodes share");
}
