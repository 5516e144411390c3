/* SPDX-License-Identifier: MIT
 * windows.h - a stretch of text as targets with their windows, and which
 * windows are trained together.
 *
 * Skip-gram with negative sampling reads 1 + negative output rows for every
 * target. Context combining (Rengasamy et al., "Optimizing Word2Vec
 * Performance on Multicore Systems", IA3 2017) lets several windows share
 * them: with the rows of a target and its negatives at hand, other windows
 * whose target is one of these are trained against the same rows, each with
 * its own as the true one. They come from anywhere in the stretch, so their
 * contexts have nothing to do with each other, unlike those of neighbouring
 * targets: sharing over neighbours loses quality, this does not
 * (docs/word2vec.md).
 *
 * A group is put together in rounds: each takes one window for every word of
 * the group that has one waiting, and is trained as a step of its own. Several
 * windows of one word in one step would push its output row by the sum of as
 * many steps taken from the same place: with up to 8 of them, as the paper's
 * program has it, training diverges at learning rates that are otherwise good.
 *
 * Which windows wait for a word is told by a list of its places in the text.
 * Windows are taken from the front of their word's list only, and the one that
 * begins a group is the first not yet taken, which stands at the front of its
 * own: so one position per word says what is left of a list.
 *
 * Local. Knows nothing of tables or ranks.
 */
#ifndef SB_TRAINER_WINDOWS_H
#define SB_TRAINER_WINDOWS_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/shard.h"
#include "trainer/word2vec/sampler.h"

enum { SB_GROUP_WINDOWS = 8, SB_GROUP_ROUNDS = 2, SB_GROUP_OUTPUTS = 64 };

/* Contexts of a target: so many words before and behind it. */
typedef struct sb_reach {
    uint16_t left, right;
} sb_reach;

/* What is left of a word's list: order[first .. end). */
typedef struct sb_waiting {
    uint32_t first, end;
} sb_waiting;

typedef struct sb_windows {
    uint32_t *word;      /* [n] what subsampling left of the text */
    sb_reach *reach;     /* [n] */
    uint32_t *order;     /* [n] places of words, by word, then rising */
    uint8_t *taken;      /* [n] */
    sb_waiting *waiting; /* [V] */
    uint32_t n, room, V;
    uint32_t leader; /* no window before it waits */
    uint32_t done;   /* windows taken */
} sb_windows;

typedef struct sb_group {
    uint32_t out[SB_GROUP_OUTPUTS]; /* all different; [0] the leader's word */
    uint32_t place[SB_GROUP_WINDOWS];
    uint8_t label[SB_GROUP_WINDOWS]; /* place[k]'s word is out[label[k]] */
    uint32_t outs, windows;
    uint32_t round[SB_GROUP_ROUNDS]; /* windows of the rounds up to this */
} sb_group;

/* Room for `tokens` tokens, < 2^32. */
SB_MUST_USE sb_status sb_windows_open(sb_windows *w, size_t tokens, uint32_t V);
void sb_windows_close(sb_windows *w); /* a zeroed one is fine */

/* Forget the stretch before; then add blocks, in order; then make the lists.
 * Special tokens and words lost to subsampling are taken out of a sentence
 * first, so windows reach over them, but never over the end of a sentence.
 * Each target's window is min(window, what a uniform draw from 1..window
 * leaves); window <= 1000. rng: of the block. */
void sb_windows_clear(sb_windows *w);
void sb_windows_add(sb_windows *w, const sb_block *block,
                    const sb_sampler *sampler, uint32_t window,
                    sb_fast_rng *rng);
void sb_windows_index(sb_windows *w);

/* The next group: the word of the first window that waits, `negative` <
 * SB_GROUP_OUTPUTS negatives for it, and windows that wait for one of these,
 * that first one before all. A negative that is
 * there already is drawn again, a few times, then left out. 0: none waits. */
int sb_windows_next(sb_windows *w, const sb_sampler *sampler, uint32_t negative,
                    sb_fast_rng *rng, sb_group *group_out);

#endif
