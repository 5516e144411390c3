/* SPDX-License-Identifier: MIT
 * manifest_write.c - what corpus.json may say, and its text.
 *
 * The text is made here and not by json-c, so that the same contents are the
 * same bytes with any version of it; the reader relies on that.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "dataset/manifest_text.h"
#include "dataset/text.h"

const char *const sb_split_name[2] = {"train", "heldout"};

#define STAT(field)                                                            \
    {                                                                          \
#field, offsetof(sb_source_stats, field)                               \
    }
const sb_stat sb_stats[SB_STATS] = {
    STAT(documents), STAT(heldout), STAT(text_bytes),
    STAT(tokens),    STAT(unknown), STAT(duplicates),
    STAT(dropped),   STAT(skipped), STAT(bad),
};

void sb_shard_name(sb_split split, size_t unit, char name_out[32])
{
    snprintf(name_out, 32, "%s-%05zu.mdb", sb_split_name[split], unit);
}

/* ---- what makes sense ---------------------------------------------------- */

static int plain_name(const char *s)
{
    size_t n = strlen(s);
    if (n == 0 || n >= sizeof((sb_shard_entry *)0)->name || s[0] == '.')
        return 0;
    return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                     "0123456789._-") == n;
}

static sb_status check_source(const sb_source_entry *s, size_t i)
{
    const sb_source_stats *n = &s->stats;
    SB_REQUIRE(isfinite(s->weight) && s->weight >= 0, SB_EFORMAT,
               "%s: source %zu has weight %g", SB_MANIFEST_NAME, i, s->weight);
    uint64_t left = n->documents;
    int good = n->heldout <= n->documents && n->unknown <= n->tokens &&
               n->dropped <= n->duplicates;
    for (int k = 0; k < SB_LENGTHS && good; k++) {
        good = n->length[k] <= left;
        left -= n->length[k];
    }
    SB_REQUIRE(good, SB_EFORMAT,
               "%s: source %zu: its numbers contradict each other",
               SB_MANIFEST_NAME, i);
    return SB_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* LMDB does not allow one file to be opened twice. */
static sb_status check_doubles(const sb_manifest *m)
{
    const char **name;
    SB_TRY(sb_alloc(m->shards, sizeof *name, "shard names", &name));
    for (size_t i = 0; i < m->shards; i++) name[i] = m->shard[i].name;
    qsort(name, m->shards, sizeof *name, by_name);
    sb_status st = SB_OK;
    for (size_t i = 1; i < m->shards && st == SB_OK; i++)
        if (strcmp(name[i - 1], name[i]) == 0)
            st = sb_fail(SB_EFORMAT, __FILE__, __LINE__,
                         "%s: shard '%s' is named twice", SB_MANIFEST_NAME,
                         name[i]);
    sb_free(name);
    return st;
}

sb_status sb_manifest_check(const sb_manifest *m)
{
    SB_REQUIRE(m->vocab_size > 0 && m->vocab_size <= UINT32_MAX, SB_EFORMAT,
               "%s: no vocabulary has %" PRIu64 " pieces", SB_MANIFEST_NAME,
               m->vocab_size);
    SB_REQUIRE(m->sources <= SB_SOURCES_MAX, SB_EFORMAT,
               "%s: %zu sources are too many", SB_MANIFEST_NAME, m->sources);
    for (size_t i = 0; i < m->sources; i++)
        SB_TRY(check_source(&m->source[i], i));
    for (size_t i = 0; i < m->shards; i++) {
        const sb_shard_entry *e = &m->shard[i];
        SB_REQUIRE(memchr(e->name, 0, sizeof e->name) && plain_name(e->name),
                   SB_EFORMAT, "%s: '%.31s' is not the name of a shard",
                   SB_MANIFEST_NAME, e->name);
        SB_REQUIRE(e->source < m->sources &&
                       (i == 0 || e->source >= m->shard[i - 1].source),
                   SB_EFORMAT, "%s: shard '%s' is out of its source's order",
                   SB_MANIFEST_NAME, e->name);
        SB_REQUIRE(e->bytes > 0, SB_EFORMAT, "%s: shard '%s' is empty",
                   SB_MANIFEST_NAME, e->name);
        SB_REQUIRE(e->info.vocab_size == m->vocab_size &&
                       e->info.vocab_hash == m->vocab_hash,
                   SB_EFORMAT, "%s: shard '%s' has another vocabulary",
                   SB_MANIFEST_NAME, e->name);
    }
    return check_doubles(m);
}

/* ---- the text ------------------------------------------------------------ */

/* Bytes that are not UTF-8, of a path say, are shown as '?'. */
static void put_text(FILE *f, const char *s)
{
    size_t n = strlen(s);
    fputc('"', f);
    while (n > 0) {
        size_t good = sb_utf8_valid(s, n);
        for (size_t i = 0; i < good; i++) {
            unsigned char c = (unsigned char)s[i];
            if (c == '"' || c == '\\')
                fprintf(f, "\\%c", c);
            else if (c == '\n')
                fputs("\\n", f);
            else if (c < 0x20)
                fprintf(f, "\\u%04x", c);
            else
                fputc(c, f);
        }
        if (good < n) {
            fputc('?', f);
            good++;
        }
        s += good;
        n -= good;
    }
    fputc('"', f);
}

/* The fewest digits that are read as the same number. */
static void put_real(FILE *f, double v)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v + 0.0); /* no "-0" */
        if (strtod(text, NULL) == v) break;
    }
    fputs(text, f);
}

