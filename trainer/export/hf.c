/* SPDX-License-Identifier: MIT
 * hf.c - the files of the folder, one after the other. */
#include "trainer/export/hf.h"

#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/safetensors.h"
#include "dataset/tokenizer_files.h"

enum { PIECE = 8 << 20 /* floats */ };

const char *const sb_hf_file[SB_HF_FILES] = {"config.json",
                                             "model.safetensors",
                                             "tokenizer.json",
                                             "tokenizer_config.json",
                                             "special_tokens_map.json",
                                             "vocab.txt",
                                             "README.md"};

/* ---- weights ------------------------------------------------------------- */

static sb_status copy_tensor(sb_ckpt *c, const sb_tensor *t, float *piece,
                             sb_safetensors_out *o)
{
    uint64_t n = sb_tensor_elements(t);
    for (uint64_t at = 0; at < n; at += PIECE) {
        size_t k = (size_t)(n - at < PIECE ? n - at : PIECE);
        SB_TRY(sb_ckpt_get(c, t, at, k, piece));
        sb_safetensors_put(o, piece, k);
    }
    return SB_OK;
}

static sb_status copy_all(const sb_hf_model *m, sb_safetensors_out *o)
{
    float *piece;
    SB_TRY(sb_reserve(PIECE, sizeof *piece, "a piece of a tensor", &piece));
    sb_status st = SB_OK;
    for (size_t i = 0; i < m->tensors && st == SB_OK; i++)
        st = copy_tensor(m->ckpt, sb_ckpt_tensor(m->ckpt, m->tensor[i]), piece,
                         o);
    sb_free(piece);
    return st;
}

static sb_status write_weights(const char *path, const sb_hf_model *m)
{
    sb_to_store *t;
    sb_safetensors_out *o = NULL;
    SB_TRY(sb_alloc(m->tensors, sizeof *t, "tensors", &t));
    for (size_t i = 0; i < m->tensors; i++) {
        const sb_tensor *from = sb_ckpt_tensor(m->ckpt, m->tensor[i]);
        t[i] = (sb_to_store){.name = from->name, .ndim = from->ndim};
        memcpy(t[i].dim, from->dim, from->ndim * sizeof *from->dim);
    }
    sb_status st = sb_safetensors_create(path, t, m->tensors, &o);
    sb_free(t);
    SB_TRY(st);
    st = copy_all(m, o);
    if (st == SB_OK) return sb_safetensors_finish(o);
    sb_safetensors_abandon(o);
    return st;
}

/* ---- the folder ---------------------------------------------------------- */

static sb_status write_config(const char *path, const sb_hf_model *m)
{
    return sb_model_config_write(path, &m->config);
}

static sb_status in_folder(const char *dir, const char *name,
                           const sb_hf_model *m,
                           sb_status (*write)(const char *,
                                              const sb_hf_model *))
{
    char *path = sb_path_join(dir, name);
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    sb_status st = write(path, m);
    sb_free(path);
    return st;
}

static sb_status write_text(const char *dir, const sb_hf_model *m,
                            const sb_vocab *vocab, const sb_card *card)
{
    char *pieces = sb_path_join(dir, "vocab.txt");
    char *readme = sb_path_join(dir, "README.md");
    sb_status st = pieces && readme ? sb_vocab_write(pieces, vocab)
                                    : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                                              "out of memory: a path");
    if (st == SB_OK) st = sb_card_write(readme, m, card);
    sb_free(pieces);
    sb_free(readme);
    return st;
}

sb_status sb_hf_write(const char *dir, const sb_hf_model *m,
                      const sb_vocab *vocab, const sb_card *card)
{
    SB_TRY(in_folder(dir, "config.json", m, write_config));
    SB_TRY(sb_tokenizer_write(dir, vocab, m->config.positions));
    SB_TRY(write_text(dir, m, vocab, card));
    return in_folder(dir, "model.safetensors", m, write_weights);
}
