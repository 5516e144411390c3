/* SPDX-License-Identifier: MIT
 * source_list.h - the files behind sb_sources. Private to source_list.c and
 * source.c. */
#ifndef SB_DATASET_SOURCE_LIST_H
#define SB_DATASET_SOURCE_LIST_H

#include "dataset/reader.h"

typedef struct sb_file {
    char *path;
    uint64_t size;
    int64_t modified[2]; /* seconds, nanoseconds */
    uint32_t source;
    int packed; /* compressed */
    int cuts;   /* may be read in ranges */
} sb_file;

typedef struct sb_source_spec {
    char *text; /* without the weight */
    sb_kind kind;
    double weight;
} sb_source_spec;

struct sb_sources {
    sb_source_options options;
    sb_source_spec *spec; /* [n_specs] */
    size_t n_specs;
    sb_file *file; /* [n_files], by source */
    size_t n_files, files_cap;
    sb_unit *unit; /* [n_units], by source and file */
    size_t n_units, units_cap;
    uint64_t bytes;
};

#endif
