/* SPDX-License-Identifier: MIT
 * word_runs.c - counted words in a file, in order.
 *
 * Invariants: a block is checked before a record of it is used; a block holds
 * one record at least and no part of one; the words of a run are distinct and
 * in order. */
#include "dataset/word_runs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/life.h"
#include "comm/base/mem.h"
#include "comm/base/stop.h"
#include "dataset/word.h"

enum { BLOCK = 1 << 16, HEAD = 8 };

/* One job writes and reads runs: numbers lie as in memory. */
typedef struct trailer {
    uint64_t at[SB_RUN_SECTIONS + 1];
    char magic[8];
    uint32_t crc, zero;
} trailer;

static const char magic[8] = "SBWORDS1";

static unsigned section_of(uint64_t hash)
{
    return (unsigned)(hash >> 56);
}

char *sb_run_path(const char *stem, size_t i)
{
    return sb_format("%s-%zu.run", stem, i);
}

/* ---- writing ------------------------------------------------------------- */

struct sb_run_writer {
    sb_out *out;
    unsigned section;
    size_t n; /* bytes in the block, its head included */
    trailer end;
    char block[BLOCK];
};

sb_status sb_run_create(const char *path, sb_run_writer **out)
{
    sb_run_writer *r;
    SB_TRY(sb_alloc(1, sizeof *r, "a run of words", &r));
    sb_status st = sb_out_open(path, &r->out);
    if (st != SB_OK) {
        sb_free(r);
        return st;
    }
    r->n = HEAD;
    *out = r;
    return SB_OK;
}

static void put_block(sb_run_writer *r)
{
    if (r->n == HEAD) return;
    uint32_t bytes = (uint32_t)(r->n - HEAD);
    memcpy(r->block + 4, &bytes, sizeof bytes);
    uint32_t crc = sb_crc32c(0, r->block + 4, r->n - 4);
    memcpy(r->block, &crc, sizeof crc);
    sb_out_put(r->out, r->block, r->n);
    r->n = HEAD;
}

/* Sections up to `section` begin where we are. */
static void begin_section(sb_run_writer *r, unsigned section)
{
    put_block(r);
    while (r->section < section) r->end.at[++r->section] = sb_out_bytes(r->out);
}

void sb_run_put(sb_run_writer *r, uint64_t hash, const sb_counted *word)
{
    if (section_of(hash) != r->section) begin_section(r, section_of(hash));
    if (word->n + SB_RECORD_HEAD > BLOCK - r->n) put_block(r);
    r->n += sb_word_pack(word, r->block + r->n);
}

sb_status sb_run_close(sb_run_writer *r, sb_status so_far)
{
    sb_status st = so_far;
    if (st == SB_OK) {
        begin_section(r, SB_RUN_SECTIONS);
        memcpy(r->end.magic, magic, sizeof magic);
        r->end.crc = sb_crc32c(0, &r->end, offsetof(trailer, crc));
        sb_out_put(r->out, &r->end, sizeof r->end);
        st = sb_out_close(r->out);
    } else {
        sb_out_abandon(r->out);
    }
    sb_free(r);
    return st;
}

/* ---- reading ------------------------------------------------------------- */

typedef struct hashed {
    uint64_t hash;
    sb_counted word;
} hashed;

/* A run being read: a block of it, and the word we are at. */
typedef struct stream {
    const char *path; /* borrowed */
    int fd;
    uint64_t at, end; /* of the next block; of the last section */
    char *block;
    size_t n, i; /* bytes in the block; behind the word */
    hashed now;
} stream;

static sb_status damaged(const stream *s)
{
    SB_FAIL(SB_EFORMAT, "'%s' is damaged near byte %" PRIu64, s->path, s->at);
}

static sb_status read_at(stream *s, void *to, size_t n, uint64_t at)
{
    for (size_t have = 0; have < n;) {
        ssize_t k =
            pread(s->fd, (char *)to + have, n - have, (off_t)(at + have));
        sb_life_beat();
        if (k < 0 && errno == EINTR) continue;
        SB_REQUIRE(k >= 0, SB_EIO, "cannot read '%s': %s", s->path,
                   strerror(errno));
        if (k == 0) return damaged(s);
        have += (size_t)k;
    }
    return SB_OK;
}

static sb_status read_trailer(stream *s, unsigned first, unsigned last)
{
    trailer t;
    uint64_t size = 0;
    SB_TRY(sb_file_size(s->path, &size));
    if (size < sizeof t) return damaged(s);
    SB_TRY(read_at(s, &t, sizeof t, size - sizeof t));
    int good = memcmp(t.magic, magic, sizeof magic) == 0 && t.zero == 0 &&
               t.crc == sb_crc32c(0, &t, offsetof(trailer, crc)) &&
               t.at[SB_RUN_SECTIONS] == size - sizeof t;
    for (int i = 0; i < SB_RUN_SECTIONS; i++) good &= t.at[i] <= t.at[i + 1];
    if (!good) return damaged(s);
    s->at = t.at[first];
    s->end = t.at[last];
    return SB_OK;
}

static sb_status next_block(stream *s)
{
    uint32_t crc, bytes;
    uint64_t left = s->end - s->at;
    size_t n = left < BLOCK ? (size_t)left : BLOCK;
    if (n <= HEAD) return damaged(s);
    SB_TRY(read_at(s, s->block, n, s->at));
    memcpy(&crc, s->block, sizeof crc);
    memcpy(&bytes, s->block + 4, sizeof bytes);
    if (!bytes || bytes > n - HEAD ||
        crc != sb_crc32c(0, s->block + 4, bytes + 4))
        return damaged(s);
    s->n = HEAD + bytes;
    s->i = HEAD;
    s->at += s->n;
    return SB_OK;
}

