/* SPDX-License-Identifier: MIT
 * shard_read.c - the reading half of dataset/shard.h.
 *
 * LMDB has no checksums and trusts its file. So, in this order:
 *   1. before LMDB sees the file: its size, and every page of LMDB's own that
 *      a lookup can touch (dataset/shard_tree.h);
 *   2. the summary's checksum, sums and sizes, at open;
 *   3. each block's checksum and invariants, at its first read.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "dataset/shard_format.h"
#include "dataset/shard_tree.h"

struct sb_shard_reader {
    char *path;
    uint64_t bytes, page_bytes;
    uint64_t blocks; /* that LMDB holds */
    MDB_env *env;
    MDB_txn *txn; /* held for the reader's life: the file never changes */
    MDB_dbi dbi;
    const sb_summary_head *summary; /* all borrowed from the map */
    const sb_block_index *index;
    const unsigned char **block; /* [blocks] NULL until verified */
};

/* ---- before LMDB --------------------------------------------------------- */

static sb_status check_file(sb_shard_reader *r, uint64_t bytes_expected)
{
    int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int why = errno;
        sb_status st =
            sb_fail(why == ENOENT ? SB_ENOENT : SB_EIO, __FILE__, __LINE__,
                    "cannot open shard '%s': %s", r->path, strerror(why));
        if (why == EMFILE) sb_hint("raise the limit of open files (ulimit -n)");
        return st;
    }
    struct stat s;
    sb_status st = SB_OK;
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) {
        st = sb_fail(SB_EIO, __FILE__, __LINE__, "shard '%s' is not a file",
                     r->path);
    } else if (bytes_expected && (uint64_t)s.st_size != bytes_expected) {
        st = sb_fail(SB_EFORMAT, __FILE__, __LINE__,
                     "shard '%s' has %lld bytes, the manifest says %llu",
                     r->path, (long long)s.st_size,
                     (unsigned long long)bytes_expected);
    } else {
        r->bytes = (uint64_t)s.st_size;
        st = sb_shard_tree_check(fd, r->path, r->bytes, &r->page_bytes,
                                 &r->blocks);
    }
    close(fd);
    return st;
}

/* ---- the summary --------------------------------------------------------- */

/* The page header before a value says the same of it as the index. */
static int value_fits(const sb_shard_reader *r, const MDB_val *value)
{
    sb_page_head h;
    memcpy(&h, (const char *)value->mv_data - sizeof h, sizeof h);
    return h.flags == SB_PAGE_OVERFLOW &&
           h.pages == (value->mv_size + sizeof h) / r->page_bytes;
}

/* The value under `number`, with the right magic and checksum. */
static sb_status get(const sb_shard_reader *r, uint64_t number,
                     const char *magic, const char *what,
                     const unsigned char **value_out, size_t *bytes_out)
{
    unsigned char name[8];
    sb_shard_key(number, name);
    MDB_val key = {sizeof name, name}, value;
    int rc = mdb_get(r->txn, r->dbi, &key, &value);
    SB_REQUIRE(rc == 0, SB_EFORMAT, "shard '%s': %s: %s", r->path, what,
               mdb_strerror(rc));
    SB_REQUIRE(value_fits(r, &value), SB_EFORMAT,
               "shard '%s': %s is not where its index says", r->path, what);
    const unsigned char *v = value.mv_data;
    SB_REQUIRE(memcmp(v, magic, 3) == 0, SB_EFORMAT,
               "shard '%s': %s is something else", r->path, what);
    SB_REQUIRE(v[3] == magic[3], SB_EVERSION,
               "shard '%s': %s is of version '%c', this program reads '%c'",
               r->path, what, v[3], magic[3]);
    uint32_t crc;
    memcpy(&crc, v + 4, sizeof crc);
    SB_REQUIRE(crc == sb_crc32c(0, v + SB_SHARD_CRC_AT,
                                value.mv_size - SB_SHARD_CRC_AT),
               SB_EFORMAT, "shard '%s': %s is damaged (checksum)", r->path,
               what);
    *value_out = v;
    *bytes_out = value.mv_size;
    return SB_OK;
}

static sb_status check_sums(const sb_shard_reader *r)
{
    const sb_shard_info *n = &r->summary->info;
    uint64_t tokens = 0, sentences = 0, documents = 0;
    for (uint64_t i = 0; i < n->blocks; i++) {
        const sb_block_index *b = &r->index[i];
        SB_REQUIRE(b->tokens > 0 && b->tokens <= SB_BLOCK_TOKENS_MAX &&
                       b->sentences > 0 && b->sentences <= b->tokens &&
                       b->documents > 0 && b->documents <= b->sentences,
                   SB_EFORMAT, "shard '%s': wrong counts for block %llu",
                   r->path, (unsigned long long)i);
        tokens += b->tokens;
        sentences += b->sentences;
        documents += b->documents;
    }
    SB_REQUIRE(tokens == n->tokens && sentences == n->sentences &&
                   documents == n->documents,
               SB_EFORMAT, "shard '%s': the summary's sums are wrong", r->path);
    return SB_OK;
}

static sb_status read_summary(sb_shard_reader *r)
{
    const unsigned char *v;
    size_t bytes;
    SB_TRY(get(r, SB_SUMMARY_KEY, SB_SUMMARY_MAGIC, "summary", &v, &bytes));
    r->summary = (const void *)v;
    const sb_shard_info *n = &r->summary->info;
    SB_REQUIRE(n->blocks > 0 && n->blocks <= SB_SHARD_BLOCKS_MAX &&
                   n->vocab_size > 0 && n->vocab_size <= SB_SHARD_VOCAB_MAX &&
                   bytes == sb_shard_pad(sb_summary_used(n->blocks),
                                         (size_t)r->page_bytes),
               SB_EFORMAT, "shard '%s': the summary has a wrong size", r->path);
    SB_REQUIRE(n->blocks == r->blocks, SB_EFORMAT,
               "shard '%s': its summary says %llu blocks, it holds %llu",
               r->path, (unsigned long long)n->blocks,
               (unsigned long long)r->blocks);
    r->index = (const void *)(v + sizeof *r->summary);
    SB_TRY(check_sums(r));
    return sb_alloc((size_t)n->blocks, sizeof *r->block, "block list",
                    &r->block);
}