static void put_source(FILE *f, const sb_source_entry *s)
{
    fputs("  {\"spec\": ", f);
    put_text(f, s->spec);
    fputs(", \"weight\": ", f);
    put_real(f, s->weight);
    fputs(",\n   ", f);
    for (int i = 0; i < SB_STATS; i++) {
        uint64_t v;
        memcpy(&v, (const char *)&s->stats + sb_stats[i].at, sizeof v);
        fprintf(f, "\"%s\": %" PRIu64 ",%s", sb_stats[i].key, v,
                i % 3 == 2 ? "\n   " : " ");
    }
    fputs("\"length\": [", f);
    for (int i = 0; i < SB_LENGTHS; i++)
        fprintf(f, "%s%" PRIu64, i ? ", " : "", s->stats.length[i]);
    fputs("],\n   \"first_bad\": ", f);
    put_text(f, s->stats.first_bad);
    fputs("}", f);
}

static void put_shard(FILE *f, const sb_shard_entry *e)
{
    fprintf(f,
            "  {\"name\": \"%s\", \"split\": \"%s\", \"source\": %" PRIu32
            ", \"bytes\": %" PRIu64 ", \"blocks\": %" PRIu64
            ", \"tokens\": %" PRIu64 ", \"sentences\": %" PRIu64
            ", \"documents\": %" PRIu64 "}",
            e->name, sb_split_name[e->split], e->source, e->bytes,
            e->info.blocks, e->info.tokens, e->info.sentences,
            e->info.documents);
}

static void put_all(FILE *f, const sb_manifest *m)
{
    fprintf(f,
            "{\n \"format\": \"" SB_MANIFEST_FORMAT "\",\n \"version\": %d,\n"
            " \"vocab_size\": %" PRIu64 ",\n \"vocab_hash\": \"%016" PRIx64
            "\",\n \"input_identity\": \"%016" PRIx64 "\",\n \"config\": ",
            SB_MANIFEST_VERSION, m->vocab_size, m->vocab_hash,
            m->input_identity);
    put_text(f, m->config);
    fputs(",\n \"sources\": [", f);
    for (size_t i = 0; i < m->sources; i++) {
        fputs(i ? ",\n" : "\n", f);
        put_source(f, &m->source[i]);
    }
    fputs("\n ],\n \"shards\": [", f);
    for (size_t i = 0; i < m->shards; i++) {
        fputs(i ? ",\n" : "\n", f);
        put_shard(f, &m->shard[i]);
    }
    fputs("\n ],\n", f);
}

sb_status sb_manifest_text(const sb_manifest *m, char **text_out,
                           size_t *bytes_out)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, bytes_out);
    if (f) {
        put_all(f, m);
        int bad = fflush(f) != 0;
        if (!bad)
            fprintf(f, " \"crc32c\": \"%08" PRIx32 "\"\n}\n",
                    sb_crc32c(0, text, *bytes_out));
        bad |= ferror(f);
        if (fclose(f) == 0 && !bad) {
            *text_out = text;
            return SB_OK;
        }
    }
    free(text);
    SB_FAIL(SB_ENOMEM, "out of memory: the text of %s", SB_MANIFEST_NAME);
}

sb_status sb_manifest_write(const char *dir, const sb_manifest *m)
{
    sb_status st = sb_manifest_check(m);
    if (st == SB_EFORMAT) /* the caller's, not the disk's */
        SB_FAIL(SB_EBUG, "%s", sb_error_last()->text);
    SB_TRY(st);
    char *text = NULL, *path = sb_path_join(dir, SB_MANIFEST_NAME);
    size_t bytes;
    st = path ? sb_manifest_text(m, &text, &bytes)
              : sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    if (st == SB_OK) st = sb_file_write(path, text, bytes);
    free(text);
    sb_free(path);
    return st == SB_OK ? sb_dir_sync(dir) : st;
}
