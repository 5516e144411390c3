/* SPDX-License-Identifier: MIT
 * no_onednn.c - in the place of onednn.c, in a build without oneDNN. */
#include "trainer/kernels/onednn.h"

#include "trainer/kernels/kernels.h"

int sb_kernels_onednn(char version_out[16])
{
    version_out[0] = '\0';
    return 0;
}

const char *sb_kernels_onednn_set(void)
{
    return "";
}

const char *sb_onednn_lacks(sb_onednn_type type)
{
    (void)type;
    return "this program was built without oneDNN";
}

sb_onednn *sb_onednn_open(sb_onednn_type type)
{
    (void)type;
    return NULL;
}

void sb_onednn_close(sb_onednn *x)
{
    (void)x;
}

int sb_onednn_product(sb_onednn *x, float *c, int add, const void *a, int ta,
                      const void *b, int tb, size_t m, size_t n, size_t k)
{
    (void)x, (void)c, (void)add, (void)a, (void)ta, (void)b, (void)tb;
    (void)m, (void)n, (void)k;
    return 0;
}
