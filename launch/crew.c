/* SPDX-License-Identifier: MIT
 * crew.c - all ranks work off the units of the sources. */
#include "launch/crew.h"

#include <stdarg.h>
#include <stdio.h>

#include "comm/agree.h"
#include "comm/base/life.h"

enum { RANKS_SHOWN = 8 };

void sb_crew_open(sb_crew *crew, sb_comm *c, const sb_sources *sources)
{
    *crew = (sb_crew){.c = c, .sources = sources};
}

/* "51.2 49.9 MB/s", or "41.0 to 52.3 MB/s" if there are many. */
static void rates(const sb_crew *crew, double seconds, char *text, size_t n)
{
    const sb_done *of = sb_queue_progress(crew->queue);
    int size = sb_comm_size(crew->c);
    double least = 1e300, most = 0;
    size_t at = 0;
    for (int r = 0; r < size; r++) {
        double rate = (double)of[r].bytes / 1e6 / seconds;
        least = rate < least ? rate : least;
        most = rate > most ? rate : most;
        if (size <= RANKS_SHOWN && at < n)
            at += (size_t)snprintf(text + at, n - at, "%s%.1f", r ? " " : "",
                                   rate);
    }
    if (size > RANKS_SHOWN) snprintf(text, n, "%.1f to %.1f", least, most);
}

static void show(void *arg)
{
    sb_crew *crew = arg;
    if (sb_comm_rank(crew->c) != 0 || !sb_progress_due(&crew->progress)) return;
    const sb_done *of = sb_queue_progress(crew->queue);
    double seconds = sb_now() - crew->progress.start;
    sb_done all = {0};
    for (int r = 0; r < sb_comm_size(crew->c); r++) {
        all.work += of[r].work;
        all.bytes += of[r].bytes;
        all.items += of[r].items;
    }
    char ranks[120] = "";
    rates(crew, seconds, ranks, sizeof ranks);
    sb_progress_show(
        &crew->progress, (double)all.work / (double)(crew->total + 1),
        "%.1f MB/s of text, %.0f documents/s; by rank %s MB/s",
        (double)all.bytes / 1e6 / seconds, (double)all.items / seconds, ranks);
}

void sb_crew_report(void *arg, uint64_t bytes, uint64_t text_bytes,
                    uint64_t documents)
{
    sb_crew *crew = arg;
    crew->now.work = crew->done.work + bytes;
    crew->now.bytes = crew->done.bytes + text_bytes;
    crew->now.items = crew->done.items + documents;
    sb_queue_report(crew->queue, crew->now);
    show(crew);
}

sb_status sb_crew_work(sb_crew *crew, const char *doing, const size_t *list,
                       size_t n, sb_status (*work)(void *arg, size_t unit),
                       void *arg)
{
    size_t task;
    SB_TRY(sb_queue_open(crew->c, n, &crew->queue));
    crew->total = 0;
    for (size_t i = 0; i < n; i++)
        crew->total += sb_sources_unit(crew->sources, list[i]).bytes;
    crew->done = crew->now = (sb_done){0};
    sb_progress_begin(&crew->progress, doing, 0);
    sb_status st = SB_OK;
    while (st == SB_OK && sb_queue_next(crew->queue, &task)) {
        sb_life_at("unit", list[task]);
        sb_life_doing(doing);
        st = work(arg, list[task]);
        crew->now.work =
            crew->done.work + sb_sources_unit(crew->sources, list[task]).bytes;
        crew->done = crew->now;
        sb_queue_report(crew->queue, crew->now);
    }
    sb_life_at(doing, SB_LIFE_PLAIN);
    if (st != SB_OK) sb_queue_stop(crew->queue);
    sb_queue_finish(crew->queue, show, crew);
    sb_queue_close(crew->queue);
    crew->queue = NULL;
    return sb_agree(crew->c, st);
}

void sb_crew_done(sb_crew *crew, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    sb_progress_end(&crew->progress, "%s", text);
}
