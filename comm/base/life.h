/* SPDX-License-Identifier: MIT
 * life.h - signs of life: where this process is, and that it goes on.
 *
 * Work leaves a beat behind every piece of it; comm/watchdog.h looks whether
 * beats keep coming. A beat is one relaxed addition: leave it behind pieces
 * that take a microsecond or more, of which none takes minutes. Tasks of a
 * pool, blocks of files that are read or written, documents of the queue and
 * calls of MPI do so already.
 */
#ifndef SB_BASE_LIFE_H
#define SB_BASE_LIFE_H

#include <stdint.h>

/* Something got done. Any thread. */
void sb_life_beat(void);

/* The rest is the main thread's. Texts are static. Both count as a beat.
 *   at      "mlm: step" and 812; SB_LIFE_PLAIN: no number belongs to it
 *   doing   "gradients": what is being done there, until the next of both */
#define SB_LIFE_PLAIN UINT64_MAX
void sb_life_at(const char *what, uint64_t number);
void sb_life_doing(const char *what);

/* From 1 to 0 this process waits for others: it need not beat. The end counts
 * as a beat. */
void sb_life_wait(int on);

enum { SB_LIFE_WHERE = 96 };
typedef struct sb_life {
    uint64_t beats;
    uint32_t waiting;
    char where[SB_LIFE_WHERE]; /* "mlm: step 812, gradients" */
} sb_life;

/* As it is now, any thread; numbers and texts may be a moment apart. */
sb_life sb_life_now(void);

#endif
