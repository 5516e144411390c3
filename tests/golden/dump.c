/* SPDX-License-Identifier: MIT
 * dump.c - what PyTorch needs to check us: initial weights, the batches of a
 * few steps, our losses, gradients of the first step, gradient norms, and the
 * weights at the end; with dropout, what it keeps. Raw little-endian arrays and
 * an index of their names.
 *
 * usage: golden_dump RUN OUT CASE STEPS  (RUN holds a vocabulary and a corpus)
 * Cases are fixed here; reference.py reads the configuration from OUT/index. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/rng.h"
#include "dataset/corpus.h"
#include "trainer/kernels/kernels.h"
#include "trainer/mlm/engine.h"
#include "trainer/mlm/first_weights.h"
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

/* Sites of dropout, as docs/math.md numbers them. */
enum { EMBEDDING = 0, ATTENTION = 1, FFN = 2, SITES = 4 };

/* What dropout keeps at one site, a byte each: T D of a sequence, or H T T. */
static void dump_kept(const char *prefix, const char *name, uint32_t site,
                      const sb_mlm *m, const sb_batch *b)
{
    const sb_mlm_options *o = m->o;
    sb_rng_key key = sb_rng_key_make(o->seed, SB_RNG_DROPOUT);
    int squares = site % SITES == ATTENTION;
    size_t most = b->tokens * (o->shape.dim + b->tokens * o->shape.heads);
    uint8_t *keep = malloc(most);
    size_t at = 0;
    if (!keep) abort();
    for (size_t i = 0; i < b->sequences; i++) {
        size_t T = b->seq_begin[i + 1] - b->seq_begin[i];
        size_t n = T * (squares ? o->shape.heads * T : o->shape.dim);
        sb_rng_keep(key, b->sample[i], site,
                    squares ? o->attention_dropout : o->dropout, keep + at, n);
        at += n;
    }
    dump(prefix, name, keep, at, 1);
    free(keep);
}

static void dump_dropout(const char *prefix, const sb_mlm *m, const sb_batch *b)
{
    char name[64];
    dump_kept(prefix, "keep.embedding", EMBEDDING, m, b);
    for (uint32_t i = 0; i < m->o->shape.layers; i++) {
        snprintf(name, sizeof name, "keep.attention%u", i);
        dump_kept(prefix, name, (i + 1) * SITES + ATTENTION, m, b);
        snprintf(name, sizeof name, "keep.ffn%u", i);
        dump_kept(prefix, name, (i + 1) * SITES + FFN, m, b);
    }
}

static void dump_batch(int step, const sb_mlm *m)
{
    for (size_t i = 0; i < m->plan.slots; i++) {
        char prefix[64];
        const sb_batch *b = &m->slot[i].batch;
        snprintf(prefix, sizeof prefix, "step%d.slot%zu.", step, i);
        dump(prefix, "ids", b->ids, b->tokens, 4);
        dump(prefix, "seq", b->seq_begin, b->sequences + 1, 4);
        dump(prefix, "masked", b->masked, b->nmasked, 4);
        dump(prefix, "target", b->target, b->nmasked, 4);
        if (m->o->dropout > 0) dump_dropout(prefix, m, b);
    }
}

/* small: as many different things as fit. dropout: the same with it, and no
 * norm that is clipped. base: DistilBERT's own width and depth. */
static sb_mlm_options options(const char *name, uint32_t vocab, int steps)
{
    sb_mlm_options o = {
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
    if (strcmp(name, "dropout") == 0) {
        o.dropout = 0.25f;
        o.attention_dropout = 0.375f;
        o.adam.clip = 100;
    } else if (strcmp(name, "base") == 0) {
        o.shape = (sb_mlm_shape){vocab, 768, 6, 12, 3072, 64};
        o.init_range = 0.02f;
        o.batch = 6;
        o.slots = 4;
        o.max_length = 64;
        o.vocab_block = 900;
        o.schedule.lr = 3e-4;
        o.schedule.warmup = 1;
        o.threads = 2;
    } else if (strcmp(name, "small") != 0) {
        abort();
    }
    return o;
}

static sb_status run(sb_comm *c, const char *dir, const char *name, int steps)
{
    char path[512];
    sb_vocab *vocab;
    sb_corpus *corpus;
    sb_mlm *m;
    snprintf(path, sizeof path, "%s/vocab/vocab.txt", dir);
    SB_TRY(sb_vocab_load(path, &vocab));
    snprintf(path, sizeof path, "%s/corpus", dir);
    SB_TRY(sb_corpus_open(path, SB_TRAIN, &corpus));
    sb_mlm_options o = options(name, sb_vocab_size(vocab), steps);
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
            "slots=%u steps=%d lr=%g warmup=%d total=%d decay=%g clip=%g "
            "drop=%.9g drop_attention=%.9g\n",
            o.shape.dim, o.shape.layers, o.shape.heads, o.shape.ffn,
            o.shape.positions, o.shape.vocab, o.slots, steps, o.schedule.lr,
            (int)o.schedule.warmup, (int)o.schedule.steps, (double)o.adam.decay,
            o.adam.clip, (double)sb_rng_drop_rate(o.dropout),
            (double)sb_rng_drop_rate(o.attention_dropout));
    sb_mlm_close(m);
    sb_corpus_close(corpus);
    sb_vocab_close(vocab);
    return SB_OK;
}

int main(int argc, char **argv)
{
    sb_comm *c;
    if (argc != 5 || sb_comm_open(&argc, &argv, &c) != SB_OK) return 2;
    sb_kernels_start();
    out = argv[2];
    char path[512];
    snprintf(path, sizeof path, "%s/index", out);
    list = fopen(path, "w");
    if (!list) return 2;
    sb_status st = run(c, argv[1], argv[3], atoi(argv[4]));
    if (st != SB_OK) sb_error_print(c, sb_error_last());
    if (fclose(list) != 0) return 1;
    sb_comm_close(c);
    return sb_status_exit(st);
}
