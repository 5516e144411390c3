/* SPDX-License-Identifier: MIT
 * card.h - the model card, README.md: what the model is, how to load it, from
 * what text and with which options it was trained, and how good it was. Local.
 */
#ifndef SB_EXPORT_CARD_H
#define SB_EXPORT_CARD_H

#include "dataset/manifest.h"
#include "trainer/export/model.h"

/* What the checkpoint does not say. All borrowed. */
typedef struct sb_card {
    const char *name;          /* the title */
    const char *metrics;       /* folder of metrics.jsonl, or NULL */
    const char *word2vec;      /* phase 1's configuration, or NULL */
    const sb_manifest *corpus; /* or NULL: not at hand */
} sb_card;

/* Write `path`, all or nothing. Paths, of files and in options, are left out:
 * the card is for everybody. */
SB_MUST_USE sb_status sb_card_write(const char *path, const sb_hf_model *m,
                                    const sb_card *card);

#endif
