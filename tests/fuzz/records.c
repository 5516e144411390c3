/* SPDX-License-Identifier: MIT
 * records.c - a file of any kind, from its bytes to its documents: lines,
 * paragraphs, columns, WikiExtractor's articles, JSON lines, packed ones. The
 * first byte says which, the second into what ranges the file is cut. All
 * documents are UTF-8 without NUL, and the same however the file is cut. */
#include "dataset/source.h"
#include "dataset/text.h"
#include "tests/fuzz/fuzz.h"

static const char *const kinds[] = {"text",      "c4",    "msmarco", "news",
                                    "wikipedia", "s2orc", "jsonl",   "tsv"};
enum { WIKIPEDIA = 4 };

static sb_status read_unit(const sb_sources *s, size_t unit, sb_buffer *all,
                           sb_tally *tally)
{
    sb_source *from;
    SB_TRY(sb_source_open(s, unit, &from));
    sb_status st = SB_OK;
    for (int more = 1; more && st == SB_OK;) {
        sb_document d;
        st = sb_source_next(from, &d, tally, &more);
        if (st != SB_OK || !more || !d.text) continue;
        HOLDS(sb_utf8_valid(d.text, d.bytes) == d.bytes);
        HOLDS(!memchr(d.text, 0, d.bytes));
        HOLDS(sb_buffer_add(all, d.text, d.bytes) == SB_OK);
        HOLDS(sb_buffer_add(all, "", 1) == SB_OK);
    }
    sb_source_close(from);
    return st;
}

/* All documents in units of so many bytes. */
static sb_status read_all(const char *spec, sb_source_options o, uint64_t unit,
                          sb_buffer *all, sb_tally *tally)
{
    sb_sources *s;
    o.unit_bytes = unit;
    SB_TRY(sb_sources_open(&spec, 1, &o, &s));
    sb_status st = SB_OK;
    for (size_t u = 0; u < sb_sources_units(s) && st == SB_OK; u++)
        st = read_unit(s, u, all, tally);
    sb_sources_close(s);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    enum { RANGES = 16 };
    fuzz_input in = {data, n};
    uint8_t how = fuzz_byte(&in), cut = fuzz_byte(&in);
    sb_source_options o = {.documents = (sb_documents)(how / 8 % 3),
                           .text_field = "text",
                           .column = 1 + how / 24 % 3,
                           .max_ratio = 200};
    char spec[256];
    snprintf(spec, sizeof spec, "%s:%s", kinds[how % 8],
             fuzz_file("file", in.at, in.left));
    sb_buffer whole = {0}, parts = {0};
    sb_tally a = {0}, b = {0};
    sb_status st = read_all(spec, o, UINT64_MAX, &whole, &a);
    uint64_t step = 1 + in.left / RANGES + cut;
    sb_status cut_st = read_all(spec, o, step, &parts, &b);
    /* A range of nothing but bad records does not end the run, a file may. */
    if (st == SB_OK && cut_st == SB_OK) {
        HOLDS(whole.n == parts.n);
        HOLDS(!whole.n || memcmp(whole.data, parts.data, whole.n) == 0);
        HOLDS(a.documents == b.documents && a.skipped == b.skipped);
        HOLDS(a.bad == b.bad || how % 8 == WIKIPEDIA);
    }
    free(whole.data);
    free(parts.data);
    return 0;
}
