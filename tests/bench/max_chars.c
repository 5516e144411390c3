/* SPDX-License-Identifier: MIT
 * max_chars.c - how far off --max-chars is, which cuts ids by the lengths of
 * their pieces: against cutting the text and encoding what is left.
 *
 *   bench_max_chars VOCAB CHARS KIND:GLOB...
 *
 * A document's text is stripped, cut to CHARS characters and encoded; and
 * encoded whole and cut. Only documents of more than CHARS characters count:
 * of the others both take all. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataset/piece_widths.h"
#include "dataset/record.h"
#include "dataset/source.h"
#include "dataset/tokenize.h"

#define DO(call)                                                               \
    do {                                                                       \
        if ((call) != SB_OK) {                                                 \
            fprintf(stderr, "bench_max_chars: %s\n", sb_error_last()->text);   \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

typedef struct sums {
    uint64_t documents, longer, equal, within1, within5, tokens, short_cut;
    double off, off_all;
    int64_t least, most;
} sums;

static void add(sums *all, const sums *s)
{
    all->documents += s->documents;
    all->longer += s->longer;
    all->equal += s->equal;
    all->within1 += s->within1;
    all->within5 += s->within5;
    all->tokens += s->tokens;
    all->short_cut += s->short_cut;
    all->off += s->off;
    all->off_all += s->off_all;
    if (s->least < all->least) all->least = s->least;
    if (s->most > all->most) all->most = s->most;
}

/* Bytes of the first `chars` characters of text[0..n). */
static size_t cut(const char *text, size_t n, uint32_t chars)
{
    size_t i = 0;
    for (; i < n; i++)
        if ((text[i] & 0xc0) != 0x80 && chars-- == 0) break;
    return i;
}

static sb_document strip(sb_document d)
{
    while (d.bytes && !sb_is_ink(d.text[0])) {
        d.text++;
        d.bytes--;
    }
    while (d.bytes && !sb_is_ink(d.text[d.bytes - 1])) d.bytes--;
    return d;
}

static void compare(sb_encoder *e, const sb_piece_width *w, uint32_t chars,
                    sb_document d, sums *s)
{
    static sb_ids whole, part;
    whole.n = part.n = 0;
    d = strip(d);
    size_t head = cut(d.text, d.bytes, chars);
    DO(sb_encode(e, d.text, d.bytes, 0, &whole));
    DO(sb_encode(e, d.text, head, 0, &part));
    uint32_t ours = sb_piece_widths_cut(w, whole.id, (uint32_t)whole.n, chars);
    s->documents++;
    if (head == d.bytes) {
        s->short_cut += ours < whole.n;
        return;
    }
    int64_t off = (int64_t)ours - (int64_t)part.n;
    s->longer++;
    s->tokens += part.n;
    s->equal += off == 0;
    s->within1 += llabs(off) <= 1;
    s->within5 += llabs(off) <= 5;
    s->off += (double)off;
    s->off_all += (double)llabs(off);
    if (off < s->least) s->least = off;
    if (off > s->most) s->most = off;
}

static void show(const char *what, const sums *s)
{
    double n = s->longer ? (double)s->longer : 1;
    printf("%s: %" PRIu64 " of %" PRIu64
           " documents are longer; cut to %.1f tokens on average\n"
           "  ours: %+.2f tokens on average, %.2f either way, %+" PRId64
           " to %+" PRId64 "; equal %.1f %%, within 1 %.1f %%, within 5 "
           "%.1f %%\n  shorter ones that we cut: %" PRIu64 "\n",
           what, s->longer, s->documents, (double)s->tokens / n, s->off / n,
           s->off_all / n, s->least, s->most, 100 * (double)s->equal / n,
           100 * (double)s->within1 / n, 100 * (double)s->within5 / n,
           s->short_cut);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: bench_max_chars VOCAB CHARS KIND:GLOB...\n");
        return 2;
    }
    uint32_t chars = (uint32_t)strtoul(argv[2], NULL, 10);
    sb_source_options how = {
        .text_field = "text", .column = 1, .max_ratio = 1e9};
    sb_vocab *v;
    sb_encoder *e;
    sb_piece_width *w;
    DO(sb_vocab_load(argv[1], &v));
    DO(sb_encoder_open(v, &e));
    DO(sb_piece_widths_open(v, &w));
    sums all = {0};
    for (int i = 3; i < argc; i++) {
        const char *spec[] = {argv[i]};
        sb_sources *s;
        sums sum = {0};
        DO(sb_sources_open(spec, 1, &how, &s));
        for (size_t u = 0; u < sb_sources_units(s); u++) {
            sb_source *in;
            sb_document d;
            sb_tally tally = {0};
            int more = 1;
            DO(sb_source_open(s, u, &in));
            for (;;) {
                DO(sb_source_next(in, &d, &tally, &more));
                if (!more) break;
                if (d.text) compare(e, w, chars, d, &sum);
            }
            sb_source_close(in);
        }
        show(argv[i], &sum);
        add(&all, &sum);
        sb_sources_close(s);
    }
    show("all", &all);
    return 0;
}
