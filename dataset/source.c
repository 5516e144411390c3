/* SPDX-License-Identifier: MIT
 * source.c - a unit's documents, whatever their files are.
 *
 * Here every document passes the same gate: it is UTF-8, without NUL, not too
 * long; what does not pass is counted with its place. */
#include "dataset/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/source_list.h"
#include "dataset/text.h"

enum {
    HOPELESS = 1000, /* a file whose first records are bad is of another kind */
    PATIENCE = 16    /* records to pass over in one call */
};

struct sb_source {
    const sb_sources *all;
    sb_unit unit;
    size_t number; /* of the unit */
    size_t file;   /* the one that is open, or comes next */
    uint64_t done; /* bytes of the files behind it */
    sb_reader *reader;
    uint64_t records, bad; /* of this file */
};

sb_status sb_source_open(const sb_sources *sources, size_t unit,
                         sb_source **source_out)
{
    sb_source *s;
    SB_REQUIRE(unit < sources->n_units, SB_EINVAL, "no unit %zu of %zu", unit,
               sources->n_units);
    SB_TRY(sb_alloc(1, sizeof *s, "source", &s));
    s->all = sources;
    s->unit = sources->unit[unit];
    s->number = unit;
    s->file = s->unit.file;
    *source_out = s;
    return SB_OK;
}

void sb_source_close(sb_source *s)
{
    if (!s) return;
    sb_reader_close(s->reader);
    sb_free(s);
}

uint64_t sb_source_done(const sb_source *s)
{
    return s->done + (s->reader ? sb_reader_done(s->reader) : 0);
}

static sb_status open_file(sb_source *s)
{
    const sb_file *f = &s->all->file[s->file];
    int range = s->unit.files == 1;
    s->records = s->bad = 0;
    return sb_reader_open(s->all->spec[s->unit.source].kind, &s->all->options,
                          f->path, range ? s->unit.first : 0,
                          range ? s->unit.last : f->size, f->size, &s->reader);
}

static void close_file(sb_source *s)
{
    sb_reader_close(s->reader);
    s->reader = NULL;
    s->done += s->unit.files == 1 ? s->unit.bytes : s->all->file[s->file].size;
    s->file++;
}

/* Turn a document that cannot be used into a bad record. room: for `why`. */
static void check(sb_record *r, char *room, size_t n)
{
    size_t valid;
    if (r->verdict != SB_GOOD) return;
    if (r->bytes > SB_DOCUMENT_MAX)
        snprintf(room, n, "longer than %s", sb_bytes_text(SB_DOCUMENT_MAX));
    else if (memchr(r->text, 0, r->bytes))
        snprintf(room, n, "holds a NUL byte");
    else if ((valid = sb_utf8_valid(r->text, r->bytes)) < r->bytes)
        snprintf(room, n, "not UTF-8 at its byte %zu", valid);
    else
        return;
    r->verdict = SB_BAD;
    r->why = room;
}

static sb_status count_bad(sb_source *s, const sb_record *r, sb_tally *tally)
{
    const char *path = s->all->file[s->file].path;
    s->bad++;
    if (tally->bad++ == 0 || s->number < tally->first_unit) {
        tally->first_unit = s->number;
        char *place = sb_format("%s:%" PRIu64 ": %s", path, r->offset, r->why);
        snprintf(tally->first_bad, sizeof tally->first_bad, "%s",
                 place ? place : r->why);
        for (char *c = tally->first_bad; *c; c++)
            if ((unsigned char)*c < ' ' || *c == 127) *c = '?';
        sb_free(place);
    }
    if (s->bad < HOPELESS || s->bad < s->records) return SB_OK;
    sb_fail(SB_EFORMAT, __FILE__, __LINE__,
            "'%s': its first %d records are all bad, the last one at byte "
            "%" PRIu64 ": %s",
            path, HOPELESS, r->offset, r->why);
    return sb_hint("is it of the kind '%s'?",
                   sb_kind_name[s->all->spec[s->unit.source].kind]);
}

/* The next record of this file. *more_out = 0: it is over. */
static sb_status next_record(sb_source *s, sb_record *r, sb_tally *tally,
                             int *more_out)
{
    char why[64];
    SB_TRY(sb_reader_next(s->reader, r, more_out));
    if (!*more_out) return SB_OK;
    s->records++;
    check(r, why, sizeof why);
    tally->documents += r->verdict == SB_GOOD;
    tally->skipped += r->verdict == SB_SKIPPED;
    return r->verdict == SB_BAD ? count_bad(s, r, tally) : SB_OK;
}

sb_status sb_source_next(sb_source *s, sb_document *doc_out, sb_tally *tally,
                         int *more_out)
{
    *more_out = 1;
    *doc_out = (sb_document){NULL, 0};
    for (int i = 0; i < PATIENCE; i++) {
        sb_record r;
        int more;
        if (s->file == s->unit.file + s->unit.files) {
            *more_out = 0;
            return SB_OK;
        }
        if (!s->reader) SB_TRY(open_file(s));
        SB_TRY(next_record(s, &r, tally, &more));
        if (!more) close_file(s);
        if (!more || r.verdict != SB_GOOD) continue;
        *doc_out = (sb_document){r.text, r.bytes};
        return SB_OK;
    }
    return SB_OK;
}
