/* SPDX-License-Identifier: MIT
 * report.h - the parts of the page that `shardbert report` writes. A part that
 * a run does not have, or that cannot be read, is a line that says so: a page
 * always comes of it. */
#ifndef SB_LAUNCH_REPORT_H
#define SB_LAUNCH_REPORT_H

#include "dataset/manifest.h"
#include "launch/common.h"
#include "launch/html.h"
#include "trainer/curves.h"
#include "trainer/word2vec/neighbours.h"

/* Of report.css and report.js (CMakeLists.txt). */
extern const char sb_report_css[], sb_report_js[];

/* Is it there? `why` is set if it is and cannot be read. */
typedef struct sb_part {
    int there;
    char why[SB_ERROR_TEXT_MAX];
} sb_part;
/* What came of opening it: SB_ENOENT is just not there, other failures are
 * kept, and warned of. */
sb_part sb_part_of(sb_status st);
/* The line in place of it: why, or that there is no WHAT, and which command
 * writes it. */
void sb_part_missing(sb_html *h, const sb_part *p, const char *what,
                     const char *command);

enum { SB_REPORT_WORDS = 12, SB_REPORT_NEAR = 8, SB_REPORT_WORD = 64 };

typedef struct sb_report_word {
    char text[SB_REPORT_WORD];
    struct {
        char text[SB_REPORT_WORD];
        float cosine;
    } near[SB_REPORT_NEAR];
    size_t n;
} sb_report_word;

typedef struct sb_report {
    sb_app *app; /* borrowed */
    sb_part mlm, word2vec, corpus, words;
    sb_curves mlm_curves, word2vec_curves;
    sb_manifest *manifest; /* NULL: none */
    sb_report_word *word;  /* [word_n] */
    size_t word_n;
} sb_report;

/* Some words of the run's word2vec and their neighbours: --words, or words of
 * all frequencies. Collective; the same on all ranks. */
SB_MUST_USE sb_status sb_report_find_words(sb_report *r);

/* Sections, on rank 0. */
void sb_report_summary(const sb_report *r, sb_html *h);
void sb_report_mlm(const sb_report *r, sb_html *h);
void sb_report_word2vec(const sb_report *r, sb_html *h);
void sb_report_words(const sb_report *r, sb_html *h);
void sb_report_corpus(const sb_report *r, sb_html *h);
void sb_report_made(const sb_report *r, sb_html *h); /* checkpoints, options */

/* Sum, or mean, of all values of a curve; NAN if there is none. */
double sb_curve_sum(const sb_curves *c, const char *name);
double sb_curve_mean(const sb_curves *c, const char *name);
double sb_curve_last(const sb_curves *c, const char *name);

#endif