/* To the next word; *more_out = 0 behind the last. */
static sb_status advance(stream *s, int *more_out)
{
    *more_out = s->i < s->n || s->at < s->end;
    if (!*more_out) return SB_OK;
    if (s->i == s->n) SB_TRY(next_block(s));
    size_t k = sb_word_unpack(s->block + s->i, s->n - s->i, &s->now.word);
    if (!k) return damaged(s);
    s->i += k;
    s->now.hash = sb_hash64(s->now.word.text, s->now.word.n);
    return SB_OK;
}

static void stream_close(stream *s)
{
    if (s->block && s->fd >= 0) close(s->fd);
    sb_free(s->block);
}

static sb_status stream_open(stream *s, const char *path, unsigned first,
                             unsigned last)
{
    s->path = path;
    SB_TRY(sb_alloc(1, BLOCK, "a run of words", &s->block));
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    SB_REQUIRE(s->fd >= 0, SB_EIO, "cannot open '%s': %s", path,
               strerror(errno));
    return read_trailer(s, first, last);
}

/* ---- merging ------------------------------------------------------------- */

static int compare(const hashed *a, const hashed *b)
{
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    return sb_word_compare(a->word.text, a->word.n, b->word.text, b->word.n);
}

/* The streams that have a word left, a heap whose first is least. */
typedef struct merger {
    stream *streams;
    stream **heap;
    size_t n;
} merger;

static void sift(merger *m, size_t i)
{
    stream *s = m->heap[i];
    for (size_t k; (k = 2 * i + 1) < m->n; i = k) {
        if (k + 1 < m->n && compare(&m->heap[k + 1]->now, &m->heap[k]->now) < 0)
            k++;
        if (compare(&m->heap[k]->now, &s->now) >= 0) break;
        m->heap[i] = m->heap[k];
    }
    m->heap[i] = s;
}

static sb_status merger_open(merger *m, const char *const *paths, size_t n,
                             unsigned first, unsigned last)
{
    SB_TRY(sb_alloc(n, sizeof *m->streams, "runs", &m->streams));
    SB_TRY(sb_alloc(n, sizeof *m->heap, "runs", &m->heap));
    for (size_t i = 0; i < n; i++) {
        int more;
        SB_TRY(stream_open(&m->streams[i], paths[i], first, last));
        SB_TRY(advance(&m->streams[i], &more));
        if (more) m->heap[m->n++] = &m->streams[i];
    }
    for (size_t i = m->n / 2; i-- > 0;) sift(m, i);
    return SB_OK;
}

static void merger_close(merger *m, size_t n)
{
    for (size_t i = 0; m->streams && i < n; i++) stream_close(&m->streams[i]);
    sb_free(m->streams);
    sb_free(m->heap);
}

/* The first stream moves on. */
static sb_status step(merger *m)
{
    int more;
    SB_TRY(advance(m->heap[0], &more));
    if (!more) m->heap[0] = m->heap[--m->n];
    if (m->n) sift(m, 0);
    return SB_OK;
}

/* The least word of all streams, with its count in all of them; `room` keeps
 * its bytes. */
static sb_status next_word(merger *m, char room[SB_WORD_BYTES], hashed *out)
{
    *out = m->heap[0]->now;
    memcpy(room, out->word.text, out->word.n);
    out->word.text = room;
    SB_TRY(step(m));
    while (m->n && compare(&m->heap[0]->now, out) == 0) {
        uint64_t more = m->heap[0]->now.word.count;
        SB_REQUIRE(more <= SB_COUNT_MAX - out->word.count, SB_ELIMIT,
                   "more words than can be counted");
        out->word.count += more;
        SB_TRY(step(m));
    }
    return SB_OK;
}

static sb_status merge_words(merger *m, sb_run_writer *w, sb_word_tally *tally)
{
    char room[SB_WORD_BYTES];
    hashed word;
    for (uint64_t i = 0; m->n; i++) {
        if (i % BLOCK == 0 && sb_stop_asked()) return sb_words_stopped();
        SB_TRY(next_word(m, room, &word));
        sb_run_put(w, word.hash, &word.word);
        if (tally) sb_tally_add(tally, &word.word);
    }
    return SB_OK;
}

sb_status sb_runs_merge(const char *const *paths, size_t n, unsigned first,
                        unsigned last, const char *to, sb_word_tally *tally)
{
    merger m = {NULL, NULL, 0};
    sb_run_writer *w = NULL;
    sb_status st = merger_open(&m, paths, n, first, last);
    if (st == SB_OK) st = sb_run_create(to, &w);
    if (st == SB_OK) st = merge_words(&m, w, tally);
    if (w) st = sb_run_close(w, st);
    merger_close(&m, n);
    return st;
}

sb_status sb_run_load(const char *path, uint64_t least, sb_word_list *list)
{
    stream s = {.path = path};
    int more = 1;
    sb_status st = stream_open(&s, path, 0, SB_RUN_SECTIONS);
    while (st == SB_OK && more) {
        st = advance(&s, &more);
        if (st == SB_OK && more && s.now.word.count >= least)
            st = sb_word_list_add(list, &s.now.word);
    }
    stream_close(&s);
    return st;
}
