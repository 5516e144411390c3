/* SPDX-License-Identifier: MIT
 * source_list.c - the files of the sources, cut into units. */
#include "dataset/source_list.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "dataset/stream.h"

/* A shard costs some 100 KiB besides its ids, so units should not be small; a
 * corpus should have many more of them than ranks, so not large either. */
enum { UNIT_MIN = 4 << 20, UNIT_MAX = 64 << 20, UNITS = 64 };

/* ---- "KIND:GLOB:WEIGHT" -------------------------------------------------- */

static sb_status read_kind(const char *spec, sb_kind *kind_out, size_t *n_out)
{
    for (int k = 0; k < SB_KINDS; k++) {
        size_t n = strlen(sb_kind_name[k]);
        if (strncmp(spec, sb_kind_name[k], n) != 0 || spec[n] != ':') continue;
        *kind_out = (sb_kind)k;
        *n_out = n + 1;
        return SB_OK;
    }
    sb_fail(SB_EINVAL, __FILE__, __LINE__, "unknown kind of source: '%s'",
            spec);
    return sb_hint("a source is written KIND:GLOB[:WEIGHT], for example "
                   "'text:corpus/*.txt'; kinds: text c4 msmarco news wikipedia "
                   "s2orc jsonl tsv");
}

/* What stands behind the last ':' is a weight if it looks like a number. */
static sb_status read_weight(const char *spec, size_t from, double *weight_out,
                             size_t *end_out)
{
    const char *colon = strrchr(spec + from, ':');
    *weight_out = 1;
    *end_out = strlen(spec);
    if (!colon || !colon[1] || colon[1 + strspn(colon + 1, "0123456789.eE+-")])
        return SB_OK;
    char *end;
    double w = strtod(colon + 1, &end);
    SB_REQUIRE(!*end && isfinite(w) && w >= 0 && w <= 1e6, SB_EINVAL,
               "'%s' is no weight of a source: a number from 0 to 1e6",
               colon + 1);
    *weight_out = w;
    *end_out = (size_t)(colon - spec);
    return SB_OK;
}

/* ---- files --------------------------------------------------------------- */

static sb_status look_inside(const sb_sources *s, int fd, sb_file *f)
{
    char head[SB_READER_HEAD];
    ssize_t n = pread(fd, head, sizeof head, 0);
    SB_REQUIRE(n >= 0, SB_EIO, "cannot read '%s': %s", f->path,
               strerror(errno));
    f->packed =
        sb_compression_of((const unsigned char *)head,
                          n < SB_STREAM_HEAD ? (size_t)n : SB_STREAM_HEAD) !=
        SB_PLAIN;
    f->cuts = !f->packed && sb_reader_cuts(s->spec[f->source].kind, &s->options,
                                           head, (size_t)n);
    return SB_OK;
}

static sb_status look_at(const sb_sources *s, int fd, sb_file *f)
{
    struct stat is;
    SB_REQUIRE(fstat(fd, &is) == 0, SB_EIO, "cannot look at '%s': %s", f->path,
               strerror(errno));
    if (S_ISDIR(is.st_mode)) {
        sb_fail(SB_EINVAL, __FILE__, __LINE__, "'%s' is a folder", f->path);
        return sb_hint("name its files with a pattern: '%s:%.150s/*'",
                       sb_kind_name[s->spec[f->source].kind], f->path);
    }
    SB_REQUIRE(S_ISREG(is.st_mode), SB_EINVAL, "'%s' is not a plain file",
               f->path);
    f->size = (uint64_t)is.st_size;
    f->modified[0] = (int64_t)is.st_mtim.tv_sec;
    f->modified[1] = (int64_t)is.st_mtim.tv_nsec;
    return look_inside(s, fd, f);
}

static sb_status add_file(sb_sources *s, const char *path, uint32_t source)
{
    SB_REQUIRE(s->n_files < UINT32_MAX, SB_ELIMIT, "too many files");
    SB_TRY(sb_grow(&s->file, &s->files_cap, s->n_files + 1, sizeof *s->file,
                   "source files"));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    SB_REQUIRE(fd >= 0, SB_EIO, "cannot read '%s': %s", path, strerror(errno));
    sb_file f = {.path = strdup(path), .source = source};
    sb_status st = f.path ? look_at(s, fd, &f)
                          : sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                                    "out of memory: a path");
    close(fd);
    if (st == SB_OK && __builtin_add_overflow(s->bytes, f.size, &s->bytes))
        st = sb_fail(SB_ELIMIT, __FILE__, __LINE__,
                     "the sources are larger than can be counted");
    if (st == SB_OK)
        s->file[s->n_files++] = f;
    else
        free(f.path);
    return st;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char unreadable[256]; /* glob's callback has no argument */

