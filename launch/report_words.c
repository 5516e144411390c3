/* SPDX-License-Identifier: MIT
 * report_words.c - words of the run's word2vec, and what is near them. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "comm/base/mem.h"
#include "dataset/text.h"
#include "dataset/tokenize.h"
#include "launch/report.h"
#include "trainer/names.h"

enum {
    USUAL = 10,   /* words, if none are named */
    COMMON = 100, /* words of four letters that are left out: and, which, ... */
    LETTERS = 4
};
static const double apart = 1.4; /* ranks of the words, each to the next */

typedef struct search {
    sb_report *r;
    sb_vocab *vocab;
    sb_ckpt *ckpt;
    sb_encoder *encoder;
    sb_ids ids;
} search;

/* ---- which words --------------------------------------------------------- */

typedef struct counted {
    uint64_t count;
    uint32_t id;
} counted;

static int by_count(const void *a, const void *b)
{
    const counted *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* A whole word of plain letters. */
static int is_word(const char *piece)
{
    size_t n = strspn(piece, "abcdefghijklmnopqrstuvwxyz");
    return n >= LETTERS && n < SB_REPORT_WORD && !piece[n];
}

static sb_status count_words(search *s, counted **list_out, size_t *n_out)
{
    uint32_t V = sb_vocab_size(s->vocab);
    sb_tensor want = {SB_W2V_COUNTS, SB_U64, 1, {V}};
    uint64_t *count;
    counted *list = NULL;
    size_t n = 0;
    SB_TRY(sb_alloc(V, sizeof *count, "counts", &count));
    sb_status st = sb_alloc(V, sizeof *list, "counts", &list);
    if (st == SB_OK) st = sb_ckpt_get(s->ckpt, &want, 0, V, count);
    for (uint32_t id = 0; st == SB_OK && id < V; id++)
        if (count[id] && !sb_vocab_is_special(s->vocab, id) &&
            is_word(sb_vocab_piece(s->vocab, id)))
            list[n++] = (counted){count[id], id};
    sb_free(count);
    if (st == SB_OK && n) qsort(list, n, sizeof *list, by_count);
    if (st == SB_OK) {
        *list_out = list;
        *n_out = n;
    } else
        sb_free(list);
    return st;
}

static void put_word(sb_report *r, const char *text)
{
    if (r->word_n < SB_REPORT_WORDS)
        snprintf(r->word[r->word_n++].text, SB_REPORT_WORD, "%s", text);
}

/* Words of all frequencies but the highest, fewer and fewer among the rare. */
static sb_status choose_words(search *s)
{
    counted *list;
    size_t n;
    SB_TRY(count_words(s, &list, &n));
    double at = n > 2 * COMMON ? COMMON : 0, last = -1;
    for (int i = 0; i < USUAL && (size_t)at < n; i++) {
        put_word(s->r, sb_vocab_piece(s->vocab, list[(size_t)at].id));
        last = at;
        at = at < COMMON / 2 ? at + 5 : at * apart;
        if ((size_t)at == (size_t)last) at++;
    }
    sb_free(list);
    return SB_OK;
}

/* Of "water,king". */
static sb_status take_words(search *s, const char *names)
{
    while (*names) {
        size_t n = strcspn(names, ",");
        char word[SB_REPORT_WORD];
        SB_REQUIRE(s->r->word_n < SB_REPORT_WORDS, SB_EINVAL,
                   "--words names more than %d words", SB_REPORT_WORDS);
        SB_REQUIRE(n < sizeof word && sb_utf8_valid(names, n) == n, SB_EINVAL,
                   "--words names a word that is too long, or no UTF-8");
        memcpy(word, names, n);
        word[n] = 0;
        if (n) put_word(s->r, word);
        names += n + (names[n] == ',');
    }
    return SB_OK;
}

/* ---- neighbours ---------------------------------------------------------- */

static sb_status encode(search *s, const sb_report_word *w)
{
    s->ids.n = 0;
    SB_TRY(sb_encode(s->encoder, w->text, strlen(w->text), 0, &s->ids));
    SB_REQUIRE(s->ids.n, SB_EINVAL, "'%s' is no word", w->text);
    return SB_OK;
}

static sb_status find_near(search *s, sb_report_word *w)
{
    sb_comm *c = s->r->app->comm;
    sb_neighbour near[SB_REPORT_NEAR];
    SB_TRY(sb_agree(c, encode(s, w)));
    SB_TRY(sb_neighbours(c, s->ckpt, SB_W2V_INPUT, s->vocab, s->ids.id,
                         s->ids.n, SB_REPORT_NEAR, near, &w->n));
    for (size_t i = 0; i < w->n; i++) {
        snprintf(w->near[i].text, SB_REPORT_WORD, "%s",
                 sb_vocab_piece(s->vocab, near[i].id));
        w->near[i].cosine = near[i].cosine;
    }
    return SB_OK;
}

/* Everything anew, if a damaged checkpoint was taken before. */
static sb_status take_checkpoint(sb_ckpt *k, void *arg)
{
    search *s = arg;
    const char *names = sb_config_text(s->r->app->config, "words");
    s->ckpt = k;
    s->r->word_n = 0;
    SB_TRY(sb_agree(s->r->app->comm,
                    names ? take_words(s, names) : choose_words(s)));
    for (size_t i = 0; i < s->r->word_n; i++)
        SB_TRY(find_near(s, &s->r->word[i]));
    return SB_OK;
}

static sb_status find_all(search *s)
{
    sb_app *a = s->r->app;
    SB_TRY(sb_app_vocab(a, &s->vocab));
    sb_status st = sb_encoder_open(s->vocab, &s->encoder);
    if (st == SB_OK)
        st =
            sb_alloc(SB_REPORT_WORDS, sizeof *s->r->word, "words", &s->r->word);
    SB_TRY(sb_agree(a->comm, st));
    return sb_app_word2vec(a, s->vocab, take_checkpoint, s);
}

sb_status sb_report_find_words(sb_report *r)
{
    search s = {.r = r};
    sb_status st = find_all(&s);
    sb_encoder_close(s.encoder);
    sb_vocab_close(s.vocab);
    free(s.ids.id);
    return st;
}

void sb_report_words(const sb_report *r, sb_html *h)
{
    sb_html_put(h, "<h3>Nearest words</h3>\n");
    if (!r->words.there) {
        sb_part_missing(h, &r->words, "word vectors", "word2vec");
        return;
    }
    if (!r->word_n) {
        sb_html_put(h, "<p class=\"missing\">The vocabulary has no word of "
                       "plain letters; <code>--words</code> names some.</p>\n");
        return;
    }
    sb_html_put(h, "<p class=\"soft\">By the cosine of their vectors.</p>\n"
                   "<div class=\"card wide words\"><table><tbody>\n");
    for (size_t i = 0; i < r->word_n; i++) {
        const sb_report_word *w = &r->word[i];
        sb_html_put(h, "<tr><th scope=\"row\">");
        sb_html_text(h, w->text);
        sb_html_put(h, "</th><td class=\"flow left\">");
        for (size_t k = 0; k < w->n; k++) {
            sb_html_put(h, "<span>");
            sb_html_text(h, w->near[k].text);
            sb_html_printf(h, " <small>%.2f</small></span> ",
                           (double)w->near[k].cosine);
        }
        sb_html_put(h, "</td></tr>\n");
    }
    sb_html_put(h, "</tbody></table></div>\n");
}
