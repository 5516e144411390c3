/* SPDX-License-Identifier: MIT
 * manifest_text.h - what the two halves of dataset/manifest.h share, and
 * nobody else sees. */
#ifndef SB_DATASET_MANIFEST_TEXT_H
#define SB_DATASET_MANIFEST_TEXT_H

#include <stddef.h>

#include "dataset/manifest.h"

#define SB_MANIFEST_NAME   "corpus.json"
#define SB_MANIFEST_FORMAT "shardbert-corpus"
enum { SB_MANIFEST_VERSION = 3, SB_STATS = 9 };

extern const char *const sb_split_name[2];

/* The plain numbers of sb_source_stats, in the order of the text. */
typedef struct sb_stat {
    const char *key;
    size_t at; /* offset of the uint64_t */
} sb_stat;
extern const sb_stat sb_stats[SB_STATS];

/* What must hold of any manifest; SB_EFORMAT. */
SB_MUST_USE sb_status sb_manifest_check(const sb_manifest *m);

/* Its last key is the checksum of all before it. Free *text_out with free(). */
SB_MUST_USE sb_status sb_manifest_text(const sb_manifest *m, char **text_out,
                                       size_t *bytes_out);

#endif
