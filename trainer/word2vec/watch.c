/* SPDX-License-Identifier: MIT
 * watch.c - the first replica judges, the others wait. */
#include "trainer/word2vec/watch.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"

enum { NAME = 64, LINE = 480 };

struct sb_watch {
    const sb_watch_options *o;
    sb_candidates words;
    sb_evaluation *evaluation;
    char (*name)[NAME]; /* [similarities] in metrics */
};

/* "similarity_" and the file's name without its folder and ending. */
static void name_file(char *name, const char *path)
{
    const char *slash = strrchr(path, '/');
    snprintf(name, NAME, "similarity_%s", slash ? slash + 1 : path);
    char *dot = strrchr(name, '.');
    if (dot) *dot = 0;
}

/* A name that an earlier file has gets the file's number. */
static void name_files(sb_watch *w)
{
    const sb_evaluation_files *f = &w->o->files;
    for (size_t i = 0; i < f->similarities; i++) {
        name_file(w->name[i], f->similarity[i]);
        for (size_t k = 0; k < i; k++)
            if (strcmp(w->name[k], w->name[i]) == 0)
                snprintf(w->name[i], NAME, "similarity_%zu", i + 1);
    }
}

static sb_status open_all(sb_watch *w, const sb_vocab *vocab,
                          const uint64_t *counts)
{
    const sb_evaluation_files *f = &w->o->files;
    SB_TRY(sb_alloc(f->similarities, sizeof *w->name, "names", &w->name));
    name_files(w);
    SB_TRY(sb_candidates_of_vocab(vocab, counts, SB_WATCH_WORDS, &w->words));
    return sb_evaluation_open(f, &w->words, &w->evaluation);
}

sb_status sb_watch_open(const sb_watch_options *o, const sb_vocab *vocab,
                        const uint64_t *counts, sb_watch **w_out)
{
    if (!o->times) {
        *w_out = NULL;
        return SB_OK;
    }
    if (!o->files.analogies && !o->files.similarities) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "%u evaluations asked for, but no file to judge by", o->times);
        return sb_hint("--analogies questions-words.txt --similarity "
                       "wordsim353.tsv,simlex999.txt");
    }
    sb_watch *w;
    SB_TRY(sb_alloc(1, sizeof *w, "evaluation", &w));
    w->o = o;
    sb_status st = open_all(w, vocab, counts);
    if (st != SB_OK)
        sb_watch_close(w);
    else
        *w_out = w;
    return st;
}

void sb_watch_close(sb_watch *w)
{
    if (!w) return;
    sb_evaluation_close(w->evaluation);
    sb_candidates_free(&w->words);
    sb_free(w->name);
    sb_free(w);
}

int sb_watch_due(const sb_watch *w, uint64_t before, uint64_t after,
                 uint64_t total)
{
    if (!w) return 0;
    double each = (double)total / w->o->times;
    return floor((double)after / each) > floor((double)before / each) ||
           (after == total && before < total);
}

/* ---- what comes of it ---------------------------------------------------- */

static void append(char *line, const char *format, ...) SB_PRINTF(2, 3);
static void append(char *line, const char *format, ...)
{
    size_t n = strlen(line);
    va_list args;
    va_start(args, format);
    vsnprintf(line + n, LINE - n, format, args);
    va_end(args);
}

static void say(const sb_watch *w, const sb_evaluation_result *r, double share)
{
    char line[LINE] = "";
    if (w->o->files.analogies && r->total.covered)
        append(line, "  analogies %.1f %% (%" PRIu64 " of %" PRIu64 ")",
               100 * (double)r->total.right / (double)r->total.covered,
               r->total.right, r->total.covered);
    else if (w->o->files.analogies)
        append(line, "  analogies - (none covered)");
    for (size_t i = 0; i < r->similarities; i++) {
        append(line, "  %s", w->name[i] + strlen("similarity_"));
        if (isnan(r->similarity[i].rho))
            append(line, " -");
        else
            append(line, " %.3f", r->similarity[i].rho);
    }
    sb_log(SB_LOG_INFO, "word2vec: judged at %.1f %%:%s", 100 * share, line);
}

static sb_status note(const sb_watch *w, const sb_evaluation_result *r,
                      sb_metrics *m, uint64_t step)
{
    size_t most = 1 + r->similarities;
    int n = 0;
    const char **name;
    double *value;
    SB_TRY(sb_alloc(most, sizeof *name, "figures", &name));
    sb_status st = sb_alloc(most, sizeof *value, "figures", &value);
    if (st != SB_OK) {
        sb_free(name);
        return st;
    }
    if (w->o->files.analogies) {
        name[n] = "analogies";
        value[n++] = r->total.covered
                         ? (double)r->total.right / (double)r->total.covered
                         : (double)NAN;
    }
    for (size_t i = 0; i < r->similarities; i++) {
        name[n] = w->name[i];
        value[n++] = r->similarity[i].rho;
    }
    sb_metrics_line(m, step, name, value, n);
    sb_free(name);
    sb_free(value);
    return SB_OK;
}

/* Collective on the replica. */
static sb_status judge(sb_watch *w, const sb_replica *r, sb_pool *pool,
                       sb_metrics *m, uint64_t step, double share)
{
    const sb_w2v_tables *t = sb_replica_tables(r);
    sb_evaluation_result result;
    SB_TRY(sb_evaluation_run(w->evaluation, sb_replica_comm(r), pool, t->in,
                             t->V, t->D, t->stride, &result));
    say(w, &result, share);
    return note(w, &result, m, step);
}

sb_status sb_watch_run(sb_watch *w, sb_comm *c, const sb_replica *r,
                       sb_pool *pool, sb_metrics *m, uint64_t step,
                       double share)
{
    sb_status st = SB_OK;
    int first = sb_comm_rank(c) == 0; /* rank 0 of its replica, too */
    sb_comm_bcast(sb_replica_comm(r), &first, sizeof first, 0);
    if (first) st = judge(w, r, pool, m, step, share);
    st = sb_agree(c, st); /* nobody trains on while another still reads */
    return st == SB_ESTOP ? SB_OK : st;
}
