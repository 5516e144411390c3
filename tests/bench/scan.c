/* SPDX-License-Identifier: MIT
 * scan.c - how fast a corpus is read, beside this run's own memory.
 * usage: bench_scan CORPUS [REPEATS]
 *
 * The first pass checks every block's checksum and invariants, the second one
 * uses them where they lie. Memory is an array as large as all ids. All three
 * sum 32-bit numbers on one thread; medians of the repeats. Nothing checks the
 * figures. What is not in the page cache is read once before. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "comm/base/mem.h"
#include "dataset/corpus.h"

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

static double median(double *s, int n)
{
    qsort(s, (size_t)n, sizeof *s, by_value);
    return s[n / 2];
}

static uint64_t sum_of(const uint32_t *x, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

static sb_status pass(sb_corpus *c, double *s_out, uint64_t *sum_out)
{
    uint64_t sum = 0;
    double start = now_s();
    for (uint64_t i = 0; i < sb_corpus_blocks(c); i++) {
        sb_block b;
        SB_TRY(sb_corpus_block(c, i, &b));
        sum += sum_of(b.ids, b.tokens);
    }
    *s_out = now_s() - start;
    *sum_out = sum;
    return SB_OK;
}

enum { OPEN, FIRST, SECOND, MEMORY, PARTS };

static sb_status once(const char *dir, uint32_t *memory, double s[PARTS])
{
    sb_corpus *c;
    uint64_t sum[2];
    double start = now_s();
    SB_TRY(sb_corpus_open(dir, SB_TRAIN, &c));
    s[OPEN] = now_s() - start;
    sb_status st = pass(c, &s[FIRST], &sum[0]);
    if (st == SB_OK) st = pass(c, &s[SECOND], &sum[1]);
    start = now_s();
    uint64_t other = sum_of(memory, sb_corpus_tokens(c));
    s[MEMORY] = now_s() - start;
    sb_corpus_close(c);
    if (st == SB_OK && (sum[0] != sum[1] || other == sum[0]))
        st = sb_fail(SB_EBUG, __FILE__, __LINE__, "the passes differ");
    return st;
}

static sb_status measure(const char *dir, int repeats)
{
    static const char *const name[] = {"open", "first pass", "second pass",
                                       "memory"};
    sb_corpus *c;
    SB_TRY(sb_corpus_open(dir, SB_TRAIN, &c));
    size_t tokens = sb_corpus_tokens(c);
    printf("%s: %zu tokens in %" PRIu64 " blocks\n", dir, tokens,
           sb_corpus_blocks(c));
    sb_corpus_close(c);
    uint32_t *memory;
    double *s[PARTS], middle[PARTS], now[PARTS];
    SB_TRY(sb_alloc(tokens, sizeof *memory, "memory", &memory));
    for (size_t i = 0; i < tokens; i++) memory[i] = (uint32_t)i;
    for (int k = 0; k < PARTS; k++)
        SB_TRY(sb_alloc((size_t)repeats, sizeof *s[k], "times", &s[k]));
    for (int r = -1; r < repeats; r++) { /* the first one warms up */
        SB_TRY(once(dir, memory, now));
        for (int k = 0; k < PARTS && r >= 0; k++) s[k][r] = now[k];
    }
    double bytes = 4 * (double)tokens;
    for (int k = 0; k < PARTS; k++) middle[k] = median(s[k], repeats);
    for (int k = FIRST; k < PARTS; k++)
        printf("%-12s %8.2f ms  %6.2f GB/s  %5.2f of memory\n", name[k],
               1e3 * middle[k], bytes / middle[k] * 1e-9,
               middle[MEMORY] / middle[k]);
    printf("%-12s %8.2f ms\n", name[OPEN], 1e3 * middle[OPEN]);
    for (int k = 0; k < PARTS; k++) sb_free(s[k]);
    sb_free(memory);
    return SB_OK;
}

int main(int argc, char **argv)
{
    int repeats = argc == 3 ? atoi(argv[2]) : 11;
    if (argc < 2 || argc > 3 || repeats < 1) {
        fprintf(stderr, "usage: bench_scan CORPUS [REPEATS]\n");
        return 2;
    }
    if (measure(argv[1], repeats) == SB_OK) return 0;
    fprintf(stderr, "bench_scan: %s\n", sb_error_last()->text);
    return 1;
}
