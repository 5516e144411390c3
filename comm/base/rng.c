/* SPDX-License-Identifier: MIT
 * rng.c - Philox behind four shapes: values, normals, keep masks, and
 * permutations. */
#include "comm/base/rng.h"

#include <math.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <Random123/philox.h>
#pragma GCC diagnostic pop

static uint64_t mix(uint64_t x) /* splitmix64's finaliser */
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

sb_rng_key sb_rng_key_make(uint64_t seed, sb_rng_purpose purpose)
{
    uint64_t k = mix(seed + 0x9e3779b97f4a7c15u * (uint64_t)purpose);
    return (sb_rng_key){{(uint32_t)k, (uint32_t)(k >> 32)}};
}

sb_rng4 sb_rng_at(sb_rng_key key, uint64_t a, uint32_t b, uint32_t c)
{
    philox4x32_ctr_t ctr = {{(uint32_t)a, (uint32_t)(a >> 32), b, c}};
    philox4x32_key_t k = {{key.seed_purpose[0], key.seed_purpose[1]}};
    philox4x32_ctr_t r = philox4x32(ctr, k);
    return (sb_rng4){{r.v[0], r.v[1], r.v[2], r.v[3]}};
}

void sb_rng_normal(sb_rng_key key, uint64_t a, uint64_t first, float *out,
                   size_t n, float sd)
{
    const double two_pi = 6.283185307179586;
    for (uint64_t e = first; e < first + n;) {
        uint64_t pair = e / 2;
        sb_rng4 r = sb_rng_at(key, a, (uint32_t)pair, (uint32_t)(pair >> 32));
        double u = ((double)r.v[0] + 1.0) * 0x1p-32; /* (0, 1] */
        double w = (double)r.v[1] * 0x1p-32 * two_pi;
        double radius = sqrt(-2.0 * log(u)) * (double)sd;
        if (!(e & 1)) out[e++ - first] = (float)(radius * cos(w));
        if (e < first + n && e / 2 == pair)
            out[e++ - first] = (float)(radius * sin(w));
    }
}

float sb_rng_drop_rate(float p)
{
    return (float)lrintf(p * 65536.0f) * 0x1p-16f;
}

void sb_rng_keep(sb_rng_key key, uint64_t a, uint32_t b, float p, uint8_t *keep,
                 size_t n)
{
    uint32_t drop = (uint32_t)lrintf(p * 65536.0f);
    for (size_t i = 0; i < n; i += 8) {
        sb_rng4 r = sb_rng_at(key, a, b, (uint32_t)(i / 8));
        for (size_t j = 0; j < 8 && i + j < n; j++) {
            uint32_t half = (r.v[j / 2] >> (16 * (j & 1))) & 0xffff;
            keep[i + j] = half >= drop;
        }
    }
}

uint64_t sb_rng_permute(sb_rng_key key, uint64_t round, uint64_t i, uint64_t n)
{
    unsigned half = 1;
    while (half < 32 && (n - 1) >> (2 * half)) half++;
    uint64_t mask = ((uint64_t)1 << half) - 1;
    uint64_t x = i;
    do { /* at most 4 times the domain: about 4 turns on average */
        uint64_t l = x >> half, r = x & mask;
        for (uint32_t k = 0; k < 4; k++) {
            uint64_t f = sb_rng_at(key, round, (uint32_t)r, k).v[0] & mask;
            uint64_t next = l ^ f;
            l = r;
            r = next;
        }
        x = l << half | r;
    } while (x >= n);
    return x;
}
