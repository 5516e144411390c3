/* SPDX-License-Identifier: MIT
 * saver.c - a checkpoint is written by all ranks and committed by one.
 *
 *   IDLE -> WRITING      every rank: its part, synced and read back
 *        -> COMMITTING   rank 0: manifest, rename; then old ones are removed
 *        -> IDLE
 *
 * A phase is one task on every rank, run by the saver's thread or, if nothing
 * is written behind, by the caller. Phases change on all ranks at once
 * (advance), after a sb_agree on how they ended, so all take the same way out.
 * While a task runs, what the save holds is the task's alone; the main thread
 * looks at `state` only. Rank 0 alone touches the folder, and only when no rank
 * holds a file of it open.
 */
#include "trainer/saver.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/life.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"

enum { WRITER_NICE = 10, KEEP_LOCAL = 2 };

typedef enum phase { IDLE, WRITING, COMMITTING } phase;
enum { RUNNING, DONE, FAILED };

/* What is under way. */
typedef struct save {
    sb_ckpt_meta meta; /* its config is ours */
    sb_tensor *table;  /* [tensors] */
    size_t tensors;
    sb_piece *piece; /* [pieces] */
    size_t pieces;
    void *desc; /* of this rank's part */
    size_t desc_bytes;
    char *all; /* rank 0: all descriptions, one behind the other */
    size_t *n; /* [2][size] bytes of each rank's: sent, received */
    double began, stood_s, write_s, verify_s;
    sb_error stays; /* why an old checkpoint was not removed */
} save;

struct sb_saver {
    sb_comm *c;
    sb_saver_options o;
    char *dir, *local;
    char *copy;      /* [o.room] */
    sb_pool *thread; /* its second worker; NULL: nothing is written behind */
    phase phase;
    int behind;   /* the save under way is */
    int to_local; /* it is a local one */
    int said;     /* that there is no memory */
    int state;    /* of this rank's task; atomic */
    uint64_t newest;
    save now;
};

/* ---- open, close --------------------------------------------------------- */

static sb_status open_local(sb_saver *s)
{
    s->dir = sb_format("%s", s->o.dir);
    if (s->o.local) s->local = sb_format("%s", s->o.local);
    SB_REQUIRE(s->dir && (s->local || !s->o.local), SB_ENOMEM,
               "out of memory: a path");
    if (!s->o.behind) return SB_OK;
    /* Cleared, so that the first save need not wait for its pages. */
    SB_TRY(sb_alloc(s->o.room, 1, "copy of the state, to be saved from",
                    &s->copy));
    return sb_pool_open(2, &s->thread);
}

sb_status sb_saver_open(sb_comm *c, const sb_saver_options *o,
                        sb_saver **saver_out)
{
    sb_saver *s = NULL;
    sb_status st = sb_alloc(1, sizeof *s, "saver", &s);
    if (st == SB_OK) {
        s->c = c;
        s->o = *o;
        st = open_local(s);
    }
    st = sb_agree(c, st);
    if (st == SB_OK)
        *saver_out = s;
    else
        (void)sb_saver_close(s);
    return st;
}

static void release(save *w)
{
    void *owned[] = {w->meta.config, w->table, w->piece, w->desc, w->all, w->n};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        sb_free(owned[i]);
    memset(w, 0, sizeof *w);
}

sb_status sb_saver_close(sb_saver *s)
{
    if (!s) return SB_OK;
    sb_status st = sb_saver_finish(s);
    sb_pool_close(s->thread);
    sb_free(s->copy);
    sb_free(s->dir);
    sb_free(s->local);
    sb_free(s);
    return st;
}

int sb_saver_idle(const sb_saver *s)
{
    return s->phase == IDLE;
}

uint64_t sb_saver_newest(const sb_saver *s)
{
    return s->newest;
}

/* ---- the tasks: local, of the thread ------------------------------------- */

static uint32_t own_number(const sb_saver *s)
{
    return (uint32_t)sb_comm_rank(s->c);
}

