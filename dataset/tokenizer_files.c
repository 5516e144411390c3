/* SPDX-License-Identifier: MIT
 * tokenizer_files.c - Hugging Face's files, from templates that show what they
 * look like. */
#include "dataset/tokenizer_files.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"

enum { SPECIALS = 5 };

/* ---- templates ----------------------------------------------------------- */

/* ' stands for ". */
static const char added_token[] = "    {\n"
                                  "      'id': %" PRIu32 ",\n"
                                  "      'content': '%s',\n"
                                  "      'single_word': false,\n"
                                  "      'lstrip': false,\n"
                                  "      'rstrip': false,\n"
                                  "      'normalized': false,\n"
                                  "      'special': true\n"
                                  "    }%s\n";

static const char steps[] = "  'normalizer': {\n"
                            "    'type': 'BertNormalizer',\n"
                            "    'clean_text': true,\n"
                            "    'handle_chinese_chars': true,\n"
                            "    'strip_accents': null,\n"
                            "    'lowercase': true\n"
                            "  },\n"
                            "  'pre_tokenizer': {\n"
                            "    'type': 'BertPreTokenizer'\n"
                            "  },\n"
                            "  'post_processor': {\n"
                            "    'type': 'TemplateProcessing',\n";

/* One part of a TemplateProcessing: kind, name, type_id, comma. */
static const char template_part[] = "      {\n"
                                    "        '%s': {\n"
                                    "          'id': '%s',\n"
                                    "          'type_id': %d\n"
                                    "        }\n"
                                    "      }%s\n";

static const char template_token[] = "      '%s': {\n"
                                     "        'id': '%s',\n"
                                     "        'ids': [\n"
                                     "          %" PRIu32 "\n"
                                     "        ],\n"
                                     "        'tokens': [\n"
                                     "          '%s'\n"
                                     "        ]\n"
                                     "      }%s\n";

static const char model[] = "    }\n"
                            "  },\n"
                            "  'decoder': {\n"
                            "    'type': 'WordPiece',\n"
                            "    'prefix': '##',\n"
                            "    'cleanup': true\n"
                            "  },\n"
                            "  'model': {\n"
                            "    'type': 'WordPiece',\n"
                            "    'unk_token': '[UNK]',\n"
                            "    'continuing_subword_prefix': '##',\n"
                            "    'max_input_chars_per_word': 100,\n"
                            "    'vocab': {\n";

static const char config_token[] = "    '%" PRIu32 "': {\n"
                                   "      'content': '%s',\n"
                                   "      'lstrip': false,\n"
                                   "      'normalized': false,\n"
                                   "      'rstrip': false,\n"
                                   "      'single_word': false,\n"
                                   "      'special': true\n"
                                   "    }%s\n";

static const char config[] = "  'clean_up_tokenization_spaces': true,\n"
                             "  'cls_token': '[CLS]',\n"
                             "  'do_lower_case': true,\n"
                             "  'mask_token': '[MASK]',\n"
                             "  'model_max_length': %u,\n"
                             "  'pad_token': '[PAD]',\n"
                             "  'sep_token': '[SEP]',\n"
                             "  'strip_accents': null,\n"
                             "  'tokenize_chinese_chars': true,\n"
                             "  'tokenizer_class': 'DistilBertTokenizer',\n"
                             "  'unk_token': '[UNK]'\n"
                             "}\n";

static const char special_map[] = "{\n"
                                  "  'cls_token': '[CLS]',\n"
                                  "  'mask_token': '[MASK]',\n"
                                  "  'pad_token': '[PAD]',\n"
                                  "  'sep_token': '[SEP]',\n"
                                  "  'unk_token': '[UNK]'\n"
                                  "}\n";

/* ---- writing ------------------------------------------------------------- */

/* Append `text`, which is freed, with its quotes made JSON's. */
static sb_status put_owned(sb_buffer *b, char *text)
{
    SB_REQUIRE(text, SB_ENOMEM, "out of memory: tokenizer files");
    for (char *p = text; *p; p++)
        if (*p == '\'') *p = '"';
    sb_status st = sb_buffer_add(b, text, strlen(text));
    sb_free(text);
    return st;
}

#define PUT(b, ...) SB_TRY(put_owned((b), sb_format(__VA_ARGS__)))

static void sort_ids(uint32_t id[SPECIALS])
{
    for (int i = 1; i < SPECIALS; i++)
        for (int k = i; k > 0 && id[k] < id[k - 1]; k--) {
            uint32_t other = id[k];
            id[k] = id[k - 1];
            id[k - 1] = other;
        }
}