/* ---- open, close --------------------------------------------------------- */

static sb_status open_env(sb_shard_reader *r)
{
    int rc = mdb_env_create(&r->env);
    /* The writer's map size is address space; a reader needs the file's. */
    if (rc == 0) rc = mdb_env_set_mapsize(r->env, (size_t)r->bytes);
    if (rc == 0)
        rc =
            mdb_env_open(r->env, r->path,
                         MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, 0);
    if (rc == 0) rc = mdb_txn_begin(r->env, NULL, MDB_RDONLY, &r->txn);
    if (rc == 0) rc = mdb_dbi_open(r->txn, NULL, 0, &r->dbi);
    SB_REQUIRE(rc != ENOMEM, SB_ENOMEM, "out of memory: map of shard '%s'",
               r->path);
    SB_REQUIRE(rc == 0, rc > 0 ? SB_EIO : SB_EFORMAT,
               "cannot open shard '%s': %s", r->path, mdb_strerror(rc));
    return SB_OK;
}

sb_status sb_shard_open(const char *path, uint64_t bytes_expected,
                        sb_shard_reader **reader_out)
{
    sb_shard_reader *r;
    SB_TRY(sb_alloc(1, sizeof *r, "shard reader", &r));
    sb_status st = SB_OK;
    r->path = sb_format("%s", path);
    if (!r->path)
        st = sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    if (st == SB_OK) st = check_file(r, bytes_expected);
    if (st == SB_OK) st = open_env(r);
    if (st == SB_OK) st = read_summary(r);
    if (st != SB_OK) {
        sb_shard_close(r);
        return st;
    }
    *reader_out = r;
    return SB_OK;
}

void sb_shard_close(sb_shard_reader *r)
{
    if (!r) return;
    if (r->txn) mdb_txn_abort(r->txn);
    if (r->env) mdb_env_close(r->env);
    sb_free(r->path);
    sb_free(r->block);
    sb_free(r);
}

const sb_shard_info *sb_shard_get_info(const sb_shard_reader *r)
{
    return &r->summary->info;
}

const sb_block_index *sb_shard_index(const sb_shard_reader *r)
{
    return r->index;
}

/* ---- blocks -------------------------------------------------------------- */

static void take_apart(const unsigned char *v, const sb_block_index *n,
                       sb_block *b)
{
    const uint32_t *p = (const void *)(v + sizeof(sb_block_head));
    b->tokens = n->tokens;
    b->sentences = n->sentences;
    b->documents = n->documents;
    b->ids = p;
    b->lengths = (const void *)(p + n->tokens);
}

/* Without a maximum, which baseline x86-64 cannot vectorise: vocab_size is at
 * most 2^24, so the top bit of (largest - id) | id is set if id is too large.
 */
static int ids_fit(const sb_block *b, uint32_t vocab_size)
{
    uint32_t bits = 0, largest = vocab_size - 1;
    for (uint32_t t = 0; t < b->tokens; t++)
        bits |= (largest - b->ids[t]) | b->ids[t];
    return bits >> 31 == 0;
}

static sb_status check_block(const sb_shard_reader *r, uint64_t i,
                             const unsigned char *v, size_t bytes)
{
    const sb_block_index *n = &r->index[i];
    sb_block_head head;
    memcpy(&head, v, sizeof head);
    unsigned long long number = i;
    SB_REQUIRE(
        head.number == i && head.tokens == n->tokens &&
            head.sentences == n->sentences && head.documents == n->documents &&
            head.lengths <= (uint64_t)SB_LENGTH_BYTES * n->sentences &&
            bytes == sb_shard_pad(sb_block_used(n->tokens, head.lengths),
                                  (size_t)r->page_bytes),
        SB_EFORMAT, "shard '%s': block %llu is not what the summary says",
        r->path, number);
    sb_block b;
    take_apart(v, n, &b);
    SB_REQUIRE(head.lengths && sb_lengths_fit(&b, head.lengths) == head.lengths,
               SB_EFORMAT,
               "shard '%s': block %llu has sentences that do not fit", r->path,
               number);
    SB_REQUIRE(ids_fit(&b, (uint32_t)r->summary->info.vocab_size), SB_EFORMAT,
               "shard '%s': block %llu holds an id beyond its vocabulary",
               r->path, number);
    return SB_OK;
}

sb_status sb_shard_read(sb_shard_reader *r, uint64_t i, sb_block *block_out)
{
    SB_REQUIRE(i < r->summary->info.blocks, SB_EINVAL,
               "shard '%s' has no block %llu", r->path, (unsigned long long)i);
    if (!r->block[i]) {
        char what[40];
        snprintf(what, sizeof what, "block %llu", (unsigned long long)i);
        const unsigned char *v;
        size_t bytes;
        sb_status st = get(r, i, SB_BLOCK_MAGIC, what, &v, &bytes);
        if (st == SB_OK) st = check_block(r, i, v, bytes);
        if (st != SB_OK)
            return sb_hint("delete the corpus and make it anew with `shardbert "
                           "ingest`");
        r->block[i] = v;
    }
    take_apart(r->block[i], &r->index[i], block_out);
    return SB_OK;
}
