/* SPDX-License-Identifier: MIT
 * log.h - what a run says while it goes on.
 *
 * Rank 0 speaks; other ranks only at level error. All of it goes to standard
 * error, so that standard output holds results alone. In a file lines are
 * plain; on a terminal (terminal.h) the progress line has a bar and rewrites
 * itself.
 *
 * Levels: error (the run ends), warn (goes on, look at it), info (default),
 * debug.
 */
#ifndef SB_BASE_LOG_H
#define SB_BASE_LOG_H

#include <stdint.h>

#include "comm/base/status.h"

typedef enum sb_log_level {
    SB_LOG_ERROR,
    SB_LOG_WARN,
    SB_LOG_INFO,
    SB_LOG_DEBUG
} sb_log_level;

/* Who speaks. Before this call everybody is rank 0 at level info. */
void sb_log_open(int rank, sb_log_level level);

void sb_log(sb_log_level level, const char *fmt, ...) SB_PRINTF(2, 3);

/* What is printed next begins on a line of its own: ends a progress line that
 * is on the screen. */
void sb_log_line_end(void);

/* Seconds since an arbitrary start; monotonic. */
double sb_now(void);

/* A progress line: `phase`, share of the work done, rate text, time left.
 * Prints at most every half second on a terminal and every `SB_PROGRESS_S`
 * seconds (default 10) elsewhere, and once at the end. */
typedef struct sb_progress {
    const char *phase;
    double start, shown;
    double first; /* share done at the start (a resumed run) */
    int open;
} sb_progress;

void sb_progress_begin(sb_progress *p, const char *phase, double first_share);
/* `share` in [0, 1]; the text (rates, loss) is printf-style. */
void sb_progress_show(sb_progress *p, double share, const char *fmt, ...)
    SB_PRINTF(3, 4);
/* True if sb_progress_show would print now: lets callers skip the work. */
int sb_progress_due(const sb_progress *p);
void sb_progress_end(sb_progress *p, const char *fmt, ...) SB_PRINTF(2, 3);

/* "1h02m", "3m20s", "12s" in one of two buffers of this thread's. */
const char *sb_seconds_text(double s);

#endif
