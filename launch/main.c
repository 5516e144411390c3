/* SPDX-License-Identifier: MIT
 * main.c - `shardbert SUBCOMMAND [options]`: start MPI, read options, run one
 * subcommand, report one error, leave with one exit code on all ranks. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "comm/base/hash.h"
#include "comm/base/life.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/base/stop.h"
#include "launch/common.h"
#include "trainer/build.h"

typedef struct command {
    const char *name;
    unsigned phase;
    sb_status (*run)(sb_app *);
    const char *words; /* plain words it takes, or "" */
    const char *help;
    const char *example;
} command;

static const command commands[] = {
    {"vocab", SB_PHASE_VOCAB, sb_cmd_vocab, "",
     "Train a WordPiece vocabulary on the sources.",
     "mpirun -n 2 shardbert vocab --run R --source text:'*.txt' --vocab-size "
     "8000"},
    {"ingest", SB_PHASE_INGEST, sb_cmd_ingest, "",
     "Encode the sources into sealed LMDB shards.",
     "mpirun -n 2 shardbert ingest --run R --source text:'*.txt'"},
    {"word2vec", SB_PHASE_WORD2VEC, sb_cmd_word2vec, "",
     "Phase 1: train word vectors on the corpus.",
     "mpirun -n 2 shardbert word2vec --run R --dim 128 --epochs 3"},
    {"mlm", SB_PHASE_MLM, sb_cmd_mlm, "",
     "Phase 2: train DistilBERT by masked language modelling.",
     "mpirun -n 2 shardbert mlm --run R --config recipe.conf --steps 1000"},
    {"show-batch", SB_PHASE_SHOW_BATCH, sb_cmd_show_batch, "",
     "A batch of mlm as the model sees it, and what it has to find.",
     "shardbert show-batch --run R --config recipe.conf --step 7 --samples 5"},
    {"fill", SB_PHASE_FILL, sb_cmd_fill, "[SENTENCE...]",
     "The likeliest words for the [MASK]s of sentences (or of standard input).",
     "shardbert fill --run R 'the capital of france is [MASK] .'"},
    {"neighbours", SB_PHASE_NEIGHBOURS, sb_cmd_neighbours, "WORD...",
     "The words whose word2vec vectors are nearest.",
     "shardbert neighbours --run R water king"},
    {"eval", SB_PHASE_EVAL, sb_cmd_eval, "",
     "Judge word vectors by analogies and similarity, a model by text.",
     "mpirun -n 2 shardbert eval --run R --mlm"},
    {"export", SB_PHASE_EXPORT, sb_cmd_export, "FOLDER|FILE",
     "A model for Hugging Face's programs, or word vectors for others.",
     "shardbert export --run R --format hf my-model"},
    {"trim", SB_PHASE_TRIM, sb_cmd_trim, "FOLDER",
     "A model with the part of the vocabulary that some text needs.",
     "shardbert trim --run R --source text:task.txt smaller"},
    {"inspect", SB_PHASE_INSPECT, sb_cmd_inspect, "[PATH...]",
     "What a run, corpus, or checkpoint holds.",
     "shardbert inspect R/mlm --hash"},
    {"report", SB_PHASE_REPORT, sb_cmd_report, "[RUN]",
     "A run folder as one HTML page with plots.",
     "shardbert report R --html run.html"},
    {"encode", SB_PHASE_ENCODE, sb_cmd_encode, "",
     "Lines of standard input to lines of ids.",
     "shardbert encode --vocab tokenizer.json <text.txt"},
    {"decode", SB_PHASE_DECODE, sb_cmd_decode, "",
     "Lines of ids to lines of text.",
     "shardbert encode --run R <text.txt | shardbert decode --run R"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void usage(void)
{
    puts("usage: shardbert SUBCOMMAND [--option VALUE]...\n"
         "Two-phase pretraining (word2vec, then DistilBERT) on MPI.\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-11s %s\n", commands[i].name, commands[i].help);
    puts("\n`shardbert SUBCOMMAND --help` lists its options; all of them may "
         "stand in a\nrecipe, a file of 'name = value' lines, named by "
         "--config.");
}

static void help(const command *c)
{
    printf("usage: shardbert %s %s%s[--option VALUE]...\n%s\n\n", c->name,
           c->words, *c->words ? " " : "", c->help);
    for (size_t i = 0; i < sb_options_n; i++) {
        const sb_option *o = &sb_options[i];
        if (!(o->phases & c->phase)) continue;
        char left[80];
        snprintf(left, sizeof left, "--%s %s", o->name,
                 o->choices ? o->choices : o->value);
        printf("  %-34s %s", left, o->help);
        if (o->def) printf(" [%s]", o->def);
        putchar('\n');
    }
    printf("\nexample:\n  %s\n", c->example);
}

static const command *find(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

/* Help and version need no MPI. Returns 1 if that was all. */
static int answered(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "--help";
    if (strcmp(first, "--version") == 0) {
        char version[256];
        sb_build_version(version);
        puts(version);
        return 1;
    }
    if (strcmp(first, "--help") == 0 || strcmp(first, "help") == 0) {
        usage();
        return 1;
    }
    const command *c = find(first);
    for (int i = 2; c && i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) return 0;
        if (strcmp(argv[i], "--help") != 0) continue;
        help(c);
        return 1;
    }
    return 0;
}

static sb_log_level level_of(const char *name)
{
    return *name == 'e'   ? SB_LOG_ERROR
           : *name == 'w' ? SB_LOG_WARN
           : *name == 'd' ? SB_LOG_DEBUG
                          : SB_LOG_INFO;
}

static sb_status read_options(sb_app *a, const command *c, int argc,
                              char **argv)
{
    SB_TRY(sb_config_open(sb_options, sb_options_n, &a->config));
    SB_TRY(sb_config_args(a->config, c->phase, argc - 2, argv + 2));
    const char *file = sb_config_text(a->config, "config");
    if (file) SB_TRY(sb_config_file(a->config, file));
    if (!*c->words && sb_config_words(a->config)) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__, "'%s' is not an option",
                sb_config_word(a->config, 0));
        return sb_hint("options begin with --; see shardbert %s --help",
                       c->name);
    }
    a->run = sb_config_text(a->config, "run");
    a->phase = c->phase;
    if (c->phase & SB_PHASES_LONG)
        sb_stop_after(3600 * sb_config_real(a->config, "max-hours"));
    return SB_OK;
}

