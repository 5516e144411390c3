/* SPDX-License-Identifier: MIT
 * precision.c - mixed products, for those who return statuses. */
#include "trainer/mlm/precision.h"

#include <string.h>

#include "comm/base/log.h"

sb_status sb_precision_check(sb_precision p)
{
    char version[16];
    const char *why = sb_precision_lacks(p);
    if (!why) return SB_OK;
    sb_fail(SB_EINVAL, __FILE__, __LINE__, "precision = bf16 cannot be had: %s",
            why);
    if (!sb_kernels_onednn(version))
        return sb_hint("install oneDNN (Debian: libdnnl-dev) and build again; "
                       "or --precision fp32");
    return sb_hint("--precision fp32; bf16-emulated computes the same as bf16, "
                   "but slower than fp32");
}

void sb_precision_say(sb_precision p)
{
    char version[16];
    const char *set = sb_kernels_onednn_set();
    sb_kernels_onednn(version);
    if (p == SB_FP32)
        sb_log(SB_LOG_INFO, "matrix products in fp32 (OpenBLAS %s)",
               sb_kernels_core());
    else if (p == SB_BF16_EMULATED)
        sb_log(SB_LOG_INFO,
               "matrix products in bf16, emulated (OpenBLAS %s): to see what "
               "it does, slower than fp32; all else in fp32",
               sb_kernels_core());
    else
        sb_log(SB_LOG_INFO,
               "matrix products in bf16 (oneDNN %s, %s%s); all else in fp32",
               version, set,
               strstr(set, "bf16") || strstr(set, "amx")
                   ? ""
                   : ", without instructions for it: slower than fp32");
}

sb_status sb_precision_open(sb_precision p, sb_mixed *g)
{
    SB_REQUIRE(sb_mixed_open(g, p), SB_ENOMEM,
               "oneDNN's products cannot be made ready: out of memory?");
    return SB_OK;
}

sb_status sb_precision_status(const sb_mixed *g)
{
    SB_REQUIRE(!g->failed, SB_ENOMEM,
               "a product by oneDNN has failed: out of memory?");
    return SB_OK;
}
