/* SPDX-License-Identifier: MIT
 * sampler.c - keep probabilities, and Walker's alias table as Vose builds it
 * ("A linear algorithm for generating random numbers with a given
 * distribution", IEEE TSE 17, 1991). */
#include "trainer/word2vec/sampler.h"

#include <math.h>

#include "comm/base/mem.h"

sb_fast_rng sb_fast_rng_start(sb_rng_key key, uint32_t epoch, uint64_t number)
{
    sb_fast_rng g;
    for (uint32_t i = 0; i < 2; i++) {
        sb_rng4 r = sb_rng_at(key, number, epoch, i);
        g.s[2 * i] = (uint64_t)r.v[0] << 32 | r.v[1];
        g.s[2 * i + 1] = (uint64_t)r.v[2] << 32 | r.v[3];
    }
    g.s[3] |= 1; /* the all-zero state would stay zero */
    return g;
}

double sb_sampler_keep(uint64_t count, uint64_t words, double sample)
{
    double t = sample * (double)words;
    if (t <= 0 || count == 0) return 1;
    double p = (sqrt((double)count / t) + 1) * t / (double)count;
    return p < 1 ? p : 1;
}

static void fill_keep(sb_sampler *s, const uint64_t *counts, uint32_t V,
                      sb_special_ids special, double sample)
{
    for (uint32_t id = 0; id < V; id++) {
        double p = sb_sampler_keep(counts[id], s->words, sample) * 0x1p32;
        s->keep[id] = p >= (double)UINT32_MAX ? UINT32_MAX : (uint32_t)p;
        if (s->keep[id] == 0) s->keep[id] = 1;
        if (sb_special_is(&special, id)) s->keep[id] = 0;
        s->kept +=
            (double)counts[id] * (double)s->keep[id] / (double)UINT32_MAX;
    }
}

/* weight[i]: the share of column i, scaled so that the mean is 1. Columns
 * below 1 are topped up, each by one column above 1. */
static void fill_alias(sb_sampler *s, double *weight, uint32_t *todo)
{
    uint32_t n = s->usable, low = 0, high = n; /* two stacks, back to back */
    for (uint32_t i = n; i-- > 0;) {
        if (weight[i] < 1)
            todo[low++] = i;
        else
            todo[--high] = i;
    }
    while (low > 0 && high < n) {
        uint32_t l = todo[--low], h = todo[high];
        s->alias[l].cut = (uint32_t)(weight[l] * (double)UINT32_MAX);
        s->alias[l].other = s->alias[h].id;
        weight[h] -= 1 - weight[l];
        if (weight[h] < 1) {
            high++;
            todo[low++] = h;
        }
    }
    /* What is left is 1 up to rounding: cut stays UINT32_MAX, other == id. */
}

static sb_status make_alias(sb_sampler *s, const uint64_t *counts, uint32_t V,
                            double power)
{
    double *weight, sum = 0;
    uint32_t *todo, n = 0;
    SB_TRY(sb_alloc(s->usable, sizeof *s->alias, "noise table", &s->alias));
    SB_TRY(sb_alloc(s->usable, sizeof *weight, "noise weights", &weight));
    sb_status st = sb_alloc(s->usable, sizeof *todo, "noise stacks", &todo);
    if (st != SB_OK) {
        sb_free(weight);
        return st;
    }
    for (uint32_t id = 0; id < V; id++) {
        if (s->keep[id] == 0 || counts[id] == 0) continue;
        s->alias[n] = (sb_alias){UINT32_MAX, id, id};
        weight[n] = pow((double)counts[id], power);
        sum += weight[n++];
    }
    for (uint32_t i = 0; i < n; i++) weight[i] *= (double)n / sum;
    fill_alias(s, weight, todo);
    sb_free(todo);
    sb_free(weight);
    return SB_OK;
}

sb_status sb_sampler_open(const uint64_t *counts, uint32_t V,
                          sb_special_ids special, double sample, double power,
                          sb_sampler *sampler_out)
{
    sb_sampler s = {0};
    for (uint32_t id = 0; id < V; id++) {
        if (sb_special_is(&special, id) || counts[id] == 0) continue;
        s.usable++;
        s.words += counts[id];
    }
    if (s.usable == 0) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__,
                "the corpus holds nothing but special tokens");
        return sb_hint("was it ingested with the vocabulary that fits it?");
    }
    sb_status st = sb_alloc(V, sizeof *s.keep, "keep probabilities", &s.keep);
    if (st == SB_OK) {
        fill_keep(&s, counts, V, special, sample);
        st = make_alias(&s, counts, V, power);
    }
    if (st != SB_OK) {
        sb_sampler_close(&s);
        return st;
    }
    *sampler_out = s;
    return SB_OK;
}

void sb_sampler_close(sb_sampler *s)
{
    sb_free(s->keep);
    sb_free(s->alias);
    *s = (sb_sampler){0};
}

void sb_sampler_updates(const sb_sampler *s, const uint64_t *counts, uint32_t V,
                        double power, uint32_t negative, float *in, float *out)
{
    double words = 0, noise = 0;
    for (uint32_t v = 0; v < V; v++) {
        if (s->keep[v] == 0 || counts[v] == 0) continue;
        words += (double)counts[v] * (double)s->keep[v];
        noise += pow((double)counts[v], power);
    }
    for (uint32_t v = 0; v < V; v++) {
        in[v] = out[v] = 0;
        if (s->keep[v] == 0 || counts[v] == 0) continue;
        double word = (double)counts[v] * (double)s->keep[v] / words;
        double drawn = pow((double)counts[v], power) / noise;
        in[v] = (float)(word * (1 + (double)negative));
        out[v] = (float)(word + (double)negative * drawn);
    }
}
