/* SPDX-License-Identifier: MIT
 * tokenizer_files.h - the files of Hugging Face that describe our tokenizer.
 *
 *   tokenizer.json            what `tokenizers` loads: vocabulary and all steps
 *   tokenizer_config.json     what `transformers` wants to know besides
 *   special_tokens_map.json
 *
 * For bert-base-uncased's vocabulary tokenizer.json comes out byte for byte as
 * `tokenizers` saves it.
 */
#ifndef SB_DATASET_TOKENIZER_FILES_H
#define SB_DATASET_TOKENIZER_FILES_H

#include <stddef.h>

#include "comm/base/status.h"
#include "dataset/text.h"
#include "dataset/vocab.h"

enum { SB_TOKENIZER_BYTES_MAX = 64 << 20, SB_MODEL_MAX_LENGTH = 512 };

/* Write the three files into the folder `dir`, each all or nothing.
 * `max_length`: the tokens that a model has positions for, SB_MODEL_MAX_LENGTH
 * where there is no model yet. */
SB_MUST_USE sb_status sb_tokenizer_write(const char *dir, const sb_vocab *v,
                                         uint32_t max_length);

/* True if a file with these first bytes is JSON, not a vocab.txt. */
int sb_tokenizer_is_json(const char *text, size_t bytes);

/* The text of vocab.txt from a tokenizer.json in memory with a NUL behind it
 * (sb_file_read puts one); `name` is used in messages. SB_EFORMAT: not such a
 * file, or a tokenizer that does not encode as ours does: another model than
 * WordPiece, not BERT's lower-casing normaliser and pre-tokenizer, tokens
 * added to the vocabulary. */
SB_MUST_USE sb_status sb_tokenizer_read(const char *json, size_t bytes,
                                        const char *name, sb_buffer *out);

#endif
