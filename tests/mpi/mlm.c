/* SPDX-License-Identifier: MIT
 * The engine of phase 2 at this np: first values, the row of [PAD], a frozen
 * table that is held to itself, and batches of next to nothing. (Whole runs
 * over np: tests/cli/exact.sh; against PyTorch: tests/golden.) */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/base/mem.h"
#include "tests/mpi/check.h"
#include "tests/unit/made_corpus.h"
#include "trainer/kernels/kernels.h"
#include "trainer/mlm/first_weights.h"
#include "trainer/mlm/state_mlm.h"

enum { D = 64, V = MADE_VOCAB, LETTERS = 20 };
static sb_vocab *vocab;
static sb_corpus *corpus;
static sb_divergence course; /* nothing has happened yet */

static sb_mlm_options usual(void)
{
    return (sb_mlm_options){.dir = made_dir,
                            .config = "\nheads = 4\n",
                            .shape = {V, D, 2, 4, 96, 40},
                            .init_range = 0.02f,
                            .batch = 8,
                            .slots = 4,
                            .max_length = 20,
                            .vocab_block = 15,
                            .mask_prob = 0.15f,
                            .schedule = {.lr = 1e-3, .steps = 10},
                            .adam = {0.9, 0.999, 1e-8f, 0, 0, 1},
                            .head_group = 16,
                            .seed = 5,
                            .threads = 1};
}

/* Rank 0 writes, everybody reads. */
static void up(void)
{
    char text[V * 8] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    size_t at = strlen(text);
    if (sb_comm_rank(comm) == 0) {
        CHECK(made_dir_up(NULL) == 0);
        OK(made_corpus(made_dir, LETTERS));
    }
    sb_comm_bcast(comm, made_dir, sizeof made_dir, 0);
    for (int i = 5; i < V; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "w%02d\n", i);
    OK(sb_vocab_parse(text, at, "vocab.txt", &vocab));
    OK(sb_corpus_open(made_dir, SB_TRAIN, &corpus));
}

static sb_mlm *begin(const sb_mlm_options *o)
{
    sb_mlm *m;
    OK(sb_mlm_open(comm, o, vocab, &m));
    OK(sb_mlm_init(m, vocab, sb_corpus_counts(corpus)));
    return m;
}

static double update(sb_mlm *m, uint64_t step, sb_wave *wave)
{
    double norm;
    OK(sb_mlm_forward(m, corpus, SB_WAVE_TRAIN, step * m->o->batch, 0, wave));
    OK(sb_mlm_backward(m));
    OK(sb_optimiser_step(&m->optimiser, &m->o->adam,
                         sb_schedule_at(&m->o->schedule, step), step + 1,
                         m->pool, m->w, &norm));
    return norm;
}

/* ---- first values -------------------------------------------------------- */

static void all_are(const float *x, size_t n, float value)
{
    for (size_t i = 0; i < n; i++) CHECK(x[i] == value);
}

/* Mean and deviation, each within five deviations of itself; and two thirds of
 * the values nearer than one, as a normal variable's are and an even one's not. */
static void is_normal(const float *x, size_t n, double sd)
{
    double sum = 0, squares = 0, near = 0, count = (double)n;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
        near += fabs((double)x[i]) < sd;
    }
    CHECK(fabs(sum / count) < 5 * sd / sqrt(count));
    CHECK(fabs(squares / count / (sd * sd) - 1) < 5 * sqrt(2 / count));
    CHECK(fabs(near / count - 0.6827) < 5 * sqrt(0.6827 * 0.3173 / count));
}

static void first_values_are_hugging_faces(void)
{
    sb_mlm_options o = usual();
    sb_mlm *m = begin(&o);
    const sb_table *t = m->table;
    for (size_t i = 0; i < m->layout.params; i++) {
        const sb_param *p = &m->layout.param[i];
        const char *name = p->tensor.name, *end = name + strlen(name);
        int weight = strcmp(end - 7, ".weight") == 0;
        int norm = strstr(name, "LayerNorm") || strstr(name, "layer_norm");
        if (weight && !norm)
            is_normal(m->w + p->at, p->n, 0.02);
        else
            all_are(m->w + p->at, p->n, weight ? 1 : 0);
        CHECK(p->decay == (weight && !norm));
    }
    all_are(t->bias, (size_t)(t->last - t->first), 0);
    uint64_t from = t->first ? t->first : 1;
    if (t->first == 0 && t->last) all_are(t->rows, D, 0);
    if (t->last > from)
        is_normal(t->rows + (from - t->first) * D, (t->last - from) * D, 0.02);
    sb_mlm_close(m);
}

