/* SPDX-License-Identifier: MIT
 * lr_find.h - which learning rate: the range test.
 *
 * Training starts from the first weights while the learning rate rises from
 * SB_LR_FIND_FROM to SB_LR_FIND_TO by the same factor every step; the loss of
 * each batch is noted. It falls where the rate is right and rises where it is
 * too large (Smith 2017, "Cyclical learning rates for training neural
 * networks", section 3.3, arXiv 1506.01186; exponential, as fast.ai's
 * lr_find). The sweep ends early once a loss is no number or 4 times the least.
 *
 * Smoothed: in a window of a twelfth of the steps to either side a line is
 * fitted to the losses by least squares; its middle is the smoothed loss, its
 * slope the descent. Nothing lags, as a running mean would.
 */
#ifndef SB_MLM_LR_FIND_H
#define SB_MLM_LR_FIND_H

#include <stddef.h>

#include "dataset/corpus.h"

struct sb_mlm; /* trainer/mlm/engine.h */

#define SB_LR_FIND_FROM 1e-7
#define SB_LR_FIND_TO   1.0

typedef struct sb_lr_point {
    double lr, loss, smooth;
} sb_lr_point;

typedef struct sb_lr_curve {
    sb_lr_point *point; /* [n], in the order of the sweep                  */
    size_t n, steps;    /* n < steps: it ended early                       */
    size_t lowest;      /* the point of the least smoothed loss; n: none   */
    size_t steepest;    /* at it or before, the steepest descent; n: none  */
} sb_lr_curve;

/* Sweep with a model that is initialised, and of no use afterwards. `steps` is
 * at least 24. Collective; the same bits on every rank, and for any number of
 * ranks. SB_ESTOP: asked to stop. */
SB_MUST_USE sb_status sb_lr_find(struct sb_mlm *m, sb_corpus *train,
                                 size_t steps, sb_lr_curve *curve_out);
void sb_lr_curve_close(sb_lr_curve *c); /* zeroed is fine */

/* From n, steps and all lr and loss: smooth, lowest and steepest. Local. */
void sb_lr_curve_judge(sb_lr_curve *c);

#endif
