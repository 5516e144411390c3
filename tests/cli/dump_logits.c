/* SPDX-License-Identifier: MIT
 * dump_logits.c - logits of a checkpoint at the [MASK]s of sentences. Each is a
 * product of its own, so that its bits depend on its row and on the sentence
 * alone.
 *
 * usage: cli_dump_logits FOLDER_OF_CHECKPOINTS VOCAB <IDS >LOGITS
 * IDS: a sentence a line, with [CLS] and [SEP]; LOGITS: [masks, V] floats */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/mem.h"
#include "dataset/vocab.h"
#include "trainer/kernels/kernels.h"
#include "trainer/mlm/model.h"
#include "trainer/mlm/shard_table.h"
#include "trainer/mlm/state_mlm.h"
#include "trainer/mlm/tensors.h"

typedef struct model {
    sb_layout layout;
    float *w;
    sb_table *table;
    sb_batch batch;
    sb_acts acts;
    sb_work work;
    uint32_t mask;
} model;

static sb_status open_model(sb_comm *c, const char *dir, const char *vocab,
                            model *m)
{
    sb_ckpt *ckpt;
    sb_vocab *v;
    sb_mlm_shape shape;
    SB_TRY(sb_vocab_load(vocab, &v));
    m->mask = sb_vocab_special(v).mask;
    char *path;
    SB_TRY(sb_ckpt_latest(dir, &path));
    SB_TRY(sb_ckpt_open(path, &ckpt));
    sb_free(path);
    SB_REQUIRE(sb_ckpt_get_meta(ckpt)->vocab_hash == sb_vocab_hash(v),
               SB_EINVAL, "another vocabulary");
    SB_TRY(sb_mlm_read_shape(ckpt, &shape));
    SB_TRY(sb_layout_open(&shape, &m->layout));
    SB_TRY(sb_alloc(m->layout.total, sizeof *m->w, "encoder", &m->w));
    SB_TRY(sb_table_open(c, shape.vocab, 4096, shape.dim, 0, &m->table));
    SB_TRY(sb_mlm_load_weights(c, ckpt, &m->layout, m->w, m->table));
    SB_TRY(sb_batch_open(1, shape.positions, &m->batch));
    SB_TRY(sb_acts_open(&m->layout, 1, shape.positions, &m->acts));
    SB_TRY(sb_work_open(&m->layout, 1, shape.positions, SB_FP32, &m->work));
    sb_ckpt_close(ckpt);
    sb_vocab_close(v);
    return SB_OK;
}

static void read_ids(model *m, char *line)
{
    sb_batch *b = &m->batch;
    b->tokens = b->nmasked = 0;
    for (char *p = strtok(line, " \n"); p; p = strtok(NULL, " \n")) {
        uint32_t id = (uint32_t)strtoul(p, NULL, 10);
        if (b->tokens == m->layout.shape.positions) abort();
        if (id == m->mask) b->masked[b->nmasked++] = (uint32_t)b->tokens;
        b->ids[b->tokens++] = id;
    }
    b->sequences = 1;
    b->seq_begin[0] = 0;
    b->seq_begin[1] = (uint32_t)b->tokens;
}

static sb_status dump_line(model *m, char *line)
{
    static const sb_dropout_rate none = {0};
    const float *rows;
    const uint32_t *place;
    size_t D = m->layout.shape.dim;
    read_ids(m, line);
    SB_TRY(
        sb_table_pull(m->table, m->batch.ids, m->batch.tokens, &rows, &place));
    sb_model_forward(&m->layout, (sb_weights){.full = m->w}, &m->batch, rows,
                     place, &none, &m->acts, &m->work);
    for (size_t j = 0; j < m->batch.nmasked; j++)
        for (size_t r = 0; r < m->table->vocab; r++) {
            float x;
            sb_linear_forward(&x, m->acts.z + j * D, m->table->rows + r * D,
                              m->table->bias + r, 1, D, 1);
            if (fwrite(&x, sizeof x, 1, stdout) != 1) abort();
        }
    return SB_OK;
}

static sb_status run(sb_comm *c, char **argv)
{
    model m = {0};
    char *line = NULL;
    size_t room = 0;
    sb_kernels_start();
    SB_TRY(open_model(c, argv[1], argv[2], &m));
    while (getline(&line, &room, stdin) > 0) SB_TRY(dump_line(&m, line));
    free(line);
    return SB_OK;
}

int main(int argc, char **argv)
{
    sb_comm *c;
    if (argc != 3 || sb_comm_open(&argc, &argv, &c) != SB_OK) return 2;
    sb_status st = run(c, argv);
    if (st != SB_OK) sb_error_print(c, sb_error_last());
    if (fflush(stdout) != 0) return 1;
    sb_comm_close(c);
    return sb_status_exit(st);
}
