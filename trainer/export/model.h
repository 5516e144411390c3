/* SPDX-License-Identifier: MIT
 * model.h - a checkpoint as Hugging Face's classes see it: which of them it
 * is, told by its tensors, and the tensors that belong to it. Local. */
#ifndef SB_EXPORT_MODEL_H
#define SB_EXPORT_MODEL_H

#include "dataset/model_config.h"
#include "dataset/vocab.h"
#include "proto/checkpoint.h"

typedef struct sb_hf_model {
    sb_ckpt *ckpt; /* borrowed */
    sb_model_config config;
    size_t *tensor; /* [tensors] indices into the checkpoint, by name */
    size_t tensors;
    uint64_t parameters; /* in all of them */
    char *names;         /* what config.label points into */
} sb_hf_model;

/* The model in `ckpt`, from phase mlm or finetune:
 *
 *   pre_classifier.* and classifier.*   DistilBertForSequenceClassification
 *   classifier.* alone                  DistilBertForTokenClassification
 *   neither                             DistilBertForMaskedLM
 *
 * Moments and the like are left aside, and so are the vocab_* tensors of a
 * classifier. Labels are those of the checkpoint's option `labels`. SB_EINVAL:
 * of another vocabulary, or a checkpoint of word2vec; SB_EFORMAT: a tensor is
 * missing, or they do not fit together. */
SB_MUST_USE sb_status sb_hf_model_open(sb_ckpt *ckpt, const sb_vocab *vocab,
                                       sb_hf_model *model_out);
void sb_hf_model_close(sb_hf_model *m); /* zeroed is fine */

#endif
