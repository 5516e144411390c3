/* SPDX-License-Identifier: MIT
 * words.c - the words of texts and how often each occurs, in bounded memory.
 *
 * Open addressing with linear probing over slots that point into one arena of
 * bytes. A word's first slot rises with its hash and probing never wraps
 * around, so the table as it lies is nearly in the order of runs.
 *
 * Invariants: at most 2/3 of the slots are taken; the last slot is free, so
 * that every search ends; every word is one word in the sense of sb_next_word,
 * of at most SB_WORD_CHARS characters; the sum of all counts fits
 * SB_COUNT_MAX. */
#include "dataset/words.h"

#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "dataset/text.h"
#include "dataset/word.h"
#include "dataset/word_runs.h"

/* TAIL: slots behind the last first slot. With 2/3 taken, no row of taken
 * slots comes near that length. */
enum { FIRST_SLOTS = 1 << 12, TAIL = 1 << 12, LENGTH_BITS = 16, AHEAD = 16 };

typedef struct slot {
    uint64_t count; /* 0: free */
    uint64_t hash;
    uint64_t where; /* at in the arena << LENGTH_BITS | bytes */
} slot;

struct sb_words {
    char *stem;
    size_t memory;
    slot *slots; /* [first + TAIL] */
    size_t first, taken;
    sb_buffer arena;
    uint64_t total, too_long;
    size_t runs;
};

sb_status sb_words_stopped(void)
{
    SB_FAIL(SB_ESTOP, "asked to stop: the same command counts anew");
}

int sb_word_compare(const char *a, size_t n, const char *b, size_t m)
{
    int c = memcmp(a, b, n < m ? n : m);
    return c ? c : (n > m) - (n < m);
}

size_t sb_word_chars(const char *word, size_t n)
{
    size_t chars = 0;
    for (size_t i = 0; i < n; i++) chars += ((unsigned char)word[i] >> 6) != 2;
    return chars;
}

uint64_t sb_words_table(const sb_words *w)
{
    return w->taken;
}

uint64_t sb_words_total(const sb_words *w)
{
    return w->total;
}

uint64_t sb_words_too_long(const sb_words *w)
{
    return w->too_long;
}

/* ---- the table ----------------------------------------------------------- */

static sb_status set_slots(sb_words *w, size_t first)
{
    SB_REQUIRE(first <= SIZE_MAX / 2, SB_ELIMIT, "too many distinct words");
    SB_TRY(sb_alloc(first + TAIL, sizeof *w->slots, "word counts", &w->slots));
    w->first = first;
    return SB_OK;
}

sb_status sb_words_open(const char *stem, uint64_t memory, sb_words **words_out)
{
    sb_words *w;
    SB_TRY(sb_alloc(1, sizeof *w, "word counts", &w));
    w->memory = memory < SIZE_MAX ? (size_t)memory : SIZE_MAX;
    w->stem = sb_format("%s", stem);
    sb_status st = w->stem ? set_slots(w, FIRST_SLOTS)
                           : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                                     "out of memory: a path");
    if (st == SB_OK)
        *words_out = w;
    else
        sb_words_close(w);
    return st;
}

static void drop_table(sb_words *w)
{
    sb_free(w->slots);
    sb_free(w->arena.data);
    w->slots = NULL;
    w->arena = (sb_buffer){NULL, 0, 0};
    w->taken = 0;
}

void sb_words_close(sb_words *w)
{
    if (!w) return;
    drop_table(w);
    sb_free(w->stem);
    sb_free(w);
}

static size_t first_slot(const sb_words *w, uint64_t hash)
{
    return (size_t)((__extension__(unsigned __int128) hash) * w->first >> 64);
}

static sb_counted word_in(const sb_words *w, const slot *s)
{
    return (sb_counted){w->arena.data + (s->where >> LENGTH_BITS),
                        s->where & ((1u << LENGTH_BITS) - 1), s->count};
}

/* The slot of the word, or the free one where it belongs. */
static slot *find(const sb_words *w, const char *word, size_t n, uint64_t hash)
{
    slot *s = &w->slots[first_slot(w, hash)];
    for (; s->count; s++) {
        if (s->hash != hash) continue;
        sb_counted is = word_in(w, s);
        if (is.n == n && memcmp(is.text, word, n) == 0) break;
    }
    return s;
}

static sb_status widen(sb_words *w)
{
    slot *from = w->slots;
    size_t n = w->first + TAIL;
    sb_status st = set_slots(w, w->first * 2);
    for (size_t i = 0; i < n && st == SB_OK; i++) {
        if (!from[i].count) continue;
        slot *s = &w->slots[first_slot(w, from[i].hash)];
        while (s->count) s++;
        *s = from[i];
    }
    if (st == SB_OK) sb_free(from);
    return st;
}

/* What has to grow for one word more of n bytes. */
static int slots_full(const sb_words *w)
{
    return (w->taken + 1) * 3 > w->first * 2;
}

static int arena_full(const sb_words *w, size_t n)
{
    return n > w->arena.cap - w->arena.n;
}

/* Growing means that old and new exist for a moment. A table with nothing in
 * it takes a word whatever the limit. */
static int outgrows(const sb_words *w, size_t n)
{
    size_t slots = (w->first + TAIL) * sizeof *w->slots, bytes = w->arena.cap;
    if (slots_full(w)) slots *= 3;
    if (arena_full(w, n)) bytes *= 3;
    return w->taken && slots + bytes > w->memory;
}

