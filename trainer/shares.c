/* SPDX-License-Identifier: MIT
 * shares.c - found on hosts, joined in the run folder.
 *
 * The first rank of a host looks for all. Who copies what is worked out by all
 * ranks from one list: if hosts share a disk, the first rank that found a
 * share. A kill between two changes leaves a record of folders that are gone, or
 * folders that no record names: neither is in anybody's way. */
#include "trainer/shares.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/life.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "comm/group.h"
#include "proto/checkpoint.h"

enum { PATH_ROOM = 4096, RECORD_ROOM = PATH_ROOM + 64 };

/* What <dir>/local-shares says: "ranks id local\n". */
typedef struct record {
    uint64_t ranks, id; /* id 0: there is none */
    char local[PATH_ROOM];
} record;

/* One share that a host holds. */
typedef struct found {
    uint64_t step;
    uint32_t writer, holder;
} found;

struct sb_shares {
    char *folder; /* of all ranks of the host */
    char *own;
};

static char *folder_of(const record *r)
{
    return sb_format("%s/shardbert-%016" PRIx64, r->local, r->id);
}

static char *rank_folder(const char *folder, uint32_t writer)
{
    return sb_format("%s/rank-%05" PRIu32, folder, writer);
}

static sb_status no_path(void)
{
    SB_FAIL(SB_ENOMEM, "out of memory: a path");
}

/* ---- the record: rank 0 -------------------------------------------------- */

static sb_status parse(const char *path, const char *text, record *r)
{
    int at = 0;
    int n = sscanf(text, "%" SCNu64 " %" SCNx64 " %n", &r->ranks, &r->id, &at);
    size_t length = n == 2 && at ? strcspn(text + at, "\n") : 0;
    SB_REQUIRE(length && length < PATH_ROOM && text[at] == '/' && r->id &&
                   r->ranks > 0 && r->ranks <= SB_CKPT_PARTS_MAX,
               SB_EFORMAT, "'%s' is damaged", path);
    memcpy(r->local, text + at, length);
    r->local[length] = 0;
    return SB_OK;
}

static sb_status read_record(const char *path, record *r)
{
    char *text;
    size_t n;
    *r = (record){0};
    sb_status st = sb_file_read(path, RECORD_ROOM, &text, &n);
    if (st == SB_ENOENT) return SB_OK;
    SB_TRY(st);
    st = parse(path, text, r);
    free(text);
    return st;
}

static sb_status new_record(const char *dir, const char *path,
                            const char *local, int ranks, record *r)
{
    char text[RECORD_ROOM], *whole = local ? realpath(local, NULL) : NULL;
    *r = (record){0};
    if (!local) return sb_dir_remove(path);
    SB_TRY(sb_dir_make(dir));
    size_t n = whole ? strlen(whole) : 0;
    int good = n && n < PATH_ROOM && !strchr(whole, '\n');
    if (good) memcpy(r->local, whole, n + 1);
    free(whole);
    SB_REQUIRE(good, SB_EIO, "'%.200s' is no folder for local checkpoints",
               local);
    SB_REQUIRE(getrandom(&r->id, sizeof r->id, 0) == sizeof r->id && r->id,
               SB_EIO, "no random number could be had");
    r->ranks = (uint64_t)ranks;
    int bytes = snprintf(text, sizeof text, "%" PRIu64 " %016" PRIx64 " %s\n",
                         r->ranks, r->id, r->local);
    return sb_file_write(path, text, (size_t)bytes);
}

/* ---- what there is ------------------------------------------------------- */

typedef struct finds {
    found *list;
    size_t n, cap;
} finds;

static sb_status add_steps(const char *dir, uint32_t writer, int holder,
                           finds *f)
{
    uint64_t *step;
    size_t n;
    SB_TRY(sb_ckpt_steps(dir, &step, &n));
    sb_status st = sb_grow(&f->list, &f->cap, f->n + n, sizeof *f->list,
                           "shares of checkpoints");
    for (size_t i = 0; i < n && st == SB_OK; i++)
        f->list[f->n++] = (found){step[i], writer, (uint32_t)holder};
    sb_free(step);
    return st;
}

static sb_status look_in(const char *folder, const record *r, int holder,
                         finds *f)
{
    char **name, end;
    size_t n;
    if (!sb_file_exists(folder)) return SB_OK;
    SB_TRY(sb_dir_list(folder, &name, &n));
    sb_status st = SB_OK;
    for (size_t i = 0; i < n && st == SB_OK; i++) {
        uint32_t writer;
        if (sscanf(name[i], "rank-%5" SCNu32 "%c", &writer, &end) != 1 ||
            writer >= r->ranks)
            continue;
        char *path = rank_folder(folder, writer);
        st = path ? add_steps(path, writer, holder, f) : no_path();
        sb_free(path);
    }
    sb_names_free(name, n);
    return st;
}

