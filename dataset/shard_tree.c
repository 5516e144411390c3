/* SPDX-License-Identifier: MIT
 * shard_tree.c - LMDB's pages, format 1, as a shard has them.
 *
 * Invariants: a page is used only after its header and all its offsets have
 * been checked; the walk goes exactly `depth` levels deep, and every leaf
 * brings the next keys, so it ends whatever the file says. */
#include "dataset/shard_tree.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/mem.h"
#include "dataset/shard_format.h"

enum {
    BRANCH = 0x01,
    LEAF = 0x02,
    META = 0x08,
    BIG = 0x01,          /* of a node: its value has pages of its own */
    INTEGER_KEYS = 0x08, /* of a tree */
    KEY_KINDS = 0xff,
    NODE_HEAD = 8,
    KEY_BYTES = 8,
    NUMBER_BYTES = 8, /* of a page, in a leaf's node */
    PAGE_MIN = 4096,
    PAGE_MAX = 1 << 15, /* LMDB's own: offsets are u16 */
    DEPTH_MAX = 16
};

typedef struct tree_record {
    uint32_t pad; /* of the first: bytes of a page */
    uint16_t flags, depth;
    uint64_t branch, leaf, overflow, entries, root;
} tree_record;

typedef struct meta_page {
    sb_page_head head;
    uint32_t magic, version;
    uint64_t address, map_bytes;
    tree_record free, main;
    uint64_t last_page, txn;
} meta_page;
_Static_assert(sizeof(meta_page) == 152, "LMDB's MDB_meta on 64 bits");

typedef struct node {
    uint16_t low, high;
    uint16_t flags; /* of a branch: the page number's upper bits */
    uint16_t key_bytes;
} node;
_Static_assert(sizeof(node) == NODE_HEAD, "LMDB's MDB_node");

typedef struct walk {
    int fd;
    const char *path;
    uint64_t page, pages; /* bytes of one; of them in use */
    uint32_t depth;
    unsigned char *level; /* [depth] pages */
    uint64_t blocks;      /* keys seen: 0 .. blocks - 1 */
    int ended;            /* and the summary's */
    uint64_t least;       /* what the branches say of the next key */
} walk;

/* ---- meta pages ---------------------------------------------------------- */

static sb_status read_at(int fd, const char *path, void *to, size_t bytes,
                         uint64_t at)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t got =
            pread(fd, (char *)to + done, bytes - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR) continue;
        SB_REQUIRE(got >= 0, SB_EIO, "cannot read shard '%s': %s", path,
                   strerror(errno));
        SB_REQUIRE(got > 0, SB_EFORMAT, "shard '%s' ends at byte %" PRIu64,
                   path, at + done);
        done += (size_t)got;
    }
    return SB_OK;
}

static int fits(const meta_page *m, uint64_t bytes)
{
    uint64_t page = m->free.pad;
    return page >= PAGE_MIN && page <= PAGE_MAX && (page & (page - 1)) == 0 &&
           bytes % page == 0 && m->last_page >= 1 &&
           m->last_page < bytes / page &&
           (m->free.flags & KEY_KINDS) == INTEGER_KEYS && m->main.flags == 0;
}

/* The newer of the two, which LMDB takes: the second if its number is higher.
 */
static sb_status read_meta(int fd, const char *path, uint64_t bytes,
                           meta_page *m_out)
{
    meta_page m[2];
    for (int i = 0; i < 2; i++) {
        uint64_t at = i ? m[0].free.pad : 0;
        SB_REQUIRE(at + sizeof m[i] <= bytes, SB_EFORMAT, "'%s' is no shard",
                   path);
        SB_TRY(read_at(fd, path, &m[i], sizeof m[i], at));
        SB_REQUIRE(m[i].magic == 0xBEEFC0DEu && m[i].version == 1 &&
                       m[i].head.flags == META &&
                       m[i].head.number == (uint64_t)i,
                   SB_EFORMAT,
                   "'%s' is not a shard, or meta page %d is damaged", path, i);
        SB_REQUIRE(
            fits(&m[i], bytes) && m[i].free.pad == m[0].free.pad, SB_EFORMAT,
            "shard '%s': meta page %d does not fit a file of %" PRIu64 " bytes",
            path, i, bytes);
    }
    *m_out = m[m[0].txn < m[1].txn];
    return SB_OK;
}

/* ---- nodes --------------------------------------------------------------- */

static sb_status damaged(const walk *w, uint64_t number)
{
    SB_FAIL(SB_EFORMAT, "shard '%s' is damaged: page %" PRIu64 " of its index",
            w->path, number);
}

