/* SPDX-License-Identifier: MIT
 * grow_text.c - more text than there is: `bench_grow_text BYTES <text >more`.
 *
 * Writes standard input again and again until there are BYTES bytes. From the
 * second time on two letters of each word that is rare in the input are
 * others, so that the number of distinct words goes on growing, as it does in
 * real text (Heaps' law); frequent words stay. For measuring only. */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/hash.h"
#include "dataset/text.h"

enum { SLOTS = 1 << 24, RARE = 1, SHORT = 4 };
static uint8_t seen[SLOTS];

static size_t read_all(sb_buffer *to)
{
    static char block[1 << 16];
    size_t n;
    while ((n = fread(block, 1, sizeof block, stdin)) > 0)
        if (sb_buffer_add(to, block, n) != SB_OK) exit(1);
    return to->n;
}

static size_t letters(const char *text, size_t n)
{
    size_t k = 0;
    while (k < n && isalpha((unsigned char)text[k])) k++;
    return k;
}

static void write_other(const char *word, size_t n, uint64_t round)
{
    static const char usual[] = "etaoinshrdlucmfwypvbgk";
    char other[256];
    if (n > sizeof other) n = sizeof other;
    memcpy(other, word, n);
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t key[3] = {sb_hash64(word, n), round, i};
        uint64_t h = sb_hash64(key, sizeof key);
        other[1 + h % (n - 1)] = usual[(h >> 32) % (sizeof usual - 1)];
    }
    fwrite(other, 1, n, stdout);
}

int main(int argc, char **argv)
{
    sb_buffer in = {NULL, 0, 0};
    uint64_t want = argc > 1 ? strtoull(argv[1], NULL, 10) : 0, done = 0;
    if (!want || !read_all(&in)) {
        fprintf(stderr, "usage: bench_grow_text BYTES <text >more\n");
        return 2;
    }
    for (uint64_t round = 0; done < want; round++) {
        for (size_t i = 0, k; i < in.n && done < want; i += k, done += k) {
            k = letters(in.data + i, in.n - i);
            uint8_t *times = &seen[sb_hash64(in.data + i, k) % SLOTS];
            if (k >= SHORT && round == 0 && *times < UINT8_MAX) ++*times;
            if (k >= SHORT && round > 0 && *times <= RARE) {
                write_other(in.data + i, k, round);
                continue;
            }
            if (k == 0) k = 1;
            fwrite(in.data + i, 1, k, stdout);
        }
    }
    putchar('\n');
    return fflush(stdout) != 0 || ferror(stdout);
}
