/* SPDX-License-Identifier: MIT
 * to_file.h - the vectors of a checkpoint as a file of word2vec's format
 * (trainer/vectors.h), for other programs. */
#ifndef SB_TRAINER_TO_FILE_H
#define SB_TRAINER_TO_FILE_H

#include "dataset/vocab.h"
#include "proto/checkpoint.h"

typedef struct sb_w2v_file {
    const char *tensor; /* SB_W2V_INPUT or SB_W2V_OUTPUT */
    int binary;         /* a line feed behind each row, as word2vec has it */
    size_t memory;      /* bytes of rows kept at once; more make it faster */
} sb_w2v_file;

/* Write `path`, all or nothing: the pieces that occur, special tokens left
 * out, most frequent first; the lower id first among equals. Numbers of a text
 * have nine digits, which give back the float. The table is read once for each
 * `memory` bytes of it. *rows_out: pieces written. SB_EFORMAT: a piece holds a
 * blank, which the format cannot name. Local. */
SB_MUST_USE sb_status sb_w2v_to_file(sb_ckpt *ckpt, const sb_vocab *vocab,
                                     const sb_w2v_file *how, const char *path,
                                     size_t *rows_out);

#endif
