/* SPDX-License-Identifier: MIT
 * ingest.h - one unit of the input becomes its own sealed shards, one for
 * training and one held out, whoever does it. Local: no rank appears here.
 *
 * Killed at any moment, a unit is either done (its shards are sealed and its
 * mark, dataset/unit_files.h, says so) or is done anew.
 */
#ifndef SB_DATASET_INGEST_H
#define SB_DATASET_INGEST_H

#include "dataset/manifest.h"
#include "dataset/source.h"
#include "dataset/vocab.h"

typedef struct sb_ingest sb_ingest;

typedef struct sb_ingest_options {
    const char *dir;           /* of the corpus; exists */
    const sb_sources *sources; /* borrowed, as everything here */
    const sb_vocab *vocab;
    double held_out;     /* share of documents, by their hash */
    size_t block_tokens; /* a block is full that has as many */
    int drop;            /* leave out what <unit>.drop lists */
    /* Called after every document with how far the unit is: bytes as they lie
     * in its files, bytes of text, documents. */
    void (*progress)(void *arg, uint64_t bytes, uint64_t text_bytes,
                     uint64_t documents);
    /* Asked then: nonzero abandons the unit with SB_ESTOP. */
    int (*stop)(void);
    void *arg;
} sb_ingest_options;

SB_MUST_USE sb_status sb_ingest_open(const sb_ingest_options *o,
                                     sb_ingest **ingest_out);
void sb_ingest_close(sb_ingest *g); /* NULL is fine */

/* Read a unit and keep the hash of each document (unit-*.hash), no more: for
 * finding duplicates before anything is encoded. Done before: nothing. */
SB_MUST_USE sb_status sb_ingest_hash(sb_ingest *g, size_t unit);

/* Read, encode, seal, mark. */
SB_MUST_USE sb_status sb_ingest_unit(sb_ingest *g, size_t unit);

/* *done_out: is the unit's mark there, made from this input with these
 * options, and the shards it speaks of? Its numbers then. */
SB_MUST_USE sb_status sb_ingest_done(sb_ingest *g, size_t unit, int *done_out,
                                     sb_source_stats *stats_out);

/* counts[id] += how often id occurs in the training split of a unit that is
 * done; [vocabulary]. */
SB_MUST_USE sb_status sb_ingest_add_counts(sb_ingest *g, size_t unit,
                                           uint64_t *counts);

#endif
