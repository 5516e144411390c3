/* SPDX-License-Identifier: MIT
 * cmd_encode.c - `shardbert encode` and `shardbert decode`: lines of text to
 * lines of ids, and back. Needs nothing but a vocabulary. Rank 0 works, others
 * wait. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "dataset/text.h"
#include "dataset/tokenize.h"
#include "launch/common.h"
#include "launch/filter.h"

typedef struct job {
    const sb_vocab *vocab;
    sb_encoder *encoder;
    sb_ids ids;
    int pieces, specials;
} job;

/* ---- encode -------------------------------------------------------------- */

enum { NUMBER_MAX = 10 }; /* digits of a uint32_t */

static char *put_number(char *to, uint32_t v)
{
    char digits[NUMBER_MAX], *p = digits + NUMBER_MAX;
    do *--p = (char)('0' + v % 10);
    while (v /= 10);
    size_t n = (size_t)(digits + NUMBER_MAX - p);
    memcpy(to, p, n);
    return to + n;
}

static sb_status put_ids(const sb_ids *ids, sb_buffer *out)
{
    size_t most = ids->n * (NUMBER_MAX + 1);
    SB_TRY(sb_grow(&out->data, &out->cap, out->n + most, 1, "a line"));
    char *to = out->data + out->n;
    for (size_t i = 0; i < ids->n; i++) {
        if (i) *to++ = ' ';
        to = put_number(to, ids->id[i]);
    }
    out->n = (size_t)(to - out->data);
    return SB_OK;
}

static sb_status put_pieces(const job *j, sb_buffer *out)
{
    for (size_t i = 0; i < j->ids.n; i++) {
        const char *piece = sb_vocab_piece(j->vocab, j->ids.id[i]);
        if (i) SB_TRY(sb_buffer_add(out, " ", 1));
        SB_TRY(sb_buffer_add(out, piece, strlen(piece)));
    }
    return SB_OK;
}

static sb_status add_id(sb_ids *ids, uint32_t id)
{
    SB_TRY(sb_grow(&ids->id, &ids->cap, ids->n + 1, sizeof *ids->id, "ids"));
    ids->id[ids->n++] = id;
    return SB_OK;
}

static sb_status encode_line(void *context, const sb_filter_line *line,
                             sb_buffer *out)
{
    job *j = context;
    sb_special_ids special = sb_vocab_special(j->vocab);
    size_t valid = sb_utf8_valid(line->text, line->n);
    SB_REQUIRE(valid == line->n, SB_EFORMAT,
               "line %" PRIu64 " is not valid UTF-8: byte %zu", line->number,
               valid + 1);
    j->ids.n = 0;
    if (j->specials) SB_TRY(add_id(&j->ids, special.cls));
    SB_TRY(sb_encode(j->encoder, line->text, line->n, j->specials, &j->ids));
    if (j->specials) SB_TRY(add_id(&j->ids, special.sep));
    return j->pieces ? put_pieces(j, out) : put_ids(&j->ids, out);
}

static sb_status encode(job *j)
{
    SB_TRY(sb_encoder_open(j->vocab, &j->encoder));
    sb_status st = sb_filter(encode_line, j);
    sb_encoder_close(j->encoder);
    return st;
}

/* ---- decode -------------------------------------------------------------- */

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The id that is the word at text[0..n). */
static sb_status read_id(const job *j, const sb_filter_line *line,
                         const char *word, size_t n, uint32_t *id_out)
{
    uint32_t size = sb_vocab_size(j->vocab), id = 0;
    int shown = n < 40 ? (int)n : 40;
    for (size_t i = 0; i < n; i++) {
        SB_REQUIRE(word[i] >= '0' && word[i] <= '9', SB_EFORMAT,
                   "line %" PRIu64 ": '%.*s' is not a number", line->number,
                   shown, word);
        if (id < size) id = id * 10 + (uint32_t)(word[i] - '0');
    }
    SB_REQUIRE(id < size, SB_EFORMAT,
               "line %" PRIu64 ": %.*s is no id, they go from 0 to %" PRIu32,
               line->number, shown, word, size - 1);
    *id_out = id;
    return SB_OK;
}

static sb_status decode_line(void *context, const sb_filter_line *line,
                             sb_buffer *out)
{
    job *j = context;
    const char *p = line->text, *end = p + line->n;
    j->ids.n = 0;
    for (;;) {
        while (p < end && is_blank(*p)) p++;
        if (p == end) break;
        const char *word = p;
        uint32_t id;
        while (p < end && !is_blank(*p)) p++;
        SB_TRY(read_id(j, line, word, (size_t)(p - word), &id));
        SB_TRY(add_id(&j->ids, id));
    }
    char *text = sb_decode(j->vocab, j->ids.id, j->ids.n);
    SB_REQUIRE(text, SB_ENOMEM, "out of memory: line %" PRIu64, line->number);
    sb_status st = sb_buffer_add(out, text, strlen(text));
    sb_free(text);
    return st;
}

static sb_status decode(job *j)
{
    return sb_filter(decode_line, j);
}

/* ---- both ---------------------------------------------------------------- */

static sb_status on_rank_0(sb_app *a, job *j, sb_status (*work)(job *))
{
    sb_vocab *v = NULL;
    SB_TRY(sb_app_vocab(a, &v));
    j->vocab = v;
    sb_status st = sb_comm_rank(a->comm) == 0 ? work(j) : SB_OK;
    st = sb_agree(a->comm, st);
    free(j->ids.id);
    sb_vocab_close(v);
    return st;
}

sb_status sb_cmd_encode(sb_app *a)
{
    job j = {.pieces = sb_config_bool(a->config, "pieces"),
             .specials = sb_config_bool(a->config, "specials")};
    return on_rank_0(a, &j, encode);
}

sb_status sb_cmd_decode(sb_app *a)
{
    job j = {0};
    return on_rank_0(a, &j, decode);
}
