/* SPDX-License-Identifier: MIT
 * source.c - raw text files cut into documents.
 *
 * Invariants:
 *   1. Where a document begins is decided by bytes near it alone, never by the
 *      cutting: a line after '\n' or at the start of the file, a paragraph at
 *      a line with ink whose predecessor has none. So units of any size give
 *      the same documents.
 *   2. Memory per open source: one read buffer and one document, whatever the
 *      file holds. What goes beyond SB_DOCUMENT_MAX is read and forgotten.
 *   3. A file is read up to the size it had when the sources were opened.
 *
 * Ink is any byte that is not ASCII white space. A line is blank if it has no
 * ink and at most SB_DOCUMENT_MAX bytes: that bounds how far back a unit looks.
 * A longer one is a document, and a bad one. */
#include "dataset/source.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "dataset/text.h"

enum { READ_BYTES = 256 << 10, BACK_BYTES = 4096, BOM_BYTES = 3 };

typedef struct file {
    char *path;
    uint64_t size;
    int64_t modified[2]; /* seconds, nanoseconds */
} file;

struct sb_sources {
    file *files;
    size_t n_files, files_cap;
    sb_unit *units;
    uint32_t *file_of; /* [units] */
    size_t n_units;
    uint64_t bytes, unit_bytes;
    sb_documents documents;
};

/* ---- the list of files --------------------------------------------------- */

static sb_status check_file(const char *path, file *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    SB_REQUIRE(fd >= 0, SB_EIO, "cannot read '%s': %s", path, strerror(errno));
    struct stat s;
    int bad = fstat(fd, &s), why = errno;
    close(fd);
    SB_REQUIRE(!bad, SB_EIO, "cannot look at '%s': %s", path, strerror(why));
    if (S_ISDIR(s.st_mode)) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__, "'%s' is a folder", path);
        return sb_hint("name its files with a pattern: 'text:%s/*'", path);
    }
    SB_REQUIRE(S_ISREG(s.st_mode), SB_EINVAL, "'%s' is not a plain file", path);
    f->size = (uint64_t)s.st_size;
    f->modified[0] = (int64_t)s.st_mtim.tv_sec;
    f->modified[1] = (int64_t)s.st_mtim.tv_nsec;
    return SB_OK;
}

static sb_status add_file(sb_sources *s, const char *path)
{
    file f = {0};
    SB_TRY(check_file(path, &f));
    SB_REQUIRE(s->n_files < UINT32_MAX, SB_ELIMIT, "too many files");
    SB_TRY(sb_grow(&s->files, &s->files_cap, s->n_files + 1, sizeof *s->files,
                   "source files"));
    f.path = strdup(path);
    SB_REQUIRE(f.path, SB_ENOMEM, "out of memory: file names");
    s->files[s->n_files++] = f;
    SB_REQUIRE(!__builtin_add_overflow(s->bytes, f.size, &s->bytes), SB_ELIMIT,
               "the sources are larger than can be counted");
    return SB_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static sb_status add_glob(sb_sources *s, const char *pattern)
{
    glob_t g;
    int rc = glob(pattern, GLOB_NOSORT, NULL, &g);
    if (rc != 0) {
        globfree(&g);
        SB_REQUIRE(rc != GLOB_NOMATCH, SB_ENOENT, "no file matches '%s'",
                   pattern);
        SB_REQUIRE(rc != GLOB_NOSPACE, SB_ENOMEM, "out of memory: file names");
        SB_FAIL(SB_EIO, "cannot list '%s'", pattern);
    }
    /* by bytes: glob's own order is the locale's */
    qsort(g.gl_pathv, g.gl_pathc, sizeof *g.gl_pathv, by_name);
    sb_status st = SB_OK;
    for (size_t i = 0; i < g.gl_pathc && st == SB_OK; i++)
        st = add_file(s, g.gl_pathv[i]);
    globfree(&g);
    return st;
}

static sb_status add_spec(sb_sources *s, const char *spec)
{
    static const char kind[] = "text:";
    if (strncmp(spec, kind, sizeof kind - 1) != 0) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__, "unknown kind of source: '%s'",
                spec);
        return sb_hint("a source is written KIND:GLOB, for example "
                       "'text:corpus/*.txt'; kinds: text");
    }
    return add_glob(s, spec + sizeof kind - 1);
}

