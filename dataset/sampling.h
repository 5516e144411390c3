/* SPDX-License-Identifier: MIT
 * sampling.h - what a training sample is, beside the plain one: a document,
 * cut to max_length tokens, with tokens masked one by one. Made once, then
 * only read. */
#ifndef SB_DATASET_SAMPLING_H
#define SB_DATASET_SAMPLING_H

#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/corpus.h"
#include "dataset/packing.h"
#include "dataset/piece_widths.h"
#include "dataset/vocab.h"

typedef struct sb_sampling_options {
    uint32_t max_length; /* that of the batch                               */
    uint32_t max_chars;  /* of its text a document is cut to; 0: not cut     */
    int whole_word;      /* all pieces of a word are masked, or none         */
    int pack;            /* samples of many documents, dataset/packing.h     */
} sb_sampling_options;

/* All zeros: the plain sample. */
typedef struct sb_sampling {
    uint8_t *continues;     /* [vocab size] 1: a "##" piece; NULL: one by one */
    sb_piece_width *widths; /* [vocab size] NULL: not cut by characters       */
    uint32_t max_chars;
    sb_packing *packing; /* NULL: a sample is a document                      */
} sb_sampling;

/* `train` as it will be sampled. SB_EINVAL: pack with max_chars, which is of
 * documents. Local. Close also what was only zeroed. */
SB_MUST_USE sb_status sb_sampling_open(const sb_sampling_options *o,
                                       const sb_vocab *vocab,
                                       const sb_corpus *train,
                                       sb_sampling *sampling_out);
void sb_sampling_close(sb_sampling *s);

/* Samples of one epoch of `train`; s may be NULL: plain ones. */
const sb_mix *sb_sampling_mix(const sb_sampling *s, const sb_corpus *train);

#endif
