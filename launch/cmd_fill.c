/* SPDX-License-Identifier: MIT
 * cmd_fill.c - `shardbert fill`: sentences from the command line or standard
 * input, the likeliest words for each [MASK] to standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/text.h"
#include "dataset/tokenize.h"
#include "launch/common.h"
#include "trainer/mlm/fill.h"
#include "trainer/resume.h"

enum { MASKS_MAX = 32 };

typedef struct job {
    sb_app *app;
    sb_vocab *vocab;
    sb_encoder *encoder;
    sb_filler *filler;
    sb_ids ids;
    sb_guess *guess;
    size_t top;
} job;

/* [CLS] ids of the sentence [SEP] */
static sb_status encode(job *j, const char *text)
{
    sb_special_ids special = sb_vocab_special(j->vocab);
    size_t n = strlen(text);
    SB_REQUIRE(sb_utf8_valid(text, n) == n, SB_EINVAL,
               "the sentence is not valid UTF-8");
    j->ids.n = 0;
    SB_TRY(sb_grow(&j->ids.id, &j->ids.cap, 1, sizeof *j->ids.id, "ids"));
    j->ids.id[j->ids.n++] = special.cls;
    SB_TRY(sb_encode(j->encoder, text, n, 1, &j->ids));
    SB_TRY(sb_grow(&j->ids.id, &j->ids.cap, j->ids.n + 1, sizeof *j->ids.id,
                   "ids"));
    j->ids.id[j->ids.n++] = special.sep;
    return SB_OK;
}

static sb_status fill_one(job *j, const char *text)
{
    size_t masks;
    SB_TRY(sb_agree(j->app->comm, encode(j, text)));
    SB_TRY(sb_fill(j->filler, j->ids.id, j->ids.n, j->top, MASKS_MAX, j->guess,
                   &masks));
    if (sb_comm_rank(j->app->comm) != 0) return SB_OK;
    printf("%s\n", text);
    for (size_t m = 0; m < masks; m++) {
        printf("  ");
        for (size_t i = 0; i < j->top; i++) {
            const sb_guess *g = &j->guess[m * j->top + i];
            if (g->id == SB_NO_ID) break;
            printf("  %s %.1f %%", sb_vocab_piece(j->vocab, g->id),
                   100 * (double)g->probability);
        }
        putchar('\n');
    }
    return SB_OK;
}

/* Rank 0's standard input, line by line, to all ranks. */
static sb_status fill_input(job *j)
{
    sb_comm *c = j->app->comm;
    char *line = NULL;
    size_t cap = 0;
    sb_status st = SB_OK;
    while (st == SB_OK) {
        int64_t n = -1;
        if (sb_comm_rank(c) == 0) {
            n = getline(&line, &cap, stdin);
            if (n > 0 && line[n - 1] == '\n') line[--n] = 0;
        }
        sb_comm_bcast(c, &n, sizeof n, 0);
        if (n < 0) break;
        st = sb_agree(c, sb_grow(&line, &cap, (size_t)n + 1, 1, "a line"));
        if (st != SB_OK) break;
        sb_comm_bcast(c, line, (size_t)n + 1, 0);
        if (n) st = fill_one(j, line);
    }
    free(line);
    return st;
}

static sb_status take(sb_ckpt *k, void *arg)
{
    job *j = arg;
    return sb_filler_open(j->app->comm, k, j->vocab, &j->filler);
}

static sb_status open_model(job *j, const char *dir)
{
    int found;
    SB_TRY(sb_resume(j->app->comm, dir, SB_DAMAGED_STAY, take, j, &found));
    if (found) return SB_OK;
    sb_fail(SB_ENOENT, __FILE__, __LINE__, "no model in '%s'", dir);
    return sb_hint("run `shardbert mlm` first, or name its --run folder");
}

sb_status sb_cmd_fill(sb_app *a)
{
    job j = {.app = a, .top = (size_t)sb_config_int(a->config, "top")};
    char *dir = NULL;
    sb_status st;
    SB_GOTO(st, sb_app_vocab(a, &j.vocab), out);
    st = sb_app_path(a, NULL, "mlm", &dir);
    if (st == SB_OK) st = sb_encoder_open(j.vocab, &j.encoder);
    if (st == SB_OK)
        st = sb_alloc(j.top * MASKS_MAX, sizeof *j.guess, "guesses", &j.guess);
    SB_GOTO(st, sb_agree(a->comm, st), out);
    SB_GOTO(st, open_model(&j, dir), out);
    size_t words = sb_config_words(a->config);
    for (size_t i = 0; i < words && st == SB_OK; i++)
        st = fill_one(&j, sb_config_word(a->config, i));
    if (words == 0) st = fill_input(&j);
out:
    sb_filler_close(j.filler);
    sb_encoder_close(j.encoder);
    sb_vocab_close(j.vocab);
    free(j.ids.id);
    sb_free(j.guess);
    sb_free(dir);
    return st;
}
