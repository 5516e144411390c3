/* SPDX-License-Identifier: MIT
 * first_hf.c - tensors by name, rows by the text of their pieces. */
#include "trainer/mlm/first_hf.h"

#include <inttypes.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "dataset/model_config.h"
#include "dataset/safetensors.h"
#include "trainer/mlm/first_rows.h"
#include "trainer/names.h"

#define PREFIX "distilbert."

typedef struct source {
    const char *dir;
    sb_safetensors *file;
    sb_vocab *vocab; /* theirs */
    uint64_t bytes;  /* of the file */
    size_t used, missing;
    const char *first_missing;
} source;

/* ---- opening ------------------------------------------------------------- */

static sb_status check_shape(const char *dir, const sb_mlm_shape *s)
{
    sb_model_config c;
    char *path = sb_path_join(dir, "config.json");
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    sb_status st = sb_model_config_read(path, &c);
    sb_free(path);
    SB_TRY(st);
    SB_REQUIRE(c.dim == s->dim && c.layers == s->layers &&
                   c.heads == s->heads && c.ffn == s->ffn &&
                   c.positions == s->positions,
               SB_EINVAL,
               "the model in '%s' has dim %u, layers %u, heads %u, ffn %u and "
               "positions %u, not those of the recipe",
               dir, c.dim, c.layers, c.heads, c.ffn, c.positions);
    if (!c.tied)
        sb_log(SB_LOG_WARN,
               "the model in %s has an output layer of its own; it is left "
               "out, here the token table is the output layer",
               dir);
    return SB_OK;
}

static sb_status open_vocab(source *s)
{
    char *lines = sb_path_join(s->dir, "vocab.txt");
    char *json = sb_path_join(s->dir, "tokenizer.json");
    sb_status st =
        lines && json
            ? sb_vocab_load(sb_file_exists(lines) ? lines : json, &s->vocab)
            : sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    sb_free(lines);
    sb_free(json);
    if (st == SB_ENOENT)
        return sb_hint("a model's folder holds vocab.txt or tokenizer.json");
    return st;
}

static sb_status open_file(source *s)
{
    char *path = sb_path_join(s->dir, "model.safetensors");
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    sb_status st = sb_safetensors_open(path, &s->file);
    if (st == SB_OK) st = sb_file_size(path, &s->bytes);
    sb_free(path);
    if (st == SB_ENOENT)
        return sb_hint("weights are read from one model.safetensors, no other "
                       "form; save_pretrained writes it");
    return st;
}

/* By its name, with or without the prefix; NULL: it is not there. */
static const sb_stored *find(const source *s, const char *name)
{
    const sb_stored *t = sb_safetensors_find(s->file, name);
    if (!t && strncmp(name, PREFIX, sizeof PREFIX - 1) == 0)
        t = sb_safetensors_find(s->file, name + sizeof PREFIX - 1);
    return t;
}

static sb_status check_dims(const source *s, const sb_stored *t, uint32_t ndim,
                            const uint64_t *dim)
{
    SB_REQUIRE(t->ndim == ndim && memcmp(t->dim, dim, ndim * sizeof *dim) == 0,
               SB_EFORMAT,
               "the tensor '%.100s' in '%s' has another shape than its "
               "config.json and vocabulary say",
               t->name, s->dir);
    return SB_OK;
}

/* ---- encoder and transform ----------------------------------------------- */

static sb_status read_encoder(sb_mlm *m, source *s)
{
    for (size_t i = 0; i < m->layout.params; i++) {
        const sb_param *p = &m->layout.param[i];
        const sb_stored *t = find(s, p->tensor.name);
        if (!t && strncmp(p->tensor.name, "vocab_", 6) == 0) {
            if (!s->missing++) s->first_missing = p->tensor.name;
            continue;
        }
        SB_REQUIRE(t, SB_EFORMAT, "the model in '%s' lacks the tensor '%s'",
                   s->dir, p->tensor.name);
        SB_TRY(check_dims(s, t, p->tensor.ndim, p->tensor.dim));
        SB_TRY(sb_safetensors_get(s->file, t, 0, p->n, m->w + p->at));
        s->used++;
    }
    return SB_OK;
}

