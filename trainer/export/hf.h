/* SPDX-License-Identifier: MIT
 * hf.h - a model as a folder that Hugging Face's from_pretrained loads:
 *
 *   config.json                dataset/model_config.h
 *   model.safetensors          dataset/safetensors.h; the output layer's rows
 *                              are the token table's and stored once
 *   tokenizer.json, tokenizer_config.json, special_tokens_map.json, vocab.txt
 *   README.md                  the model card (card.h)
 */
#ifndef SB_EXPORT_HF_H
#define SB_EXPORT_HF_H

#include "trainer/export/card.h"
#include "trainer/export/model.h"

/* All names of files that sb_hf_write makes, for sb_folder_open. */
enum { SB_HF_FILES = 7 };
extern const char *const sb_hf_file[SB_HF_FILES];

/* Write all files into the empty folder `dir`. Tensors pass through in pieces
 * of 32 MiB. Local. */
SB_MUST_USE sb_status sb_hf_write(const char *dir, const sb_hf_model *m,
                                  const sb_vocab *vocab, const sb_card *card);

#endif
