/* SPDX-License-Identifier: MIT
 * shard_write.c - the writing half of dataset/shard.h.
 *
 * Invariants:
 *   1. <path> appears by rename only, after everything in it is on the disk.
 *   2. A block is checked before a byte of it is stored, so that whatever a
 *      sealed shard holds passes the reader's checks.
 *   3. After a failed append the writer is broken: it can only be dropped.
 *
 * Nobody else sees <path>.tmp, so transactions need not be durable one by one
 * (MDB_NOSYNC); sealing syncs once.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "dataset/shard_format.h"

enum { COMMIT_BYTES = 32 << 20 };

struct sb_shard_writer {
    char *path, *tmp, *dir;
    MDB_env *env;
    MDB_txn *txn; /* NULL between transactions */
    MDB_dbi dbi;
    size_t page;    /* bytes of one */
    size_t pending; /* bytes in txn */
    int broken;
    sb_shard_info info;
    sb_block_index *index; /* [info.blocks] */
    size_t index_cap;
};

/* ---- LMDB's failures ----------------------------------------------------- */

/* LMDB reports a full disk as EIO; ask the file system. */
static int disk_full(const sb_shard_writer *w)
{
    struct statvfs v;
    if (statvfs(w->dir, &v) != 0) return 0;
    uint64_t room;
    if (__builtin_mul_overflow((uint64_t)v.f_bavail, (uint64_t)v.f_frsize,
                               &room))
        return 0;
    return room < w->pending + (64 << 10);
}

static sb_status fail_lmdb(sb_shard_writer *w, int rc, const char *doing)
{
    w->broken = 1;
    if (rc == MDB_MAP_FULL) {
        sb_fail(SB_ELIMIT, __FILE__, __LINE__,
                "shard '%s' is full after %llu blocks", w->tmp,
                (unsigned long long)w->info.blocks);
        return sb_hint("cut the input into smaller units, or let a shard grow "
                       "larger");
    }
    if (rc == ENOMEM)
        SB_FAIL(SB_ENOMEM, "out of memory: %s '%s'", doing, w->tmp);
    if (rc == ENOSPC || rc == EDQUOT || (rc == EIO && disk_full(w))) {
        sb_fail(SB_EIO, __FILE__, __LINE__, "%s '%s': disk full", doing,
                w->tmp);
        return sb_hint("free some space there and run the same command again");
    }
    SB_FAIL(SB_EIO, "%s '%s': %s", doing, w->tmp, mdb_strerror(rc));
}

#define LMDB_TRY(w, call, doing)                                               \
    do {                                                                       \
        int rc_ = (call);                                                      \
        if (rc_ != 0) return fail_lmdb((w), rc_, (doing));                     \
    } while (0)

/* ---- begin --------------------------------------------------------------- */

static sb_status make_names(sb_shard_writer *w, const char *path)
{
    const char *slash = strrchr(path, '/');
    w->path = sb_format("%s", path);
    w->tmp = sb_format("%s.tmp", path);
    if (!slash)
        w->dir = sb_format(".");
    else if (slash == path)
        w->dir = sb_format("/");
    else
        w->dir = sb_format("%.*s", (int)(slash - path), path);
    SB_REQUIRE(w->path && w->tmp && w->dir, SB_ENOMEM, "out of memory: a path");
    return SB_OK;
}