/* ---- rows ---------------------------------------------------------------- */

static uint32_t their_row(const source *s, const sb_vocab *ours, uint64_t row)
{
    const char *piece = sb_vocab_piece(ours, (uint32_t)row);
    return sb_vocab_find(s->vocab, piece, strlen(piece), 0);
}

/* Own rows of a tensor of their vocabulary, `width` floats each. Rows that lie
 * one behind the other there as well are read at once. */
static sb_status read_own(const sb_table *k, const sb_vocab *ours,
                          const source *s, const sb_stored *t, size_t width,
                          float *to, unsigned char *have)
{
    for (uint64_t row = k->first, n; row < k->last; row += n) {
        uint32_t from = their_row(s, ours, row);
        n = 1;
        if (from == SB_NO_ID) continue;
        while (row + n < k->last && their_row(s, ours, row + n) == from + n)
            n++;
        SB_TRY(sb_safetensors_get(s->file, t, (uint64_t)from * width, n * width,
                                  to + (row - k->first) * width));
        memset(have + (row - k->first), 1, (size_t)n);
    }
    return SB_OK;
}

static sb_status read_rows(const sb_mlm *m, const sb_vocab *vocab, source *s,
                           unsigned char *have, unsigned char *have_bias)
{
    const sb_table *k = m->table;
    const sb_stored *t = find(s, SB_TABLE_NAME), *b = find(s, SB_BIAS_NAME);
    SB_REQUIRE(t, SB_EFORMAT, "the model in '%s' lacks the tensor '%s'", s->dir,
               SB_TABLE_NAME);
    /* There may be rows that no piece has. */
    uint64_t dim[2] = {t->dim[0], k->dim};
    SB_TRY(check_dims(s, t, 2, dim));
    SB_REQUIRE(dim[0] >= sb_vocab_size(s->vocab), SB_EFORMAT,
               "the model in '%s' has %" PRIu64
               " token rows, its vocabulary %u pieces",
               s->dir, dim[0], sb_vocab_size(s->vocab));
    SB_TRY(read_own(k, vocab, s, t, k->dim, k->rows, have));
    s->used++;
    if (!b) return SB_OK;
    SB_TRY(check_dims(s, b, 1, dim));
    s->used++;
    return read_own(k, vocab, s, b, 1, k->bias, have_bias);
}

/* ---- all of it ----------------------------------------------------------- */

static sb_status read_all(sb_mlm *m, const sb_vocab *vocab, source *s,
                          unsigned char *have, unsigned char *have_bias)
{
    SB_TRY(check_shape(s->dir, &m->o->shape));
    SB_TRY(open_vocab(s));
    SB_TRY(open_file(s));
    SB_TRY(read_encoder(m, s));
    return read_rows(m, vocab, s, have, have_bias);
}

static void tell(const source *s)
{
    size_t n = sb_safetensors_count(s->file);
    sb_log(SB_LOG_INFO, "weights from %s: %zu tensors", s->dir, s->used);
    if (s->missing)
        sb_log(SB_LOG_INFO,
               "%zu tensors start from chance, as it does not have them: %s%s",
               s->missing, s->first_missing, s->missing > 1 ? ", ..." : "");
    if (n > s->used)
        sb_log(SB_LOG_INFO,
               "%zu of its tensors are no part of a masked language model and "
               "are left out",
               n - s->used);
}

sb_status sb_weights_of_hf(sb_mlm *m, const sb_vocab *vocab,
                           unsigned char *have, unsigned char *have_bias)
{
    source s = {.dir = m->o->init_path};
    sb_status st = sb_agree(m->comm, read_all(m, vocab, &s, have, have_bias));
    if (st == SB_OK) st = sb_rows_same(m, s.bytes ^ sb_vocab_hash(s.vocab));
    if (st == SB_OK) tell(&s);
    sb_safetensors_close(s.file);
    sb_vocab_close(s.vocab);
    return st;
}
