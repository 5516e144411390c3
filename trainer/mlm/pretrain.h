/* SPDX-License-Identifier: MIT
 * pretrain.h - phase 2: DistilBERT by masked language modelling.
 *
 * The global batch of `batch` sequences is cut into `slots` slots, which are
 * dealt out to the ranks in rising ranges (ranks <= slots). Losses and all
 * parameters are the same, bit for bit, for any number of ranks and threads,
 * for any micro-batch, and after any restart; slots, batch and vocab_block are
 * part of the recipe (they order the sums).
 *
 * The loss is the mean over the masked tokens of the global batch.
 */
#ifndef SB_MLM_PRETRAIN_H
#define SB_MLM_PRETRAIN_H

#include <stdint.h>

#include "comm/reduce.h"
#include "dataset/corpus.h"
#include "dataset/sampling.h"
#include "dataset/vocab.h"
#include "trainer/kernels/kernels.h"
#include "trainer/mlm/divergence.h"
#include "trainer/mlm/layout.h"
#include "trainer/mlm/lr_find.h"
#include "trainer/mlm/optimiser.h"
#include "trainer/mlm/schedule.h"
#include "trainer/resume.h"

/* Where the first weights come from. */
typedef enum sb_first {
    SB_FROM_CHANCE,
    SB_FROM_WORD2VEC, /* token rows: a folder of word2vec's checkpoints */
    SB_FROM_VECTORS,  /* token rows: a file of word vectors             */
    SB_FROM_HF        /* all: a folder of a Hugging Face model          */
} sb_first;

typedef struct sb_mlm_options {
    const char *dir;    /* checkpoints and metrics.jsonl               */
    const char *config; /* effective configuration                     */
    sb_begun begun;     /* NULL: nobody needs to know                  */
    void *begun_arg;
    sb_first init_from;
    const char *init_path; /* of the folder or file                      */
    double init_scale;     /* deviation word2vec rows get; 0: as they are */
    int unigram_bias;      /* start the output bias at log unigram        */
    sb_mlm_shape shape;    /* vocab comes from the vocabulary             */
    float init_range;      /* deviation of initial weights (0.02)         */
    uint32_t batch, slots, max_length, micro_batch; /* micro 0: all        */
    uint32_t vocab_block; /* rows of a vocabulary block                  */
    float mask_prob, dropout, attention_dropout;
    const sb_sampling *sampling; /* borrowed; NULL: plain samples        */
    sb_schedule schedule;
    sb_adam_options adam;
    sb_divergence_options divergence;
    uint64_t stop_at; /* leave after this step, with a checkpoint; 0 */
    uint64_t eval_every, eval_samples;
    uint64_t checkpoint_every, keep_every; /* steps between checkpoints, and
                                  between those that are never removed; 0   */
    double checkpoint_minutes;             /* 0: the clock asks for none */
    unsigned keep;                         /* newest checkpoints, 0: all */
    const char *local_dir; /* of local checkpoints (trainer/shares.h), NULL */
    double local_minutes;  /* between them */
    uint32_t head_group;   /* masked positions scored at once             */
    sb_reduce reduce;      /* exact, or fast: other bits for other ranks */
    uint64_t memory_limit; /* bytes a rank may take; 0: its part of the host */
    int tensorboard;       /* an event file beside metrics.jsonl          */
    uint64_t seed;
    int threads;
    sb_precision precision; /* of the linear layers' and the head's products */
} sb_mlm_options;

/* Train, or go on where the newest whole checkpoint in dir stands
 * (trainer/resume.h); losses and held-out losses go to <dir>/metrics.jsonl.
 * Collective. SB_ESTOP after a signal, with a checkpoint; SB_ENAN if training
 * diverges, without a new one. */
SB_MUST_USE sb_status sb_mlm_train(sb_comm *c, sb_corpus *train,
                                   sb_corpus *heldout, const sb_vocab *vocab,
                                   const sb_mlm_options *o);

/* Instead of training: the learning rate range test, from the first weights.
 * Neither reads nor writes the folder o->dir. Close *curve_out with
 * sb_lr_curve_close. Collective. */
SB_MUST_USE sb_status sb_mlm_find_lr(sb_comm *c, sb_corpus *train,
                                     const sb_vocab *vocab,
                                     const sb_mlm_options *o, size_t steps,
                                     sb_lr_curve *curve_out);

#endif