/* ---- the row of [PAD] ---------------------------------------------------- */

/* Nearly all tokens are masked, so some of them become [PAD]. Its row gets the
 * output layer's gradient and not the one of having been looked up; the row of
 * [MASK] gets both. */
static void the_row_of_pad_learns_from_the_output_alone(void)
{
    sb_mlm_options o = usual();
    o.mask_prob = 0.999f;
    sb_mlm *m = begin(&o);
    const sb_table *t = m->table;
    sb_wave w;
    uint64_t seen = 0, differs = 0;
    float *head;
    size_t n = (size_t)(t->last - t->first);
    OK(sb_alloc(n * D, sizeof *head, "gradient", &head));
    OK(sb_mlm_forward(m, corpus, SB_WAVE_TRAIN, 0, 0, &w));
    for (size_t s = 0; s < m->plan.slots; s++)
        for (size_t i = 0; i < m->slot[s].batch.tokens; i++)
            seen += m->slot[s].batch.ids[i] == 0;
    memcpy(head, t->grad, n * D * sizeof *head); /* the output layer's */
    OK(sb_mlm_backward(m));
    if (t->first == 0 && n) {
        CHECK(memcmp(head, t->grad, D * sizeof *head) == 0);
        for (size_t i = 0; i < D; i++) CHECK(head[i] != 0);
    }
    if (t->first <= 4 && 4 < t->last)
        differs = memcmp(head + (4 - t->first) * D,
                         t->grad + (4 - t->first) * D, D * sizeof *head) != 0;
    sb_comm_sum_u64(comm, &seen, 1);
    sb_comm_sum_u64(comm, &differs, 1);
    CHECK(seen > 0 && differs == 1);
    sb_free(head);
    sb_mlm_close(m);
}

/* ---- a frozen table ------------------------------------------------------ */

static int is_saved(const char *dir, uint64_t step)
{
    int there = sb_comm_rank(comm) == 0 && sb_ckpt_exists(dir, step);
    sb_comm_bcast(comm, &there, sizeof there, 0);
    return there;
}

static sb_status save_now(sb_mlm *m, uint64_t step)
{
    sb_saver *saver;
    OK(sb_mlm_saver_open(m, NULL, &saver));
    sb_status st = sb_mlm_save(m, saver, vocab, step, &course, SB_SAVE_NOW);
    const sb_error why = *sb_error_last();
    OK(sb_saver_close(saver));
    return st == SB_OK ? st : sb_error_set(&why);
}

/* Some rank's row, which exactly one rank owns. */
static void touch_a_row(sb_mlm *m, uint64_t row)
{
    const sb_table *t = m->table;
    if (t->first <= row && row < t->last) {
        float *x = t->rows + (row - t->first) * D + 3;
        *x = nextafterf(*x, 1);
    }
}

static void a_frozen_row_that_changes_is_not_saved(void)
{
    sb_mlm_options o = usual();
    o.adam.train_table = 0;
    sb_mlm *m = begin(&o);
    sb_wave w;
    update(m, 0, &w);
    OK(save_now(m, 1));
    CHECK(is_saved(o.dir, 1));
    update(m, 1, &w);
    touch_a_row(m, V - 1);
    CHECK(save_now(m, 2) == SB_EBUG);
    CHECK(strstr(sb_error_last()->text, SB_TABLE_NAME));
    CHECK(!is_saved(o.dir, 2));
    sb_mlm_close(m);
    o.adam.train_table = 1; /* whoever may change is not looked at */
    o.dir = sb_path_join(made_dir, "trained");
    m = begin(&o);
    touch_a_row(m, V - 1);
    OK(save_now(m, 2));
    sb_mlm_close(m);
}

/* A checkpoint of one part, equal to the newest of `from` but for one element
 * of the table. Rank 0. */
