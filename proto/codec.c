/* SPDX-License-Identifier: MIT
 * codec.c - frames, and the checks of a checkpoint's tables. */
#include "proto/codec.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/hash.h"
#include "comm/base/life.h"
#include "comm/base/mem.h"

/* ---- frames: writing ----------------------------------------------------- */

/* While a piece is summed up it comes into the cache, where the system finds it
 * when it is written. */
enum { PIECE = 256 << 10 };

typedef struct stream {
    ProtobufCBuffer base; /* first: protobuf-c hands us this pointer back */
    sb_out *out;
    uint32_t crc;
} stream;

static void stream_append(ProtobufCBuffer *b, size_t n, const uint8_t *data)
{
    stream *s = (stream *)b;
    while (n) {
        size_t k = n < PIECE ? n : PIECE;
        s->crc = sb_crc32c(s->crc, data, k);
        sb_out_put(s->out, data, k);
        data += k;
        n -= k;
    }
}

static void put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i);
}

uint32_t sb_get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

sb_status sb_frame_put(sb_out *o, const ProtobufCMessage *m, size_t cap,
                       sb_frame *frame_out)
{
    size_t bytes = protobuf_c_message_get_packed_size(m);
    SB_REQUIRE(bytes <= cap, SB_ELIMIT,
               "a message of %s is larger than its limit of %s",
               sb_bytes_text(bytes), sb_bytes_text(cap));
    uint64_t at = sb_out_bytes(o);
    uint8_t head[SB_FRAME_HEAD] = {0};
    put_u32(head, (uint32_t)bytes);
    sb_out_put(o, head, sizeof head);
    stream s = {{stream_append}, o, 0};
    protobuf_c_message_pack_to_buffer(m, &s.base);
    put_u32(head + 4, s.crc);
    sb_out_put_at(o, at, head, sizeof head);
    *frame_out = (sb_frame){(uint32_t)bytes, s.crc};
    return SB_OK;
}

/* ---- frames: reading ----------------------------------------------------- */

sb_status sb_read_at(int fd, const char *name, uint64_t at, uint8_t *data,
                     size_t bytes)
{
    while (bytes) {
        ssize_t got = pread(fd, data, bytes, (off_t)at);
        sb_life_beat();
        if (got < 0 && errno == EINTR) continue;
        SB_REQUIRE(got >= 0, SB_EIO, "cannot read '%s': %s", name,
                   strerror(errno));
        SB_REQUIRE(got > 0, SB_EFORMAT, "'%s' ends early, at byte %" PRIu64,
                   name, at);
        data += got;
        at += (uint64_t)got;
        bytes -= (size_t)got;
    }
    return SB_OK;
}

sb_status sb_frame_get(int fd, const char *name, uint64_t at,
                       uint64_t file_bytes, size_t cap, sb_message *m)
{
    uint8_t head[SB_FRAME_HEAD];
    SB_REQUIRE(at <= file_bytes && file_bytes - at >= sizeof head, SB_EFORMAT,
               "'%s' ends inside of a frame at byte %" PRIu64, name, at);
    SB_TRY(sb_read_at(fd, name, at, head, sizeof head));
    sb_frame f = {sb_get_u32(head), sb_get_u32(head + 4)};
    SB_REQUIRE(f.bytes <= cap && f.bytes <= file_bytes - at - sizeof head,
               SB_EFORMAT,
               "'%s': the frame at byte %" PRIu64 " has a wrong length (%u)",
               name, at, f.bytes);
    SB_TRY(sb_grow(&m->data, &m->cap, (size_t)f.bytes + 1, 1, "a message"));
    SB_TRY(sb_read_at(fd, name, at + sizeof head, m->data, f.bytes));
    SB_REQUIRE(sb_crc32c(0, m->data, f.bytes) == f.crc, SB_EFORMAT,
               "'%s' is damaged: wrong checksum of the frame at byte %" PRIu64,
               name, at);
    m->frame = f;
    return SB_OK;
}

/* protobuf-c fails without a reason: what refused to allocate keeps it. */
typedef struct budget {
    size_t left;
    int too_much;
    sb_status st;
} budget;

static void *take(void *arg, size_t bytes)
{
    enum { BESIDE = 16 }; /* what malloc takes for itself */
    budget *b = arg;
    if (bytes > b->left || b->left - bytes < BESIDE) {
        b->too_much = 1;
        return NULL;
    }
    void *p = malloc(bytes);
    if (p)
        b->left -= bytes + BESIDE;
    else
        b->st =
            sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                    "out of memory: a message needs %s", sb_bytes_text(bytes));
    return p;
}

