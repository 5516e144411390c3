/* SPDX-License-Identifier: MIT
 * cmd_eval.c - `shardbert eval`: analogies and similarity, of the run's
 * word2vec or of a file of vectors. Every rank holds the table; they share the
 * questions. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "launch/common.h"
#include "launch/eval_model.h"
#include "launch/test_files.h"
#include "trainer/names.h"
#include "trainer/word2vec/evaluation.h"

typedef struct job {
    sb_app *app;
    size_t restrict_to;
    sb_vectors file; /* of --vectors */
    float *read;     /* of a checkpoint */
    const float *table;
    size_t V, D;
    sb_candidates words;
    sb_test_files files;
} job;

/* ---- vectors ------------------------------------------------------------- */

static sb_status read_vectors(job *j, const char *path)
{
    SB_TRY(sb_vectors_read(path, &j->file));
    if (j->file.doubled)
        sb_log(SB_LOG_WARN,
               "'%s': %" PRIu64 " words come again, their first row counts",
               path, j->file.doubled);
    j->table = j->file.table;
    j->V = j->file.n;
    j->D = j->file.dim;
    return sb_candidates_of_vectors(&j->file, j->restrict_to, &j->words);
}

static sb_status read_tensors(job *j, sb_ckpt *ckpt, const sb_vocab *v)
{
    size_t i;
    uint32_t V = sb_vocab_size(v);
    uint64_t *counts;
    sb_tensor of_counts = {SB_W2V_COUNTS, SB_U64, 1, {V}};
    SB_TRY(sb_ckpt_find(ckpt, SB_W2V_INPUT, &i));
    sb_tensor t = *sb_ckpt_tensor(ckpt, i);
    SB_REQUIRE(t.ndim == 2 && t.dtype == SB_F32 && t.dim[0] == V &&
                   t.dim[1] > 0 && t.dim[1] <= SB_VECTORS_DIM_MAX,
               SB_EINVAL,
               "tensor '%s' is not a row of floats for each of the "
               "vocabulary's %u pieces",
               t.name, V);
    j->V = V;
    j->D = (size_t)t.dim[1];
    SB_TRY(sb_alloc(j->V * j->D, sizeof *j->read, "vectors", &j->read));
    SB_TRY(sb_ckpt_get(ckpt, &t, 0, sb_tensor_elements(&t), j->read));
    j->table = j->read;
    SB_TRY(sb_alloc(V, sizeof *counts, "counts", &counts));
    sb_status st = sb_ckpt_get(ckpt, &of_counts, 0, V, counts);
    if (st == SB_OK)
        st = sb_candidates_of_vocab(v, counts, j->restrict_to, &j->words);
    sb_free(counts);
    return st;
}

typedef struct reading {
    job *j;
    const sb_vocab *vocab;
} reading;

static sb_status take(sb_ckpt *k, void *arg)
{
    reading *r = arg;
    sb_free(r->j->read);
    r->j->read = NULL;
    return sb_agree(r->j->app->comm, read_tensors(r->j, k, r->vocab));
}

static sb_status read_checkpoint(job *j)
{
    sb_vocab *v = NULL;
    sb_status st = sb_app_vocab(j->app, &v);
    reading r = {j, v};
    if (st == SB_OK) st = sb_app_word2vec(j->app, v, take, &r);
    sb_vocab_close(v);
    return st;
}

static sb_status read_table(job *j)
{
    const char *path = sb_config_text(j->app->config, "vectors");
    if (!path) return read_checkpoint(j);
    SB_TRY(sb_agree(j->app->comm, read_vectors(j, path)));
    size_t bytes = j->V * j->D * sizeof *j->table;
    if (sb_comm_same(j->app->comm, sb_hash64(j->table, bytes))) return SB_OK;
    sb_fail(SB_EINVAL, __FILE__, __LINE__, "the ranks see different vectors");
    return sb_hint("they must lie in a folder that all nodes share");
}

