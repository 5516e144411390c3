/* SPDX-License-Identifier: MIT
 * ingest.c - what it costs to get from files to shards, against the two rates
 * that bound it: encoding text that is in memory already, and unpacking alone.
 *
 *   bench_ingest VOCAB KIND:GLOB [REPEATS] [DIR]
 *
 * All of it in this one process, the same files, turn by turn; medians. Pin it
 * to one core (taskset -c 1) to see the cost per core; bzip2 and xz unpack in a
 * thread of their own, so give those two. Shards are written to a new folder
 * in DIR (/tmp) and deleted. */
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comm/base/fsio.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "dataset/ingest.h"
#include "dataset/text.h"
#include "dataset/stream.h"
#include "dataset/tokenize.h"

enum { REPEATS_MAX = 101 };

static void die(void)
{
    fprintf(stderr, "bench_ingest: %s\n", sb_error_last()->text);
    exit(1);
}

#define DO(call)                                                               \
    do {                                                                       \
        if ((call) != SB_OK) die();                                            \
    } while (0)

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, rising);
    return x[n / 2];
}

/* Of the wall, and of the processor (all threads; others on the machine do not
 * count in it). */
typedef struct spent {
    double wall, cpu;
} spent;

static spent seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (spent){sb_now(), (double)t.tv_sec + 1e-9 * (double)t.tv_nsec};
}

static spent since(spent t)
{
    spent now = seconds();
    return (spent){now.wall - t.wall, now.cpu - t.cpu};
}

/* ---- the stages ---------------------------------------------------------- */

static void nothing(void *arg, uint64_t a, uint64_t b, uint64_t c)
{
    (void)arg, (void)a, (void)b, (void)c;
}

static int never(void)
{
    return 0;
}

typedef struct text {
    sb_buffer bytes; /* all documents */
    size_t *end;     /* [n] */
    size_t n, cap;
} text;

static spent read_all(const sb_sources *s, text *to)
{
    spent t = seconds();
    for (size_t u = 0; u < sb_sources_units(s); u++) {
        sb_source *in;
        sb_document d;
        sb_tally tally = {0};
        int more = 1;
        DO(sb_source_open(s, u, &in));
        for (;;) {
            DO(sb_source_next(in, &d, &tally, &more));
            if (!more) break;
            if (!to || !d.text) continue;
            DO(sb_buffer_add(&to->bytes, d.text, d.bytes));
            DO(sb_grow(&to->end, &to->cap, to->n + 1, sizeof *to->end, "ends"));
            to->end[to->n++] = to->bytes.n;
        }
        sb_source_close(in);
    }
    return since(t);
}

static spent encode_all(const sb_vocab *v, const text *all, size_t *tokens)
{
    sb_encoder *e;
    sb_ids ids = {0};
    DO(sb_encoder_open(v, &e));
    *tokens = 0;
    spent t = seconds();
    for (size_t i = 0, at = 0; i < all->n; at = all->end[i++]) {
        ids.n = 0;
        DO(sb_encode(e, all->bytes.data + at, all->end[i] - at, 0, &ids));
        *tokens += ids.n;
    }
    t = since(t);
    sb_encoder_close(e);
    sb_free(ids.id);
    return t;
}

static spent unpack_all(char **path, size_t n)
{
    static char block[256 << 10];
    spent t = seconds();
    for (size_t i = 0; i < n; i++) {
        uint64_t size;
        size_t got;
        sb_stream *in;
        DO(sb_file_size(path[i], &size));
        DO(sb_stream_open(path[i], 0, size, 1e9, &in));
        do DO(sb_stream_read(in, block, sizeof block, &got));
        while (got);
        sb_stream_close(in);
    }
    return since(t);
}

static spent ingest_all(const sb_sources *s, const sb_vocab *v, const char *dir,
                        uint64_t *bytes)
{
    sb_ingest_options o = {.dir = dir,
                           .sources = s,
                           .vocab = v,
                           .block_tokens = 32768,
                           .progress = nothing,
                           .stop = never};
    sb_ingest *g;
    DO(sb_dir_make(dir));
    DO(sb_ingest_open(&o, &g));
    spent t = seconds();
    for (size_t u = 0; u < sb_sources_units(s); u++) DO(sb_ingest_unit(g, u));
    t = since(t);
    sb_ingest_close(g);
    *bytes = 0;
    for (size_t u = 0; u < sb_sources_units(s); u++) {
        uint64_t size = 0;
        char name[32];
        sb_shard_name(SB_TRAIN, u, name);
        char *path = sb_path_join(dir, name);
        if (sb_file_exists(path)) DO(sb_file_size(path, &size));
        *bytes += size;
        sb_free(path);
    }
    DO(sb_dir_remove(dir));
    return t;
}

/* ---- all of it ----------------------------------------------------------- */

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr,
                "usage: bench_ingest VOCAB KIND:GLOB [REPEATS] [DIR]\n");
        return 2;
    }
    int repeats = argc > 3 ? atoi(argv[3]) : 5;
    if (repeats < 1 || repeats > REPEATS_MAX) repeats = 5;
    const char *spec[] = {argv[2]};
    sb_source_options how = {
        .text_field = "text", .column = 1, .max_ratio = 1e9};
    sb_sources *s;
    sb_vocab *v;
    text all = {0};
    DO(sb_vocab_load(argv[1], &v));
    DO(sb_sources_open(spec, 1, &how, &s));
    size_t tokens = 0;
    glob_t g;
    if (glob(strchr(argv[2], ':') + 1, 0, NULL, &g) != 0) return 2;
    char *dir = sb_format("%s/bench_ingest.%ld", argc > 4 ? argv[4] : "/tmp",
                          (long)(sb_now() * 1e6));
    uint64_t shard_bytes = 0;
    read_all(s, &all);
    double wall[4][REPEATS_MAX], cpu[4][REPEATS_MAX];
    for (int i = 0; i < repeats; i++) {
        spent t[4] = {unpack_all(g.gl_pathv, g.gl_pathc), read_all(s, NULL),
                      encode_all(v, &all, &tokens),
                      ingest_all(s, v, dir, &shard_bytes)};
        for (int k = 0; k < 4; k++) {
            wall[k][i] = t[k].wall;
            cpu[k][i] = t[k].cpu;
        }
    }
    static const char *const stage[] = {"unpack", "unpack + parse",
                                        "encode (memory)", "ingest"};
    double mb = (double)all.bytes.n / 1e6, w[4], c[4];
    printf("%s: %zu documents, %.1f MB of text, %zu tokens; medians of %d\n",
           argv[2], all.n, mb, tokens, repeats);
    for (int k = 0; k < 4; k++) {
        w[k] = median(wall[k], repeats);
        c[k] = median(cpu[k], repeats);
        printf("  %-16s %7.3f s, %6.1f MB/s of the wall;  %7.3f s, %6.1f MB/s "
               "of processors\n",
               stage[k], w[k], mb / w[k], c[k], mb / c[k]);
    }
    printf("  ingest / encode: rates %.3f by the wall, %.3f by processors\n"
           "  ingest / unpack: times %.3f by the wall\n"
           "  shards %.3f bytes a byte of text\n",
           w[2] / w[3], c[2] / c[3], w[3] / w[0],
           (double)shard_bytes / (double)all.bytes.n);
    return 0;
}
