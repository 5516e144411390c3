/* SPDX-License-Identifier: MIT
 * tensors.c - names and shapes. */
#include "trainer/mlm/tensors.h"

#include <inttypes.h>
#include <stdio.h>

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
