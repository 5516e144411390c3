/* SPDX-License-Identifier: MIT
 * manifest.h - corpus.json: which shards make up a corpus, and what is known
 * of its sources. Written last, atomically: a folder without it is not a
 * corpus yet. docs/formats.md describes every field.
 */
#ifndef SB_DATASET_MANIFEST_H
#define SB_DATASET_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "comm/base/status.h"
#include "dataset/shard.h"

typedef enum sb_split { SB_TRAIN = 0, SB_HELDOUT = 1 } sb_split;

enum {
    SB_LENGTHS = 24,
    SB_SPEC_MAX = 1024,
    SB_PLACE_MAX = 256,
    SB_SOURCE_NAME_MAX = 32,
    SB_SOURCES_MAX = 1 << 17 /* more than a recipe has room for */
};

/* What reading and encoding (a unit of) a source gave. Numbers add up. */
typedef struct sb_source_stats {
    uint64_t documents;  /* kept, train and held out                          */
    uint64_t heldout;    /* of those                                          */
    uint64_t text_bytes; /* of the kept                                       */
    uint64_t tokens;     /* of the kept                                       */
    uint64_t unknown;    /* of those, [UNK]                                   */
    uint64_t duplicates; /* documents that an earlier one equals, byte by byte*/
    uint64_t dropped;    /* of those, left out of the corpus                  */
    uint64_t skipped;    /* records without a document: redirects, no text    */
    uint64_t bad;        /* records that could not be read                    */
    uint64_t length[SB_LENGTHS]; /* kept, by tokens: [2^i, 2^(i+1))           */
    char first_bad[SB_PLACE_MAX]; /* "file:offset: why", or ""                */
} sb_source_stats;

typedef struct sb_source_entry {
    char spec[SB_SPEC_MAX]; /* "c4:/data/c4/?.gz", without the weight */
    double weight;          /* >= 0; how often an epoch sees it */
    sb_source_stats stats;
} sb_source_entry;

/* What the manifest says of one shard. */
typedef struct sb_shard_entry {
    char name[32]; /* "train-00000.mdb": plain, no '/' */
    sb_split split;
    uint32_t source; /* < sources; does not fall from one shard to the next */
    uint64_t bytes;  /* exact file size */
    sb_shard_info info;
} sb_shard_entry;

typedef struct sb_manifest {
    uint64_t vocab_size, vocab_hash;
    uint64_t input_identity; /* sb_sources_identity */
    char config[8192];       /* effective configuration of the ingest */
    sb_source_entry *source; /* [sources] */
    size_t sources;
    sb_shard_entry *shard; /* [shards] */
    size_t shards;
} sb_manifest;

/* The file name of a unit's shard. */
void sb_shard_name(sb_split split, size_t unit, char name_out[32]);

SB_MUST_USE sb_status sb_manifest_write(const char *dir, const sb_manifest *m);
/* SB_ENOENT if there is none. Nothing in *m_out is unchecked. Free what it
 * holds with sb_manifest_free. */
SB_MUST_USE sb_status sb_manifest_read(const char *dir, sb_manifest *m_out);
void sb_manifest_free(sb_manifest *m); /* zeroed is fine */

/* What source i is called in figures: its kind; with its number, from 1, if
 * others are of that kind: "news", "text-2". */
void sb_manifest_source_name(const sb_manifest *m, size_t i,
                             char name_out[SB_SOURCE_NAME_MAX]);

/* Is there a shard of this name? */
int sb_manifest_names(const sb_manifest *m, const char *name);

#endif
