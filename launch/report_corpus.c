/* SPDX-License-Identifier: MIT
 * report_corpus.c - what the corpus is made of. */
#include <inttypes.h>

#include "launch/plot.h"
#include "launch/report.h"

enum { BARS = 24 }; /* sources of the bar; the table has them all */

/* Tokens that an epoch of training sees of a source. */
static double seen(const sb_source_entry *e)
{
    return e->weight * (double)e->stats.tokens;
}

static void cell(sb_html *h, uint64_t n)
{
    char text[24];
    sb_number_text((double)n, text);
    sb_html_printf(h, "<td>%s</td>", text);
}

static void write_bar(const sb_manifest *m, double all, sb_html *h)
{
    sb_html_put(h, "<div class=\"bar\" role=\"img\" aria-label=\"share of each "
                   "source in training; the table has the numbers\">");
    for (size_t i = 0; i < m->sources && i < BARS; i++)
        if (seen(&m->source[i]) > 0)
            sb_html_printf(h, "<i class=\"c%zu\" style=\"width:%.2f%%\"></i>",
                           i % SB_PLOT_COLOURS,
                           100 * seen(&m->source[i]) / all);
    sb_html_put(h, "</div>\n");
}

static void write_source(const sb_source_entry *e, size_t i, double all,
                         sb_html *h)
{
    const sb_source_stats *s = &e->stats;
    sb_html_put(h, "<tr><th scope=\"row\">");
    if (i < BARS)
        sb_html_printf(h, "<span class=\"dot c%zu\"></span>",
                       i % SB_PLOT_COLOURS);
    sb_html_text(h, e->spec);
    sb_html_put(h, "</th>");
    sb_html_printf(h, "<td>%.1f %%</td><td>%g</td>", 100 * seen(e) / all,
                   e->weight);
    cell(h, s->documents);
    cell(h, s->tokens);
    cell(h, s->text_bytes);
    cell(h, s->heldout);
    cell(h, s->duplicates);
    cell(h, s->bad);
    sb_html_put(h, "</tr>\n");
}

void sb_report_corpus(const sb_report *r, sb_html *h)
{
    const sb_manifest *m = r->manifest;
    double all = 0;
    sb_html_put(h, "<h2 id=\"corpus\">Corpus</h2>\n");
    if (!r->corpus.there) {
        sb_part_missing(h, &r->corpus, "corpus", "ingest");
        return;
    }
    for (size_t i = 0; i < m->sources; i++) all += seen(&m->source[i]);
    if (!(all > 0)) all = 1;
    sb_html_printf(h,
                   "<p>%zu source%s in %zu shards, encoded with %" PRIu64
                   " pieces. The bar is what training sees: tokens times "
                   "weight.</p>\n<div class=\"card\">",
                   m->sources, m->sources == 1 ? "" : "s", m->shards,
                   m->vocab_size);
    write_bar(m, all, h);
    sb_html_put(
        h, "<div class=\"wide\"><table><thead><tr><th>source</th><th>share</th>"
           "<th>weight</th><th>documents</th><th>tokens</th><th>bytes</th>"
           "<th>held out</th><th>duplicates</th><th>unreadable</th></tr>"
           "</thead><tbody>\n");
    for (size_t i = 0; i < m->sources; i++)
        write_source(&m->source[i], i, all, h);
    sb_html_put(h, "</tbody></table></div></div>\n");
}
