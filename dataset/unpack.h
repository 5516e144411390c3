/* SPDX-License-Identifier: MIT
 * unpack.h - the four compression libraries behind one shape. Private to
 * dataset/stream.c.
 *
 * A file of one kind is a row of members (gzip), streams (bzip2, xz) or frames
 * (zstd); all are called members here. This file unpacks one member at a time
 * and checks its checksums; what may lie between members, where the file ends
 * and what to say about it is the caller's. Memory: 128 MiB of window and
 * little more.
 */
#ifndef SB_DATASET_UNPACK_H
#define SB_DATASET_UNPACK_H

#include <stddef.h>

#include "comm/base/status.h"
#include "dataset/stream.h"

typedef enum sb_unpacked {
    SB_UNPACKED_SOME,    /* the member may go on */
    SB_UNPACKED_MEMBER,  /* it is whole, its checksums hold */
    SB_UNPACKED_DAMAGED, /* flow->why says how */
    SB_UNPACKED_WIDE,    /* it needs a window above SB_UNPACK_WINDOW */
    SB_UNPACKED_NO_MEMORY
} sb_unpacked;

enum { SB_UNPACK_WINDOW_LOG = 27, SB_UNPACK_WINDOW = 1 << 27 };

/* Packed bytes to take, room for unpacked ones; a step moves all four. */
typedef struct sb_flow {
    unsigned char *in, *out;
    size_t in_left, out_left;
    const char *why; /* static */
} sb_flow;

typedef struct sb_unpack sb_unpack;

/* For any kind but SB_PLAIN. SB_ENOMEM. */
SB_MUST_USE sb_status sb_unpack_open(sb_compression kind, sb_unpack **u_out);
void sb_unpack_close(sb_unpack *u); /* NULL is fine */

/* Before the first step of each member. SB_ENOMEM. */
SB_MUST_USE sb_status sb_unpack_begin(sb_unpack *u);

/* Unpack as far as bytes and room reach. A step that moves nothing wants more
 * bytes. Records no error: the caller knows the file and the place. */
SB_MUST_USE sb_unpacked sb_unpack_step(sb_unpack *u, sb_flow *flow);

#endif
