/* SPDX-License-Identifier: MIT
 * ckpt_write.c - the writing half of proto/checkpoint.h, but for the parts
 * (ckpt_part.c).
 *
 * Invariants: everything happens in <dir>/.tmp-ckpt-<step>; parts and manifest
 * are synced, then their folder, before the one rename; nothing called ckpt-*
 * is written to or removed in place.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "proto/codec.h"

static const char debris[] = ".tmp-ckpt-";

/* ---- folders ------------------------------------------------------------- */

char *sb_ckpt_staging(const char *dir, uint64_t step)
{
    return sb_format("%s/%s%09" PRIu64, dir, debris, step);
}

static char *final_path(const char *dir, uint64_t step)
{
    char name[SB_CKPT_NAME_ROOM];
    sb_ckpt_name(step, name);
    return sb_path_join(dir, name);
}

static sb_status no_path(void)
{
    SB_FAIL(SB_ENOMEM, "out of memory: a path");
}

sb_status sb_ckpt_sweep(const char *dir)
{
    char **name;
    size_t n;
    if (!sb_file_exists(dir)) return SB_OK;
    SB_TRY(sb_dir_list(dir, &name, &n));
    sb_status st = SB_OK;
    for (size_t i = 0; i < n && st == SB_OK; i++) {
        if (strncmp(name[i], ".tmp-", 5) != 0) continue;
        char *path = sb_path_join(dir, name[i]);
        st = path ? sb_dir_remove(path) : no_path();
        sb_free(path);
    }
    sb_names_free(name, n);
    return st;
}

sb_status sb_ckpt_begin(const char *dir, uint64_t step)
{
    SB_TRY(sb_dir_make(dir));
    SB_REQUIRE(!sb_ckpt_exists(dir, step), SB_EINVAL,
               "'%s' has a checkpoint of step %" PRIu64 " already", dir, step);
    SB_TRY(sb_ckpt_sweep(dir));
    char *path = sb_ckpt_staging(dir, step);
    sb_status st = path ? sb_dir_make(path) : no_path();
    sb_free(path);
    return st;
}

void sb_ckpt_abandon(const char *dir, uint64_t step)
{
    sb_error first = *sb_error_last(); /* what failed, not what follows */
    char *path = sb_ckpt_staging(dir, step);
    if (!path || sb_dir_remove(path) != SB_OK) (void)sb_error_set(&first);
    sb_free(path);
}

int sb_ckpt_exists(const char *dir, uint64_t step)
{
    char path[PATH_MAX], name[SB_CKPT_NAME_ROOM]; /* no memory is no answer */
    sb_ckpt_name(step, name);
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    return n > 0 && (size_t)n < sizeof path && sb_file_exists(path);
}

/* ---- commit -------------------------------------------------------------- */

/* What a commit holds while it works. */
typedef struct commit {
    const char *staging;
    Shardbert__Part **part; /* [parts] unpacked */
    size_t parts;
    Shardbert__Tensor *tensor, **tensor_list;
} commit;

static sb_status unpack_parts(commit *c, const void *const *desc,
                              const size_t *desc_bytes, size_t parts)
{
    SB_REQUIRE(parts <= SB_CKPT_PARTS_MAX, SB_ELIMIT,
               "a checkpoint has at most %d parts, not %zu", SB_CKPT_PARTS_MAX,
               parts);
    SB_TRY(sb_alloc(parts, sizeof *c->part, "parts", &c->part));
    for (size_t i = 0; i < parts; i++) {
        ProtobufCMessage *m;
        SB_TRY(sb_message_unpack(&shardbert__part__descriptor, desc[i],
                                 desc_bytes[i], "what a rank sent",
                                 "the description of a part", SB_EBUG, &m));
        c->part[i] = (Shardbert__Part *)m;
        c->parts = i + 1;
    }
    return SB_OK;
}

sb_status sb_part_check_file(const char *folder, const Shardbert__Part *p,
                             sb_status code)
{
    char name[SB_CKPT_NAME_ROOM];
    sb_part_name(p->writer, name);
    char *path = sb_path_join(folder, name);
    if (!path) return no_path();
    uint64_t bytes;
    sb_status st = sb_file_size(path, &bytes);
    if (st == SB_ENOENT) {
        st = sb_fail(code, __FILE__, __LINE__,
                     "'%s' was written by another rank and is not here", path);
        sb_hint("checkpoints need a folder that all nodes share");
    } else if (st == SB_OK && bytes != p->bytes) {
        st = sb_fail(code, __FILE__, __LINE__,
                     "'%s' has %" PRIu64 " bytes, %" PRIu64 " were written",
                     path, bytes, p->bytes);
    }
    sb_free(path);
    return st;
}

