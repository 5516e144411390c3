/* SPDX-License-Identifier: MIT
 * record.h - what a reader makes of one record of its file, and what is blank
 * in it. Private to the readers of dataset/. */
#ifndef SB_DATASET_RECORD_H
#define SB_DATASET_RECORD_H

#include <stddef.h>
#include <stdint.h>

/* Not ASCII white space. */
static inline int sb_is_ink(char c)
{
    return c != ' ' && !(c >= '\t' && c <= '\r');
}

typedef enum sb_verdict {
    SB_GOOD,    /* a document */
    SB_SKIPPED, /* well-formed, but no document: a redirect, an empty field */
    SB_BAD      /* not what its format says */
} sb_verdict;

typedef struct sb_record {
    sb_verdict verdict;
    const char *why;  /* SB_SKIPPED, SB_BAD: static, "not JSON" */
    const char *text; /* SB_GOOD: the document, its sentences or paragraphs
                         parted by '\n'; borrowed until the next record. Not
                         yet known to be UTF-8 or free of NUL. */
    size_t bytes;
    uint64_t offset; /* of its first byte in the decompressed file */
} sb_record;

#endif