static void give_back(void *arg, void *p)
{
    (void)arg;
    free(p);
}

sb_status sb_message_unpack(const ProtobufCMessageDescriptor *type,
                            const void *data, size_t bytes, const char *name,
                            const char *what, sb_status code,
                            ProtobufCMessage **message_out)
{
    enum { OF_ANY = 64 << 10 };
    budget b = {SB_UNPACK_TIMES * bytes + OF_ANY, 0, SB_OK};
    ProtobufCAllocator allocator = {take, give_back, &b};
    ProtobufCMessage *m =
        protobuf_c_message_unpack(type, &allocator, bytes, data);
    if (!m && b.st != SB_OK) return b.st;
    SB_REQUIRE(m || !b.too_much, code,
               "'%s' does not hold %s: too much is said in %zu bytes", name,
               what, bytes);
    SB_REQUIRE(m, code, "'%s' does not hold %s", name, what);
    *message_out = m;
    return SB_OK;
}

/* ---- names --------------------------------------------------------------- */

void sb_ckpt_name(uint64_t step, char out[SB_CKPT_NAME_ROOM])
{
    snprintf(out, SB_CKPT_NAME_ROOM, "ckpt-%09" PRIu64, step);
}

int sb_ckpt_name_step(const char *name, uint64_t *step_out)
{
    char again[SB_CKPT_NAME_ROOM];
    if (strncmp(name, "ckpt-", 5) != 0 || !isdigit((unsigned char)name[5]))
        return 0;
    uint64_t step = strtoull(name + 5, NULL, 10);
    sb_ckpt_name(step, again);
    if (strcmp(name, again) != 0) return 0;
    *step_out = step;
    return 1;
}

void sb_part_name(uint32_t writer, char out[SB_CKPT_NAME_ROOM])
{
    snprintf(out, SB_CKPT_NAME_ROOM, "part-%05" PRIu32 ".pb", writer);
}

void sb_share_name(uint32_t writer, char out[SB_CKPT_NAME_ROOM])
{
    snprintf(out, SB_CKPT_NAME_ROOM, "share-%05" PRIu32 ".pb", writer);
}

/* ---- tensors ------------------------------------------------------------- */

size_t sb_dtype_bytes(sb_dtype t)
{
    return t == SB_F32 ? 4 : t == SB_U64 ? 8 : 0;
}

uint64_t sb_tensor_elements(const sb_tensor *t)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->ndim && i < SB_DIMS_MAX; i++)
        if (__builtin_mul_overflow(n, t->dim[i], &n)) return UINT64_MAX;
    return n;
}

static sb_status check_tensor(const sb_tensor *t, size_t i, sb_status code)
{
    size_t n = strnlen(t->name, sizeof t->name);
    SB_REQUIRE(n > 0 && n < sizeof t->name, code, "tensor %zu has no name", i);
    for (size_t k = 0; k < n; k++)
        SB_REQUIRE(t->name[k] > ' ' && t->name[k] <= '~', code,
                   "tensor %zu has byte %d in its name", i,
                   (unsigned char)t->name[k]);
    SB_REQUIRE(sb_dtype_bytes(t->dtype), code,
               "tensor '%s' has elements of an unknown type %d", t->name,
               (int)t->dtype);
    SB_REQUIRE(t->ndim >= 1 && t->ndim <= SB_DIMS_MAX, code,
               "tensor '%s' has %u dimensions", t->name, t->ndim);
    for (uint32_t d = 0; d < t->ndim; d++)
        SB_REQUIRE(t->dim[d] > 0, code, "tensor '%s' has nothing in it",
                   t->name);
    SB_REQUIRE(sb_tensor_elements(t) <= (uint64_t)INT64_MAX / 8, code,
               "tensor '%s' is too large", t->name);
    return SB_OK;
}

/* qsort has no argument for the table: sort pointers to the tensors. */
static int tensor_order(const void *a, const void *b)
{
    const sb_tensor *x = *(const sb_tensor *const *)a;
    const sb_tensor *y = *(const sb_tensor *const *)b;
    return strcmp(x->name, y->name);
}

