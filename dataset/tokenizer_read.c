/* SPDX-License-Identifier: MIT
 * tokenizer_read.c - the vocabulary of somebody's tokenizer.json. Everything
 * that changes ids is compared with what we do; what only adds to the ids
 * (post_processor, padding) or comes after them (decoder) is passed over. */
#include <inttypes.h>
#include <string.h>

#include "comm/base/mem.h"
#include "dataset/json_whole.h"
#include "dataset/tokenizer_files.h"

enum { DEPTH_MAX = 16, WORD_CHARS_MAX = 100, SPECIALS = 5 };

int sb_tokenizer_is_json(const char *text, size_t bytes)
{
    /* A vocab.txt may begin with the piece "{", but hardly with {, ". */
    size_t i = bytes > 0 && text[0] == '{';
    if (!i) return 0;
    while (i < bytes && strchr(" \t\r\n", text[i]) && text[i]) i++;
    return i < bytes && text[i] == '"';
}

static sb_status check_steps(json_object *root, const char *name)
{
    json_object *n = sb_json_get(root, "normalizer"),
                *m = sb_json_get(root, "model");
    json_object *accents = sb_json_get(n, "strip_accents");
    SB_REQUIRE(sb_json_is_text(n, "type", "BertNormalizer") &&
                   sb_json_is_bool(n, "clean_text", 1) &&
                   sb_json_is_bool(n, "handle_chinese_chars", 1) &&
                   sb_json_is_bool(n, "lowercase", 1) &&
                   (!accents || sb_json_is_bool(n, "strip_accents", 1)),
               SB_EFORMAT,
               "tokenizer '%s': its normalizer is not BERT's for lower case, "
               "the only one known here",
               name);
    SB_REQUIRE(sb_json_is_text(sb_json_get(root, "pre_tokenizer"), "type",
                               "BertPreTokenizer"),
               SB_EFORMAT, "tokenizer '%s': its pre_tokenizer is not BERT's",
               name);
    SB_REQUIRE(sb_json_is_text(m, "type", "WordPiece"), SB_EFORMAT,
               "tokenizer '%s': its model is not WordPiece", name);
    SB_REQUIRE(
        sb_json_is_text(m, "unk_token", "[UNK]") &&
            sb_json_is_text(m, "continuing_subword_prefix", "##") &&
            sb_json_is_number(m, "max_input_chars_per_word", WORD_CHARS_MAX),
        SB_EFORMAT,
        "tokenizer '%s': its model does not have the unk_token [UNK], "
        "the continuing_subword_prefix ## and %d as "
        "max_input_chars_per_word",
        name, WORD_CHARS_MAX);
    return SB_OK;
}

/* One of the five, as plain as BERT's, with the id that `vocab` gives it. */
static int is_known_token(json_object *token, json_object *vocab)
{
    static const char *const known[SPECIALS] = {"[PAD]", "[UNK]", "[CLS]",
                                                "[SEP]", "[MASK]"};
    for (int i = 0; i < SPECIALS; i++)
        if (sb_json_is_text(token, "content", known[i])) {
            json_object *id = sb_json_get(vocab, known[i]);
            return json_object_is_type(id, json_type_int) &&
                   sb_json_is_number(token, "id", json_object_get_int64(id)) &&
                   !sb_json_is_bool(token, "single_word", 1) &&
                   !sb_json_is_bool(token, "lstrip", 1) &&
                   !sb_json_is_bool(token, "rstrip", 1) &&
                   !sb_json_is_bool(token, "normalized", 1);
        }
    return 0;
}

static sb_status check_added(json_object *root, json_object *vocab,
                             const char *name)
{
    json_object *added = sb_json_get(root, "added_tokens");
    if (!added) return SB_OK;
    SB_REQUIRE(json_object_is_type(added, json_type_array), SB_EFORMAT,
               "tokenizer '%s': its added_tokens are no list", name);
    for (size_t i = 0; i < json_object_array_length(added); i++) {
        json_object *token = json_object_array_get_idx(added, i);
        SB_REQUIRE(is_known_token(token, vocab), SB_EFORMAT,
                   "tokenizer '%s': added token %zu is not one of [PAD] [UNK] "
                   "[CLS] [SEP] [MASK] with the id it has in the vocabulary "
                   "and all flags but 'special' false",
                   name, i + 1);
    }
    return SB_OK;
}

/* piece[id]: the pieces in the order of their ids. */
static sb_status sort_pieces(json_object *vocab, const char *name,
                             const char **piece, size_t n)
{
    json_object_object_foreach(vocab, key, value)
    {
        int is_int = json_object_is_type(value, json_type_int);
        int64_t id = is_int ? json_object_get_int64(value) : -1;
        SB_REQUIRE(id >= 0 && (uint64_t)id < n, SB_EFORMAT,
                   "tokenizer '%s': the id of '%.64s' is not one of 0 to %zu",
                   name, key, n - 1);
        SB_REQUIRE(!piece[id], SB_EFORMAT,
                   "tokenizer '%s': '%.64s' and '%.64s' have the same id", name,
                   piece[id], key);
        SB_REQUIRE(!strpbrk(key, "\r\n"), SB_EFORMAT,
                   "tokenizer '%s': the piece with id %" PRId64
                   " holds a line break",
                   name, id);
        piece[id] = key;
    }
    return SB_OK;
}

static sb_status take(json_object *root, const char *name, sb_buffer *out)
{
    json_object *vocab = sb_json_get(sb_json_get(root, "model"), "vocab");
    SB_TRY(check_steps(root, name));
    SB_REQUIRE(json_object_is_type(vocab, json_type_object), SB_EFORMAT,
               "tokenizer '%s' has no model.vocab", name);
    SB_TRY(check_added(root, vocab, name));
    size_t n = (size_t)json_object_object_length(vocab);
    const char **piece;
    SB_TRY(sb_alloc(n, sizeof *piece, "vocabulary", &piece));
    sb_status st = sort_pieces(vocab, name, piece, n);
    for (size_t id = 0; id < n && st == SB_OK; id++) {
        st = sb_buffer_add(out, piece[id], strlen(piece[id]));
        if (st == SB_OK) st = sb_buffer_add(out, "\n", 1);
    }
    sb_free(piece);
    return st;
}

sb_status sb_tokenizer_read(const char *json, size_t bytes, const char *name,
                            sb_buffer *out)
{
    SB_REQUIRE(bytes <= SB_TOKENIZER_BYTES_MAX, SB_ELIMIT,
               "tokenizer '%s' is larger than %s", name,
               sb_bytes_text(SB_TOKENIZER_BYTES_MAX));
    json_object *root;
    SB_TRY(sb_json_whole(json, bytes, DEPTH_MAX, "tokenizer", name, &root));
    sb_status st = take(root, name, out);
    json_object_put(root);
    return st;
}
