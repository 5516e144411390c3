/* SPDX-License-Identifier: MIT
 * safetensors_header.h - the JSON at the beginning of a safetensors file.
 * Private to safetensors_read.c and the tests. */
#ifndef SB_DATASET_SAFETENSORS_HEADER_H
#define SB_DATASET_SAFETENSORS_HEADER_H

#include "dataset/safetensors.h"

typedef struct sb_stored_list {
    sb_stored *tensor; /* free() */
    size_t n, cap;
} sb_stored_list;

/* The tensors of text[0..n), in the order of their data, which is `data` bytes
 * long. Names stay in the text, which is changed: each gets a NUL behind it.
 * `path` is used in messages. SB_EFORMAT, SB_ELIMIT; the list holds what was
 * understood so far, all the same. */
SB_MUST_USE sb_status sb_safetensors_parse(const char *path, char *text,
                                           size_t n, uint64_t data,
                                           sb_stored_list *list);

#endif