static sb_status cut(sb_sources *s)
{
    uint64_t n = 0, step = s->unit_bytes;
    for (size_t i = 0; i < s->n_files; i++)
        n += s->files[i].size / step + (s->files[i].size % step != 0);
    SB_REQUIRE(n < SIZE_MAX, SB_ELIMIT, "too many units: %" PRIu64, n);
    SB_TRY(sb_alloc((size_t)n, sizeof *s->units, "units", &s->units));
    SB_TRY(sb_alloc((size_t)n, sizeof *s->file_of, "units", &s->file_of));
    for (uint32_t i = 0; i < s->n_files; i++) {
        const file *f = &s->files[i];
        for (uint64_t at = 0; at < f->size;) {
            uint64_t last = f->size - at > step ? at + step : f->size;
            s->file_of[s->n_units] = i;
            s->units[s->n_units++] = (sb_unit){f->path, at, last};
            at = last;
        }
    }
    return SB_OK;
}

sb_status sb_sources_open(const char *const *specs, size_t n,
                          sb_documents documents, uint64_t unit_bytes,
                          sb_sources **sources_out)
{
    sb_sources *s;
    sb_status st = SB_OK;
    SB_REQUIRE(unit_bytes > 0, SB_EINVAL, "units of no bytes");
    SB_TRY(sb_alloc(1, sizeof *s, "sources", &s));
    s->unit_bytes = unit_bytes;
    s->documents = documents;
    for (size_t i = 0; i < n; i++) SB_GOTO(st, add_spec(s, specs[i]), out);
    st = cut(s);
out:
    if (st == SB_OK)
        *sources_out = s;
    else
        sb_sources_close(s);
    return st;
}

void sb_sources_close(sb_sources *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->n_files; i++) free(s->files[i].path);
    sb_free(s->files);
    sb_free(s->units);
    sb_free(s->file_of);
    sb_free(s);
}

size_t sb_sources_units(const sb_sources *s)
{
    return s->n_units;
}

sb_unit sb_sources_unit(const sb_sources *s, size_t i)
{
    return s->units[i];
}

uint64_t sb_sources_bytes(const sb_sources *s)
{
    return s->bytes;
}

static uint64_t mix(uint64_t h, const void *data, size_t n)
{
    uint64_t both[2] = {h, sb_hash64(data, n)};
    return sb_hash64(both, sizeof both);
}

uint64_t sb_sources_identity(const sb_sources *s)
{
    uint64_t how[3] = {s->unit_bytes, (uint64_t)s->documents, s->n_files};
    uint64_t h = mix(0, how, sizeof how);
    for (size_t i = 0; i < s->n_files; i++) {
        const file *f = &s->files[i];
        h = mix(h, f->path, strlen(f->path));
        h = mix(h, &f->size, sizeof f->size);
        h = mix(h, f->modified, sizeof f->modified);
    }
    return h;
}

/* ---- dealing out --------------------------------------------------------- */

typedef struct share {
    uint64_t bytes;
    size_t unit;
} share;

static int by_falling_bytes(const void *a, const void *b)
{
    const share *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

sb_status sb_sources_deal(const sb_sources *s, int size, int *owner_out)
{
    share *all;
    uint64_t *load;
    SB_REQUIRE(size > 0, SB_EINVAL, "units dealt out to %d ranks", size);
    SB_TRY(sb_alloc((size_t)size, sizeof *load, "loads", &load));
    sb_status st = sb_alloc(s->n_units, sizeof *all, "units", &all);
    if (st != SB_OK) goto out;
    for (size_t i = 0; i < s->n_units; i++)
        all[i] = (share){s->units[i].last - s->units[i].first, i};
    qsort(all, s->n_units, sizeof *all, by_falling_bytes);
    for (size_t i = 0; i < s->n_units; i++) {
        int least = 0;
        for (int r = 1; r < size; r++)
            if (load[r] < load[least]) least = r;
        load[least] += all[i].bytes;
        owner_out[all[i].unit] = least;
    }
    sb_free(all);
out:
    sb_free(load);
    return st;
}

/* ---- reading ------------------------------------------------------------- */

struct sb_source {
    sb_unit unit;
    uint64_t size; /* of the file, as it was at the opening */
    sb_documents documents;
    int fd;
    char *data;        /* file bytes [at - (p - data), ...) */
    size_t p, end;     /* unread: data[p..end) */
    uint64_t at;       /* place of data[p] in the file */
    sb_buffer text;    /* the document, at most KEEP bytes of it */
    uint64_t text_all; /* its bytes, kept or not */
};

/* One more than a document and its '\r': enough to know that it is too long. */
enum { KEEP = SB_DOCUMENT_MAX + 2 };

static sb_status read_at(const sb_source *s, uint64_t at, char *to, size_t n)
{
    for (size_t have = 0; have < n;) {
        ssize_t k = pread(s->fd, to + have, n - have, (off_t)(at + have));
        if (k < 0 && errno == EINTR) continue;
        SB_REQUIRE(k >= 0, SB_EIO, "cannot read '%s': %s", s->unit.path,
                   strerror(errno));
        SB_REQUIRE(k > 0, SB_EIO,
                   "'%s' ends at byte %" PRIu64 ", it had %" PRIu64
                   " when the run began",
                   s->unit.path, at + have, s->size);
        have += (size_t)k;
    }
    return SB_OK;
}

static sb_status fill(sb_source *s)
{
    if (s->p < s->end || s->at >= s->size) return SB_OK;
    uint64_t left = s->size - s->at;
    size_t want = left < READ_BYTES ? (size_t)left : READ_BYTES;
    s->p = s->end = 0;
    SB_TRY(read_at(s, s->at, s->data, want));
    s->end = want;
    return SB_OK;
}

static int is_ink(char c)
{
    return c != ' ' && !(c >= '\t' && c <= '\r');
}

static int has_ink(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_ink(text[i])) return 1;
    return 0;
}