/* Node i of a page, inside of it with its key and `more` bytes; NULL: not. */
static const unsigned char *node_at(const walk *w, const unsigned char *page,
                                    size_t i, size_t more, node *n_out)
{
    uint16_t at, upper;
    memcpy(&upper, page + 14, sizeof upper);
    memcpy(&at, page + SB_SHARD_PAGE_HEAD + 2 * i, sizeof at);
    size_t data = (size_t)at + NODE_HEAD;
    if (at < upper || (at & 1) || data > w->page) return NULL;
    memcpy(n_out, page + at, NODE_HEAD);
    return data + n_out->key_bytes + more <= w->page ? page + data : NULL;
}

static uint64_t key_of(const unsigned char *at)
{
    uint64_t key = 0;
    for (int i = 0; i < KEY_BYTES; i++) key = key << 8 | at[i];
    return key;
}

/* The next key in order, and a value that fills its pages. */
static int leaf_node_is_good(walk *w, const unsigned char *page, size_t i)
{
    node n;
    uint64_t first;
    const unsigned char *at = node_at(w, page, i, NUMBER_BYTES, &n);
    if (!at || n.flags != BIG || n.key_bytes != KEY_BYTES || w->ended) return 0;
    uint64_t key = key_of(at);
    w->ended = key == SB_SUMMARY_KEY;
    if ((!w->ended && key != w->blocks++) || key < w->least) return 0;
    memcpy(&first, at + KEY_BYTES, sizeof first);
    uint64_t bytes = (n.low | (uint64_t)n.high << 16) + SB_SHARD_PAGE_HEAD;
    return bytes % w->page == 0 && first >= 2 && first < w->pages &&
           bytes / w->page <= w->pages - first;
}

/* The page that node i of a branch leads to: the next key is the first there,
 * and its own. The first node needs none. */
static int branch_node_is_good(walk *w, const unsigned char *page, size_t i,
                               uint64_t *child_out)
{
    node n;
    const unsigned char *at = node_at(w, page, i, 0, &n);
    if (!at || (n.key_bytes != KEY_BYTES && (i || n.key_bytes))) return 0;
    *child_out = n.low | (uint64_t)n.high << 16 | (uint64_t)n.flags << 32;
    if (w->ended || *child_out < 2 || *child_out >= w->pages) return 0;
    if (i == 0) return 1;
    w->least = key_of(at);
    return w->least == w->blocks || w->least == SB_SUMMARY_KEY;
}

/* ---- pages --------------------------------------------------------------- */

/* Its own number, the right kind, and room for its list of n >= least nodes. */
static int head_is_good(const walk *w, const unsigned char *page,
                        uint64_t number, int kind, size_t *n_out)
{
    sb_page_head h;
    uint16_t lower, upper;
    memcpy(&h, page, sizeof h);
    memcpy(&lower, page + 12, sizeof lower);
    memcpy(&upper, page + 14, sizeof upper);
    size_t least = kind == BRANCH ? 2 : 1;
    if (h.number != number || h.flags != kind || lower > upper ||
        upper > w->page || lower < SB_SHARD_PAGE_HEAD + 2 * least || lower & 1)
        return 0;
    *n_out = (lower - (size_t)SB_SHARD_PAGE_HEAD) / 2;
    return 1;
}

static sb_status look_at(walk *w, uint64_t number, uint32_t depth)
{
    unsigned char *page = w->level + depth * w->page;
    int kind = depth + 1 < w->depth ? BRANCH : LEAF;
    size_t n;
    SB_TRY(read_at(w->fd, w->path, page, w->page, number * w->page));
    if (!head_is_good(w, page, number, kind, &n)) return damaged(w, number);
    for (size_t i = 0; i < n; i++) {
        uint64_t child = 0;
        if (kind == LEAF ? !leaf_node_is_good(w, page, i)
                         : !branch_node_is_good(w, page, i, &child))
            return damaged(w, number);
        if (child) SB_TRY(look_at(w, child, depth + 1));
    }
    return SB_OK;
}

sb_status sb_shard_tree_check(int fd, const char *path, uint64_t bytes,
                              uint64_t *page_bytes_out, uint64_t *blocks_out)
{
    meta_page m;
    SB_TRY(read_meta(fd, path, bytes, &m));
    walk w = {.fd = fd,
              .path = path,
              .page = m.free.pad,
              .pages = m.last_page + 1,
              .depth = m.main.depth};
    SB_REQUIRE(m.main.root >= 2 && m.main.root < w.pages && w.depth >= 1 &&
                   w.depth <= DEPTH_MAX,
               SB_EFORMAT, "shard '%s' is damaged, or was never finished",
               path);
    SB_TRY(sb_alloc(w.depth, w.page, "pages of a shard", &w.level));
    sb_status st = look_at(&w, m.main.root, 0);
    sb_free(w.level);
    SB_TRY(st);
    SB_REQUIRE(w.ended && m.main.entries == w.blocks + 1, SB_EFORMAT,
               "shard '%s' is damaged: its index ends after %" PRIu64 " blocks",
               path, w.blocks);
    *page_bytes_out = w.page;
    *blocks_out = w.blocks;
    return SB_OK;
}
