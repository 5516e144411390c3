/* SPDX-License-Identifier: MIT
 * eval_model.h - the part of `shardbert eval` that judges a model. */
#ifndef SB_LAUNCH_EVAL_MODEL_H
#define SB_LAUNCH_EVAL_MODEL_H

#include "launch/common.h"

/* 1 if the options ask for it: --mlm, --sentences. */
int sb_eval_model_asked(const sb_app *a);

/* Judge the run's model, or that of --checkpoint, and print. Collective. */
SB_MUST_USE sb_status sb_eval_model(sb_app *a);

#endif
