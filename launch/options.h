/* SPDX-License-Identifier: MIT
 * options.h - the one table of options: command line, config file, help and
 * effective configuration all come from it. */
#ifndef SB_LAUNCH_OPTIONS_H
#define SB_LAUNCH_OPTIONS_H

#include "comm/base/config.h"

enum {
    SB_PHASE_VOCAB = 1,
    SB_PHASE_INGEST = 2,
    SB_PHASE_WORD2VEC = 4,
    SB_PHASE_MLM = 8,
    SB_PHASE_FILL = 16,
    SB_PHASE_NEIGHBOURS = 32,
    SB_PHASE_INSPECT = 64,
    SB_PHASE_ENCODE = 128,
    SB_PHASE_DECODE = 256,
    SB_PHASE_EVAL = 512,
    SB_PHASE_SHOW_BATCH = 1024,
    SB_PHASE_EXPORT = 2048,
    SB_PHASE_TRIM = 4096,
    SB_PHASE_REPORT = 8192,
    /* those that go on where they stopped */
    SB_PHASES_LONG = SB_PHASE_INGEST | SB_PHASE_WORD2VEC | SB_PHASE_MLM,
    /* those that run long on many ranks: comm/watchdog.h */
    SB_PHASE_WATCHED = SB_PHASE_VOCAB | SB_PHASE_INGEST | SB_PHASE_WORD2VEC |
                       SB_PHASE_MLM | SB_PHASE_EVAL
};

extern const sb_option sb_options[];
extern const size_t sb_options_n;

#endif
