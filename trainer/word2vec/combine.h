/* SPDX-License-Identifier: MIT
 * combine.h - how the changes that several replicas made to one row become
 * one change. With d_1 .. d_n the changes of those that touched it,
 *
 *   sum        S = d_1 + ... + d_n
 *   average    S / n
 *   weighted   w S,  w = (1 - exp(-n c)) / (n (1 - exp(-c)))
 *   project    GraphWord2Vec's model combiner (Gill et al., arXiv 1909.03359):
 *              m_1 = d_1,  m_k = m_(k-1) + d_k - p m_(k-1),
 *              p = <m_(k-1), d_k> / |m_(k-1)|^2
 *   damped     the same with (1 - exp(-c)) p in place of p; the default
 *
 * Why c. An update pulls a row towards where its neighbours want it by a share
 * alpha * curvature of the way; k of them by 1 - exp(-c), c = k alpha
 * curvature. Had the n replicas worked one after the other, a row would have
 * come 1 - exp(-n c) of the way they agree on, while the sum of their changes
 * is n (1 - exp(-c)). weighted corrects the whole change by that quotient;
 * damped only its part along the changes of the replicas before, as a later
 * worker would have found that share of the way already gone. Rare rows (c near
 * 0) add up, the learning rate of a sequential run; what every replica says of
 * a frequent row is taken once. k is the expected number of updates
 * (sb_sampler_updates), so c needs no message and no counter.
 * docs/word2vec.md has what was measured of all of them.
 *
 * Local; arrays only.
 */
#ifndef SB_TRAINER_COMBINE_H
#define SB_TRAINER_COMBINE_H

#include <stddef.h>

typedef enum sb_combine {
    SB_COMBINE_SUM,
    SB_COMBINE_AVERAGE,
    SB_COMBINE_WEIGHTED,
    SB_COMBINE_PROJECT,
    SB_COMBINE_DAMPED
} sb_combine;

/* row += the combination of n >= 1 changes, change[k] [D]; c >= 0; scratch
 * [D]. */
void sb_combine_changes(sb_combine how, float *row, const float *const *change,
                        size_t n, double c, float *scratch, size_t D);

#endif
