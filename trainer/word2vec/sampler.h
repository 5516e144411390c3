/* SPDX-License-Identifier: MIT
 * sampler.h - which words of a text are trained on, and against what.
 *
 * Two distributions made from the counts of the training split:
 *   keep    subsampling of frequent words
 *   noise   negatives, counts^power over the usable pieces
 * A piece is usable if it occurs and is not a special token.
 *
 * The draws of a block come from a small fast generator whose start is a
 * Philox value named by (seed, epoch, number), the block's sb_mix_number: they
 * depend on nothing else.
 *
 * Local. Knows nothing of tables or ranks.
 */
#ifndef SB_TRAINER_SAMPLER_H
#define SB_TRAINER_SAMPLER_H

#include <stdint.h>

#include "comm/base/rng.h"
#include "comm/base/status.h"
#include "dataset/vocab.h"

/* xoshiro256++ (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", ACM TOMS 47, 2021). */
typedef struct sb_fast_rng {
    uint64_t s[4];
} sb_fast_rng;

sb_fast_rng sb_fast_rng_start(sb_rng_key key, uint32_t epoch, uint64_t number);

static inline uint64_t sb_fast_rng_next(sb_fast_rng *g)
{
    uint64_t *s = g->s, x = s[0] + s[3];
    uint64_t result = (x << 23 | x >> 41) + s[0], t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3] << 45 | s[3] >> 19;
    return result;
}

/* One column of the alias table: `id` if a 32-bit draw is below `cut`, else
 * `other`. */
typedef struct sb_alias {
    uint32_t cut, id, other;
} sb_alias;

typedef struct sb_sampler {
    uint32_t *keep;  /* [V] probability x 2^32; UINT32_MAX: always, 0: never */
    sb_alias *alias; /* [usable] */
    uint32_t usable; /* pieces */
    uint64_t words;  /* their occurrences */
    double kept;     /* of those, expected after subsampling */
} sb_sampler;

/* counts: [V]. sample: threshold as a share of the usable occurrences, 0: keep
 * everything. power >= 0. SB_EINVAL: no usable piece. */
SB_MUST_USE sb_status sb_sampler_open(const uint64_t *counts, uint32_t V,
                                      sb_special_ids special, double sample,
                                      double power, sb_sampler *sampler_out);
void sb_sampler_close(sb_sampler *s); /* a zeroed one is fine */

/* The probability of keeping a word that occurs `count` times of `words`:
 *   t = sample * words;  (sqrt(count / t) + 1) * t / count, at most 1
 * as in word2vec.c and gensim. (Mikolov et al. 2013b, eq. 5, prints
 * sqrt(t / count) alone; their program has this.) */
double sb_sampler_keep(uint64_t count, uint64_t words, double sample);

/* The share of usable occurrences that subsampling leaves, expected. */
static inline double sb_sampler_kept(const sb_sampler *s)
{
    return s->kept / (double)s->words;
}

static inline int sb_sampler_keeps(const sb_sampler *s, uint32_t id,
                                   sb_fast_rng *g)
{
    uint32_t k = s->keep[id];
    if (k == UINT32_MAX || k == 0) return k != 0;
    return (uint32_t)(sb_fast_rng_next(g) >> 32) < k;
}

/* How often rows are updated: in[v] and out[v] <- expected updates of input
 * and output row v per trained pair, each dot product an update: 1 + negative
 * for the word itself, 1 for the target and each negative. [V] each. */
void sb_sampler_updates(const sb_sampler *s, const uint64_t *counts, uint32_t V,
                        double power, uint32_t negative, float *in, float *out);

/* A piece with probability proportional to count^power. */
static inline uint32_t sb_sampler_noise(const sb_sampler *s, sb_fast_rng *g)
{
    uint64_t r = sb_fast_rng_next(g);
    const sb_alias *a = &s->alias[sb_rng_below((uint32_t)(r >> 32), s->usable)];
    return (uint32_t)r < a->cut ? a->id : a->other;
}

#endif
