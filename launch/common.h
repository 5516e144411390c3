/* SPDX-License-Identifier: MIT
 * common.h - what the subcommands share. */
#ifndef SB_LAUNCH_COMMON_H
#define SB_LAUNCH_COMMON_H

#include "comm/agree.h"
#include "comm/base/config.h"
#include "comm/comm.h"
#include "comm/watchdog.h"
#include "dataset/corpus.h"
#include "dataset/sampling.h"
#include "dataset/source.h"
#include "dataset/vocab.h"
#include "launch/options.h"
#include "trainer/resume.h"

typedef struct sb_app {
    sb_comm *comm;
    sb_watchdog *watchdog; /* NULL: not watched */
    sb_config *config;
    const char *run; /* the run folder */
    unsigned phase;
} sb_app;

/* The subcommands. Each is collective and returns the same status on every
 * rank. */
SB_MUST_USE sb_status sb_cmd_vocab(sb_app *a);
SB_MUST_USE sb_status sb_cmd_ingest(sb_app *a);
SB_MUST_USE sb_status sb_cmd_word2vec(sb_app *a);
SB_MUST_USE sb_status sb_cmd_mlm(sb_app *a);
SB_MUST_USE sb_status sb_cmd_fill(sb_app *a);
SB_MUST_USE sb_status sb_cmd_neighbours(sb_app *a);
SB_MUST_USE sb_status sb_cmd_inspect(sb_app *a);
SB_MUST_USE sb_status sb_cmd_encode(sb_app *a);
SB_MUST_USE sb_status sb_cmd_decode(sb_app *a);
SB_MUST_USE sb_status sb_cmd_eval(sb_app *a);
SB_MUST_USE sb_status sb_cmd_show_batch(sb_app *a);
SB_MUST_USE sb_status sb_cmd_report(sb_app *a);
SB_MUST_USE sb_status sb_cmd_export(sb_app *a);
SB_MUST_USE sb_status sb_cmd_trim(sb_app *a);

/* <run>/<rest> in new memory (sb_free), or the option's value if it is set. */
SB_MUST_USE sb_status sb_app_path(const sb_app *a, const char *option,
                                  const char *rest, char **path_out);

/* The effective configuration of this phase (sb_free). On rank 0: make the run
 * folder, remove what killed writers left in <run>/<phase>. Collective. */
SB_MUST_USE sb_status sb_app_begin(const sb_app *a, const char *phase,
                                   char **effective_out);
/* On rank 0: write that configuration as <run>/<phase>.used. Not before it is
 * known that the phase is not refused. Collective. */
SB_MUST_USE sb_status sb_app_record(const sb_app *a, const char *phase,
                                    const char *effective);

/* Warn of options that differ from those of the newest checkpoint in `dir`, if
 * they change a run's course. Rank 0 speaks; local. */
void sb_app_compare_options(const sb_app *a, const char *dir);

/* For the trainers' `begun` (trainer/resume.h), arg a sb_begun_run: sb_app_record,
 * and rank 0 warns of options that differ from those of the checkpoint the run
 * goes on from, if they change its course. */
typedef struct sb_begun_run {
    const sb_app *app;
    const char *phase, *effective;
} sb_begun_run;
SB_MUST_USE sb_status sb_app_begun(void *arg, const char *config);
/* SB_EINVAL unless `identity` is the same on all ranks: files that nodes see
 * differently (an old copy, a folder that is not shared) must not be worked on.
 * `what` names them in the message. Collective. */
SB_MUST_USE sb_status sb_app_same(const sb_app *a, uint64_t identity,
                                  const char *what);

/* Load the vocabulary (--vocab or the run's). Collective. */
SB_MUST_USE sb_status sb_app_vocab(const sb_app *a, sb_vocab **vocab_out);

/* Open a split of the corpus (--corpus or the run's). Collective. */
SB_MUST_USE sb_status sb_app_corpus(const sb_app *a, sb_split split,
                                    sb_corpus **corpus_out);

/* What mlm's samples are, by the options. Collective. */
SB_MUST_USE sb_status sb_app_sampling(const sb_app *a, const sb_vocab *v,
                                      const sb_corpus *train,
                                      sb_sampling *sampling_out);

/* Let `take` have the newest whole checkpoint of the run's word2vec, made with
 * vocabulary v (trainer/resume.h). SB_ENOENT: none; SB_EINVAL: made with
 * another. Collective. */
SB_MUST_USE sb_status sb_app_word2vec(const sb_app *a, const sb_vocab *v,
                                      sb_take take, void *arg);

/* Open the sources of --source, read as the options say. Collective. */
SB_MUST_USE sb_status sb_app_sources(const sb_app *a, sb_sources **out);

/* Add up what the ranks read, tally: [sources], in place. SB_EFORMAT if more
 * than --max-bad of a source's records are bad, SB_EINVAL if there is no
 * document at all. Warns of what is left out. Collective. */
SB_MUST_USE sb_status sb_app_check_bad(const sb_app *a, const sb_sources *s,
                                       sb_tally *tally);

/* Bytes of memory that a rank may take (--memory). */
uint64_t sb_app_memory(const sb_app *a);

/* Copy, as far as there is room; bytes that are not UTF-8 become '?': JSON
 * cannot hold the others that file names may have. `to` may be `text`. */
void sb_app_utf8(char *to, size_t room, const char *text);

/* A record of what a result was made from: compare with the one on disk.
 * *same_out = 1 if `path` holds exactly `text`; 0 if there is no such file and
 * no result either (`made` 0). SB_EINVAL if it holds something else, or is
 * missing beside a result that was not made here. Local. */
SB_MUST_USE sb_status sb_app_compare(const char *path, const char *text,
                                     const char *what, int made, int *same_out);

#endif
