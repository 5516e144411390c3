/* SPDX-License-Identifier: MIT
 * mix.c - which item is at which place.
 *
 * An epoch's places are numbered before they are shuffled: source by source,
 * first whole passes over its items, then its share of them. The share of
 * epoch e is positions e x share .. (e + 1) x share - 1, modulo n, of one
 * permutation of the source's items: never an item twice in an epoch, and
 * none a second time before all have come up.
 */
#include "dataset/mix.h"

#include <math.h>

#include "comm/base/mem.h"

#define PLACES_MAX 0x1p53

/* The order of a source's shares is permutation SHARES + source of the key;
 * epochs, which name the shuffles, never get there. */
#define SHARES ((uint64_t)1 << 63)

typedef struct part {
    uint64_t first_item, items;
    uint64_t first_place, passes, share; /* places: passes x items + share */
} part;

struct sb_mix {
    uint64_t places;
    size_t parts;
    part part[]; /* by source; those without a place too */
};

static sb_status add(sb_mix *m, uint64_t items, double weight)
{
    size_t s = m->parts;
    SB_REQUIRE(isfinite(weight) && weight >= 0, SB_EINVAL,
               "source %zu has weight %g; weights are 0 or more", s, weight);
    double places = round(weight * (double)items);
    if (weight > 0 && items > 0 && places < 1) places = 1;
    SB_REQUIRE(places <= PLACES_MAX - (double)m->places, SB_ELIMIT,
               "source %zu, with weight %g, makes an epoch too long", s,
               weight);
    part *p = &m->part[m->parts++];
    p->items = items;
    p->first_place = m->places;
    if (s > 0) p->first_item = p[-1].first_item + p[-1].items;
    if (items > 0) {
        p->passes = (uint64_t)places / items;
        p->share = (uint64_t)places % items;
    }
    m->places += (uint64_t)places;
    return SB_OK;
}

sb_status sb_mix_open(const uint64_t *items, const double *weight,
                      size_t sources, sb_mix **mix_out)
{
    sb_mix *m;
    SB_TRY(sb_alloc(1, sizeof *m + sources * sizeof m->part[0], "sources", &m));
    sb_status st = SB_OK;
    for (size_t s = 0; s < sources && st == SB_OK; s++)
        st = add(m, items[s], weight[s]);
    if (st == SB_OK && m->places == 0)
        st = sb_fail(SB_EINVAL, __FILE__, __LINE__,
                     "no source with a document has a weight above 0");
    if (st == SB_OK)
        *mix_out = m;
    else
        sb_mix_close(m);
    return st;
}

void sb_mix_close(sb_mix *m)
{
    sb_free(m);
}

uint64_t sb_mix_places(const sb_mix *m)
{
    return m->places;
}

/* The item of `p` that is t-th in the order of its shares. */
static uint64_t shared(const sb_mix *m, const part *p, sb_rng_key key,
                       uint64_t t)
{
    uint64_t order = SHARES + (uint64_t)(p - m->part);
    return p->first_item + sb_rng_permute(key, order, t % p->items, p->items);
}

uint64_t sb_mix_number(const sb_mix *m, sb_rng_key key, uint64_t epoch,
                       uint64_t i)
{
    return sb_rng_permute(key, epoch, i, m->places);
}

uint64_t sb_mix_item(const sb_mix *m, sb_rng_key key, uint64_t epoch,
                     uint64_t i)
{
    uint64_t number = sb_mix_number(m, key, epoch, i);
    const part *p = &m->part[m->parts - 1];
    while (p->first_place > number || p->passes + p->share == 0) p--;
    uint64_t at = number - p->first_place;
    if (at < p->passes * p->items) return p->first_item + at % p->items;
    return shared(m, p, key, epoch * p->share + at - p->passes * p->items);
}

uint64_t sb_mix_sum(const sb_mix *m, sb_rng_key key, uint64_t epochs,
                    const uint32_t *value)
{
    uint64_t sum = 0;
    for (const part *p = m->part; p < m->part + m->parts; p++) {
        if (p->passes + p->share == 0) continue;
        uint64_t once = 0, shares = epochs * p->share;
        for (uint64_t k = 0; k < p->items; k++)
            once += value[p->first_item + k];
        sum += (epochs * p->passes + shares / p->items) * once;
        for (uint64_t t = 0; t < shares % p->items; t++)
            sum += value[shared(m, p, key, t)];
    }
    return sum;
}
