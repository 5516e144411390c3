/* SPDX-License-Identifier: MIT
 * batch.h - masked-language-model samples as pure functions of their number.
 *
 * Training sample g = step x batch + i is item g mod n of epoch g div n, n =
 * places of an epoch (dataset/mix.h). An item is a document, cut to max_length
 * tokens and to max_chars characters (dataset/piece_widths.h); or it is packed
 * (dataset/packing.h). The sample is [CLS] ids... [SEP].
 *
 * Masking (Devlin et al. 2019; parity list in docs/math.md): each token that
 * is not special is chosen with probability mask_prob; or each word with all
 * its pieces. Of the chosen tokens 80 % become [MASK], 10 % a uniformly random
 * id, 10 % stay, each piece of a word by a draw of its own. All draws are
 * functions of (seed, g, position), never of rank or thread; a word's is that
 * of its first piece.
 *
 * Evaluation samples are documents 0, 1, 2, ... of the held-out split, cut in
 * the same way, never packed, masked token by token by functions of (position,
 * document) with a fixed seed: the same set at every step, and the same masks
 * in every run.
 */
#ifndef SB_DATASET_BATCH_H
#define SB_DATASET_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/corpus.h"
#include "dataset/sampling.h"
#include "dataset/vocab.h"

typedef struct sb_batch_options {
    uint64_t seed;
    uint32_t max_length; /* tokens, [CLS] and [SEP] included; >= 3 */
    float mask_prob;
    sb_special_ids special;
    uint32_t vocab_size;
    const sb_sampling *sampling; /* borrowed; NULL: plain samples */
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

/* Samples of an epoch of the training split. */
uint64_t sb_batch_places(const sb_corpus *train, const sb_sampling *sampling);

/* Fill with training samples [g, g + n); corpus: the training split. */
SB_MUST_USE sb_status sb_batch_train(sb_batch *b, sb_corpus *corpus,
                                     const sb_batch_options *o, uint64_t g,
                                     size_t n);
/* Fill with held-out documents [first, first + n); past the end: none. */
SB_MUST_USE sb_status sb_batch_heldout(sb_batch *b, sb_corpus *corpus,
                                       const sb_batch_options *o,
                                       uint64_t first, size_t n);

#endif
