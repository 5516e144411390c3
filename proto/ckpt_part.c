/* SPDX-License-Identifier: MIT
 * ckpt_part.c - one writer's file of a checkpoint: written, synced, read back.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/base/mem.h"
#include "proto/codec.h"

struct sb_ckpt_part {
    char *path;
    sb_out *out; /* NULL: synced and closed */
    uint64_t bytes;
    uint32_t writer;
    sb_tensor *table; /* a copy */
    size_t tensors;
    Shardbert__Range *range; /* [ranges] */
    size_t ranges, range_cap;
};

static sb_status no_path(void)
{
    SB_FAIL(SB_ENOMEM, "out of memory: a path");
}

/* <dir>/.tmp-ckpt-<step>/part-<writer>.pb */
static char *part_path(const char *dir, uint64_t step, uint32_t writer)
{
    char name[SB_CKPT_NAME_ROOM], *path = NULL;
    char *folder = sb_ckpt_staging(dir, step);
    sb_part_name(writer, name);
    if (folder) path = sb_path_join(folder, name);
    sb_free(folder);
    return path;
}

/* ---- writing ------------------------------------------------------------- */

static void free_part(sb_ckpt_part *p)
{
    sb_free(p->path);
    sb_free(p->table);
    sb_free(p->range);
    sb_free(p);
}

sb_status sb_ckpt_part_open(const char *dir, uint64_t step, uint32_t writer,
                            const sb_tensor *table, size_t tensors,
                            sb_ckpt_part **part_out)
{
    SB_REQUIRE(writer < SB_CKPT_PARTS_MAX, SB_ELIMIT,
               "a checkpoint has at most %d parts", SB_CKPT_PARTS_MAX);
    SB_TRY(sb_table_check(table, tensors, SB_EBUG));
    sb_ckpt_part *p;
    SB_TRY(sb_alloc(1, sizeof *p, "checkpoint part", &p));
    p->path = part_path(dir, step, writer);
    p->writer = writer;
    p->tensors = tensors;
    sb_status st =
        p->path ? sb_alloc(tensors, sizeof *p->table, "tensor table", &p->table)
                : no_path();
    if (st == SB_OK) {
        memcpy(p->table, table, tensors * sizeof *table);
        st = sb_out_open(p->path, &p->out);
    }
    if (st != SB_OK) {
        free_part(p);
        return st;
    }
    *part_out = p;
    return SB_OK;
}

static sb_status put_chunk(sb_ckpt_part *p, uint32_t index, uint64_t first,
                           uint64_t n, const unsigned char *data, size_t bytes)
{
    SB_TRY(sb_grow(&p->range, &p->range_cap, p->ranges + 1, sizeof *p->range,
                   "checkpoint ranges"));
    Shardbert__Range *r = &p->range[p->ranges];
    Shardbert__TensorChunk chunk = SHARDBERT__TENSOR_CHUNK__INIT;
    shardbert__range__init(r);
    chunk.tensor = r->tensor = index;
    chunk.first = r->first = first;
    chunk.n = r->n = n;
    chunk.data.len = bytes;
    chunk.data.data = (uint8_t *)data; /* protobuf-c only reads it */
    r->offset = sb_out_bytes(p->out);
    sb_frame f;
    SB_TRY(sb_frame_put(p->out, &chunk.base, SB_CHUNK_MAX, &f));
    r->bytes = f.bytes;
    r->crc = f.crc;
    p->ranges++;
    return SB_OK;
}

sb_status sb_ckpt_put(sb_ckpt_part *p, size_t index, uint64_t first, uint64_t n,
                      const void *data)
{
    SB_REQUIRE(index < p->tensors, SB_EBUG, "tensor %zu of %zu is to be saved",
               index, p->tensors);
    const sb_tensor *t = &p->table[index];
    uint64_t all = sb_tensor_elements(t);
    SB_REQUIRE(n <= all && first <= all - n, SB_EBUG,
               "elements %" PRIu64 " + %" PRIu64 " of tensor '%s' are to be "
               "saved, it has %" PRIu64,
               first, n, t->name, all);
    size_t item = sb_dtype_bytes(t->dtype);
    uint64_t most = (SB_CHUNK_MAX - SB_CHUNK_OTHER) / item;
    const unsigned char *from = data;
    while (n) {
        uint64_t k = n < most ? n : most;
        SB_TRY(put_chunk(p, (uint32_t)index, first, k, from, k * item));
        first += k;
        n -= k;
        from += k * item;
    }
    return SB_OK;
}

sb_status sb_ckpt_part_sync(sb_ckpt_part *p)
{
    sb_out *o = p->out;
    p->bytes = sb_out_bytes(o);
    p->out = NULL;
    return sb_out_close(o);
}

static sb_status pack_part(const sb_ckpt_part *p, void **desc_out,
                           size_t *bytes_out)
{
    Shardbert__Part m = SHARDBERT__PART__INIT;
    Shardbert__Range **list;
    SB_TRY(sb_alloc(p->ranges, sizeof *list, "checkpoint ranges", &list));
    for (size_t i = 0; i < p->ranges; i++) list[i] = &p->range[i];
    m.writer = p->writer;
    m.bytes = p->bytes;
    m.n_range = p->ranges;
    m.range = list;
    size_t bytes = shardbert__part__get_packed_size(&m);
    uint8_t *desc;
    sb_status st = sb_alloc(bytes, 1, "part description", &desc);
    if (st == SB_OK) {
        *bytes_out = shardbert__part__pack(&m, desc);
        *desc_out = desc;
    }
    sb_free(list);
    return st;
}

sb_status sb_ckpt_part_close(sb_ckpt_part *p, void **desc_out,
                             size_t *bytes_out)
{
    sb_status st = p->out ? sb_ckpt_part_sync(p) : SB_OK;
    if (st == SB_OK) st = pack_part(p, desc_out, bytes_out);
    free_part(p);
    return st;
}

void sb_ckpt_part_abandon(sb_ckpt_part *p)
{
    if (!p) return;
    sb_out_abandon(p->out);
    free_part(p);
}

/* ---- reading back -------------------------------------------------------- */

static sb_status compare(const sb_ckpt_part *p, int fd)
{
    struct stat s;
    SB_REQUIRE(fstat(fd, &s) == 0, SB_EIO, "cannot look at '%s': %s", p->path,
               strerror(errno));
    uint64_t bytes = (uint64_t)s.st_size;
    SB_REQUIRE(bytes == p->bytes, SB_EIO,
               "'%s' has %" PRIu64 " bytes, %" PRIu64 " were written", p->path,
               bytes, p->bytes);
    sb_message m = {0};
    sb_status st = SB_OK;
    for (size_t i = 0; i < p->ranges && st == SB_OK; i++) {
        const Shardbert__Range *x = &p->range[i];
        const sb_range r = {.offset = x->offset, .frame = {x->bytes, x->crc}};
        st = sb_chunk_check(fd, p->path, &r, &m);
    }
    sb_free(m.data);
    return st;
}

/* What the system keeps in memory of the file is dropped before, so that it is
 * the disk that is asked, and after: nobody needs it. */
sb_status sb_ckpt_part_verify(sb_ckpt_part *p)
{
    int fd = open(p->path, O_RDONLY | O_CLOEXEC);
    SB_REQUIRE(fd >= 0, SB_EIO, "cannot read back '%s': %s", p->path,
               strerror(errno));
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    sb_status st = compare(p, fd);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    return st;
}
