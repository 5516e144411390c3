/* SPDX-License-Identifier: MIT
 * mlm_batches.c - the batches that `shardbert mlm` trains on, for another
 * program to train on the same: `bench_mlm_batches CORPUS VOCAB OUT STEPS BATCH
 * MAX-LENGTH MAX-CHARS SEED`.
 *
 * OUT is little-endian u32: the vocabulary's size and STEPS; then per step the
 * numbers of sequences, tokens and masked positions, where each sequence
 * begins (and the end), ids, masked positions, their targets. Prints per step
 * the tokens, the masked ones, and the squares of the sequences' lengths. */
#include <stdio.h>
#include <stdlib.h>

#include "comm/comm.h"
#include "dataset/batch.h"
#include "dataset/corpus.h"
#include "dataset/sampling.h"
#include "dataset/vocab.h"

static void put(FILE *f, const uint32_t *x, size_t n)
{
    if (fwrite(x, sizeof *x, n, f) != n) abort();
}

static void put_batch(FILE *f, const sb_batch *b, int step)
{
    double squares = 0;
    uint32_t size[] = {(uint32_t)b->sequences, (uint32_t)b->tokens,
                       (uint32_t)b->nmasked};
    put(f, size, 3);
    put(f, b->seq_begin, b->sequences + 1);
    put(f, b->ids, b->tokens);
    put(f, b->masked, b->nmasked);
    put(f, b->target, b->nmasked);
    for (size_t i = 0; i < b->sequences; i++) {
        double n = b->seq_begin[i + 1] - b->seq_begin[i];
        squares += n * n;
    }
    printf("%d %zu %zu %.0f\n", step, b->tokens, b->nmasked, squares);
}

static sb_status write_all(FILE *f, sb_corpus *corpus, const sb_vocab *vocab,
                           int steps, size_t size, const sb_batch_options *o)
{
    sb_batch b;
    uint32_t head[] = {sb_vocab_size(vocab), (uint32_t)steps};
    put(f, head, 2);
    SB_TRY(sb_batch_open(size, o->max_length, &b));
    sb_status st = SB_OK;
    for (int s = 0; s < steps && st == SB_OK; s++) {
        st = sb_batch_train(&b, corpus, o, (uint64_t)s * size, size);
        if (st == SB_OK) put_batch(f, &b, s);
    }
    sb_batch_close(&b);
    return st;
}

static sb_status run(char **arg)
{
    sb_vocab *vocab;
    sb_corpus *corpus;
    SB_TRY(sb_vocab_load(arg[2], &vocab));
    SB_TRY(sb_corpus_open(arg[1], SB_TRAIN, &corpus));
    sb_sampling_options cut = {.max_length = (uint32_t)atoi(arg[6]),
                               .max_chars = (uint32_t)atoi(arg[7])};
    sb_sampling sampling;
    SB_TRY(sb_sampling_open(&cut, vocab, corpus, &sampling));
    sb_batch_options o = {.seed = strtoull(arg[8], NULL, 10),
                          .max_length = cut.max_length,
                          .sampling = &sampling,
                          .mask_prob = 0.15f,
                          .special = sb_vocab_special(vocab),
                          .vocab_size = sb_vocab_size(vocab)};
    FILE *f = fopen(arg[3], "wb");
    SB_REQUIRE(f, SB_EIO, "cannot write '%s'", arg[3]);
    sb_status st =
        write_all(f, corpus, vocab, atoi(arg[4]), (size_t)atoi(arg[5]), &o);
    if (fclose(f) != 0) abort();
    sb_sampling_close(&sampling);
    sb_corpus_close(corpus);
    sb_vocab_close(vocab);
    return st;
}

int main(int argc, char **argv)
{
    if (argc != 9) {
        fprintf(stderr, "usage: bench_mlm_batches CORPUS VOCAB OUT STEPS BATCH "
                        "MAX-LENGTH MAX-CHARS SEED\n");
        return 2;
    }
    if (run(argv) == SB_OK) return 0;
    fprintf(stderr, "%s\n", sb_error_last()->text);
    return 1;
}