/* ---- files --------------------------------------------------------------- */

static sb_status list_files(job *j)
{
    SB_TRY(sb_test_files_open(j->app->config, &j->files));
    if (j->files.list.similarities || j->files.list.analogies) return SB_OK;
    sb_fail(SB_EINVAL, __FILE__, __LINE__,
            "nothing to judge by: neither --analogies nor --similarity, nor "
            "--mlm or --sentences");
    return sb_hint("--analogies questions-words.txt --similarity "
                   "wordsim353.tsv,simlex999.txt; for a model, --mlm");
}

/* ---- output -------------------------------------------------------------- */

static double percent(uint64_t part, uint64_t whole)
{
    return 100 * (double)part / (double)whole;
}

static void show_section(const char *what, const sb_section *s)
{
    char right[32] = "-";
    if (s->covered)
        snprintf(right, sizeof right, "%.1f", percent(s->right, s->covered));
    printf("%s  %s %%  (%" PRIu64 " of %" PRIu64 "; %.1f %% covered)\n", what,
           right, s->right, s->covered,
           s->asked ? percent(s->covered, s->asked) : 0);
}

static void show_similarity(const char *path, const sb_similarity *s)
{
    const char *slash = strrchr(path, '/');
    char rho[32] = "-";
    if (!isnan(s->rho)) snprintf(rho, sizeof rho, "%.3f", s->rho);
    printf("similarity %s  %s  (%" PRIu64 " of %" PRIu64 " covered)\n",
           slash ? slash + 1 : path, rho, s->covered, s->asked);
}

static void show(const job *j, const sb_evaluation_result *r)
{
    for (size_t i = 0; i < r->sections; i++)
        show_section(r->section[i].name, &r->section[i]);
    if (r->sections) show_section("analogies", &r->total);
    for (size_t i = 0; i < r->similarities; i++)
        show_similarity(j->files.similarity[i], &r->similarity[i]);
}

/* ---- all of it ----------------------------------------------------------- */

static sb_status judge(job *j, sb_evaluation *e, sb_pool *pool)
{
    sb_evaluation_result r;
    sb_log(SB_LOG_INFO, "%zu of %zu vectors of %zu values are looked at",
           j->words.n, j->V, j->D);
    SB_TRY(sb_evaluation_run(e, j->app->comm, pool, j->table, j->V, j->D, j->D,
                             &r));
    if (sb_comm_rank(j->app->comm) == 0) show(j, &r);
    return SB_OK;
}

static sb_status judge_vectors(sb_app *a)
{
    job j = {.app = a,
             .restrict_to = (size_t)sb_config_int(a->config, "restrict")};
    sb_evaluation *e = NULL;
    sb_pool *pool = NULL;
    sb_status st;
    SB_GOTO(st, sb_agree(a->comm, list_files(&j)), out);
    SB_GOTO(st, read_table(&j), out);
    st = sb_evaluation_open(&j.files.list, &j.words, &e);
    if (st == SB_OK)
        st = sb_pool_open((int)sb_config_int(a->config, "threads"), &pool);
    SB_GOTO(st, sb_agree(a->comm, st), out);
    st = judge(&j, e, pool);
out:
    sb_pool_close(pool);
    sb_evaluation_close(e);
    sb_candidates_free(&j.words);
    sb_vectors_free(&j.file);
    sb_free(j.read);
    sb_test_files_close(&j.files);
    return st;
}

static int vectors_asked(const sb_app *a)
{
    const char *const *list;
    return sb_config_text(a->config, "analogies") ||
           sb_config_text(a->config, "vectors") ||
           sb_config_list(a->config, "similarity", &list);
}

sb_status sb_cmd_eval(sb_app *a)
{
    int model = sb_eval_model_asked(a);
    if (model) SB_TRY(sb_eval_model(a));
    return !model || vectors_asked(a) ? judge_vectors(a) : SB_OK;
}