/* An empty file of our own: LMDB would follow a link of that name. */
static sb_status make_file(const sb_shard_writer *w)
{
    SB_REQUIRE(unlink(w->tmp) == 0 || errno == ENOENT, SB_EIO,
               "cannot remove '%s': %s", w->tmp, strerror(errno));
    int fd = open(w->tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    SB_REQUIRE(fd >= 0, SB_EIO, "cannot create '%s': %s", w->tmp,
               strerror(errno));
    close(fd);
    return SB_OK;
}

/* Nobody may write to it any more; who may read it stays. */
static sb_status make_read_only(const sb_shard_writer *w)
{
    struct stat s;
    SB_REQUIRE(stat(w->tmp, &s) == 0 && chmod(w->tmp, s.st_mode & 0444) == 0,
               SB_EIO, "cannot make '%s' read-only: %s", w->tmp,
               strerror(errno));
    return SB_OK;
}

static sb_status begin(sb_shard_writer *w)
{
    if (w->txn) return SB_OK;
    LMDB_TRY(w, mdb_txn_begin(w->env, NULL, 0, &w->txn), "cannot write shard");
    w->pending = 0;
    return SB_OK;
}

static sb_status commit(sb_shard_writer *w)
{
    if (!w->txn) return SB_OK;
    MDB_txn *txn = w->txn;
    w->txn = NULL; /* a failed commit frees it too */
    LMDB_TRY(w, mdb_txn_commit(txn), "cannot write shard");
    w->pending = 0;
    return SB_OK;
}

static sb_status open_env(sb_shard_writer *w, uint64_t map_bytes)
{
    LMDB_TRY(w, mdb_env_create(&w->env), "cannot create shard");
    LMDB_TRY(w, mdb_env_set_mapsize(w->env, (size_t)map_bytes),
             "cannot size shard");
    LMDB_TRY(w,
             mdb_env_open(w->env, w->tmp,
                          MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0644),
             "cannot create shard");
    MDB_stat s;
    LMDB_TRY(w, mdb_env_stat(w->env, &s), "cannot create shard");
    w->page = s.ms_psize;
    SB_TRY(begin(w));
    LMDB_TRY(w, mdb_dbi_open(w->txn, NULL, 0, &w->dbi), "cannot create shard");
    return SB_OK;
}

sb_status sb_shard_create(const char *path, uint64_t map_bytes,
                          uint32_t vocab_size, uint64_t vocab_hash,
                          sb_shard_writer **writer_out)
{
    SB_REQUIRE(vocab_size > 0 && vocab_size <= SB_SHARD_VOCAB_MAX, SB_EINVAL,
               "a shard's vocabulary has 1 to %d pieces, not %u",
               SB_SHARD_VOCAB_MAX, vocab_size);
    SB_REQUIRE(map_bytes >= 1 << 20 && map_bytes <= SIZE_MAX / 2, SB_EINVAL,
               "a shard cannot grow to %s", sb_bytes_text(map_bytes));
    sb_shard_writer *w;
    SB_TRY(sb_alloc(1, sizeof *w, "shard writer", &w));
    w->info.vocab_size = vocab_size;
    w->info.vocab_hash = vocab_hash;
    sb_status st;
    SB_GOTO(st, make_names(w, path), fail);
    SB_GOTO(st, make_file(w), fail);
    SB_GOTO(st, open_env(w, map_bytes), fail);
    *writer_out = w;
    return SB_OK;
fail:
    sb_shard_abandon(w);
    return st;
}

/* ---- append -------------------------------------------------------------- */

/* *lengths_out: bytes that its lengths take. */
static sb_status check_block(const sb_shard_writer *w, const sb_block *b,
                             size_t *lengths_out)
{
    SB_REQUIRE(b->tokens > 0 && b->tokens <= SB_BLOCK_TOKENS_MAX, SB_EINVAL,
               "a block has 1 to %d tokens, not %u", SB_BLOCK_TOKENS_MAX,
               b->tokens);
    *lengths_out = sb_lengths_fit(b, (size_t)SB_LENGTH_BYTES * b->sentences);
    SB_REQUIRE(*lengths_out, SB_EINVAL,
               "%u sentences do not fit a block of %u tokens and %u documents",
               b->sentences, b->tokens, b->documents);
    for (uint32_t i = 0; i < b->tokens; i++)
        SB_REQUIRE(b->ids[i] < w->info.vocab_size, SB_EINVAL,
                   "id %u does not fit a vocabulary of %llu pieces", b->ids[i],
                   (unsigned long long)w->info.vocab_size);
    return SB_OK;
}

/* A value under key `number` that is written in place: `used` bytes for the
 * caller, then zeros. */
typedef struct value {
    unsigned char *at;
    size_t bytes;
} value;

static sb_status reserve(sb_shard_writer *w, uint64_t number, size_t used,
                         value *v_out)
{
    unsigned char name[8];
    sb_shard_key(number, name);
    MDB_val key = {sizeof name, name}, v = {sb_shard_pad(used, w->page), NULL};
    SB_TRY(begin(w));
    w->pending += v.mv_size;
    LMDB_TRY(w, mdb_put(w->txn, w->dbi, &key, &v, MDB_APPEND | MDB_RESERVE),
             "cannot write shard");
    *v_out = (value){v.mv_data, v.mv_size};
    memset(v_out->at + used, 0, v_out->bytes - used);
    return SB_OK;
}

/* All kinds of value have their checksum at the same place. */
static void checksum(const value *v)
{
    uint32_t crc =
        sb_crc32c(0, v->at + SB_SHARD_CRC_AT, v->bytes - SB_SHARD_CRC_AT);
    memcpy(v->at + SB_SHARD_CRC_AT - sizeof crc, &crc, sizeof crc);
}

static void fill_block(const value *v, const sb_block *b, uint32_t lengths,
                       uint64_t number)
{
    sb_block_head head = {SB_BLOCK_MAGIC, 0,       b->tokens, b->sentences,
                          b->documents,   lengths, number};
    unsigned char *at = v->at;
    memcpy(at, &head, sizeof head);
    at += sizeof head;
    memcpy(at, b->ids, 4 * (size_t)b->tokens);
    at += 4 * (size_t)b->tokens;
    memcpy(at, b->lengths, lengths);
    checksum(v);
}

size_t sb_shard_waste(size_t tokens, size_t length_bytes)
{
    enum { PAGE = 4096 }; /* LMDB's on most machines */
    size_t used = sb_block_used(tokens, length_bytes);
    return sb_shard_pad(used, PAGE) - used;
}

sb_status sb_lengths_sentence(sb_lengths *l, uint32_t end)
{
    SB_TRY(sb_grow(&l->data, &l->cap, l->n + SB_LENGTH_BYTES, 1, "sentences"));
    uint32_t v = (end - l->tokens) << 1;
    l->last = l->n;
    for (; v >= 0x80; v >>= 7) l->data[l->n++] = (uint8_t)(v | 0x80);
    l->data[l->n++] = (uint8_t)v;
    l->tokens = end;
    l->sentences++;
    return SB_OK;
}

void sb_lengths_document(sb_lengths *l)
{
    l->data[l->last] |= 1;
    l->documents++;
}

sb_status sb_shard_append(sb_shard_writer *w, const sb_block *block)
{
    SB_REQUIRE(!w->broken, SB_EBUG,
               "block appended to shard '%s' after a "
               "failure",
               w->tmp);
    size_t lengths;
    SB_TRY(check_block(w, block, &lengths));
    SB_REQUIRE(w->info.blocks < SB_SHARD_BLOCKS_MAX, SB_ELIMIT,
               "shard '%s' holds its %d blocks", w->tmp, SB_SHARD_BLOCKS_MAX);
    SB_TRY(sb_grow(&w->index, &w->index_cap, (size_t)w->info.blocks + 1,
                   sizeof *w->index, "block index"));
    sb_block_index n = {block->tokens, block->sentences, block->documents};
    value v;
    SB_TRY(reserve(w, w->info.blocks, sb_block_used(n.tokens, lengths), &v));
    fill_block(&v, block, (uint32_t)lengths, w->info.blocks);
    w->index[w->info.blocks++] = n;
    w->info.tokens += block->tokens;
    w->info.sentences += block->sentences;
    w->info.documents += block->documents;
    return w->pending >= COMMIT_BYTES ? commit(w) : SB_OK;
}

/* ---- seal ---------------------------------------------------------------- */

static sb_status put_summary(sb_shard_writer *w)
{
    value v;
    SB_TRY(reserve(w, SB_SUMMARY_KEY, sb_summary_used(w->info.blocks), &v));
    sb_summary_head head = {SB_SUMMARY_MAGIC, 0, w->info};
    memcpy(v.at, &head, sizeof head);
    memcpy(v.at + sizeof head, w->index,
           (size_t)w->info.blocks * sizeof *w->index);
    checksum(&v);
    return SB_OK;
}

/* The reader takes a file that ends before LMDB's last page for a truncated
 * one; LMDB may leave a last page that it never used unwritten. */
static sb_status round_up(const sb_shard_writer *w)
{
    MDB_envinfo info;
    SB_REQUIRE(mdb_env_info(w->env, &info) == 0, SB_EIO,
               "cannot look at shard '%s'", w->tmp);
    uint64_t want = ((uint64_t)info.me_last_pgno + 1) * w->page, have;
    SB_TRY(sb_file_size(w->tmp, &have));
    SB_REQUIRE(have >= want || truncate(w->tmp, (off_t)want) == 0, SB_EIO,
               "cannot extend '%s': %s", w->tmp, strerror(errno));
    return SB_OK;
}

static sb_status seal(sb_shard_writer *w)
{
    SB_REQUIRE(!w->broken, SB_EBUG, "shard '%s' sealed after a failure",
               w->tmp);
    SB_REQUIRE(w->info.blocks > 0, SB_EINVAL, "shard '%s' holds nothing",
               w->path);
    SB_TRY(put_summary(w));
    SB_TRY(commit(w));
    SB_TRY(round_up(w));
    LMDB_TRY(w, mdb_env_sync(w->env, 1), "cannot sync shard");
    mdb_env_close(w->env);
    w->env = NULL;
    SB_TRY(make_read_only(w));
    SB_TRY(sb_rename(w->tmp, w->path));
    return sb_dir_sync(w->dir);
}

static void free_writer(sb_shard_writer *w)
{
    if (w->txn) mdb_txn_abort(w->txn);
    if (w->env) mdb_env_close(w->env);
    sb_free(w->path);
    sb_free(w->tmp);
    sb_free(w->dir);
    sb_free(w->index);
    sb_free(w);
}

sb_status sb_shard_seal(sb_shard_writer *w, sb_shard_info *info_out)
{
    sb_status st = seal(w);
    if (st != SB_OK) {
        sb_shard_abandon(w);
        return st;
    }
    *info_out = w->info;
    free_writer(w);
    return SB_OK;
}

void sb_shard_abandon(sb_shard_writer *w)
{
    if (!w) return;
    if (w->tmp) unlink(w->tmp);
    free_writer(w);
}
