/* SPDX-License-Identifier: MIT
 * crew.h - all ranks work off the units of the sources, from a shared queue,
 * and rank 0 says how far they are. */
#ifndef SB_LAUNCH_CREW_H
#define SB_LAUNCH_CREW_H

#include "comm/base/log.h"
#include "comm/queue.h"
#include "dataset/source.h"

typedef struct sb_crew {
    sb_comm *c;
    const sb_sources *sources;
    sb_queue *queue;
    const char *doing;
    uint64_t total;    /* bytes of the units in the queue, as they lie */
    sb_done done, now; /* behind the unit in work; with what of it is done */
    sb_progress progress;
} sb_crew;

/* Both borrowed. */
void sb_crew_open(sb_crew *crew, sb_comm *c, const sb_sources *sources);

/* Do every unit of list[0..n), whoever is free. After a failure no unit is
 * begun any more; those under way are finished. The list is the same on all
 * ranks. Collective. */
SB_MUST_USE sb_status sb_crew_work(sb_crew *crew, const char *doing,
                                   const size_t *list, size_t n,
                                   sb_status (*work)(void *arg, size_t unit),
                                   void *arg);

/* How far this rank is with its unit: bytes as they lie, bytes of text,
 * documents. Local; call it after every document. */
void sb_crew_report(void *crew, uint64_t bytes, uint64_t text_bytes,
                    uint64_t documents);

/* Rank 0: the last word. */
void sb_crew_done(sb_crew *crew, const char *fmt, ...) SB_PRINTF(2, 3);

#endif
