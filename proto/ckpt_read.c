/* SPDX-License-Identifier: MIT
 * ckpt_read.c - the reading half of proto/checkpoint.h.
 *
 * Invariants: nothing of the manifest is used before it has been checked, and
 * after sb_ckpt_open its ranges cover each element of each tensor exactly
 * once and the frames of each part fill its file. A chunk must have the
 * length, the checksum and the place that the manifest gives it, so bytes of
 * another checkpoint are as wrong as damaged ones. Files are opened under the
 * folder's descriptor, by names we make, never through a link.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "proto/codec.h"

typedef struct part_file {
    uint32_t writer;
    uint64_t bytes;
} part_file;

struct sb_ckpt {
    char *path;
    int dir; /* descriptor of the folder */
    sb_ckpt_meta meta;
    sb_tensor *tensor; /* [tensors] */
    size_t tensors;
    size_t *by_name; /* [tensors] */
    sb_range *range; /* [ranges] by tensor, then by first element */
    size_t ranges;
    size_t *begin; /* [tensors + 1] into range */
    part_file *part;
    size_t parts;
    int fd; /* of part `opened`, or -1 */
    size_t opened;
    char opened_name[SB_CKPT_NAME_ROOM];
    sb_message message;
};

/* ---- opening ------------------------------------------------------------- */

/* What it means that a file cannot be opened: it is not there, we have too
 * little of something, or its disk fails. */
static sb_status no_file(int why)
{
    return why == ENOENT                    ? SB_ENOENT
           : why == EMFILE || why == ENFILE ? SB_ELIMIT
           : why == ENOMEM                  ? SB_ENOMEM
                                            : SB_EIO;
}

/* A plain file of the folder, and its size. */
static sb_status open_file(const sb_ckpt *c, const char *name, int *fd_out,
                           uint64_t *bytes_out)
{
    int fd =
        openat(c->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    SB_REQUIRE(fd >= 0, no_file(errno), "cannot open '%s/%s': %s", c->path,
               name, strerror(errno));
    struct stat s;
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) {
        close(fd);
        SB_FAIL(SB_EIO, "'%s/%s' is not a file", c->path, name);
    }
    *fd_out = fd;
    *bytes_out = (uint64_t)s.st_size;
    return SB_OK;
}

static sb_status take_text(const char *from, char *to, size_t room,
                           const char *what)
{
    SB_REQUIRE(strlen(from) < room, SB_EFORMAT, "%s is too long", what);
    memcpy(to, from, strlen(from) + 1);
    return SB_OK;
}

static sb_status take_meta(sb_ckpt *c, const Shardbert__Manifest *m)
{
    SB_TRY(take_text(m->phase, c->meta.phase, sizeof c->meta.phase,
                     "the name of the phase"));
    SB_TRY(take_text(m->build, c->meta.build, sizeof c->meta.build,
                     "the name of the build"));
    c->meta.step = m->step;
    c->meta.total = m->total;
    c->meta.cursor = m->cursor;
    c->meta.seed = m->seed;
    c->meta.vocab_hash = m->vocab_hash;
    c->meta.config = sb_format("%s", m->config);
    SB_REQUIRE(c->meta.config, SB_ENOMEM, "out of memory: a configuration");
    return SB_OK;
}

static sb_status take_tensors(sb_ckpt *c, const Shardbert__Manifest *m)
{
    SB_REQUIRE(m->n_tensor <= SB_TENSORS_MAX, SB_EFORMAT,
               "%zu tensors are too many", m->n_tensor);
    c->tensors = m->n_tensor;
    SB_TRY(sb_alloc(c->tensors, sizeof *c->tensor, "tensor table", &c->tensor));
    for (size_t i = 0; i < c->tensors; i++) {
        const Shardbert__Tensor *from = m->tensor[i];
        sb_tensor *t = &c->tensor[i];
        SB_TRY(take_text(from->name, t->name, sizeof t->name,
                         "the name of a tensor"));
        SB_REQUIRE(from->n_dim <= SB_DIMS_MAX, SB_EFORMAT,
                   "tensor '%s' has %zu dimensions", t->name, from->n_dim);
        t->dtype = (sb_dtype)from->dtype;
        t->ndim = (uint32_t)from->n_dim;
        for (size_t d = 0; d < from->n_dim; d++) t->dim[d] = from->dim[d];
    }
    SB_TRY(sb_table_check(c->tensor, c->tensors, SB_EFORMAT));
    return sb_table_by_name(c->tensor, c->tensors, &c->by_name);
}