/* Newest step first, then by writer, then by holder. */
static int order(const void *x, const void *y)
{
    const found *a = x, *b = y;
    if (a->step != b->step) return a->step < b->step ? 1 : -1;
    if (a->writer != b->writer) return a->writer < b->writer ? -1 : 1;
    return a->holder < b->holder ? -1 : a->holder > b->holder;
}

/* Everybody's to all. Collective. */
static sb_status share_finds(sb_comm *c, finds *f)
{
    size_t ranks = (size_t)sb_comm_size(c), *cut, *n;
    size_t me = (size_t)sb_comm_rank(c);
    SB_TRY(sb_agree(c, sb_alloc(2 * ranks + 1, sizeof *cut, "cuts", &cut)));
    n = cut + ranks + 1;
    sb_comm_gather(c, &f->n, sizeof f->n, n);
    cut[0] = 0;
    for (size_t r = 0; r < ranks; r++)
        cut[r + 1] = cut[r] + n[r] * sizeof(found);
    found *all;
    sb_status st = sb_alloc(cut[ranks], 1, "shares of checkpoints", &all);
    st = sb_agree(c, st);
    if (st == SB_OK) {
        if (f->n) memcpy((char *)all + cut[me], f->list, f->n * sizeof(found));
        sb_comm_gather_cut(c, all, cut);
        free(f->list);
        f->n = cut[ranks] / sizeof(found);
        f->list = all;
        if (f->n) qsort(f->list, f->n, sizeof(found), order);
    }
    sb_free(cut);
    return st;
}

/* The list of one step, at *at: without what is there twice. Returns how many
 * writers' shares there are; *end_out: behind them. */
static size_t one_step(finds *f, size_t at, size_t *end_out)
{
    size_t n = 0, i = at;
    for (; i < f->n && f->list[i].step == f->list[at].step; i++)
        if (!n || f->list[at + n - 1].writer != f->list[i].writer)
            f->list[at + n++] = f->list[i];
    *end_out = i;
    return n;
}

/* ---- bringing one -------------------------------------------------------- */

/* This rank's of the n shares. */
static sb_status copy_own(sb_comm *c, const char *folder, const char *dir,
                          const found *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].holder != (uint32_t)sb_comm_rank(c)) continue;
        char *path = rank_folder(folder, list[i].writer);
        sb_status st =
            path ? sb_ckpt_share_copy(path, list[i].step, list[i].writer, dir)
                 : no_path();
        sb_free(path);
        SB_TRY(st);
    }
    return SB_OK;
}

static sb_status bring(sb_comm *c, const char *folder, const char *dir,
                       const found *list, size_t n)
{
    int first = sb_comm_rank(c) == 0;
    uint64_t step = list[0].step;
    SB_TRY(sb_agree(c, first ? sb_ckpt_begin(dir, step) : SB_OK));
    sb_status st = sb_agree(c, copy_own(c, folder, dir, list, n));
    if (st == SB_OK)
        st = sb_agree(c, first ? sb_ckpt_join(dir, step, (uint32_t)n) : SB_OK);
    if (st != SB_OK && first) sb_ckpt_abandon(dir, step);
    return st;
}

/* The newest step that is whole, if it is newer than dir's. */
static sb_status bring_newest(sb_comm *c, const record *r, const char *folder,
                              const char *dir, uint64_t newest, finds *f)
{
    for (size_t at = 0, end; at < f->n && f->list[at].step > newest; at = end) {
        uint64_t step = f->list[at].step;
        size_t n = one_step(f, at, &end);
        if (n < r->ranks) {
            sb_log(SB_LOG_WARN,
                   "step %" PRIu64 " was saved on disks of the hosts, but only "
                   "%zu of %" PRIu64 " ranks' shares are on these hosts",
                   step, n, r->ranks);
            continue;
        }
        sb_status st = bring(c, folder, dir, f->list + at, n);
        if (st == SB_OK)
            sb_log(SB_LOG_INFO,
                   "checkpoint of step %" PRIu64 " brought from disks of the "
                   "hosts",
                   step);
        if (st != SB_EFORMAT && st != SB_ENOENT) return st;
        sb_log(SB_LOG_WARN,
               "step %" PRIu64 ", saved on disks of the hosts, is damaged and "
               "passed over: %s",
               step, sb_error_last()->text);
    }
    return SB_OK;
}

