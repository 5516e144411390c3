/* SPDX-License-Identifier: MIT
 * batch.h - masked-language-model samples as pure functions of their number.
 *
 * Training sample g = step x batch + i is the document at place g mod n of
 * epoch g div n, n = places of the corpus's mix of documents (dataset/mix.h):
 * [CLS] ids... [SEP], cut to max_length tokens. Masking (Devlin et al. 2019;
 * parity list in docs/math.md): each token that is not special is chosen with
 * probability mask_prob; of the chosen ones 80 % become [MASK], 10 % a
 * uniformly random id, 10 % stay. All draws are functions of (seed, g,
 * position), never of rank or thread.
 *
 * Evaluation samples are documents 0, 1, 2, ... of the held-out split, masked
 * by functions of (position, document) with a fixed seed: the same set at
 * every step and for every run.
 */
#ifndef SB_DATASET_BATCH_H
#define SB_DATASET_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/corpus.h"
#include "dataset/vocab.h"

typedef struct sb_batch_options {
    uint64_t seed;
    uint32_t max_length; /* tokens, [CLS] and [SEP] included; >= 3 */
    float mask_prob;
    sb_special_ids special;
    uint32_t vocab_size;
} sb_batch_options;

/* Packed sequences: no padding anywhere. */
typedef struct sb_batch {
    uint32_t *ids;       /* [tokens] as the model sees them                 */
    uint32_t *seq_begin; /* [sequences + 1] offsets into ids                */
    uint64_t *sample;    /* [sequences] global sample numbers g             */
    uint32_t *masked;    /* [nmasked] indices into ids, rising              */
    uint32_t *target;    /* [nmasked] the true ids                          */
    size_t tokens, sequences, nmasked;
    size_t token_cap, sequence_cap; /* room, see sb_batch_open */
} sb_batch;

/* Room for `sequences` sequences of max_length tokens. */
SB_MUST_USE sb_status sb_batch_open(size_t sequences, uint32_t max_length,
                                    sb_batch *batch_out);
void sb_batch_close(sb_batch *b);

/* Fill with training samples [g, g + n); corpus: the training split. */
SB_MUST_USE sb_status sb_batch_train(sb_batch *b, sb_corpus *corpus,
                                     const sb_batch_options *o, uint64_t g,
                                     size_t n);
/* Fill with held-out documents [first, first + n); past the end: none. */
SB_MUST_USE sb_status sb_batch_heldout(sb_batch *b, sb_corpus *corpus,
                                       const sb_batch_options *o,
                                       uint64_t first, size_t n);

#endif
