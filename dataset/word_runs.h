/* SPDX-License-Identifier: MIT
 * word_runs.h - counted words in a file, in order.
 *
 * A run holds distinct words in the order of their hashes (ties by bytes), so
 * that any number of runs can be merged in one pass with a block of each in
 * memory. It has 256 sections by the first byte of the hash: ranks merge
 * different sections. The order and the sections depend on the words alone.
 *
 * Runs are temporary: the ranks of one job write and read them.
 *
 *   blocks   u32 CRC-32C of what follows, u32 bytes of the records, records;
 *            of one section each
 *   record   varint count, varint n, n bytes
 *   trailer  u64 where each section begins, and the last ends; magic; u32
 *            CRC-32C of the trailer, u32 0 */
#ifndef SB_DATASET_WORD_RUNS_H
#define SB_DATASET_WORD_RUNS_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/word_tally.h"

enum { SB_RUN_SECTIONS = 256, SB_RUNS_MAX = 256 /* merged at once, usually */ };

/* "<stem>-<i>.run" (sb_free), or NULL if out of memory. */
char *sb_run_path(const char *stem, size_t i);

typedef struct sb_run_writer sb_run_writer;
SB_MUST_USE sb_status sb_run_create(const char *path, sb_run_writer **out);
/* Words must come in order: rising `hash` = sb_hash64(text, n), then bytes.
 * I/O errors are kept for sb_run_close. */
void sb_run_put(sb_run_writer *r, uint64_t hash, const sb_counted *word);
/* Finish and free; if `so_far` is a failure the file goes away, and so_far is
 * what is returned. */
SB_MUST_USE sb_status sb_run_close(sb_run_writer *r, sb_status so_far);

/* Sections [first, last) of `n` runs into a new one; `tally`, if not NULL,
 * gets every word of it. SB_EFORMAT: a damaged run. SB_ESTOP: asked to. */
SB_MUST_USE sb_status sb_runs_merge(const char *const *paths, size_t n,
                                    unsigned first, unsigned last,
                                    const char *to, sb_word_tally *tally);

/* Add the words that occur at least `least` times to `list`. */
SB_MUST_USE sb_status sb_run_load(const char *path, uint64_t least,
                                  sb_word_list *list);

#endif
