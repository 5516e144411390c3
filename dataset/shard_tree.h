/* SPDX-License-Identifier: MIT
 * shard_tree.h - is LMDB safe with this file? For the reader of shards alone.
 *
 * LMDB has no checksums and trusts its pages: a wrong page number, offset or
 * flag leads it out of the map, or into an assertion. So every page that a
 * lookup can touch is looked at with plain reads before LMDB sees the file.
 * They are few (a leaf has some 150 blocks), and of a shard each must say one
 * thing: keys 0, 1, 2, ... and then the summary's, each with a value that fills
 * whole pages inside the file.
 */
#ifndef SB_DATASET_SHARD_TREE_H
#define SB_DATASET_SHARD_TREE_H

#include <stdint.h>

#include "comm/base/status.h"

/* In front of a value, at the start of its first page. */
typedef struct sb_page_head {
    uint64_t number;
    uint16_t pad, flags;
    uint32_t pages; /* of an overflow page, else u16 lower, upper */
} sb_page_head;
_Static_assert(sizeof(sb_page_head) == 16, "LMDB's page header on 64 bits");

enum { SB_PAGE_OVERFLOW = 0x04 };

/* Check both meta pages and the tree of the newer one, in the file fd of
 * `bytes` bytes. After SB_OK LMDB finds each of the blocks 0 .. *blocks_out - 1
 * and the summary, reads no page that was not looked at, and hands out values
 * that lie in the file; what the values hold is not looked at. SB_EFORMAT,
 * SB_EIO. */
SB_MUST_USE sb_status sb_shard_tree_check(int fd, const char *path,
                                          uint64_t bytes,
                                          uint64_t *page_bytes_out,
                                          uint64_t *blocks_out);

#endif
