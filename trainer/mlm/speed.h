/* SPDX-License-Identifier: MIT
 * speed.h - how much arithmetic a step is, and how fast these processors could
 * do it.
 *
 * Model FLOP: what the products of the model's forward and backward need,
 * however they are computed. What is computed twice (micro-batches), LayerNorm,
 * softmax and Adam count for nothing.
 */
#ifndef SB_MLM_SPEED_H
#define SB_MLM_SPEED_H

#include "trainer/mlm/engine.h"

/* Of one training step; N tokens, M of them masked, t tokens of a sequence:
 *   6 N L (4 D^2 + 2 D F)  +  12 L D sum of t^2  +  6 M (D^2 + V D)
 * A frozen table has no gradient: 4 M V D. N and M are of all ranks; t^2, a
 * small part, is taken to be to N as in this rank's slots. For speeds that are
 * shown, then. Local, after sb_mlm_forward. */
double sb_mlm_flop(const sb_mlm *m, const sb_wave *w);

/* FLOP/s of all ranks' threads together in this model's largest product, a
 * feed-forward layer's, all at once: the best of a few calls in a twentieth of
 * a second. A share of it is a share of what BLAS does here, not of what the
 * processors' makers promise. Collective; SB_ENOMEM on every rank. */
SB_MUST_USE sb_status sb_mlm_blas_speed(const sb_mlm *m, double *flop_s_out);

#endif
