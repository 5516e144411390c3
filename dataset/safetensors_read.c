/* SPDX-License-Identifier: MIT
 * safetensors_read.c - the reading half of safetensors.h. Nothing of the file
 * is used before the whole header was understood; data is read with pread, so
 * that a file that becomes shorter is an error and no signal. */
#include "dataset/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/life.h"
#include "comm/base/mem.h"
#include "dataset/safetensors_header.h"

enum {
    LENGTH = 8,
    READ_MOST = 64 << 20, /* bytes at once */
    PIECE = 16384         /* elements converted at once */
};

struct sb_safetensors {
    char *path;
    int fd;
    char *header;
    uint64_t data_at; /* of the first byte of the data in the file */
    sb_stored_list list;
    const sb_stored **by_name; /* [list.n] */
};

/* ---- opening ------------------------------------------------------------- */

static sb_status read_at(const sb_safetensors *f, uint64_t at, void *to,
                         uint64_t n)
{
    char *p = to;
    while (n) {
        size_t piece = n < READ_MOST ? (size_t)n : READ_MOST;
        ssize_t got = pread(f->fd, p, piece, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        SB_REQUIRE(got >= 0, SB_EIO, "cannot read '%s': %s", f->path,
                   strerror(errno));
        SB_REQUIRE(got > 0, SB_EFORMAT,
                   "safetensors '%s' became shorter while it was read",
                   f->path);
        sb_life_beat();
        p += got;
        at += (uint64_t)got;
        n -= (uint64_t)got;
    }
    return SB_OK;
}

static sb_status open_file(sb_safetensors *f, uint64_t *bytes_out)
{
    struct stat s;
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
    SB_REQUIRE(f->fd >= 0, errno == ENOENT ? SB_ENOENT : SB_EIO,
               "cannot open '%s': %s", f->path, strerror(errno));
    SB_REQUIRE(fstat(f->fd, &s) == 0 && S_ISREG(s.st_mode), SB_EIO,
               "'%s' is not a file", f->path);
    *bytes_out = (uint64_t)s.st_size;
    return SB_OK;
}

static sb_status read_header(sb_safetensors *f)
{
    uint64_t bytes, n = 0;
    unsigned char length[LENGTH];
    SB_TRY(open_file(f, &bytes));
    SB_REQUIRE(bytes >= LENGTH, SB_EFORMAT,
               "'%s' has %" PRIu64 " bytes: it is no safetensors file", f->path,
               bytes);
    SB_TRY(read_at(f, 0, length, LENGTH));
    for (int i = LENGTH - 1; i >= 0; i--) n = n << 8 | length[i];
    SB_REQUIRE(n <= bytes - LENGTH, SB_EFORMAT,
               "safetensors '%s' names a header of %" PRIu64
               " bytes and has %" PRIu64,
               f->path, n, bytes);
    SB_REQUIRE(n <= SB_SAFETENSORS_HEADER_MAX, SB_ELIMIT,
               "safetensors '%s' has a header of %" PRIu64
               " bytes, more than the %d that are allowed",
               f->path, n, SB_SAFETENSORS_HEADER_MAX);
    SB_TRY(sb_alloc((size_t)n + 1, 1, "header", &f->header));
    SB_TRY(read_at(f, LENGTH, f->header, n));
    f->data_at = LENGTH + n;
    return sb_safetensors_parse(f->path, f->header, (size_t)n,
                                bytes - f->data_at, &f->list);
}

static int by_name(const void *x, const void *y)
{
    const sb_stored *const *a = x, *const *b = y;
    return strcmp((*a)->name, (*b)->name);
}

static sb_status sort_names(sb_safetensors *f)
{
    size_t n = f->list.n;
    SB_TRY(sb_alloc(n, sizeof *f->by_name, "tensors", &f->by_name));
    for (size_t i = 0; i < n; i++) f->by_name[i] = &f->list.tensor[i];
    if (n) qsort(f->by_name, n, sizeof *f->by_name, by_name);
    return SB_OK;
}

sb_status sb_safetensors_open(const char *path, sb_safetensors **file_out)
{
    sb_safetensors *f;
    SB_TRY(sb_alloc(1, sizeof *f, "a file", &f));
    f->fd = -1;
    f->path = sb_format("%s", path);
    sb_status st = f->path ? read_header(f)
                           : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                                     "out of memory: a path");
    if (st == SB_OK) st = sort_names(f);
    if (st == SB_OK)
        *file_out = f;
    else
        sb_safetensors_close(f);
    return st;
}

