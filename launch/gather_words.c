/* SPDX-License-Identifier: MIT
 * gather_words.c - the words that all ranks counted, brought together.
 *
 *   <dir>/rank-R-I.run   what rank R counted
 *   <dir>/part-R.run     the sections that rank R merged */
#include "launch/gather_words.h"

#include <inttypes.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "dataset/word_runs.h"

/* PROCESS: code, MPI and texts that are being read. The table may have an
 * eighth of the rest: a larger one only makes fewer files. */
enum { PROCESS = 40 << 20, TABLE_SHARE = 8 };

static char *rank_stem(const char *dir, size_t rank)
{
    return sb_format("%s/rank-%zu", dir, rank);
}

static char *part_path(const char *dir, int rank)
{
    char *stem = sb_path_join(dir, "part");
    char *path = stem ? sb_run_path(stem, (size_t)rank) : NULL;
    sb_free(stem);
    return path;
}

static sb_status no_path(void)
{
    SB_FAIL(SB_ENOMEM, "out of memory: a path");
}

sb_status sb_gather_open(sb_comm *c, const char *dir, uint64_t memory,
                         sb_words **words_out)
{
    char *stem = rank_stem(dir, (size_t)sb_comm_rank(c));
    if (!stem) return no_path();
    uint64_t table = memory > PROCESS ? (memory - PROCESS) / TABLE_SHARE : 0;
    sb_status st = sb_words_open(stem, table, words_out);
    sb_free(stem);
    return st;
}

/* ---- merging ------------------------------------------------------------- */

/* runs[r]: how many rank r has. Their paths, in new memory. */
static sb_status all_paths(const char *dir, const size_t *runs, size_t ranks,
                           char ***paths_out, size_t *n_out)
{
    char **paths;
    size_t n = 0;
    for (size_t r = 0; r < ranks; r++) n += runs[r];
    SB_TRY(sb_alloc(n, sizeof *paths, "paths", &paths));
    *paths_out = paths;
    *n_out = 0;
    for (size_t r = 0; r < ranks; r++) {
        char *stem = rank_stem(dir, r);
        for (size_t i = 0; stem && i < runs[r]; i++)
            if ((paths[*n_out] = sb_run_path(stem, i))) ++*n_out;
        sb_free(stem);
    }
    return *n_out == n ? SB_OK : no_path();
}

static sb_status merge_part(sb_comm *c, const char *dir, const size_t *runs,
                            sb_word_tally *tally)
{
    int me = sb_comm_rank(c), size = sb_comm_size(c);
    char **paths = NULL, *to = part_path(dir, me);
    size_t n = 0;
    sb_status st = to ? SB_OK : no_path();
    if (st == SB_OK) st = all_paths(dir, runs, (size_t)size, &paths, &n);
    sb_file_room(n);
    if (st == SB_OK)
        st = sb_runs_merge((const char *const *)paths, n,
                           (unsigned)sb_share(SB_RUN_SECTIONS, me, size),
                           (unsigned)sb_share(SB_RUN_SECTIONS, me + 1, size),
                           to, tally);
    for (size_t i = 0; i < n; i++) sb_free(paths[i]);
    sb_free(paths);
    sb_free(to);
    return st;
}

/* Every rank's part, and one tally of all of them. */
static sb_status merge_all(sb_comm *c, sb_words *w, const char *dir,
                           sb_word_tally *tally)
{
    size_t size = (size_t)sb_comm_size(c), mine = 0, *runs = NULL;
    size_t most = size < SB_RUNS_MAX ? SB_RUNS_MAX / size : 1;
    sb_status st = sb_alloc(size, sizeof *runs, "ranks", &runs);
    if (st == SB_OK) st = sb_words_end(w, most, &mine);
    st = sb_agree(c, st);
    if (st == SB_OK) {
        sb_comm_gather(c, &mine, sizeof mine, runs);
        size_t all = 0;
        for (size_t r = 0; r < size; r++) all += runs[r];
        sb_log(SB_LOG_DEBUG, "vocab: %zu runs of words", all);
        st = sb_agree(c, merge_part(c, dir, runs, tally));
    }
    if (st == SB_OK)
        sb_comm_sum_u64(c, &tally->at[0].words,
                        sizeof *tally / sizeof tally->at[0].words);
    sb_free(runs);
    return st;
}

/* ---- loading ------------------------------------------------------------- */

typedef struct limit {
    uint64_t memory;
    const sb_wordpiece_options *options;
} limit;

static int fit(const void *arg, const sb_word_size *size)
{
    const limit *l = arg;
    return sb_wordpiece_memory(size, l->options) <= l->memory;
}

static sb_status too_small(const sb_gathered *g, const limit *l)
{
    uint64_t need = sb_wordpiece_memory(&g->kept, l->options);
    SB_REQUIRE(need != UINT64_MAX, SB_ELIMIT,
               "%" PRIu64 " distinct words are too many to train on",
               g->kept.words);
    sb_fail(SB_ELIMIT, __FILE__, __LINE__,
            "the most frequent words alone, %" PRIu64
            " distinct ones, do not fit in memory",
            g->kept.words);
    return sb_hint("--memory %" PRIu64 "M", ((need + PROCESS) >> 20) + 1);
}

static sb_status load(sb_comm *c, const char *dir, sb_gathered *g)
{
    if (sb_comm_rank(c) != 0) return SB_OK;
    SB_TRY(sb_word_list_reserve(&g->list, g->kept.bytes));
    for (int r = 0; r < sb_comm_size(c); r++) {
        char *path = part_path(dir, r);
        if (!path) return no_path();
        sb_status st = sb_run_load(path, g->least, &g->list);
        sb_free(path);
        SB_TRY(st);
    }
    SB_REQUIRE(g->list.size.words == g->kept.words, SB_EFORMAT,
               "the words in '%s' are not those that were counted", dir);
    return SB_OK;
}

sb_status sb_gather_words(sb_comm *c, sb_words *w, const char *dir,
                          uint64_t memory, const sb_wordpiece_options *options,
                          sb_gathered *g)
{
    sb_word_tally *tally;
    limit l = {memory - PROCESS, options};
    SB_TRY(sb_agree(c, sb_alloc(1, sizeof *tally, "words by count", &tally)));
    sb_status st = merge_all(c, w, dir, tally);
    if (st == SB_OK) {
        g->too_long = sb_words_too_long(w);
        sb_comm_sum_u64(c, &g->too_long, 1);
        sb_tally_cut(tally, fit, &l, &g->least, &g->kept, &g->left);
        if (g->least == UINT64_MAX) st = too_small(g, &l);
        if (st == SB_OK) st = load(c, dir, g);
        st = sb_agree(c, st);
    }
    sb_free(tally);
    return st;
}
