/* SPDX-License-Identifier: MIT
 * rng.h - counter-based random numbers: no state, so nothing to carry in a
 * checkpoint, and the same value on any rank, thread or restart.
 *
 * Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011), from Random123. key = (seed, purpose), counter = whatever names
 * the value: step, sample, layer and site, element.
 */
#ifndef SB_BASE_RNG_H
#define SB_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* What a number is for. Never renumber: they are part of a run's bits. */
typedef enum sb_rng_purpose {
    SB_RNG_INIT = 1,     /* initial weights of DistilBERT                   */
    SB_RNG_ORDER = 2,    /* order of mlm's samples                          */
    SB_RNG_MASK = 3,     /* which tokens are masked, and by what            */
    SB_RNG_DROPOUT = 4,  /* dropout                                         */
    SB_RNG_WORD2VEC = 5, /* windows, subsampling                            */
    SB_RNG_WORD2VEC_INIT = 6,  /* initial vectors                           */
    SB_RNG_WORD2VEC_ORDER = 7, /* order of blocks                           */
    SB_RNG_WORD2VEC_NOISE = 8, /* negatives                                 */
    SB_RNG_TEST = 99
} sb_rng_purpose;

typedef struct sb_rng_key {
    uint32_t seed_purpose[2];
} sb_rng_key;

typedef struct sb_rng4 {
    uint32_t v[4];
} sb_rng4;

sb_rng_key sb_rng_key_make(uint64_t seed, sb_rng_purpose purpose);

/* Four independent 32-bit values named by (a, b, c). */
sb_rng4 sb_rng_at(sb_rng_key key, uint64_t a, uint32_t b, uint32_t c);

/* [0, 1) with 24 bits. */
static inline float sb_rng_unit(uint32_t v)
{
    return (float)(v >> 8) * 0x1p-24f;
}

/* [0, n) without modulo bias that matters (n < 2^32): multiply-shift. */
static inline uint32_t sb_rng_below(uint32_t v, uint32_t n)
{
    return (uint32_t)(((uint64_t)v * n) >> 32);
}

/* out[i] = mean-zero normal of deviation `sd` named by (a, first + i);
 * Box-Muller in double. The value of element i does not depend on `first`
 * and n, only on first + i. */
void sb_rng_normal(sb_rng_key key, uint64_t a, uint64_t first, float *out,
                   size_t n, float sd);

/* keep[i] = 1 with probability 1 - p, else 0, for i < n; named by (a, b, i).
 * 16 bits each: p is rounded to a multiple of 2^-16, sb_rng_drop_rate(p). */
float sb_rng_drop_rate(float p);
void sb_rng_keep(sb_rng_key key, uint64_t a, uint32_t b, float p, uint8_t *keep,
                 size_t n);

/* The image of i under a permutation of [0, n) named by (key, round): a
 * Feistel network on the next power of four with cycle walking, so that no
 * table is needed. 0 <= i < n. */
uint64_t sb_rng_permute(sb_rng_key key, uint64_t round, uint64_t i, uint64_t n);

#endif
