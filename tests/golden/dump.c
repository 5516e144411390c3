/* SPDX-License-Identifier: MIT
 * dump.c - what PyTorch needs to check us: initial weights, the batches of a
 * few steps, our losses, gradients of the first step, gradient norms, and the
 * weights at the end. Raw little-endian arrays and an index of their names.
 *
 * usage: golden_dump RUN OUT STEPS  (RUN holds a vocabulary and a corpus)
 * The configuration is fixed here; reference.py reads it from OUT/config. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "dataset/corpus.h"
#include "trainer/kernels/kernels.h"
#include "trainer/mlm/engine.h"
#include "trainer/mlm/state_mlm.h"

static const char *out;
static FILE *list;

static void dump(const char *prefix, const char *name, const void *data,
                 size_t n, size_t size)
{
    static int number;
    char path[512];
    snprintf(path, sizeof path, "%s/%d.bin", out, ++number);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, size, n, f) != n || fclose(f) != 0) abort();
    fprintf(list, "%d %zu %s%s\n", number, size, prefix, name);
}

static void dump_tensors(const char *prefix, const sb_mlm *m, const float *flat,
                         const float *rows, const float *bias)
{
    const sb_layout *l = &m->layout;
    dump(prefix, SB_TABLE_NAME, rows, (size_t)l->shape.vocab * l->shape.dim, 4);
    dump(prefix, SB_BIAS_NAME, bias, l->shape.vocab, 4);
    for (size_t i = 0; i < l->params; i++)
        dump(prefix, l->param[i].tensor.name, flat + l->param[i].at,
             l->param[i].n, 4);
}

static void dump_batch(int step, const sb_mlm *m)
{
    for (size_t i = 0; i < m->slots; i++) {
        char prefix[64];
        const sb_batch *b = &m->slot[i].batch;
        snprintf(prefix, sizeof prefix, "step%d.slot%zu.", step, i);
        dump(prefix, "ids", b->ids, b->tokens, 4);
        dump(prefix, "seq", b->seq_begin, b->sequences + 1, 4);
        dump(prefix, "masked", b->masked, b->nmasked, 4);
        dump(prefix, "target", b->target, b->nmasked, 4);
    }
}

static sb_mlm_options options(uint32_t vocab, int steps)
{
    return (sb_mlm_options){
        .dir = "none",
        .config = "",
        .unigram_bias = 1,
        .shape = {vocab, 64, 3, 4, 160, 48},
        .init_range = 0.05f,
        .batch = 12,
        .slots = 5,
        .max_length = 40,
        .vocab_block = 100,
        .mask_prob = 0.15f,
        .schedule = {.lr = 3e-3, .warmup = 3, .steps = (uint64_t)steps + 5},
        .adam = {0.9, 0.999, 1e-8f, 0.1f, 0.5, 1},
        .head_group = 16,
        .seed = 7,
        .threads = 1};
}

static sb_status run(sb_comm *c, const char *dir, int steps)
{
    char path[512];
    sb_vocab *vocab;
    sb_corpus *corpus;
    sb_mlm *m;
    snprintf(path, sizeof path, "%s/vocab/vocab.txt", dir);
    SB_TRY(sb_vocab_load(path, &vocab));
    snprintf(path, sizeof path, "%s/corpus", dir);
    SB_TRY(sb_corpus_open(path, SB_TRAIN, &corpus));
    sb_mlm_options o = options(sb_vocab_size(vocab), steps);
    SB_TRY(sb_mlm_open(c, &o, vocab, &m));
    SB_TRY(sb_mlm_init(m, vocab, sb_corpus_counts(corpus)));
    dump_tensors("init.", m, m->w, m->table->rows, m->table->bias);
    for (int s = 0; s < steps; s++) {
        sb_wave w;
        double norm, loss;
        SB_TRY(sb_mlm_forward(m, corpus, SB_WAVE_TRAIN, (uint64_t)s * o.batch,
                              0, &w));
        dump_batch(s, m);
        SB_TRY(sb_mlm_backward(m));
        if (s == 0)
            dump_tensors("grad.", m, m->optimiser.grad, m->table->grad,
                         m->table->bias_grad);
        loss = w.loss_sum / (double)w.masked;
        SB_TRY(sb_optimiser_step(&m->optimiser, &o.adam,
                                 sb_schedule_at(&o.schedule, (uint64_t)s),
                                 (uint64_t)s + 1, m->pool, m->w, &norm));
        snprintf(path, sizeof path, "step%d.", s);
        dump(path, "loss", &loss, 1, 8);
        dump(path, "norm", &norm, 1, 8);
    }
    dump_tensors("final.", m, m->w, m->table->rows, m->table->bias);
    fprintf(list,
            "config dim=%u layers=%u heads=%u ffn=%u positions=%u vocab=%u "
            "slots=%u steps=%d lr=%g warmup=%d total=%d decay=%g clip=%g\n",
            o.shape.dim, o.shape.layers, o.shape.heads, o.shape.ffn,
            o.shape.positions, o.shape.vocab, o.slots, steps, o.schedule.lr,
            (int)o.schedule.warmup, (int)o.schedule.steps, (double)o.adam.decay,
            o.adam.clip);
    sb_mlm_close(m);
    sb_corpus_close(corpus);
    sb_vocab_close(vocab);
    return SB_OK;
}

int main(int argc, char **argv)
{
    sb_comm *c;
    if (argc != 4 || sb_comm_open(&argc, &argv, &c) != SB_OK) return 2;
    sb_kernels_start();
    out = argv[2];
    char path[512];
    snprintf(path, sizeof path, "%s/index", out);
    list = fopen(path, "w");
    if (!list) return 2;
    sb_status st = run(c, argv[1], atoi(argv[3]));
    if (st != SB_OK) sb_error_print(c, sb_error_last());
    if (fclose(list) != 0) return 1;
    sb_comm_close(c);
    return sb_status_exit(st);
}