/* Count a word once; *full_out = 1, and nothing is done, if it would take more
 * memory than there is. */
static sb_status add(sb_words *w, const char *word, size_t n, uint64_t hash,
                     int *full_out)
{
    slot *s = find(w, word, n, hash);
    *full_out = 0;
    if (!s->count) {
        int last = s == &w->slots[w->first + TAIL - 1];
        *full_out =
            last || ((slots_full(w) || arena_full(w, n)) && outgrows(w, n));
        if (*full_out) return SB_OK;
        if (slots_full(w)) {
            SB_TRY(widen(w));
            s = find(w, word, n, hash);
        }
        uint64_t at = w->arena.n;
        SB_TRY(sb_buffer_add(&w->arena, word, n));
        *s = (slot){.hash = hash, .where = at << LENGTH_BITS | n};
        w->taken++;
    }
    s->count++;
    w->total++;
    return SB_OK;
}

/* ---- runs ---------------------------------------------------------------- */

static int by_run_order(const sb_words *w, const slot *a, const slot *b)
{
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    sb_counted x = word_in(w, a), y = word_in(w, b);
    return sb_word_compare(x.text, x.n, y.text, y.n);
}

/* All taken slots to the front, in order. What a slot has to pass is not in
 * order only as far as linear probing had to look for a free one. */
static void sort(sb_words *w)
{
    slot *s = w->slots;
    size_t n = 0;
    for (size_t i = 0; i < w->first + TAIL; i++) {
        if (!s[i].count) continue;
        slot now = s[i];
        size_t k = n++;
        for (; k && by_run_order(w, &now, &s[k - 1]) < 0; k--) s[k] = s[k - 1];
        s[k] = now;
    }
}

/* All runs into one. */
static sb_status merge_runs(sb_words *w)
{
    char *path[SB_RUNS_MAX + 1] = {NULL}; /* the last: the new one, at first */
    sb_status st = SB_OK;
    for (size_t i = 0; i <= SB_RUNS_MAX && st == SB_OK; i++)
        if (!(path[i] = sb_run_path(w->stem, i)))
            st = sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: paths");
    if (st == SB_OK)
        st = sb_runs_merge((const char *const *)path, w->runs, 0,
                           SB_RUN_SECTIONS, path[SB_RUNS_MAX], NULL);
    for (size_t i = 0; i < w->runs && st == SB_OK; i++)
        st = sb_dir_remove(path[i]);
    if (st == SB_OK) st = sb_rename(path[SB_RUNS_MAX], path[0]);
    if (st == SB_OK) w->runs = 1;
    for (size_t i = 0; i <= SB_RUNS_MAX; i++) sb_free(path[i]);
    return st;
}

/* The table into a new run; it is empty then. */
static sb_status spill(sb_words *w)
{
    sb_run_writer *run = NULL;
    if (w->runs == SB_RUNS_MAX) SB_TRY(merge_runs(w));
    char *path = sb_run_path(w->stem, w->runs);
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    sort(w);
    sb_status st = sb_run_create(path, &run);
    sb_free(path);
    SB_TRY(st);
    for (size_t i = 0; i < w->taken; i++) {
        sb_counted word = word_in(w, &w->slots[i]);
        sb_run_put(run, w->slots[i].hash, &word);
    }
    SB_TRY(sb_run_close(run, SB_OK));
    w->runs++;
    memset(w->slots, 0, (w->first + TAIL) * sizeof *w->slots);
    w->taken = 0;
    w->arena.n = 0;
    return SB_OK;
}

sb_status sb_words_end(sb_words *w, size_t most, size_t *runs_out)
{
    if (w->taken) SB_TRY(spill(w));
    drop_table(w);
    if (w->runs > most) SB_TRY(merge_runs(w));
    *runs_out = w->runs;
    return SB_OK;
}

/* ---- counting ------------------------------------------------------------ */

typedef struct found {
    const char *word;
    size_t n;
    uint64_t hash;
} found;

/* The next words of the text, at most AHEAD; their slots are on their way
 * while the others are looked for. */
static size_t look_ahead(sb_words *w, const char *text, size_t n, size_t *at,
                         found f[AHEAD])
{
    size_t k = 0, bytes;
    const char *word;
    while (k < AHEAD && (bytes = sb_next_word(text, n, at, &word)) > 0) {
        if (bytes > SB_WORD_CHARS &&
            sb_word_chars(word, bytes) > SB_WORD_CHARS) {
            w->too_long++;
            continue;
        }
        f[k] = (found){word, bytes, sb_hash64(word, bytes)};
        __builtin_prefetch(&w->slots[first_slot(w, f[k].hash)]);
        k++;
    }
    return k;
}

sb_status sb_words_count(sb_words *w, const char *text, size_t n)
{
    found f[AHEAD];
    size_t at = 0, k;
    while ((k = look_ahead(w, text, n, &at, f)) > 0) {
        SB_REQUIRE(w->total <= SB_COUNT_MAX - AHEAD, SB_ELIMIT,
                   "more words than can be counted");
        for (size_t i = 0; i < k;) {
            int full;
            SB_TRY(add(w, f[i].word, f[i].n, f[i].hash, &full));
            if (full) SB_TRY(spill(w));
            i += !full;
        }
    }
    return SB_OK;
}
