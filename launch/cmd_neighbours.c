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
    sb_ckpt *ckpt;
    sb_ids ids;
    sb_neighbour *found;
    size_t top;
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

static sb_status one(job *j, const char *word)
{
    size_t found;
    SB_TRY(sb_agree(j->app->comm, encode(j, word)));
    SB_TRY(sb_neighbours(j->app->comm, j->ckpt, SB_W2V_INPUT, j->vocab,
                         j->ids.id, j->ids.n, j->top, j->found, &found));
    if (sb_comm_rank(j->app->comm) != 0) return SB_OK;
    printf("%s", word);
    for (size_t i = 0; j->ids.n > 1 && i < j->ids.n; i++)
        printf("%s%s", i ? " " : " (mean of ",
               sb_vocab_piece(j->vocab, j->ids.id[i]));
    printf("%s:", j->ids.n > 1 ? ")" : "");
    for (size_t i = 0; i < found; i++)
        printf("  %s %.3f", sb_vocab_piece(j->vocab, j->found[i].id),
               (double)j->found[i].cosine);
    putchar('\n');
    return SB_OK;
}

sb_status sb_cmd_neighbours(sb_app *a)
{
    job j = {.app = a, .top = (size_t)sb_config_int(a->config, "top")};
    size_t words = sb_config_words(a->config);
    if (words == 0) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__, "no word is given");
        return sb_hint("shardbert neighbours --run DIR water king");
    }
    sb_status st;
    SB_GOTO(st, sb_app_vocab(a, &j.vocab), out);
    st = sb_encoder_open(j.vocab, &j.encoder);
    if (st == SB_OK)
        st = sb_alloc(j.top, sizeof *j.found, "neighbours", &j.found);
    SB_GOTO(st, sb_agree(a->comm, st), out);
    SB_GOTO(st, sb_app_word2vec(a, j.vocab, &j.ckpt), out);
    for (size_t i = 0; i < words && st == SB_OK; i++)
        st = one(&j, sb_config_word(a->config, i));
out:
    sb_ckpt_close(j.ckpt);
    sb_encoder_close(j.encoder);
    sb_vocab_close(j.vocab);
    free(j.ids.id);
    sb_free(j.found);
    return st;
}