static int cannot_list(const char *path, int why)
{
    snprintf(unreadable, sizeof unreadable, "%.180s': %s", path, strerror(why));
    return why != ENOTDIR && why != ENOENT;
}

static sb_status add_glob(sb_sources *s, const char *pattern, uint32_t source)
{
    glob_t g;
    int rc = glob(pattern, GLOB_NOSORT, cannot_list, &g);
    if (rc != 0) {
        struct stat is;
        globfree(&g);
        /* glob does not ask why a name without '*' cannot be seen */
        SB_REQUIRE(rc != GLOB_NOMATCH || lstat(pattern, &is) == 0 ||
                       errno != EACCES,
                   SB_EIO, "cannot read '%s': %s", pattern, strerror(errno));
        SB_REQUIRE(rc != GLOB_NOMATCH, SB_ENOENT, "no file matches '%s'",
                   pattern);
        SB_REQUIRE(rc != GLOB_NOSPACE, SB_ENOMEM, "out of memory: file names");
        SB_FAIL(SB_EIO, "cannot list the folder '%s", unreadable);
    }
    /* by bytes: glob's own order is the locale's */
    qsort(g.gl_pathv, g.gl_pathc, sizeof *g.gl_pathv, by_name);
    sb_status st = SB_OK;
    for (size_t i = 0; i < g.gl_pathc && st == SB_OK; i++)
        st = add_file(s, g.gl_pathv[i], source);
    globfree(&g);
    return st;
}

static sb_status add_spec(sb_sources *s, const char *text)
{
    sb_source_spec *spec = &s->spec[s->n_specs];
    size_t from = 0, end = 0;
    SB_TRY(read_kind(text, &spec->kind, &from));
    SB_TRY(read_weight(text, from, &spec->weight, &end));
    if (spec->kind == SB_KIND_TSV && s->options.column == 0)
        SB_FAIL(SB_EINVAL, "columns are counted from 1");
    spec->text = strndup(text, end);
    SB_REQUIRE(spec->text, SB_ENOMEM, "out of memory: a path");
    s->n_specs++;
    return add_glob(s, spec->text + from, (uint32_t)(s->n_specs - 1));
}

/* ---- units --------------------------------------------------------------- */

static sb_status add_unit(sb_sources *s, sb_unit u)
{
    SB_TRY(sb_grow(&s->unit, &s->units_cap, s->n_units + 1, sizeof *s->unit,
                   "units"));
    s->unit[s->n_units++] = u;
    return SB_OK;
}

/* Files from number i on that make one unit: small ones together. */
static size_t together(const sb_sources *s, size_t i, uint64_t step)
{
    uint64_t bytes = s->file[i].size;
    size_t k = i + 1;
    while (k < s->n_files && s->file[k].source == s->file[i].source &&
           s->file[k].size <= step && bytes <= step - s->file[k].size)
        bytes += s->file[k++].size;
    return k - i;
}

static sb_status cut_file(sb_sources *s, size_t i, uint64_t step)
{
    const sb_file *f = &s->file[i];
    for (uint64_t at = 0; at < f->size;) {
        uint64_t last = f->size - at > step ? at + step : f->size;
        SB_TRY(add_unit(s, (sb_unit){.source = f->source,
                                     .file = i,
                                     .files = 1,
                                     .first = at,
                                     .last = last,
                                     .bytes = last - at}));
        at = last;
    }
    return SB_OK;
}

static sb_status cut(sb_sources *s)
{
    uint64_t step = s->options.unit_bytes;
    if (!step) {
        step = s->bytes / UNITS;
        step = step < UNIT_MIN ? UNIT_MIN : step > UNIT_MAX ? UNIT_MAX : step;
    }
    for (size_t i = 0, n; i < s->n_files; i += n) {
        const sb_file *f = &s->file[i];
        n = 1;
        if (f->cuts && f->size > step) {
            SB_TRY(cut_file(s, i, step));
            continue;
        }
        n = together(s, i, step);
        sb_unit u = {.source = f->source,
                     .file = i,
                     .files = n,
                     .last = f->size,
                     .packed = f->packed};
        for (size_t k = 0; k < n; k++) u.bytes += s->file[i + k].size;
        SB_TRY(add_unit(s, u));
    }
    return SB_OK;
}

