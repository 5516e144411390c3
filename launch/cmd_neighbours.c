/* SPDX-License-Identifier: MIT
 * cmd_neighbours.c - `shardbert neighbours WORD...`: nearest word2vec rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/mem.h"
#include "dataset/text.h"
#include "dataset/tokenize.h"
#include "launch/common.h"
#include "trainer/names.h"
#include "trainer/word2vec/neighbours.h"

typedef struct job {
    sb_app *app;
    sb_vocab *vocab;
    sb_encoder *encoder;
    sb_ids ids;
    sb_neighbour *found;
    size_t top;
    FILE *out;
    char *text; /* [bytes] what was written to it */
    size_t bytes;
} job;

static sb_status encode(job *j, const char *word)
{
    size_t n = strlen(word);
    SB_REQUIRE(sb_utf8_valid(word, n) == n, SB_EINVAL,
               "the word is not valid UTF-8");
    j->ids.n = 0;
    SB_TRY(sb_encode(j->encoder, word, n, 0, &j->ids));
    SB_REQUIRE(j->ids.n, SB_EINVAL, "'%s' is no word", word);
    return SB_OK;
}

/* Rank 0 */
static void tell(job *j, const char *word, size_t found)
{
    fprintf(j->out, "%s", word);
    for (size_t i = 0; j->ids.n > 1 && i < j->ids.n; i++)
        fprintf(j->out, "%s%s", i ? " " : " (mean of ",
                sb_vocab_piece(j->vocab, j->ids.id[i]));
    fprintf(j->out, "%s:", j->ids.n > 1 ? ")" : "");
    for (size_t i = 0; i < found; i++)
        fprintf(j->out, "  %s %.3f", sb_vocab_piece(j->vocab, j->found[i].id),
                (double)j->found[i].cosine);
    fputc('\n', j->out);
}

static sb_status find_all(job *j, sb_ckpt *k)
{
    sb_comm *c = j->app->comm;
    for (size_t i = 0; i < sb_config_words(j->app->config); i++) {
        const char *word = sb_config_word(j->app->config, i);
        size_t found;
        SB_TRY(sb_agree(c, encode(j, word)));
        SB_TRY(sb_neighbours(c, k, SB_W2V_INPUT, j->vocab, j->ids.id, j->ids.n,
                             j->top, j->found, &found));
        if (sb_comm_rank(c) == 0) tell(j, word, found);
    }
    return SB_OK;
}

/* Answers of one checkpoint: they are kept until all are there, in case it is
 * damaged and it is the turn of another one. */
static sb_status take(sb_ckpt *k, void *arg)
{
    job *j = arg;
    free(j->text);
    j->text = NULL;
    j->out = open_memstream(&j->text, &j->bytes);
    sb_status st = j->out ? SB_OK
                          : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                                    "out of memory: answers");
    st = sb_agree(j->app->comm, st);
    if (st == SB_OK) st = find_all(j, k);
    int bad = j->out && (ferror(j->out) | fclose(j->out));
    if (st != SB_OK) return st;
    if (bad)
        st = sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: answers");
    return sb_agree(j->app->comm, st);
}

sb_status sb_cmd_neighbours(sb_app *a)
{
    job j = {.app = a, .top = (size_t)sb_config_int(a->config, "top")};
    if (sb_config_words(a->config) == 0) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__, "no word is given");
        return sb_hint("shardbert neighbours --run DIR water king");
    }
    sb_status st;
    SB_GOTO(st, sb_app_vocab(a, &j.vocab), out);
    st = sb_encoder_open(j.vocab, &j.encoder);
    if (st == SB_OK)
        st = sb_alloc(j.top, sizeof *j.found, "neighbours", &j.found);
    SB_GOTO(st, sb_agree(a->comm, st), out);
    SB_GOTO(st, sb_app_word2vec(a, j.vocab, take, &j), out);
    fwrite(j.text, 1, j.bytes, stdout);
out:
    free(j.text);
    sb_encoder_close(j.encoder);
    sb_vocab_close(j.vocab);
    free(j.ids.id);
    sb_free(j.found);
    return st;
}
