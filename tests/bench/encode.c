/* SPDX-License-Identifier: MIT
 * encode.c - how fast text becomes ids: the lines of a file, in memory, by the
 * processor's time of one thread.
 *
 * usage: bench_encode VOCAB TEXT [REPEATS]: MB/s of each repeat, a line each */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/tokenize.h"

static uint64_t ids_seen;

static double spent_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static sb_status encode_lines(sb_encoder *e, const char *text, size_t bytes,
                              sb_ids *ids)
{
    for (size_t at = 0; at < bytes;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t n = end ? (size_t)(end - (text + at)) : bytes - at;
        ids->n = 0;
        SB_TRY(sb_encode(e, text + at, n, 0, ids));
        ids_seen += ids->n;
        at += n + 1;
    }
    return SB_OK;
}

static sb_status measure(const char *vocab, const char *path, int repeats)
{
    sb_vocab *v;
    sb_encoder *e;
    sb_ids ids = {0};
    char *text;
    size_t bytes;
    SB_TRY(sb_vocab_load(vocab, &v));
    SB_TRY(sb_file_read(path, (size_t)1 << 32, &text, &bytes));
    SB_TRY(sb_encoder_open(v, &e));
    SB_TRY(encode_lines(e, text, bytes, &ids)); /* warm */
    for (int i = 0; i < repeats; i++) {
        double start = spent_s();
        SB_TRY(encode_lines(e, text, bytes, &ids));
        printf("%.1f\n", (double)bytes * 1e-6 / (spent_s() - start));
    }
    fprintf(stderr, "%zu bytes, %llu ids\n", bytes,
            (unsigned long long)ids_seen / (unsigned)(repeats + 1));
    sb_encoder_close(e);
    sb_vocab_close(v);
    sb_free(text);
    free(ids.id);
    return SB_OK;
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    if (measure(argv[1], argv[2], argc > 3 ? atoi(argv[3]) : 5) == SB_OK)
        return 0;
    fprintf(stderr, "%s\n", sb_error_last()->text);
    return 1;
}