static int by_falling_work(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    if (x[0] != y[0]) return x[0] < y[0] ? 1 : -1;
    return (x[1] > y[1]) - (x[1] < y[1]);
}

sb_status sb_sources_order(const sb_sources *s, size_t *order_out)
{
    enum { UNPACKED = 3 }; /* bytes that one compressed byte may stand for */
    uint64_t(*key)[2];
    SB_TRY(sb_alloc(s->n_units, sizeof *key, "units", &key));
    for (size_t i = 0; i < s->n_units; i++) {
        key[i][0] = s->unit[i].bytes * (s->unit[i].packed ? UNPACKED : 1);
        key[i][1] = i;
    }
    qsort(key, s->n_units, sizeof *key, by_falling_work);
    for (size_t i = 0; i < s->n_units; i++) order_out[i] = (size_t)key[i][1];
    sb_free(key);
    return SB_OK;
}

/* ---- open, close, look --------------------------------------------------- */

sb_status sb_sources_open(const char *const *specs, size_t n,
                          const sb_source_options *options,
                          sb_sources **sources_out)
{
    sb_sources *s;
    SB_TRY(sb_alloc(1, sizeof *s, "sources", &s));
    s->options = *options;
    sb_status st = sb_alloc(n, sizeof *s->spec, "sources", &s->spec);
    for (size_t i = 0; i < n && st == SB_OK; i++) st = add_spec(s, specs[i]);
    if (st == SB_OK) st = cut(s);
    if (st == SB_OK)
        *sources_out = s;
    else
        sb_sources_close(s);
    return st;
}

void sb_sources_close(sb_sources *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->n_files; i++) free(s->file[i].path);
    for (size_t i = 0; i < s->n_specs; i++) free(s->spec[i].text);
    sb_free(s->spec);
    sb_free(s->file);
    sb_free(s->unit);
    sb_free(s);
}

size_t sb_sources_count(const sb_sources *s)
{
    return s->n_specs;
}

const char *sb_sources_spec(const sb_sources *s, size_t i)
{
    return s->spec[i].text;
}

double sb_sources_weight(const sb_sources *s, size_t i)
{
    return s->spec[i].weight;
}

uint64_t sb_sources_bytes(const sb_sources *s)
{
    return s->bytes;
}

double sb_sources_max_ratio(const sb_sources *s)
{
    return s->options.max_ratio;
}

size_t sb_sources_units(const sb_sources *s)
{
    return s->n_units;
}

sb_unit sb_sources_unit(const sb_sources *s, size_t i)
{
    return s->unit[i];
}

/* ---- identity ------------------------------------------------------------ */

static uint64_t mix(uint64_t h, const void *data, size_t n)
{
    uint64_t both[2] = {h, sb_hash64(data, n)};
    return sb_hash64(both, sizeof both);
}

/* How a unit is read, from which files. */
uint64_t sb_unit_identity(const sb_sources *s, size_t i)
{
    const sb_unit *u = &s->unit[i];
    const sb_source_options *o = &s->options;
    sb_kind kind = s->spec[u->source].kind;
    uint64_t how[] = {u->source,
                      u->files,
                      u->first,
                      u->last,
                      (uint64_t)kind,
                      kind == SB_KIND_TEXT ? (uint64_t)o->documents : 0,
                      kind == SB_KIND_TSV ? o->column : 0};
    uint64_t h = mix(0, how, sizeof how);
    if (kind == SB_KIND_JSONL) h = mix(h, o->text_field, strlen(o->text_field));
    for (size_t k = u->file; k < u->file + u->files; k++) {
        const sb_file *f = &s->file[k];
        h = mix(h, f->path, strlen(f->path));
        h = mix(h, &f->size, sizeof f->size);
        h = mix(h, f->modified, sizeof f->modified);
    }
    return h;
}

uint64_t sb_sources_identity(const sb_sources *s)
{
    uint64_t h = 0;
    for (size_t i = 0; i < s->n_units; i++) {
        uint64_t one = sb_unit_identity(s, i);
        h = mix(h, &one, sizeof one);
    }
    return h;
}