/* Ranks that read different recipes (an old copy on one node's disk) would
 * train on different things. */
static sb_status same_options(const sb_app *a)
{
    char *text = sb_config_effective(a->config, a->phase);
    sb_status st = text ? SB_OK
                        : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                                  "out of memory: configuration");
    uint64_t hash = text ? sb_hash64(text, strlen(text)) : 0;
    sb_free(text);
    SB_TRY(sb_agree(a->comm, st));
    if (sb_comm_same(a->comm, hash)) return SB_OK;
    sb_fail(SB_EINVAL, __FILE__, __LINE__,
            "the ranks were started with different options");
    return sb_hint("is the recipe that --config names the same on all nodes?");
}

static sb_status watch(sb_app *a, const command *c)
{
    sb_life_at(c->name, SB_LIFE_PLAIN);
    if (!(c->phase & SB_PHASE_WATCHED)) return SB_OK;
    double minutes = sb_config_real(a->config, "stall-minutes");
    return sb_watchdog_open(a->comm, minutes, &a->watchdog);
}

static sb_status run(sb_app *a, int argc, char **argv)
{
    const command *c = find(argv[1]);
    if (!c) {
        const char *near =
            sb_nearest(argv[1], commands, sizeof commands[0], COMMANDS);
        sb_fail(SB_EINVAL, __FILE__, __LINE__, "subcommand '%s' is not known",
                argv[1]);
        if (near) return sb_hint("shardbert %s --help", near);
        return sb_hint("shardbert --help");
    }
    SB_TRY(sb_agree(a->comm, read_options(a, c, argc, argv)));
    SB_TRY(same_options(a));
    sb_log_open(sb_comm_rank(a->comm),
                level_of(sb_config_text(a->config, "log")));
    SB_TRY(watch(a, c));
    return c->run(a);
}

int main(int argc, char **argv)
{
    if (answered(argc, argv)) return 0;
    sb_stop_install();
    sb_app app = {0};
    if (sb_comm_open(&argc, &argv, &app.comm) != SB_OK) sb_fatal(NULL);
    sb_log_open(sb_comm_rank(app.comm), SB_LOG_INFO);
    sb_status st = run(&app, argc, argv);
    int written = fflush(stdout) == 0 && !ferror(stdout); /* before errors */
    if (st == SB_OK && !written)
        st = sb_fail(SB_EIO, __FILE__, __LINE__,
                     "cannot write to standard output: %s", strerror(errno));
    if (st != SB_OK && sb_comm_rank(app.comm) == 0) {
        if (st == SB_ESTOP)
            sb_log(SB_LOG_INFO, "%s", sb_error_last()->text);
        else
            sb_error_print(app.comm, sb_error_last());
    }
    sb_config_close(app.config);
    sb_comm_close(app.comm);
    sb_watchdog_close(app.watchdog);
    return sb_status_exit(st);
}
