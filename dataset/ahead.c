/* SPDX-License-Identifier: MIT
 * ahead.c - a ring of slots between a thread that fills and one that reads.
 *
 * Invariants:
 *   1. Slots [used, made) are the reader's, the others the thread's; the two
 *      numbers rise forever and change under the lock alone.
 *   2. A slot that is handed over is full, or it is the last. The thread ends
 *      with the last one, which the reader never gives back. */
#include "dataset/ahead.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "comm/base/mem.h"

enum { SLOTS = 4, SLOT_BYTES = 256 << 10 };

typedef struct slot {
    unsigned char *data;
    size_t n;
    uint64_t taken;
    int last;
} slot;

struct sb_ahead {
    sb_pull pull;
    void *from;
    unsigned char *data;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t filled, freed;
    size_t made, used;
    int quit;       /* set under the lock, looked at anywhere */
    sb_error error; /* the thread's, before it hands the last slot over */
    slot slot[SLOTS];
    /* the reader's own */
    size_t at; /* in slot[used % SLOTS] */
    uint64_t taken;
};

/* ---- the thread ---------------------------------------------------------- */

static int has_quit(const sb_ahead *a)
{
    return __atomic_load_n(&a->quit, __ATOMIC_RELAXED);
}

static void fill(sb_ahead *a, slot *s)
{
    sb_status st = SB_OK;
    int more = 1;
    s->n = 0;
    while (st == SB_OK && more && s->n < SLOT_BYTES && !has_quit(a)) {
        size_t got = 0;
        st = a->pull(a->from, s->data + s->n, SLOT_BYTES - s->n, &got,
                     &s->taken, &more);
        s->n += got;
    }
    if (st != SB_OK) a->error = *sb_error_last();
    s->last = st != SB_OK || !more;
}

static void *work(void *arg)
{
    sb_ahead *a = arg;
    int last = 0;
    pthread_mutex_lock(&a->lock);
    while (!last) {
        while (a->made - a->used == SLOTS && !has_quit(a))
            pthread_cond_wait(&a->freed, &a->lock);
        if (has_quit(a)) break;
        slot *s = &a->slot[a->made % SLOTS];
        pthread_mutex_unlock(&a->lock);
        fill(a, s);
        last = s->last;
        pthread_mutex_lock(&a->lock);
        a->made++;
        pthread_cond_signal(&a->filled);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

static sb_status start(sb_ahead *a)
{
    /* Signals are the main thread's business. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int bad = pthread_create(&a->thread, NULL, work, a);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    SB_REQUIRE(!bad, SB_ELIMIT, "cannot start a thread that reads ahead: %s",
               strerror(bad));
    return SB_OK;
}

/* ---- the reader ---------------------------------------------------------- */

static void discard(sb_ahead *a)
{
    pthread_cond_destroy(&a->freed);
    pthread_cond_destroy(&a->filled);
    pthread_mutex_destroy(&a->lock);
    sb_free(a->data);
    sb_free(a);
}

sb_status sb_ahead_open(sb_pull pull, void *from, sb_ahead **ahead_out)
{
    sb_ahead *a;
    SB_TRY(sb_alloc(1, sizeof *a, "reading ahead", &a));
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->filled, NULL);
    pthread_cond_init(&a->freed, NULL);
    a->pull = pull;
    a->from = from;
    sb_status st = sb_alloc(SLOTS, SLOT_BYTES, "reading ahead", &a->data);
    for (size_t i = 0; i < SLOTS && st == SB_OK; i++)
        a->slot[i].data = a->data + i * SLOT_BYTES;
    if (st == SB_OK) st = start(a);
    if (st == SB_OK)
        *ahead_out = a;
    else
        discard(a);
    return st;
}

void sb_ahead_close(sb_ahead *a)
{
    if (!a) return;
    pthread_mutex_lock(&a->lock);
    __atomic_store_n(&a->quit, 1, __ATOMIC_RELAXED);
    pthread_cond_signal(&a->freed);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    discard(a);
}

static slot *wait_filled(sb_ahead *a)
{
    pthread_mutex_lock(&a->lock);
    while (a->made == a->used) pthread_cond_wait(&a->filled, &a->lock);
    pthread_mutex_unlock(&a->lock);
    return &a->slot[a->used % SLOTS];
}

static void give_back(sb_ahead *a)
{
    a->at = 0;
    pthread_mutex_lock(&a->lock);
    a->used++;
    pthread_cond_signal(&a->freed);
    pthread_mutex_unlock(&a->lock);
}

sb_status sb_ahead_read(sb_ahead *a, void *to, size_t room, size_t *got_out)
{
    const slot *s = wait_filled(a);
    size_t left = s->n - a->at, n = left < room ? left : room;
    if (!left && a->error.code != SB_OK) return sb_error_set(&a->error);
    memcpy(to, s->data + a->at, n);
    a->at += n;
    *got_out = n;
    if (n < left) return SB_OK;
    a->taken = s->taken;
    if (!s->last) give_back(a);
    return SB_OK;
}

uint64_t sb_ahead_taken(const sb_ahead *a)
{
    return a->taken;
}
