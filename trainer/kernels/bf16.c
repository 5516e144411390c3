/* SPDX-License-Identifier: MIT
 * bf16.c - rounding to bf16: sign, eight bits of exponent, seven of mantissa.
 *
 * It is the upper half of an fp32, so rounding is an addition on its bits, and
 * what carries into the exponent is right. */
#include "trainer/kernels/kernels.h"

#include "trainer/kernels/vec.h"

size_t sb_rounded_size(sb_precision p)
{
    return p == SB_BF16            ? sizeof(uint16_t)
           : p == SB_BF16_EMULATED ? sizeof(float)
                                   : 0;
}

/* x rounded, as the bits of an fp32 whose lower half is 0. A NaN is made a quiet
 * one, so that none of its upper half becomes infinity. */
SB_INLINE uint32_t rounded(float x)
{
    uint32_t u = bits_of(x);
    uint32_t near = u + 0x7fffu + (u >> 16 & 1u);
    uint32_t y = (u & 0x7fffffffu) > 0x7f800000u ? u | 0x400000u : near;
    return y & 0xffff0000u;
}

SB_INLINE void halves_body(uint16_t *restrict to, const float *restrict x,
                           size_t n)
{
    for (size_t i = 0; i < n; i++) to[i] = (uint16_t)(rounded(x[i]) >> 16);
}

SB_INLINE void floats_body(float *restrict to, const float *restrict x,
                           size_t n)
{
    for (size_t i = 0; i < n; i++) to[i] = float_of(rounded(x[i]));
}

static void halves(uint16_t *to, const float *x, size_t n);
SB_KERNEL(halves, halves_body, (uint16_t * to, const float *x, size_t n),
          (to, x, n))

static void floats(float *to, const float *x, size_t n);
SB_KERNEL(floats, floats_body, (float *to, const float *x, size_t n),
          (to, x, n))

void sb_round(void *to, const float *x, size_t n, sb_precision p)
{
    if (p == SB_BF16) halves(to, x, n);
    if (p == SB_BF16_EMULATED) floats(to, x, n);
}
