/* SPDX-License-Identifier: MIT
 * tensors.c - names and shapes. */
#include "trainer/mlm/tensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"

sb_tensor sb_mlm_table_tensor(const sb_mlm_shape *s, const char *name)
{
    sb_tensor t = {.dtype = SB_F32, .ndim = 2, .dim = {s->vocab, s->dim}};
    snprintf(t.name, sizeof t.name, "%s", name);
    return t;
}

sb_tensor sb_mlm_bias_tensor(const sb_mlm_shape *s, const char *name)
{
    sb_tensor t = {.dtype = SB_F32, .ndim = 1, .dim = {s->vocab}};
    snprintf(t.name, sizeof t.name, "%s", name);
    return t;
}

sb_status sb_mlm_check_tensor(const sb_ckpt *c, const sb_tensor *want)
{
    size_t i;
    if (sb_ckpt_find(c, want->name, &i) != SB_OK)
        SB_FAIL(SB_EINVAL, "the checkpoint holds no '%s'", want->name);
    const sb_tensor *t = sb_ckpt_tensor(c, i);
    for (uint32_t d = 0; d < want->ndim; d++)
        SB_REQUIRE(
            t->ndim == want->ndim && t->dim[d] == want->dim[d], SB_EINVAL,
            "the checkpoint's '%s' is %" PRIu64 " wide where %" PRIu64
            " is asked for",
            t->name, t->dim[t->ndim == want->ndim ? d : 0], want->dim[d]);
    return SB_OK;
}

sb_status sb_mlm_option(const sb_ckpt *c, const char *name, char **value_out)
{
    const char *at = sb_ckpt_get_meta(c)->config;
    size_t n = strlen(name);
    *value_out = NULL;
    while (at && *at) {
        const char *end = at + strcspn(at, "\n");
        if (strncmp(at, name, n) == 0 && strncmp(at + n, " = ", 3) == 0) {
            *value_out =
                sb_format("%.*s", (int)(end - at - 3) - (int)n, at + n + 3);
            SB_REQUIRE(*value_out, SB_ENOMEM, "out of memory: an option");
            return SB_OK;
        }
        at = *end ? end + 1 : end;
    }
    return SB_OK;
}

sb_status sb_mlm_heads(const sb_ckpt *c, uint32_t *heads_out)
{
    char *value;
    SB_TRY(sb_mlm_option(c, "heads", &value));
    unsigned long heads = value ? strtoul(value, NULL, 10) : 0;
    sb_free(value);
    SB_REQUIRE(heads > 0 && heads <= UINT32_MAX, SB_EINVAL,
               "the checkpoint's configuration does not name its heads");
    *heads_out = (uint32_t)heads;
    return SB_OK;
}

static sb_status dims(const sb_ckpt *c, const char *name, sb_tensor *out)
{
    size_t i;
    SB_TRY(sb_ckpt_find(c, name, &i));
    *out = *sb_ckpt_tensor(c, i);
    return SB_OK;
}

static uint32_t count_layers(const sb_ckpt *c)
{
    static const char prefix[] = "distilbert.transformer.layer.";
    uint32_t layers = 0;
    for (size_t i = 0; i < sb_ckpt_tensors(c); i++) {
        const char *name = sb_ckpt_tensor(c, i)->name;
        if (strncmp(name, prefix, sizeof prefix - 1) != 0) continue;
        unsigned long n = strtoul(name + sizeof prefix - 1, NULL, 10);
        if (n < 1000 && n + 1 > layers) layers = (uint32_t)n + 1;
    }
    return layers;
}

sb_status sb_mlm_read_shape(const sb_ckpt *c, sb_mlm_shape *out)
{
    uint32_t heads;
    SB_TRY(sb_mlm_heads(c, &heads));
    sb_tensor table, position, ffn;
    SB_TRY(dims(c, SB_TABLE_NAME, &table));
    SB_TRY(
        dims(c, "distilbert.embeddings.position_embeddings.weight", &position));
    SB_TRY(dims(c, "distilbert.transformer.layer.0.ffn.lin1.weight", &ffn));
    SB_REQUIRE(table.ndim == 2 && position.ndim == 2 && ffn.ndim == 2 &&
                   table.dim[0] < UINT32_MAX && table.dim[1] <= 1 << 20 &&
                   position.dim[0] <= 1 << 20 && ffn.dim[0] <= 1 << 24,
               SB_EFORMAT, "the checkpoint's tensors have impossible shapes");
    *out = (sb_mlm_shape){.vocab = (uint32_t)table.dim[0],
                          .dim = (uint32_t)table.dim[1],
                          .layers = count_layers(c),
                          .heads = heads,
                          .ffn = (uint32_t)ffn.dim[0],
                          .positions = (uint32_t)position.dim[0]};
    return SB_OK;
}

sb_status sb_mlm_shape_with(const sb_ckpt *c, const sb_vocab *vocab,
                            sb_mlm_shape *out)
{
    if (sb_ckpt_get_meta(c)->vocab_hash != sb_vocab_hash(vocab)) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "the checkpoint was made with another vocabulary");
        return sb_hint("use the run folder's own vocabulary");
    }
    SB_TRY(sb_mlm_read_shape(c, out));
    SB_REQUIRE(out->vocab == sb_vocab_size(vocab), SB_EFORMAT,
               "the checkpoint has %u token rows, its vocabulary %u pieces",
               out->vocab, sb_vocab_size(vocab));
    return SB_OK;
}
