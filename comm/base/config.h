/* SPDX-License-Identifier: MIT
 * config.h - options: one table, a config file and a command line above it.
 *
 * A table row is an option: the same name serves `--name VALUE` and
 * `name = VALUE` in a file. What each option finally is, and where it was set,
 * can be written out again (the effective configuration).
 *
 * Order of strength: default < config file < command line. An unknown name is
 * SB_EINVAL and names the nearest known one.
 */
#ifndef SB_BASE_CONFIG_H
#define SB_BASE_CONFIG_H

#include <stdint.h>

#include "comm/base/status.h"

typedef enum sb_option_type {
    SB_OPT_TEXT,
    SB_OPT_INT,  /* also with a suffix: 250k, 4M, 2G (powers of 1000)      */
    SB_OPT_SIZE, /* bytes, also with a suffix: 64K, 512M, 4G, 1T (of 1024)  */
    SB_OPT_REAL,
    SB_OPT_BOOL, /* true/false, yes/no, on/off, 1/0; bare --name is true   */
    SB_OPT_CHOICE,
    SB_OPT_LIST /* text, may be given again; a stronger origin replaces   */
} sb_option_type;

typedef struct sb_option {
    const char *name;
    sb_option_type type;
    unsigned phases;     /* bit mask, meaning is the caller's               */
    const char *def;     /* default as text; NULL: not set                  */
    double min, max;     /* INT, SIZE and REAL, inclusive                   */
    const char *choices; /* CHOICE: "skip-gram|cbow"                        */
    const char *value;   /* what the help calls it: "DIR", "N"              */
    const char *help;    /* one sentence                                    */
} sb_option;

typedef struct sb_config sb_config;

/* `table` is borrowed and must outlive the config. */
SB_MUST_USE sb_status sb_config_open(const sb_option *table, size_t n,
                                     sb_config **config_out);
void sb_config_close(sb_config *c);

/* Read `key = value` lines. # and ; start a comment at the start of a line and
 * behind white space. All options of the table are allowed, whatever their
 * phase: one recipe serves all phases. A failure names the line. */
SB_MUST_USE sb_status sb_config_file(sb_config *c, const char *path);
/* The same from text in memory; `name` is used in messages. */
SB_MUST_USE sb_status sb_config_parse(sb_config *c, const char *text,
                                      const char *name);

/* Parse argv[0..argc): --name value, --name=value, and plain words, which are
 * collected. Options outside `phases` are errors. "--" ends options. */
SB_MUST_USE sb_status sb_config_args(sb_config *c, unsigned phases, int argc,
                                     char **argv);
/* Plain words of the command line, in order. */
size_t sb_config_words(const sb_config *c);
const char *sb_config_word(const sb_config *c, size_t i);

/* Values. Asking for a name that is not in the table is a bug (aborts). */
const char *sb_config_text(const sb_config *c, const char *name); /* or NULL */
int64_t sb_config_int(const sb_config *c, const char *name);      /* or SIZE */
double sb_config_real(const sb_config *c, const char *name);
int sb_config_bool(const sb_config *c, const char *name);
size_t sb_config_list(const sb_config *c, const char *name,
                      const char *const **items_out);
int sb_config_is_set(const sb_config *c, const char *name); /* by the user */

/* "name = value" lines of all options of `phases` that have a value, in table
 * order. New memory (sb_free); NULL if out of memory. */
char *sb_config_effective(const sb_config *c, unsigned phases);

/* The name among `n` names (stride bytes apart, each a const char * first
 * member) nearest to `word` by edit distance; NULL if none is near. */
const char *sb_nearest(const char *word, const void *names, size_t stride,
                       size_t n);

#endif