sb_status sb_table_by_name(const sb_tensor *table, size_t tensors,
                           size_t **order_out)
{
    const sb_tensor **p;
    size_t *order;
    SB_TRY(sb_alloc(tensors, sizeof *p, "tensor names", &p));
    sb_status st = sb_alloc(tensors, sizeof *order, "tensor names", &order);
    if (st == SB_OK) {
        for (size_t i = 0; i < tensors; i++) p[i] = &table[i];
        qsort(p, tensors, sizeof *p, tensor_order);
        for (size_t i = 0; i < tensors; i++) order[i] = (size_t)(p[i] - table);
        *order_out = order;
    }
    sb_free(p);
    return st;
}

sb_status sb_table_check(const sb_tensor *table, size_t tensors, sb_status code)
{
    SB_REQUIRE(tensors >= 1 && tensors <= SB_TENSORS_MAX, code,
               "a checkpoint has 1 to %d tensors, not %zu", SB_TENSORS_MAX,
               tensors);
    for (size_t i = 0; i < tensors; i++)
        SB_TRY(check_tensor(&table[i], i, code));
    size_t *order;
    SB_TRY(sb_table_by_name(table, tensors, &order));
    sb_status st = SB_OK;
    for (size_t i = 1; i < tensors && st == SB_OK; i++)
        if (strcmp(table[order[i - 1]].name, table[order[i]].name) == 0)
            st = sb_fail(code, __FILE__, __LINE__, "two tensors are named '%s'",
                         table[order[i]].name);
    sb_free(order);
    return st;
}

/* ---- ranges -------------------------------------------------------------- */

sb_status sb_part_take(const Shardbert__Part *p, uint32_t part,
                       const sb_tensor *table, size_t tensors, sb_status code,
                       sb_range *range_out)
{
    uint64_t at = 0;
    SB_REQUIRE(p->writer < SB_CKPT_PARTS_MAX, code, "part %u is one too many",
               p->writer);
    for (size_t i = 0; i < p->n_range; i++) {
        const Shardbert__Range *r = p->range[i];
        SB_REQUIRE(r->tensor < tensors, code, "part %u names tensor %u of %zu",
                   p->writer, r->tensor, tensors);
        const sb_tensor *t = &table[r->tensor];
        uint64_t all = sb_tensor_elements(t), bytes = sb_dtype_bytes(t->dtype);
        SB_REQUIRE(r->n > 0 && r->n <= all && r->first <= all - r->n &&
                       r->n <= SB_CHUNK_MAX / bytes &&
                       r->bytes >= r->n * bytes && r->bytes <= SB_CHUNK_MAX,
                   code, "part %u: a range of tensor '%s' is impossible",
                   p->writer, t->name);
        SB_REQUIRE(r->offset == at && at <= p->bytes &&
                       p->bytes - at >= SB_FRAME_HEAD + (uint64_t)r->bytes,
                   code, "part %u: its frames do not follow each other",
                   p->writer);
        at += SB_FRAME_HEAD + (uint64_t)r->bytes;
        range_out[i] = (sb_range){r->tensor, part,      r->first,
                                  r->n,      r->offset, {r->bytes, r->crc}};
    }
    SB_REQUIRE(at == p->bytes, code, "part %u has bytes behind its last frame",
               p->writer);
    return SB_OK;
}

static int range_order(const void *a, const void *b)
{
    const sb_range *x = a, *y = b;
    if (x->tensor != y->tensor) return x->tensor < y->tensor ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

sb_status sb_ranges_check(sb_range *range, size_t n, const sb_tensor *table,
                          size_t tensors, sb_status code, size_t *begin_out)
{
    if (n) qsort(range, n, sizeof *range, range_order);
    size_t i = 0;
    for (size_t t = 0; t < tensors; t++) {
        uint64_t at = 0, all = sb_tensor_elements(&table[t]);
        begin_out[t] = i;
        for (; i < n && range[i].tensor == t; i++) {
            SB_REQUIRE(range[i].first >= at, code,
                       "tensor '%s': element %" PRIu64 " is written twice",
                       table[t].name, range[i].first);
            SB_REQUIRE(range[i].first == at, code,
                       "tensor '%s': element %" PRIu64 " is missing",
                       table[t].name, at);
            at += range[i].n;
        }
        SB_REQUIRE(at == all, code,
                   "tensor '%s': element %" PRIu64 " is missing", table[t].name,
                   at);
    }
    begin_out[tensors] = i;
    return SB_OK;
}