/* A rank that owns nothing writes no file. */
static sb_status write_part(sb_saver *s, const char *dir)
{
    save *w = &s->now;
    double start = sb_now(), synced;
    sb_ckpt_part *p;
    if (!sb_pieces_bytes(w->table, w->piece, w->pieces)) return SB_OK;
    SB_TRY(sb_ckpt_part_open(dir, w->meta.step, own_number(s), w->table,
                             w->tensors, &p));
    sb_status st;
    SB_GOTO(st, sb_pieces_put(p, w->table, w->piece, w->pieces), fail);
    SB_GOTO(st, sb_ckpt_part_sync(p), fail);
    synced = sb_now();
    w->write_s = synced - start;
    SB_GOTO(st, sb_ckpt_part_verify(p), fail);
    w->verify_s = sb_now() - synced;
    return sb_ckpt_part_close(p, &w->desc, &w->desc_bytes);
fail:
    sb_ckpt_part_abandon(p);
    return st;
}

static sb_status commit(const sb_saver *s)
{
    const save *w = &s->now;
    size_t ranks = (size_t)sb_comm_size(s->c), n = 0;
    const size_t *bytes = w->n + ranks;
    const char *at = w->all;
    const void **desc;
    size_t *desc_bytes;
    SB_TRY(sb_alloc(ranks, sizeof *desc, "part list", &desc));
    sb_status st =
        sb_alloc(ranks, sizeof *desc_bytes, "part list", &desc_bytes);
    for (size_t r = 0; st == SB_OK && r < ranks; at += bytes[r++]) {
        if (!bytes[r]) continue;
        desc[n] = at;
        desc_bytes[n++] = bytes[r];
    }
    if (st == SB_OK) {
        st = sb_ckpt_commit(s->dir, &w->meta, w->table, w->tensors, desc,
                            desc_bytes, n);
        sb_free(desc_bytes);
    }
    sb_free(desc);
    return st;
}

/* The new checkpoint is safe; an old one too many harms nobody. */
static sb_status commit_and_prune(sb_saver *s)
{
    SB_TRY(commit(s));
    if (s->o.keep && sb_ckpt_prune(s->dir, s->o.keep, s->o.keep_every) != SB_OK)
        s->now.stays = *sb_error_last();
    return SB_OK;
}

static sb_status write_share(sb_saver *s)
{
    save *w = &s->now;
    uint64_t step = w->meta.step;
    SB_TRY(sb_ckpt_begin(s->local, step));
    sb_status st = write_part(s, s->local);
    if (st == SB_OK)
        st = sb_ckpt_commit_share(s->local, own_number(s), &w->meta, w->table,
                                  w->tensors, w->desc, w->desc_bytes);
    if (st == SB_OK) return sb_ckpt_prune(s->local, KEEP_LOCAL, 0);
    sb_ckpt_abandon(s->local, step);
    return st;
}

static sb_status work(void *context, size_t task, int worker)
{
    (void)task;
    sb_saver *s = context;
    sb_status st = SB_OK;
    /* Linux: of this thread alone */
    if (worker > 0 && getpriority(PRIO_PROCESS, 0) < WRITER_NICE)
        (void)setpriority(PRIO_PROCESS, 0, WRITER_NICE);
    if (s->phase == WRITING)
        st = s->to_local ? write_share(s) : write_part(s, s->dir);
    else if (sb_comm_rank(s->c) == 0)
        st = commit_and_prune(s);
    __atomic_store_n(&s->state, st == SB_OK ? DONE : FAILED, __ATOMIC_RELEASE);
    return st;
}

/* ---- phases: collective -------------------------------------------------- */

static void start(sb_saver *s, phase next)
{
    s->phase = next;
    s->state = RUNNING;
    if (s->behind) sb_pool_start(s->thread, 1, work, s);
}

