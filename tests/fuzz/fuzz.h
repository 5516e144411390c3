/* SPDX-License-Identifier: MIT
 * fuzz.h - what the fuzz targets share: an invariant, and files in a folder of
 * their own. A target is one LLVMFuzzerTestOneInput; it must not crash, leak,
 * hang or take much memory whatever the bytes are, and what was accepted must
 * hold what its header promises. */
#ifndef SB_TESTS_FUZZ_H
#define SB_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* An accepted input breaks a promise: as bad as a crash. */
#define HOLDS(what)                                                            \
    do {                                                                       \
        if (what) break;                                                       \
        fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #what);     \
        abort();                                                               \
    } while (0)

/* ---- a folder ------------------------------------------------------------ */

static char fuzz_dir[128];

static inline void fuzz_leave(void)
{
    (void)!sb_dir_remove(fuzz_dir);
}

/* In $TMPDIR, which run.sh puts into memory; made at the first call. */
static inline const char *fuzz_folder(void)
{
    const char *in = getenv("TMPDIR");
    if (*fuzz_dir) return fuzz_dir;
    snprintf(fuzz_dir, sizeof fuzz_dir, "%.80s/sb-fuzz-XXXXXX",
             in ? in : "/tmp");
    HOLDS(mkdtemp(fuzz_dir));
    HOLDS(atexit(fuzz_leave) == 0);
    return fuzz_dir;
}

/* A file of these bytes in the folder; its path is good until the next call. */
static inline const char *fuzz_file(const char *name, const void *data,
                                    size_t n)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    FILE *f = fopen(path, "wb");
    HOLDS(f && fwrite(data, 1, n, f) == n);
    HOLDS(fclose(f) == 0);
    return path;
}

/* ---- taking the input apart ---------------------------------------------- */

typedef struct fuzz_input {
    const uint8_t *at;
    size_t left;
} fuzz_input;

/* The next byte, or 0. */
static inline uint8_t fuzz_byte(fuzz_input *in)
{
    if (!in->left) return 0;
    in->left--;
    return *in->at++;
}

/* The next block: two bytes say how long, as far as there is any. */
static inline fuzz_input fuzz_block(fuzz_input *in)
{
    size_t n = fuzz_byte(in);
    n |= (size_t)fuzz_byte(in) << 8;
    if (n > in->left) n = in->left;
    fuzz_input out = {in->at, n};
    in->at += n;
    in->left -= n;
    return out;
}

/* Exactly the bytes that are left and a NUL, so that a sanitizer sees a step
 * beyond them; free(). */
static inline char *fuzz_text(const fuzz_input *in)
{
    char *text = malloc(in->left + 1);
    HOLDS(text);
    if (in->left) memcpy(text, in->at, in->left);
    text[in->left] = 0;
    return text;
}

#endif