static int part_order(const void *a, const void *b)
{
    const Shardbert__Part *x = *(Shardbert__Part *const *)a;
    const Shardbert__Part *y = *(Shardbert__Part *const *)b;
    return x->writer < y->writer ? -1 : x->writer > y->writer;
}

static sb_status check_parts(commit *c, const sb_tensor *table, size_t tensors)
{
    size_t n = 0, k = 0, *begin = NULL;
    qsort(c->part, c->parts, sizeof *c->part, part_order);
    for (size_t i = 0; i < c->parts; i++) {
        n += c->part[i]->n_range;
        SB_REQUIRE(!i || c->part[i - 1]->writer != c->part[i]->writer, SB_EBUG,
                   "two parts are numbered %u", c->part[i]->writer);
    }
    SB_REQUIRE(n <= SB_RANGES_MAX, SB_ELIMIT,
               "a checkpoint has at most %d ranges, not %zu", SB_RANGES_MAX, n);
    sb_range *range;
    SB_TRY(sb_alloc(n, sizeof *range, "checkpoint ranges", &range));
    sb_status st =
        sb_alloc(tensors + 1, sizeof *begin, "checkpoint ranges", &begin);
    for (size_t i = 0; i < c->parts && st == SB_OK; i++) {
        st = sb_part_take(c->part[i], (uint32_t)i, table, tensors, SB_EBUG,
                          range + k);
        k += c->part[i]->n_range;
        if (st == SB_OK)
            st = sb_part_check_file(c->staging, c->part[i], SB_EIO);
    }
    if (st == SB_OK)
        st = sb_ranges_check(range, n, table, tensors, SB_EBUG, begin);
    sb_free(range);
    sb_free(begin);
    return st;
}

static sb_status describe_tensors(commit *c, const sb_tensor *table,
                                  size_t tensors)
{
    SB_TRY(sb_alloc(tensors, sizeof *c->tensor, "tensor table", &c->tensor));
    SB_TRY(sb_alloc(tensors, sizeof *c->tensor_list, "tensor table",
                    &c->tensor_list));
    for (size_t i = 0; i < tensors; i++) {
        Shardbert__Tensor *t = c->tensor_list[i] = &c->tensor[i];
        shardbert__tensor__init(t);
        t->name = (char *)table[i].name; /* protobuf-c only reads them */
        t->dtype = (Shardbert__Dtype)table[i].dtype;
        t->n_dim = table[i].ndim;
        t->dim = (uint64_t *)table[i].dim;
    }
    return SB_OK;
}

sb_status sb_manifest_put(const char *folder, const char *name,
                          const Shardbert__Manifest *m)
{
    char *path = sb_path_join(folder, name);
    if (!path) return no_path();
    sb_out *o;
    sb_frame f;
    sb_status st = sb_out_open(path, &o);
    sb_free(path);
    SB_TRY(st);
    st = sb_frame_put(o, &m->base, SB_MANIFEST_MAX, &f);
    if (st == SB_OK) return sb_out_close(o);
    sb_out_abandon(o);
    return st;
}

static sb_status write_manifest(const commit *c, const char *name,
                                const sb_ckpt_meta *meta, size_t tensors)
{
    Shardbert__Manifest m = SHARDBERT__MANIFEST__INIT;
    m.format = SB_CKPT_FORMAT;
    m.phase = (char *)meta->phase;
    m.step = meta->step;
    m.total = meta->total;
    m.cursor = meta->cursor;
    m.seed = meta->seed;
    m.vocab_hash = meta->vocab_hash;
    m.build = (char *)meta->build;
    if (meta->config) m.config = meta->config;
    m.n_tensor = tensors;
    m.tensor = c->tensor_list;
    m.n_part = c->parts;
    m.part = c->part;
    return sb_manifest_put(c->staging, name, &m);
}