static sb_status forge(const char *from, const char *to)
{
    char *path;
    sb_ckpt *c;
    sb_ckpt_part *part;
    void *desc;
    size_t bytes, n;
    SB_TRY(sb_ckpt_latest(from, &path));
    SB_TRY(sb_ckpt_open(path, &c));
    n = sb_ckpt_tensors(c);
    uint64_t step = sb_ckpt_get_meta(c)->step;
    const sb_tensor *table = sb_ckpt_tensor(c, 0);
    SB_TRY(sb_ckpt_begin(to, step));
    SB_TRY(sb_ckpt_part_open(to, step, 0, table, n, &part));
    for (size_t i = 0; i < n; i++) {
        uint64_t elements = sb_tensor_elements(&table[i]);
        float *x;
        SB_TRY(sb_alloc(elements, sizeof(uint64_t), "a tensor", &x));
        SB_TRY(sb_ckpt_get(c, &table[i], 0, elements, x));
        if (strcmp(table[i].name, SB_TABLE_NAME) == 0) x[10 * D] += 1e-6f;
        SB_TRY(sb_ckpt_put(part, i, 0, elements, x));
        sb_free(x);
    }
    SB_TRY(sb_ckpt_part_close(part, &desc, &bytes));
    const void *all[] = {desc};
    SB_TRY(sb_ckpt_commit(to, sb_ckpt_get_meta(c), table, n, all, &bytes, 1));
    sb_free(desc);
    sb_free(path);
    sb_ckpt_close(c);
    return SB_OK;
}

static void a_run_goes_on_with_the_frozen_rows_it_began_with(void)
{
    sb_mlm_options o = usual();
    char *forged = sb_path_join(made_dir, "forged");
    uint64_t step;
    int found;
    sb_mlm *m;
    o.adam.train_table = 0;
    if (sb_comm_rank(comm) == 0) OK(forge(made_dir, forged));
    CHECK(is_saved(forged, 1));
    OK(sb_mlm_open(comm, &o, vocab, &m));
    OK(sb_mlm_load(m, vocab, &step, &course, &found));
    CHECK(found && step == 1);
    OK(save_now(m, 2));
    sb_mlm_close(m);
    o.dir = forged;
    OK(sb_mlm_open(comm, &o, vocab, &m));
    CHECK(sb_mlm_load(m, vocab, &step, &course, &found) == SB_EFORMAT);
    CHECK(strstr(sb_error_last()->text, SB_TABLE_NAME));
    sb_mlm_close(m);
    o.adam.train_table = 1; /* thawed: nobody is held to anything */
    OK(sb_mlm_open(comm, &o, vocab, &m));
    OK(sb_mlm_load(m, vocab, &step, &course, &found));
    sb_mlm_close(m);
    sb_free(forged);
}

/* ---- next to nothing ----------------------------------------------------- */

/* Samples are cut to [CLS], one token, [SEP]; there is one for each slot, and
 * few of them are masked: most ranks have none, and in some steps nobody has. */
static void ranks_without_a_masked_token_take_part(void)
{
    sb_mlm_options o = usual();
    o.batch = o.slots;
    o.max_length = 3;
    o.adam.decay = 0.1f;
    sb_mlm *m = begin(&o);
    uint64_t none = 0, some = 0, lonely = 0;
    for (uint64_t step = 0; step < 10; step++) {
        sb_wave w;
        double norm = update(m, step, &w);
        uint64_t own = 0;
        for (size_t s = 0; s < m->plan.slots; s++)
            own += m->slot[s].batch.nmasked;
        CHECK(w.tokens <= 3 * o.batch && isfinite(norm));
        CHECK((w.masked == 0) == (norm == 0));
        CHECK(w.masked == 0 || w.loss_sum > 0);
        none += w.masked == 0;
        some += w.masked > 0;
        lonely += w.masked > 0 && own == 0;
    }
    for (size_t i = 0; i < m->layout.total; i++) CHECK(isfinite(m->w[i]));
    sb_comm_sum_u64(comm, &lonely, 1);
    CHECK(none > 0 && some > 0);
    CHECK(sb_comm_size(comm) == 1 || lonely > 0);
    sb_mlm_close(m);
}

int main(int argc, char **argv)
{
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    sb_kernels_start();
    up();
    first_values_are_hugging_faces();
    the_row_of_pad_learns_from_the_output_alone();
    a_frozen_row_that_changes_is_not_saved();
    a_run_goes_on_with_the_frozen_rows_it_began_with();
    ranks_without_a_masked_token_take_part();
    sb_corpus_close(corpus);
    sb_vocab_close(vocab);
    if (sb_comm_rank(comm) == 0) CHECK(made_dir_down(NULL) == 0);
    sb_comm_close(comm);
    return 0;
}