/* Keep text[0..n) as part of the document, as far as there is room. */
static sb_status keep(sb_source *s, const char *text, size_t n)
{
    size_t room = KEEP - s->text.n;
    s->text_all += n;
    return sb_buffer_add(&s->text, text, n < room ? n : room);
}

typedef struct line {
    uint64_t first; /* its place */
    int any, blank; /* is there one at all; has it no ink */
} line;

/* Nothing that can still be read of this line matters to this unit. */
static int is_settled(const sb_source *s, const line *l, int wanted)
{
    if (s->at < s->unit.last) return 0;
    return !wanted || (s->text_all >= KEEP &&
                       (!l->blank || s->at - l->first > SB_DOCUMENT_MAX));
}

/* Read one line. If `wanted`, put it behind the document, without its '\n'. */
static sb_status read_line(sb_source *s, int wanted, line *l)
{
    int ended = 0;
    *l = (line){s->at, s->at < s->size, 1};
    while (!ended && !is_settled(s, l, wanted)) {
        SB_TRY(fill(s));
        const char *from = s->data + s->p;
        size_t left = s->end - s->p;
        if (!left) break;
        const char *nl = memchr(from, '\n', left);
        size_t n = nl ? (size_t)(nl - from) : left;
        if (l->blank) l->blank = !has_ink(from, n);
        if (wanted) SB_TRY(keep(s, from, n));
        ended = nl != NULL;
        s->p += n + (size_t)ended;
        s->at += n + (size_t)ended;
    }
    if (s->at - (uint64_t)ended - l->first > SB_DOCUMENT_MAX) l->blank = 0;
    return SB_OK;
}

/* Is the line that ends at byte `end` (its '\n', or `base`) blank? */
static sb_status blank_before(const sb_source *s, uint64_t base, uint64_t end,
                              int *blank_out)
{
    int is_long = end - base > SB_DOCUMENT_MAX;
    uint64_t floor = is_long ? end - SB_DOCUMENT_MAX - 1 : base;
    char back[BACK_BYTES];
    while (end > floor) {
        uint64_t from = end - floor > sizeof back ? end - sizeof back : floor;
        SB_TRY(read_at(s, from, back, (size_t)(end - from)));
        for (size_t i = (size_t)(end - from); i-- > 0;) {
            if (back[i] != '\n' && !is_ink(back[i])) continue;
            *blank_out = back[i] == '\n';
            return SB_OK;
        }
        end = from;
    }
    *blank_out = !is_long;
    return SB_OK;
}

/* Go to the first place in the unit where a document may begin. */
static sb_status go_first(sb_source *s, uint64_t base)
{
    line l;
    int blank = 1;
    s->at = base;
    if (s->unit.first <= base) return SB_OK;
    s->at = s->unit.first - 1;
    SB_TRY(read_line(s, 0, &l)); /* the line that holds byte first - 1 */
    if (s->documents == SB_DOC_LINE || s->at >= s->unit.last) return SB_OK;
    SB_TRY(blank_before(s, base, s->at - 1, &blank));
    while (!blank && s->at < s->unit.last) {
        SB_TRY(read_line(s, 0, &l));
        blank = l.blank;
    }
    return SB_OK;
}

