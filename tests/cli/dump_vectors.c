/* SPDX-License-Identifier: MIT
 * dump_vectors.c - the word2vec checkpoint of a run as a file of vectors, as
 * other programs write it: the pieces that occur, most frequent first.
 *
 * usage: cli_dump_vectors RUN FILE text|binary */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "proto/checkpoint.h"
#include "trainer/names.h"
#include "trainer/word2vec/candidates.h"

static void *or_die(sb_status st, void *p)
{
    if (st == SB_OK) return p;
    fprintf(stderr, "%s\n", sb_error_last()->text);
    exit(1);
}

static void *tensor(sb_ckpt *c, const char *name, size_t size, size_t *dim_out)
{
    size_t i;
    void *data = NULL;
    or_die(sb_ckpt_find(c, name, &i), NULL);
    const sb_tensor *t = sb_ckpt_tensor(c, i);
    uint64_t n = sb_tensor_elements(t);
    or_die(sb_alloc((size_t)n, size, name, &data), NULL);
    *dim_out = (size_t)(n / t->dim[0]);
    return or_die(sb_ckpt_get(c, t, 0, n, data), data);
}

int main(int argc, char **argv)
{
    if (argc != 4) return 2;
    char *dir = sb_format("%s/word2vec", argv[1]), *latest = NULL;
    char *path = sb_format("%s/vocab/vocab.txt", argv[1]);
    sb_vocab *v = NULL;
    sb_ckpt *c = NULL;
    sb_candidates w;
    size_t D, one;
    or_die(sb_vocab_load(path, &v), NULL);
    or_die(sb_ckpt_latest(dir, &latest), NULL);
    or_die(sb_ckpt_open(latest, &c), NULL);
    float *table = tensor(c, SB_W2V_INPUT, sizeof *table, &D);
    uint64_t *counts = tensor(c, SB_W2V_COUNTS, sizeof *counts, &one);
    or_die(sb_candidates_of_vocab(v, counts, 0, &w), NULL);
    FILE *f = fopen(argv[2], "wb");
    if (!f) return 1;
    fprintf(f, "%zu %zu\n", w.n, D);
    for (size_t i = 0; i < w.n; i++) {
        const float *row = table + w.row[i] * D;
        fprintf(f, "%s ", sb_vocab_piece(v, w.row[i]));
        if (*argv[3] == 'b')
            fwrite(row, sizeof *row, D, f);
        else
            for (size_t k = 0; k < D; k++) fprintf(f, "%.9g ", (double)row[k]);
        fputc('\n', f);
    }
    return fclose(f) != 0;
}
