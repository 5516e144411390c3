/* SPDX-License-Identifier: MIT
 * init_from.c - prefixes, and the sizes of somebody's model. */
#include "launch/init_from.h"

#include <stdio.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "dataset/model_config.h"

static sb_status take_size(const sb_app *a, const char *path, const char *name,
                           uint32_t size)
{
    char line[64];
    if (!sb_config_is_set(a->config, name)) {
        snprintf(line, sizeof line, "%s = %u\n", name, size);
        return sb_config_parse(a->config, line, path);
    }
    if (sb_config_int(a->config, name) == (int64_t)size) return SB_OK;
    sb_fail(SB_EINVAL, __FILE__, __LINE__,
            "%s = %s, but the model in '%s' has %u", name,
            sb_config_text(a->config, name), path, size);
    return sb_hint("leave --%s out: it is taken from the model", name);
}

static sb_status take_shape(const sb_app *a, const char *dir)
{
    sb_model_config c;
    char *path = sb_path_join(dir, "config.json");
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    sb_status st = sb_model_config_read(path, &c);
    if (st == SB_ENOENT)
        sb_hint("hf: names a folder as save_pretrained writes it");
    if (st == SB_OK) st = take_size(a, path, "dim", c.dim);
    if (st == SB_OK) st = take_size(a, path, "layers", c.layers);
    if (st == SB_OK) st = take_size(a, path, "heads", c.heads);
    if (st == SB_OK) st = take_size(a, path, "ffn", c.ffn);
    if (st == SB_OK) st = take_size(a, path, "positions", c.positions);
    sb_free(path);
    return st;
}

static sb_status keep(const char *text, char **path_out)
{
    *path_out = sb_format("%s", text);
    SB_REQUIRE(*path_out, SB_ENOMEM, "out of memory: a path");
    return SB_OK;
}

static sb_status read_option(const sb_app *a, sb_first *from_out,
                             char **path_out)
{
    static const char hf[] = "hf:", vectors[] = "word2vec:";
    const char *init = sb_config_text(a->config, "init");
    *path_out = NULL;
    *from_out = SB_FROM_WORD2VEC;
    if (strcmp(init, "none") == 0) {
        *from_out = SB_FROM_CHANCE;
        return SB_OK;
    }
    if (strcmp(init, "word2vec") == 0)
        return sb_app_path(a, NULL, "word2vec", path_out);
    if (strncmp(init, vectors, sizeof vectors - 1) == 0) {
        *from_out = SB_FROM_VECTORS;
        return keep(init + sizeof vectors - 1, path_out);
    }
    if (strncmp(init, hf, sizeof hf - 1) != 0) return keep(init, path_out);
    *from_out = SB_FROM_HF;
    SB_TRY(take_shape(a, init + sizeof hf - 1));
    return keep(init + sizeof hf - 1, path_out);
}

sb_status sb_init_from_option(const sb_app *a, sb_first *from_out,
                              char **path_out)
{
    SB_TRY(sb_agree(a->comm, read_option(a, from_out, path_out)));
    char *text = sb_config_effective(a->config, a->phase);
    sb_status st = text ? SB_OK
                        : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                                  "out of memory: configuration");
    st = sb_agree(a->comm, st);
    if (st == SB_OK)
        st = sb_app_same(a, sb_hash64(text, strlen(text)), "models");
    sb_free(text);
    return st;
}