static sb_status start(sb_source *s)
{
    uint64_t base = 0;
    s->fd = open(s->unit.path, O_RDONLY | O_CLOEXEC);
    SB_REQUIRE(s->fd >= 0, SB_EIO, "cannot read '%s': %s", s->unit.path,
               strerror(errno));
    size_t room = s->size < READ_BYTES ? (size_t)s->size : READ_BYTES;
    SB_TRY(sb_alloc(room, 1, "read buffer", &s->data));
    if (s->size >= BOM_BYTES) {
        char bom[BOM_BYTES];
        SB_TRY(read_at(s, 0, bom, BOM_BYTES));
        if (!memcmp(bom, "\xef\xbb\xbf", BOM_BYTES)) base = BOM_BYTES;
    }
    return go_first(s, base);
}

sb_status sb_source_open(const sb_sources *sources, size_t unit,
                         sb_source **source_out)
{
    sb_source *s;
    SB_REQUIRE(unit < sources->n_units, SB_EINVAL, "no unit %zu of %zu", unit,
               sources->n_units);
    SB_TRY(sb_alloc(1, sizeof *s, "source", &s));
    s->unit = sources->units[unit];
    s->size = sources->files[sources->file_of[unit]].size;
    s->documents = sources->documents;
    s->fd = -1;
    sb_status st = start(s);
    if (st == SB_OK)
        *source_out = s;
    else
        sb_source_close(s);
    return st;
}

void sb_source_close(sb_source *s)
{
    if (!s) return;
    if (s->fd >= 0) close(s->fd);
    sb_free(s->data);
    sb_free(s->text.data);
    sb_free(s);
}

uint64_t sb_source_done(const sb_source *s)
{
    if (s->at <= s->unit.first) return 0;
    uint64_t to = s->at < s->unit.last ? s->at : s->unit.last;
    return to - s->unit.first;
}

/* ---- documents ----------------------------------------------------------- */

/* The document's lines behind the first. */
static sb_status read_paragraph(sb_source *s)
{
    for (;;) {
        if (s->text_all >= KEEP && s->at >= s->unit.last) return SB_OK;
        size_t kept = s->text.n;
        uint64_t all = s->text_all;
        line l;
        SB_TRY(keep(s, "\n", 1));
        SB_TRY(read_line(s, 1, &l));
        if (l.any && !l.blank) continue;
        s->text.n = kept;
        s->text_all = all;
        return SB_OK;
    }
}

/* Record why the document at `first` is bad, if it is. */
static int is_bad(sb_source *s, uint64_t first, sb_bad *bad)
{
    char why[64];
    const char *text = s->text.data;
    size_t n = s->text.n, valid;
    if (s->text_all <= SB_DOCUMENT_MAX + 1 && n && text[n - 1] == '\r')
        n = --s->text.n;
    if (s->text_all > SB_DOCUMENT_MAX + 1 || n > SB_DOCUMENT_MAX)
        snprintf(why, sizeof why, "longer than %s",
                 sb_bytes_text(SB_DOCUMENT_MAX));
    else if (memchr(text, 0, n))
        snprintf(why, sizeof why, "holds a NUL byte");
    else if ((valid = sb_utf8_valid(text, n)) < n)
        snprintf(why, sizeof why, "not UTF-8 at its byte %zu", valid);
    else
        return 0;
    if (bad->count++ > 0) return 1;
    char *place = sb_format("%s:%" PRIu64 ": %s", s->unit.path, first, why);
    snprintf(bad->first, sizeof bad->first, "%s", place ? place : why);
    for (char *c = bad->first; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127) *c = '?';
    sb_free(place);
    return 1;
}

sb_status sb_source_next(sb_source *s, sb_document *doc_out, sb_bad *bad,
                         int *more_out)
{
    while (s->at < s->unit.last) {
        line l;
        s->text.n = 0;
        s->text_all = 0;
        SB_TRY(read_line(s, 1, &l));
        if (l.blank) continue;
        if (s->documents == SB_DOC_PARAGRAPH) SB_TRY(read_paragraph(s));
        if (is_bad(s, l.first, bad)) continue;
        *doc_out = (sb_document){s->text.data, s->text.n, l.first};
        *more_out = 1;
        return SB_OK;
    }
    *more_out = 0;
    return SB_OK;
}