sb_status sb_ckpt_show(const char *dir, uint64_t step)
{
    char *from = sb_ckpt_staging(dir, step), *to = final_path(dir, step);
    sb_status st = from && to ? sb_dir_sync(from) : no_path();
    if (st == SB_OK) st = sb_rename(from, to);
    if (st == SB_OK) st = sb_dir_sync(dir);
    sb_free(from);
    sb_free(to);
    return st;
}

static sb_status open_and_show(const commit *c, const char *dir, uint64_t step)
{
    sb_ckpt *ckpt;
    SB_TRY(sb_ckpt_open(c->staging, &ckpt));
    sb_ckpt_close(ckpt);
    return sb_ckpt_show(dir, step);
}

/* The manifest of all parts, or, with a share's name, of those of one. */
static sb_status commit_parts(const char *dir, const char *share,
                              const sb_ckpt_meta *meta, const sb_tensor *table,
                              size_t tensors, const void *const *desc,
                              const size_t *desc_bytes, size_t parts)
{
    SB_REQUIRE(memchr(meta->phase, 0, sizeof meta->phase) &&
                   memchr(meta->build, 0, sizeof meta->build),
               SB_EBUG, "a text of the checkpoint has no end");
    SB_TRY(sb_table_check(table, tensors, SB_EBUG));
    char *staging = sb_ckpt_staging(dir, meta->step);
    if (!staging) return no_path();
    commit c = {.staging = staging};
    sb_status st;
    SB_GOTO(st, unpack_parts(&c, desc, desc_bytes, parts), out);
    if (!share) SB_GOTO(st, check_parts(&c, table, tensors), out);
    SB_GOTO(st, describe_tensors(&c, table, tensors), out);
    SB_GOTO(st,
            write_manifest(&c, share ? share : SB_MANIFEST_NAME, meta, tensors),
            out);
    st = share ? sb_ckpt_show(dir, meta->step)
               : open_and_show(&c, dir, meta->step);
out:
    for (size_t i = 0; i < c.parts; i++)
        shardbert__part__free_unpacked(c.part[i], NULL);
    sb_free(c.part);
    sb_free(c.tensor);
    sb_free(c.tensor_list);
    sb_free(staging);
    return st;
}

sb_status sb_ckpt_commit(const char *dir, const sb_ckpt_meta *meta,
                         const sb_tensor *table, size_t tensors,
                         const void *const *desc, const size_t *desc_bytes,
                         size_t parts)
{
    return commit_parts(dir, NULL, meta, table, tensors, desc, desc_bytes,
                        parts);
}

sb_status sb_ckpt_commit_share(const char *dir, uint32_t writer,
                               const sb_ckpt_meta *meta, const sb_tensor *table,
                               size_t tensors, const void *desc,
                               size_t desc_bytes)
{
    char share[SB_CKPT_NAME_ROOM];
    sb_share_name(writer, share);
    return commit_parts(dir, share, meta, table, tensors, &desc, &desc_bytes,
                        desc_bytes > 0);
}

/* ---- old ones ------------------------------------------------------------ */

static int newest_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x > y ? -1 : x < y;
}

static sb_status remove_one(const char *dir, uint64_t step)
{
    char *from = final_path(dir, step);
    char *to = sb_format("%s/%sold-%09" PRIu64, dir, debris, step);
    sb_status st = from && to ? sb_dir_remove(to) : no_path();
    if (st == SB_OK) st = sb_rename(from, to);
    if (st == SB_OK) st = sb_dir_remove(to);
    sb_free(from);
    sb_free(to);
    return st;
}

sb_status sb_ckpt_prune(const char *dir, unsigned keep, uint64_t every)
{
    SB_REQUIRE(keep >= 1, SB_EBUG, "no checkpoint is to be kept");
    char **name;
    size_t n, found = 0;
    SB_TRY(sb_dir_list(dir, &name, &n));
    uint64_t *step;
    sb_status st = sb_alloc(n, sizeof *step, "checkpoint list", &step);
    if (st == SB_OK) {
        for (size_t i = 0; i < n; i++)
            found += (size_t)sb_ckpt_name_step(name[i], &step[found]);
        qsort(step, found, sizeof *step, newest_first);
        for (size_t i = keep; i < found && st == SB_OK; i++)
            if (!every || step[i] % every) st = remove_one(dir, step[i]);
        sb_free(step);
    }
    sb_names_free(name, n);
    return st;
}