static sb_status take_parts(sb_ckpt *c, const Shardbert__Manifest *m)
{
    SB_REQUIRE(m->n_part <= SB_CKPT_PARTS_MAX, SB_EFORMAT,
               "%zu parts are too many", m->n_part);
    c->parts = m->n_part;
    for (size_t i = 0; i < c->parts; i++) {
        c->ranges += m->part[i]->n_range;
        SB_REQUIRE(!i || m->part[i - 1]->writer < m->part[i]->writer,
                   SB_EFORMAT, "the parts are out of order");
    }
    SB_REQUIRE(c->ranges <= SB_RANGES_MAX, SB_EFORMAT,
               "%zu ranges are too many", c->ranges);
    SB_TRY(sb_alloc(c->parts, sizeof *c->part, "part table", &c->part));
    SB_TRY(sb_alloc(c->ranges, sizeof *c->range, "range table", &c->range));
    SB_TRY(
        sb_alloc(c->tensors + 1, sizeof *c->begin, "range table", &c->begin));
    size_t k = 0;
    for (size_t i = 0; i < c->parts; i++) {
        const Shardbert__Part *p = m->part[i];
        SB_TRY(sb_part_take(p, (uint32_t)i, c->tensor, c->tensors, SB_EFORMAT,
                            c->range + k));
        k += p->n_range;
        c->part[i] = (part_file){p->writer, p->bytes};
    }
    return sb_ranges_check(c->range, c->ranges, c->tensor, c->tensors,
                           SB_EFORMAT, c->begin);
}

static sb_status take_manifest(sb_ckpt *c, const uint8_t *data, size_t bytes)
{
    ProtobufCMessage *base;
    SB_TRY(sb_message_unpack(&shardbert__manifest__descriptor, data, bytes,
                             SB_MANIFEST_NAME, "a manifest", SB_EFORMAT,
                             &base));
    Shardbert__Manifest *m = (Shardbert__Manifest *)base;
    sb_status st = SB_OK;
    if (m->format != SB_CKPT_FORMAT)
        st = sb_fail(SB_EVERSION, __FILE__, __LINE__,
                     "it is of format %u, this program reads %d", m->format,
                     SB_CKPT_FORMAT);
    if (st == SB_OK) st = take_meta(c, m);
    if (st == SB_OK) st = take_tensors(c, m);
    if (st == SB_OK) st = take_parts(c, m);
    shardbert__manifest__free_unpacked(m, NULL);
    return st;
}

#define HINT_DAMAGED                                                           \
    "`shardbert inspect --verify` on its folder tells which ones are whole"

/* Say which checkpoint a failure is about, and how to go on without it. */
static sb_status about(const sb_ckpt *c, sb_status st)
{
    if (st == SB_ENOENT) return sb_hint(HINT_DAMAGED);
    if (st != SB_EFORMAT && st != SB_EVERSION) return st;
    sb_error e = *sb_error_last();
    char text[SB_ERROR_TEXT_MAX];
    snprintf(text, sizeof text, "checkpoint '%.200s': %.280s", c->path, e.text);
    memcpy(e.text, text, sizeof e.text);
    st = sb_error_set(&e);
    return st == SB_EFORMAT ? sb_hint(HINT_DAMAGED) : st;
}

static sb_status open_manifest(sb_ckpt *c)
{
    int fd;
    uint64_t bytes;
    SB_TRY(open_file(c, SB_MANIFEST_NAME, &fd, &bytes));
    sb_message m = {0};
    sb_status st =
        sb_frame_get(fd, SB_MANIFEST_NAME, 0, bytes, SB_MANIFEST_MAX, &m);
    close(fd);
    if (st == SB_OK && bytes != SB_FRAME_HEAD + (uint64_t)m.frame.bytes)
        st = sb_fail(SB_EFORMAT, __FILE__, __LINE__,
                     "'%s' has bytes behind its frame", SB_MANIFEST_NAME);
    if (st == SB_OK) st = take_manifest(c, m.data, m.frame.bytes);
    sb_free(m.data);
    return about(c, st);
}

sb_status sb_ckpt_open(const char *path, sb_ckpt **ckpt_out)
{
    sb_ckpt *c;
    SB_TRY(sb_alloc(1, sizeof *c, "checkpoint", &c));
    c->dir = c->fd = -1;
    c->path = sb_format("%s", path);
    sb_status st = SB_OK;
    if (!c->path) {
        st = sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    } else {
        c->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (c->dir < 0)
            st = sb_fail(no_file(errno), __FILE__, __LINE__,
                         "cannot open checkpoint '%s': %s", path,
                         strerror(errno));
    }
    if (st == SB_OK) st = open_manifest(c);
    if (st != SB_OK) {
        sb_ckpt_close(c);
        return st;
    }
    *ckpt_out = c;
    return SB_OK;
}

