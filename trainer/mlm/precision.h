/* SPDX-License-Identifier: MIT
 * precision.h - the precision of a run's matrix products: whether it can be
 * had, said, and what goes wrong with it, as statuses. Local.
 */
#ifndef SB_MLM_PRECISION_H
#define SB_MLM_PRECISION_H

#include "comm/base/status.h"
#include "trainer/kernels/kernels.h"

/* SB_EINVAL, with a hint, if this build cannot compute so on this processor. */
SB_MUST_USE sb_status sb_precision_check(sb_precision p);

/* One line of the log. */
void sb_precision_say(sb_precision p);

/* sb_mixed_open, its failure as SB_ENOMEM. */
SB_MUST_USE sb_status sb_precision_open(sb_precision p, sb_mixed *g);

/* SB_ENOMEM if a product since sb_precision_open has failed. */
SB_MUST_USE sb_status sb_precision_status(const sb_mixed *g);

#endif
