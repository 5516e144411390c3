/* SPDX-License-Identifier: MIT
 * fsio.h - the file system with every result checked. All state is written
 * through here (LMDB's own writes apart; metrics.jsonl, which is no state, is
 * appended to by trainer/metrics.c), so that faults can be injected in one
 * place. Files are made 0644, folders 0755, less what the umask takes.
 *
 * Injection, for tests: SB_FAULT="write:N" (or fsync, rename) in the
 * environment makes the N-th such call of this process fail with ENOSPC (EIO
 * for fsync and rename); "write:N@rankR" only on MPI rank R.
 */
#ifndef SB_BASE_FSIO_H
#define SB_BASE_FSIO_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

/* "<a>/<b>" in new memory (sb_free), or NULL if out of memory. */
char *sb_path_join(const char *a, const char *b);
char *sb_format(const char *fmt, ...) SB_PRINTF(1, 2); /* sb_free; NULL: oom */

int sb_file_exists(const char *path);
/* Ask the system for room to have `n` files open at once; as many as we may
 * have if that is fewer. */
void sb_file_room(size_t n);
SB_MUST_USE sb_status sb_file_size(const char *path, uint64_t *bytes_out);

/* mkdir -p. */
SB_MUST_USE sb_status sb_dir_make(const char *path);
/* fsync of a folder, so that a rename in it lasts. */
SB_MUST_USE sb_status sb_dir_sync(const char *path);
/* rm -r of a file or folder; missing is fine. Links are removed, not followed. */
SB_MUST_USE sb_status sb_dir_remove(const char *path);
/* Names in a folder (without . and ..), sorted by bytes. Free each name and
 * the array with sb_names_free. */
SB_MUST_USE sb_status sb_dir_list(const char *path, char ***names_out,
                                  size_t *n_out);
void sb_names_free(char **names, size_t n);

SB_MUST_USE sb_status sb_rename(const char *from, const char *to);

/* A new file `to` with the bytes of `from`, synced. */
SB_MUST_USE sb_status sb_file_copy(const char *from, const char *to);

/* A whole file of at most `cap` bytes; a NUL is put behind the last byte.
 * Free with sb_free. SB_ELIMIT if it is larger. */
SB_MUST_USE sb_status sb_file_read(const char *path, size_t cap,
                                   char **data_out, size_t *bytes_out);

/* Written under <path>.tmp, synced, renamed: all or nothing. One writer per
 * path at a time; what a killed one leaves, the next one replaces. */
SB_MUST_USE sb_status sb_file_write(const char *path, const void *data,
                                    size_t bytes);

/* A file being written. Errors are kept and reported by close, so that
 * callers may write without looking. */
typedef struct sb_out sb_out;
/* Creates (fails if it exists). */
SB_MUST_USE sb_status sb_out_open(const char *path, sb_out **out);
void sb_out_put(sb_out *o, const void *data, size_t bytes);
/* Put other bytes in the place of some that were put, from byte `at` on. */
void sb_out_put_at(sb_out *o, uint64_t at, const void *data, size_t bytes);
uint64_t sb_out_bytes(const sb_out *o); /* put so far */
/* Flush, fsync, close, free; the first error of the file's life. */
SB_MUST_USE sb_status sb_out_close(sb_out *o);
/* Close and delete the file, whatever happened. NULL is fine. */
void sb_out_abandon(sb_out *o);

/* Tell the fault hook which rank this is. */
void sb_fault_rank(int rank);

#endif
