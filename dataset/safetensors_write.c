/* SPDX-License-Identifier: MIT
 * safetensors_write.c - the writing half of safetensors.h: the header is known
 * from the shapes, then values pass through. */
#include "dataset/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/text.h"

struct sb_safetensors_out {
    sb_out *file;
    uint64_t left; /* elements */
};

static sb_status add(sb_buffer *b, const char *text)
{
    return sb_buffer_add(b, text, strlen(text));
}

static sb_status add_tensor(sb_buffer *b, const sb_to_store *t,
                            uint64_t *elements)
{
    char part[96];
    uint64_t n = 1;
    int huge = 0;
    for (const char *p = t->name; *p; p++)
        SB_REQUIRE(*p >= ' ' && *p <= '~' && *p != '"' && *p != '\\', SB_EBUG,
                   "'%.100s' is no name for safetensors", t->name);
    SB_TRY(add(b, ",\""));
    SB_TRY(add(b, t->name));
    SB_TRY(add(b, "\":{\"dtype\":\"F32\",\"shape\":["));
    for (uint32_t d = 0; d < t->ndim; d++) {
        huge |= __builtin_mul_overflow(n, t->dim[d], &n);
        snprintf(part, sizeof part, "%s%" PRIu64, d ? "," : "", t->dim[d]);
        SB_TRY(add(b, part));
    }
    uint64_t first = *elements;
    huge |= __builtin_add_overflow(first, n, elements);
    SB_REQUIRE(!huge && *elements <= UINT64_MAX / 8, SB_ELIMIT,
               "'%.100s' is too large for safetensors", t->name);
    snprintf(part, sizeof part, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}",
             4 * first, 4 * *elements);
    return add(b, part);
}

/* Its eight bytes of length, JSON, and blanks up to a multiple of eight. */
static sb_status make_header(sb_buffer *b, const sb_to_store *t, size_t n,
                             uint64_t *elements)
{
    static const char blanks[] = "       ";
    *elements = 0;
    SB_TRY(sb_buffer_add(b, "\0\0\0\0\0\0\0", 8));
    SB_TRY(add(b, "{\"__metadata__\":{\"format\":\"pt\"}"));
    for (size_t i = 0; i < n; i++) SB_TRY(add_tensor(b, &t[i], elements));
    SB_TRY(add(b, "}"));
    SB_TRY(sb_buffer_add(b, blanks, (8 - b->n % 8) % 8));
    for (int i = 0; i < 8; i++)
        b->data[i] = (char)((uint64_t)(b->n - 8) >> 8 * i & 255);
    return SB_OK;
}

sb_status sb_safetensors_create(const char *path, const sb_to_store *t,
                                size_t n, sb_safetensors_out **out)
{
    sb_buffer header = {0};
    sb_safetensors_out *o = NULL;
    sb_status st = sb_alloc(1, sizeof *o, "a file", &o);
    if (st == SB_OK) st = make_header(&header, t, n, &o->left);
    if (st == SB_OK) st = sb_out_open(path, &o->file);
    if (st == SB_OK) {
        sb_out_put(o->file, header.data, header.n);
        *out = o;
    } else {
        sb_free(o);
    }
    free(header.data);
    return st;
}

void sb_safetensors_put(sb_safetensors_out *o, const float *data, size_t n)
{
    sb_out_put(o->file, data, n * sizeof *data);
    o->left -= n; /* too many are seen at the end, as they wrap */
}

sb_status sb_safetensors_finish(sb_safetensors_out *o)
{
    uint64_t left = o->left;
    sb_status st = sb_out_close(o->file);
    sb_free(o);
    SB_TRY(st);
    SB_REQUIRE(!left, SB_EBUG,
               "%" PRIu64 " elements of a safetensors file were not written",
               left);
    return SB_OK;
}

void sb_safetensors_abandon(sb_safetensors_out *o)
{
    if (!o) return;
    sb_out_abandon(o->file);
    sb_free(o);
}