void sb_ckpt_close(sb_ckpt *c)
{
    if (!c) return;
    if (c->fd >= 0) close(c->fd);
    if (c->dir >= 0) close(c->dir);
    sb_free(c->path);
    sb_free(c->meta.config);
    sb_free(c->tensor);
    sb_free(c->by_name);
    sb_free(c->range);
    sb_free(c->begin);
    sb_free(c->part);
    sb_free(c->message.data);
    sb_free(c);
}

const sb_ckpt_meta *sb_ckpt_get_meta(const sb_ckpt *c)
{
    return &c->meta;
}

size_t sb_ckpt_tensors(const sb_ckpt *c)
{
    return c->tensors;
}

const sb_tensor *sb_ckpt_tensor(const sb_ckpt *c, size_t i)
{
    return &c->tensor[i];
}

size_t sb_ckpt_parts(const sb_ckpt *c)
{
    return c->parts;
}

sb_status sb_ckpt_find(const sb_ckpt *c, const char *name, size_t *index_out)
{
    size_t lo = 0, hi = c->tensors;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(name, c->tensor[c->by_name[mid]].name);
        if (order == 0) {
            *index_out = c->by_name[mid];
            return SB_OK;
        }
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    SB_FAIL(SB_EINVAL, "checkpoint '%s' has no tensor '%s'", c->path, name);
}

/* ---- elements ------------------------------------------------------------ */

static sb_status open_part(sb_ckpt *c, size_t i)
{
    if (c->fd >= 0 && c->opened == i) return SB_OK;
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    sb_part_name(c->part[i].writer, c->opened_name);
    int fd;
    uint64_t bytes;
    SB_TRY(open_file(c, c->opened_name, &fd, &bytes));
    if (bytes != c->part[i].bytes) {
        close(fd);
        SB_FAIL(SB_EFORMAT,
                "'%s' has %" PRIu64 " bytes, the manifest says %" PRIu64,
                c->opened_name, bytes, c->part[i].bytes);
    }
    c->fd = fd;
    c->opened = i;
    return SB_OK;
}

/* The chunk of a range, verified; shardbert__tensor_chunk__free_unpacked. */
static sb_status read_chunk(sb_ckpt *c, const sb_range *r,
                            Shardbert__TensorChunk **chunk_out)
{
    SB_TRY(open_part(c, r->part));
    SB_TRY(sb_frame_get(c->fd, c->opened_name, r->offset,
                        c->part[r->part].bytes, SB_CHUNK_MAX, &c->message));
    SB_REQUIRE(c->message.frame.bytes == r->frame.bytes &&
                   c->message.frame.crc == r->frame.crc,
               SB_EFORMAT,
               "'%s': the frame at byte %" PRIu64 " is not the one the "
               "manifest describes",
               c->opened_name, r->offset);
    ProtobufCMessage *base;
    SB_TRY(sb_message_unpack(&shardbert__tensor_chunk__descriptor,
                             c->message.data, c->message.frame.bytes,
                             c->opened_name, "a chunk", SB_EFORMAT, &base));
    Shardbert__TensorChunk *m = (Shardbert__TensorChunk *)base;
    size_t item = sb_dtype_bytes(c->tensor[r->tensor].dtype);
    if (m->tensor != r->tensor || m->first != r->first || m->n != r->n ||
        m->data.len != r->n * item) {
        shardbert__tensor_chunk__free_unpacked(m, NULL);
        SB_FAIL(SB_EFORMAT,
                "'%s': the chunk at byte %" PRIu64 " is not the one the "
                "manifest describes",
                c->opened_name, r->offset);
    }
    *chunk_out = m;
    return SB_OK;
}

/* Elements [skip, skip + take) of a range. */
static sb_status read_elements(sb_ckpt *c, const sb_range *r, size_t item,
                               uint64_t skip, uint64_t take, void *to)
{
    int done;
    Shardbert__TensorChunk *chunk;
    SB_TRY(open_part(c, r->part));
    SB_TRY(sb_chunk_get(c->fd, c->opened_name, r, item, skip, take, to,
                        &c->message, &done));
    if (done) return SB_OK;
    SB_TRY(read_chunk(c, r, &chunk));
    memcpy(to, chunk->data.data + skip * item, take * item);
    shardbert__tensor_chunk__free_unpacked(chunk, NULL);
    return SB_OK;
}