static sb_status newest_step(sb_comm *c, const char *dir, uint64_t *step_out)
{
    uint64_t *step = NULL;
    size_t n = 0;
    *step_out = 0;
    sb_status st = sb_comm_rank(c) == 0 ? sb_ckpt_steps(dir, &step, &n) : SB_OK;
    SB_TRY(sb_agree(c, st));
    if (n) *step_out = step[0];
    sb_free(step);
    sb_comm_bcast(c, step_out, sizeof *step_out, 0);
    return SB_OK;
}

static sb_status recover(sb_comm *c, const record *r, const char *folder,
                         int looks, const char *dir)
{
    finds f = {0};
    uint64_t newest;
    sb_life_doing("looking for local checkpoints");
    SB_TRY(newest_step(c, dir, &newest));
    sb_status st = looks ? look_in(folder, r, sb_comm_rank(c), &f) : SB_OK;
    st = sb_agree(c, st);
    if (st == SB_OK) st = share_finds(c, &f);
    if (st == SB_OK) st = bring_newest(c, r, folder, dir, newest, &f);
    free(f.list);
    if (st == SB_OK) return SB_OK;
    return sb_hint("delete '%.150s' to go on without what is on the hosts' "
                   "disks",
                   folder);
}

/* ---- open, close --------------------------------------------------------- */

/* Is this the first rank of its host? Collective. */
static sb_status first_of_host(sb_comm *c, int *first_out)
{
    sb_comm *node, *leaders;
    SB_TRY(sb_comm_split_nodes(c, 0, &node, &leaders));
    *first_out = leaders != NULL;
    sb_comm_free(leaders);
    sb_comm_free(node);
    return SB_OK;
}

/* What the run before left, and then nothing of it. */
static sb_status take_over(sb_comm *c, const record *then, const char *dir,
                           int looks)
{
    char *folder = folder_of(then);
    sb_status st = sb_agree(c, folder ? SB_OK : no_path());
    if (st == SB_OK) st = recover(c, then, folder, looks, dir);
    if (st == SB_OK && looks && sb_dir_remove(folder) != SB_OK)
        sb_log(SB_LOG_WARN, "old local checkpoints stay: %s",
               sb_error_last()->text);
    sb_free(folder);
    return st;
}

static sb_status make_folder(const record *now, uint32_t rank, sb_shares *s)
{
    s->folder = folder_of(now);
    s->own = s->folder ? rank_folder(s->folder, rank) : NULL;
    return s->own ? sb_dir_make(s->own) : no_path();
}

static sb_status read_common(sb_comm *c, const char *path, record *then)
{
    int first = sb_comm_rank(c) == 0;
    SB_TRY(sb_agree(c, first ? read_record(path, then) : SB_OK));
    sb_comm_bcast(c, then, sizeof *then, 0);
    return SB_OK;
}

static sb_status open_all(sb_comm *c, const char *path, const char *dir,
                          const char *local, sb_shares *s)
{
    int first = sb_comm_rank(c) == 0, looks = 0;
    record then, now;
    SB_TRY(read_common(c, path, &then));
    if (then.id) {
        SB_TRY(first_of_host(c, &looks));
        SB_TRY(take_over(c, &then, dir, looks));
    }
    if (!then.id && !local) return SB_OK;
    sb_status st = local ? sb_dir_make(local) : SB_OK;
    if (st == SB_OK && first)
        st = new_record(dir, path, local, sb_comm_size(c), &now);
    SB_TRY(sb_agree(c, st));
    if (!local) return SB_OK;
    sb_comm_bcast(c, &now, sizeof now, 0);
    return sb_agree(c, make_folder(&now, (uint32_t)sb_comm_rank(c), s));
}

sb_status sb_shares_open(sb_comm *c, const char *dir, const char *local,
                         sb_shares **shares_out)
{
    sb_shares *s = NULL;
    char *path = sb_path_join(dir, "local-shares");
    sb_status st =
        path ? sb_alloc(1, sizeof *s, "local checkpoints", &s) : no_path();
    st = sb_agree(c, st);
    if (st == SB_OK) st = open_all(c, path, dir, local, s);
    sb_free(path);
    if (st != SB_OK || !local) {
        sb_shares_close(s, 1);
        s = NULL;
    }
    *shares_out = s;
    return st;
}

const char *sb_shares_dir(const sb_shares *s)
{
    return s ? s->own : NULL;
}

void sb_shares_close(sb_shares *s, int done)
{
    if (!s) return;
    if (done && s->own && sb_dir_remove(s->own) == SB_OK)
        (void)rmdir(s->folder); /* the last of the host's ranks can */
    sb_free(s->own);
    sb_free(s->folder);
    sb_free(s);
}