/* The special tokens by rising id, for one file or the other. */
static sb_status put_specials(sb_buffer *b, const sb_vocab *v, int in_config)
{
    sb_special_ids s = sb_vocab_special(v);
    uint32_t id[SPECIALS] = {s.pad, s.unk, s.cls, s.sep, s.mask};
    sort_ids(id);
    for (int i = 0; i < SPECIALS; i++) {
        const char *piece = sb_vocab_piece(v, id[i]);
        const char *comma = i + 1 < SPECIALS ? "," : "";
        if (in_config)
            PUT(b, config_token, id[i], piece, comma);
        else
            PUT(b, added_token, id[i], piece, comma);
    }
    return SB_OK;
}

static sb_status put_template(sb_buffer *b, const sb_vocab *v)
{
    sb_special_ids s = sb_vocab_special(v);
    PUT(b, "    'single': [\n");
    PUT(b, template_part, "SpecialToken", "[CLS]", 0, ",");
    PUT(b, template_part, "Sequence", "A", 0, ",");
    PUT(b, template_part, "SpecialToken", "[SEP]", 0, "");
    PUT(b, "    ],\n    'pair': [\n");
    PUT(b, template_part, "SpecialToken", "[CLS]", 0, ",");
    PUT(b, template_part, "Sequence", "A", 0, ",");
    PUT(b, template_part, "SpecialToken", "[SEP]", 0, ",");
    PUT(b, template_part, "Sequence", "B", 1, ",");
    PUT(b, template_part, "SpecialToken", "[SEP]", 1, "");
    PUT(b, "    ],\n    'special_tokens': {\n");
    PUT(b, template_token, "[CLS]", "[CLS]", s.cls, "[CLS]", ",");
    PUT(b, template_token, "[SEP]", "[SEP]", s.sep, "[SEP]", "");
    return SB_OK;
}

/* `      "piece": id,` for each piece. */
static sb_status put_vocab(sb_buffer *b, const sb_vocab *v)
{
    uint32_t size = sb_vocab_size(v);
    for (uint32_t id = 0; id < size; id++) {
        json_object *piece = json_object_new_string(sb_vocab_piece(v, id));
        const char *quoted = piece ? json_object_to_json_string_ext(
                                         piece, JSON_C_TO_STRING_NOSLASHESCAPE)
                                   : NULL;
        char rest[32];
        int n = snprintf(rest, sizeof rest, ": %" PRIu32 "%s\n", id,
                         id + 1 < size ? "," : "");
        sb_status st = quoted ? sb_buffer_add(b, "      ", 6)
                              : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                                        "out of memory: tokenizer files");
        if (st == SB_OK) st = sb_buffer_add(b, quoted, strlen(quoted));
        json_object_put(piece);
        SB_TRY(st);
        SB_TRY(sb_buffer_add(b, rest, (size_t)n));
    }
    return SB_OK;
}

static sb_status make_tokenizer(sb_buffer *b, const sb_vocab *v)
{
    PUT(b, "{\n  'version': '1.0',\n  'truncation': null,\n"
           "  'padding': null,\n  'added_tokens': [\n");
    SB_TRY(put_specials(b, v, 0));
    PUT(b, "  ],\n%s", steps);
    SB_TRY(put_template(b, v));
    PUT(b, "%s", model);
    SB_TRY(put_vocab(b, v));
    return sb_buffer_add(b, "    }\n  }\n}", 11);
}

static sb_status make_config(sb_buffer *b, const sb_vocab *v,
                             uint32_t max_length)
{
    PUT(b, "{\n  'added_tokens_decoder': {\n");
    SB_TRY(put_specials(b, v, 1));
    PUT(b, "  },\n");
    PUT(b, config, max_length);
    return SB_OK;
}

/* Write `b`, if it was made, and free it. */
static sb_status write_one(const char *dir, const char *name, sb_buffer *b,
                           sb_status made)
{
    char *path = sb_path_join(dir, name);
    sb_status st = made;
    if (st == SB_OK && !path)
        st = sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    if (st == SB_OK) st = sb_file_write(path, b->data, b->n);
    sb_free(path);
    free(b->data);
    *b = (sb_buffer){0};
    return st;
}

static sb_status make_special_map(sb_buffer *b)
{
    PUT(b, "%s", special_map);
    return SB_OK;
}

sb_status sb_tokenizer_write(const char *dir, const sb_vocab *v,
                             uint32_t max_length)
{
    sb_buffer b = {0};
    SB_TRY(write_one(dir, "tokenizer.json", &b, make_tokenizer(&b, v)));
    SB_TRY(write_one(dir, "tokenizer_config.json", &b,
                     make_config(&b, v, max_length)));
    return write_one(dir, "special_tokens_map.json", &b, make_special_map(&b));
}