/* Descriptions to rank 0. */
static sb_status gather(sb_saver *s)
{
    save *w = &s->now;
    size_t size = (size_t)sb_comm_size(s->c), total = 0;
    size_t *send_n = w->n, *recv_n = w->n + size;
    send_n[0] = w->desc_bytes;
    sb_comm_exchange_counts(s->c, send_n, recv_n);
    for (size_t r = 0; r < size; r++) total += recv_n[r];
    sb_status st = sb_alloc(total, 1, "part descriptions", &w->all);
    SB_TRY(sb_agree(s->c, st));
    sb_comm_exchange(s->c, 1, w->desc ? w->desc : "", send_n, w->all, recv_n);
    return SB_OK;
}

/* How a local save ended, on all ranks. */
static void say_local(const sb_saver *s, sb_status st)
{
    const save *w = &s->now;
    const sb_error *e = sb_error_last();
    if (st == SB_OK)
        sb_log(SB_LOG_INFO,
               "local checkpoint of step %llu in %.2f s; training stood still "
               "for %.2f s",
               (unsigned long long)w->meta.step, sb_now() - w->began,
               s->behind ? w->stood_s : sb_now() - w->began);
    else
        sb_log(SB_LOG_WARN,
               "no local checkpoint of step %llu: rank %d (%s): %s",
               (unsigned long long)w->meta.step, e->rank, e->host, e->text);
}

static void say(const sb_saver *s)
{
    const save *w = &s->now;
    uint64_t bytes = 0;
    for (size_t i = 0; i < w->tensors; i++)
        bytes += sb_tensor_elements(&w->table[i]) *
                 sb_dtype_bytes(w->table[i].dtype);
    double all = sb_now() - w->began;
    sb_log(SB_LOG_INFO,
           "checkpoint of step %llu: %s in %.2f s (written %.2f s, read back "
           "%.2f s); training stood still for %.2f s",
           (unsigned long long)w->meta.step, sb_bytes_text(bytes), all,
           w->write_s, w->verify_s, s->behind ? w->stood_s : all);
    if (w->stays.code != SB_OK)
        sb_log(SB_LOG_WARN, "an old checkpoint stays: %s", w->stays.text);
}

static sb_status over(sb_saver *s, sb_status st)
{
    if (st == SB_OK) {
        s->newest = s->now.meta.step;
        say(s);
    } else if (sb_comm_rank(s->c) == 0) {
        sb_ckpt_abandon(s->dir, s->now.meta.step);
    }
    release(&s->now);
    s->phase = IDLE;
    return st;
}

/* The task of this phase ends on all ranks, and the next one begins. */
static sb_status advance(sb_saver *s)
{
    sb_status st = s->behind ? sb_pool_wait(s->thread) : work(s, 0, 0);
    st = sb_agree(s->c, st);
    if (s->to_local) {
        say_local(s, st);
        release(&s->now);
        s->phase = IDLE;
        return SB_OK;
    }
    if (st == SB_OK && s->phase == WRITING) {
        st = gather(s);
        if (st == SB_OK) {
            start(s, COMMITTING);
            return SB_OK;
        }
    }
    return over(s, st);
}

sb_status sb_saver_poll(sb_saver *s)
{
    if (!s || s->phase == IDLE) return SB_OK;
    int state = __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
    uint64_t any[2] = {state == RUNNING, state == FAILED};
    sb_comm_max_u64(s->c, any, 2);
    return any[0] && !any[1] ? SB_OK : advance(s);
}

sb_status sb_saver_finish(sb_saver *s)
{
    while (s && s->phase != IDLE) SB_TRY(advance(s));
    return SB_OK;
}

/* ---- saving -------------------------------------------------------------- */