void sb_safetensors_close(sb_safetensors *f)
{
    if (!f) return;
    if (f->fd >= 0) close(f->fd);
    sb_free(f->path);
    sb_free(f->header);
    sb_free(f->by_name);
    free(f->list.tensor);
    sb_free(f);
}

/* ---- looks --------------------------------------------------------------- */

size_t sb_safetensors_count(const sb_safetensors *f)
{
    return f->list.n;
}

const sb_stored *sb_safetensors_at(const sb_safetensors *f, size_t i)
{
    return &f->list.tensor[i];
}

const sb_stored *sb_safetensors_find(const sb_safetensors *f, const char *name)
{
    size_t lo = 0, hi = f->list.n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(name, f->by_name[mid]->name);
        if (order == 0) return f->by_name[mid];
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

/* ---- values -------------------------------------------------------------- */

/* The bits of a float from those of a half, IEEE 754 binary16; its subnormal
 * numbers are normal as floats. */
static uint32_t of_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31,
             m = h & 0x3ff;
    if (e == 31) return sign | 0x7f800000 | m << 13;
    if (e) return sign | (e + 112) << 23 | m << 13;
    if (!m) return sign;
    for (e = 113; !(m & 0x400); e--) m <<= 1;
    return sign | e << 23 | (m & 0x3ff) << 13;
}

static sb_status get_halves(const sb_safetensors *f, const sb_stored *t,
                            uint64_t at, uint64_t n, float *data)
{
    uint16_t half[PIECE];
    for (uint64_t done = 0; done < n; done += PIECE) {
        uint64_t k = n - done < PIECE ? n - done : PIECE;
        SB_TRY(read_at(f, at + done * sizeof *half, half, k * sizeof *half));
        for (uint64_t i = 0; i < k; i++) {
            uint32_t bits = t->element == SB_ELEMENT_F16
                                ? of_half(half[i])
                                : (uint32_t)half[i] << 16;
            memcpy(&data[done + i], &bits, sizeof bits);
        }
    }
    return SB_OK;
}

sb_status sb_safetensors_get(const sb_safetensors *f, const sb_stored *t,
                             uint64_t first, uint64_t n, float *data)
{
    SB_REQUIRE(n <= t->elements && first <= t->elements - n, SB_EINVAL,
               "elements %" PRIu64 " + %" PRIu64
               " of '%.100s' are wanted, it has %" PRIu64,
               first, n, t->name, t->elements);
    uint64_t at = f->data_at + t->first;
    if (t->element == SB_ELEMENT_F32)
        SB_TRY(read_at(f, at + first * sizeof *data, data, n * sizeof *data));
    else if (t->element == SB_ELEMENT_OTHER)
        SB_FAIL(SB_EFORMAT,
                "safetensors '%s': '%.100s' is %s, only F32, F16 and BF16 are "
                "read",
                f->path, t->name, t->dtype);
    else
        SB_TRY(get_halves(f, t, at + first * sizeof(uint16_t), n, data));
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &data[i], sizeof bits);
        SB_REQUIRE((bits & 0x7f800000) != 0x7f800000, SB_EFORMAT,
                   "safetensors '%s': value %" PRIu64
                   " of '%.100s' is not finite",
                   f->path, first + i, t->name);
    }
    return SB_OK;
}
