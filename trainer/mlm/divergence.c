/* SPDX-License-Identifier: MIT
 * divergence.c - bad batches. */
#include "trainer/mlm/divergence.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

sb_status sb_divergence_check(const sb_divergence *d,
                              const sb_divergence_options *o, double loss,
                              uint64_t step)
{
    SB_REQUIRE(isfinite(loss), SB_ENAN,
               "the loss is not a finite number at step %" PRIu64, step);
    double sd = sqrt(d->variance);
    SB_REQUIRE(!(o->deviations > 0) || d->seen < SB_SPIKE_AFTER ||
                   loss <= d->mean + o->deviations * sd,
               SB_ENAN,
               "the loss jumps to %.4f at step %" PRIu64
               ", %.1f deviations above its mean of late, %.4f "
               "(--spike-deviations %g)",
               loss, step, (loss - d->mean) / sd, d->mean, o->deviations);
    return SB_OK;
}

void sb_divergence_observe(sb_divergence *d, double loss)
{
    uint64_t n = ++d->seen;
    double a = 1.0 / (double)(n < SB_SPIKE_AFTER ? n : SB_SPIKE_AFTER);
    double off = loss - d->mean;
    d->mean += a * off;
    d->variance = (1 - a) * (d->variance + a * off * off);
}

int sb_divergence_skip(sb_divergence *d, uint64_t batch)
{
    uint64_t row = 0;
    while (row < d->skips && d->skip[d->skips - 1 - row] == batch - 1 - row)
        row++;
    if (d->skips == SB_SKIPS_MAX || row == SB_SKIPS_IN_A_ROW) return 0;
    d->skip[d->skips++] = batch;
    return 1;
}

void sb_divergence_pack(const sb_divergence *d,
                        uint64_t word_out[SB_DIVERGENCE_WORDS])
{
    word_out[0] = d->seen;
    memcpy(&word_out[1], &d->mean, sizeof d->mean);
    memcpy(&word_out[2], &d->variance, sizeof d->variance);
    word_out[3] = d->skips;
    memcpy(word_out + 4, d->skip, sizeof d->skip);
}

sb_status sb_divergence_unpack(const uint64_t word[SB_DIVERGENCE_WORDS],
                               sb_divergence *d_out)
{
    sb_divergence d = {.seen = word[0], .skips = word[3]};
    memcpy(&d.mean, &word[1], sizeof d.mean);
    memcpy(&d.variance, &word[2], sizeof d.variance);
    memcpy(d.skip, word + 4, sizeof d.skip);
    int good = isfinite(d.mean) && isfinite(d.variance) && d.variance >= 0 &&
               d.skips <= SB_SKIPS_MAX;
    for (uint64_t i = 1; good && i < d.skips; i++)
        good = d.skip[i - 1] < d.skip[i];
    SB_REQUIRE(good, SB_EFORMAT,
               "the checkpoint's record of its losses makes no sense");
    *d_out = d;
    return SB_OK;
}