/* A hash of what has to be the same everywhere: the step and the table. */
static sb_status same_everywhere(sb_comm *c, const sb_ckpt_meta *meta,
                                 const sb_tensor *table, size_t tensors)
{
    uint64_t h = sb_hash64(&meta->step, sizeof meta->step);
    for (size_t i = 0; i < tensors; i++) {
        const sb_tensor *t = &table[i];
        uint64_t x[3 + SB_DIMS_MAX] = {h, (uint64_t)t->dtype, t->ndim};
        memcpy(x + 3, t->dim, sizeof t->dim);
        x[0] ^= sb_hash64(t->name, strnlen(t->name, sizeof t->name));
        h = sb_hash64(x, sizeof x);
    }
    SB_REQUIRE(sb_comm_same(c, h), SB_EBUG,
               "ranks save different checkpoints (step %llu)",
               (unsigned long long)meta->step);
    return SB_OK;
}

/* In the folder of all rank 0 looks and, if need be, makes the staging one. */
static sb_status begin(sb_saver *s, uint64_t step, int *exists_out)
{
    sb_status st = SB_OK;
    uint64_t exists = 0;
    *exists_out = 0;
    if (s->to_local) return SB_OK;
    if (sb_comm_rank(s->c) == 0) {
        exists = (uint64_t)sb_ckpt_exists(s->dir, step);
        if (!exists) st = sb_ckpt_begin(s->dir, step);
    }
    SB_TRY(sb_agree(s->c, st));
    sb_comm_bcast(s->c, &exists, sizeof exists, 0);
    *exists_out = exists != 0;
    if (exists) s->newest = step;
    return SB_OK;
}

/* Everything that the tasks need, into s->now. */
static sb_status take(sb_saver *s, const sb_ckpt_meta *meta,
                      const sb_tensor *table, size_t tensors,
                      const sb_piece *pieces, size_t npieces)
{
    save *w = &s->now;
    uint64_t bytes = sb_pieces_bytes(table, pieces, npieces);
    w->meta = *meta;
    w->meta.config = sb_format("%s", meta->config ? meta->config : "");
    SB_REQUIRE(w->meta.config, SB_ENOMEM, "out of memory: configuration");
    SB_TRY(sb_alloc(tensors, sizeof *table, "checkpoint's tensors", &w->table));
    SB_TRY(
        sb_alloc(npieces, sizeof *pieces, "checkpoint's tensors", &w->piece));
    SB_TRY(sb_alloc(2 * (size_t)sb_comm_size(s->c), sizeof *w->n, "part list",
                    &w->n));
    memcpy(w->table, table, tensors * sizeof *table);
    if (npieces) memcpy(w->piece, pieces, npieces * sizeof *pieces);
    w->tensors = tensors;
    w->pieces = npieces;
    if (!s->behind) return SB_OK;
    SB_REQUIRE(bytes <= s->o.room, SB_EBUG,
               "%s are to be saved, room is for %s", sb_bytes_text(bytes),
               sb_bytes_text(s->o.room));
    return sb_pieces_copy(table, w->piece, npieces, s->copy, s->o.pool);
}

/* Behind, if that is asked for and there is room. */
static int decide(sb_saver *s, sb_save_when when)
{
    if (when == SB_SAVE_NOW) return 0;
    if (!s->thread && !s->said++)
        sb_log(SB_LOG_INFO, "there is no memory for a copy of the state: "
                            "training stands still while it is saved");
    return s->thread != NULL;
}

sb_status sb_saver_save(sb_saver *s, const sb_ckpt_meta *meta,
                        const sb_tensor *table, size_t tensors,
                        const sb_piece *pieces, size_t npieces,
                        sb_save_when when)
{
    double began = sb_now();
    int exists;
    sb_life_doing("saving a checkpoint");
    SB_TRY(sb_saver_finish(s));
    SB_TRY(same_everywhere(s->c, meta, table, tensors));
    s->to_local = when == SB_SAVE_LOCAL;
    SB_TRY(begin(s, meta->step, &exists));
    if (exists) return SB_OK;
    s->behind = decide(s, when);
    sb_status st = take(s, meta, table, tensors, pieces, npieces);
    st = sb_agree(s->c, st);
    if (st != SB_OK) return over(s, st);
    s->now.began = began;
    s->now.stood_s = sb_now() - began;
    start(s, WRITING);
    return s->behind ? SB_OK : sb_saver_finish(s);
}