static void shape_text(const sb_tensor *t, char text[128])
{
    size_t n = (size_t)snprintf(text, 128, "%s [",
                                t->dtype == SB_F32   ? "f32"
                                : t->dtype == SB_U64 ? "u64"
                                                     : "?");
    for (uint32_t d = 0; d < t->ndim && d < SB_DIMS_MAX; d++)
        n += (size_t)snprintf(text + n, 128 - n, "%s%" PRIu64, d ? ", " : "",
                              t->dim[d]);
    snprintf(text + n, 128 - n, "]");
}

static int same_shape(const sb_tensor *a, const sb_tensor *b)
{
    return a->dtype == b->dtype && a->ndim == b->ndim &&
           memcmp(a->dim, b->dim, a->ndim * sizeof a->dim[0]) == 0;
}

/* The range that holds element `first` of tensor i; there is one. */
static size_t find_range(const sb_ckpt *c, size_t i, uint64_t first)
{
    size_t lo = c->begin[i], hi = c->begin[i + 1];
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (c->range[mid].first <= first)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

sb_status sb_ckpt_get(sb_ckpt *c, const sb_tensor *want, uint64_t first,
                      uint64_t n, void *data)
{
    size_t i;
    SB_TRY(sb_ckpt_find(c, want->name, &i));
    const sb_tensor *t = &c->tensor[i];
    if (!same_shape(t, want)) {
        char is[128], wanted[128];
        shape_text(t, is);
        shape_text(want, wanted);
        SB_FAIL(SB_EINVAL, "checkpoint '%s': tensor '%s' is %s, wanted is %s",
                c->path, t->name, is, wanted);
    }
    uint64_t all = sb_tensor_elements(t);
    SB_REQUIRE(n <= all && first <= all - n, SB_EINVAL,
               "elements %" PRIu64 " + %" PRIu64 " of tensor '%s' are wanted, "
               "it has %" PRIu64,
               first, n, t->name, all);
    size_t item = sb_dtype_bytes(t->dtype);
    unsigned char *to = data;
    for (size_t k = find_range(c, i, first); n; k++) {
        const sb_range *r = &c->range[k];
        uint64_t skip = first - r->first, take = r->n - skip;
        if (take > n) take = n;
        SB_TRY(about(c, read_elements(c, r, item, skip, take, to)));
        to += take * item;
        first += take;
        n -= take;
    }
    return SB_OK;
}

/* ---- all of it ----------------------------------------------------------- */

sb_status sb_ckpt_scan(sb_ckpt *c, size_t i, sb_ckpt_each each, void *arg)
{
    for (size_t k = c->begin[i]; k < c->begin[i + 1]; k++) {
        Shardbert__TensorChunk *chunk;
        SB_TRY(about(c, read_chunk(c, &c->range[k], &chunk)));
        each(arg, chunk->data.data, chunk->data.len);
        shardbert__tensor_chunk__free_unpacked(chunk, NULL);
    }
    return SB_OK;
}

static void forget(void *arg, const void *data, size_t bytes)
{
    (void)arg, (void)data, (void)bytes;
}

sb_status sb_ckpt_verify(sb_ckpt *c)
{
    for (size_t i = 0; i < c->parts; i++) SB_TRY(about(c, open_part(c, i)));
    for (size_t i = 0; i < c->tensors; i++)
        SB_TRY(sb_ckpt_scan(c, i, forget, NULL));
    return SB_OK;
}

static void hash_head(sb_hasher *h, const sb_tensor *t)
{
    uint64_t head[3 + SB_DIMS_MAX] = {strlen(t->name), (uint64_t)t->dtype,
                                      t->ndim};
    memcpy(head + 3, t->dim, t->ndim * sizeof t->dim[0]);
    sb_hasher_add(h, head, sizeof head);
    sb_hasher_add(h, t->name, strlen(t->name));
}

static void hash_elements(void *h, const void *data, size_t bytes)
{
    sb_hasher_add(h, data, bytes);
}

sb_status sb_ckpt_hash(sb_ckpt *c, uint64_t *hash_out)
{
    sb_hasher *h = sb_hasher_new();
    SB_REQUIRE(h, SB_ENOMEM, "out of memory: a hash");
    sb_status st = SB_OK;
    for (size_t i = 0; i < c->tensors && st == SB_OK; i++) {
        size_t t = c->by_name[i];
        hash_head(h, &c->tensor[t]);
        st = sb_ckpt_scan(c, t, hash_elements, h);
    }
    uint64_t hash = sb_hasher_end(h);
    if (st == SB_OK) *hash_out = hash;
    return st;
}
