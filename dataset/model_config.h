/* SPDX-License-Identifier: MIT
 * model_config.h - config.json, by which Hugging Face's programs know what a
 * DistilBERT looks like. */
#ifndef SB_DATASET_MODEL_CONFIG_H
#define SB_DATASET_MODEL_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"

typedef enum sb_model_head {
    SB_HEAD_MLM,      /* DistilBertForMaskedLM                */
    SB_HEAD_SEQUENCE, /* DistilBertForSequenceClassification  */
    SB_HEAD_TOKEN     /* DistilBertForTokenClassification     */
} sb_model_head;

typedef struct sb_model_config {
    sb_model_head head;
    uint32_t vocab, dim, layers, heads, ffn, positions, pad;
    double dropout, attention_dropout, classifier_dropout, init_range;
    int tied;                 /* the output's rows are the token table's */
    int regression;           /* of a sequence: one number, no labels */
    const char *const *label; /* [labels] of a classifier, borrowed; or NULL:
                                 LABEL_0, LABEL_1, ... */
    size_t labels;
} sb_model_config;

/* Write `path`, all or nothing. SB_EINVAL: two labels are the same. */
SB_MUST_USE sb_status sb_model_config_write(const char *path,
                                            const sb_model_config *c);

/* Read the shape (vocab, dim, layers, heads, ffn, positions) and `tied`; the
 * rest of *c_out is 0. SB_EFORMAT: not JSON, not a DistilBERT, another
 * activation than GELU, a size that is missing or cannot be. */
SB_MUST_USE sb_status sb_model_config_read(const char *path,
                                           sb_model_config *c_out);

#endif
