/* SPDX-License-Identifier: MIT
 * metrics.c - metrics.jsonl, and the event file beside it.
 *
 * Invariant: after open the file holds whole lines of ours with steps up to
 * the one asked for, and nothing else. A line torn by a kill, and whatever
 * follows it, is cut off. Each line reaches the operating system at once, so
 * a killed run loses none of them. Not through fsio: it has no appending, and
 * a lost line of metrics is no lost state.
 */
#include "trainer/metrics.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "proto/events.h"

enum { NAME_ROOM = 96 };

struct sb_metrics {
    FILE *file;        /* NULL: not rank 0 */
    sb_events *events; /* NULL: not asked for */
    char *path;
    int error;               /* errno of the first failure */
    char (*name)[NAME_ROOM]; /* of a line, as they are written */
    const char **names;
    size_t name_cap, names_cap;
};

static const char line_start[] = "{\"step\":";

/* True, with the step, if this is a whole line of ours. */
static int line_step(const char *line, size_t n, uint64_t *step_out)
{
    size_t k = sizeof line_start - 1;
    if (n < k + 3 || memcmp(line, line_start, k) != 0 ||
        !isdigit((unsigned char)line[k]) || line[n - 2] != '}' ||
        line[n - 1] != '\n')
        return 0;
    errno = 0;
    *step_out = strtoull(line + k, NULL, 10);
    return errno == 0;
}

/* A file, and its lines one after the other. */
typedef struct lines {
    const char *path;
    FILE *file;
    char *line; /* NUL-terminated; free() */
    size_t n;   /* its bytes, 0: there is none left */
    size_t room;
} lines;

static sb_status next_line(lines *l)
{
    errno = 0;
    ssize_t n = getline(&l->line, &l->room, l->file);
    SB_REQUIRE(n >= 0 || feof(l->file), errno == ENOMEM ? SB_ENOMEM : SB_EIO,
               "cannot read '%s': %s", l->path, strerror(errno));
    l->n = n > 0 ? (size_t)n : 0;
    return SB_OK;
}

/* Bytes of the lines to keep. */
static sb_status lines_to_keep(const sb_metrics *m, uint64_t step,
                               off_t *keep_out)
{
    lines l = {.path = m->path, .file = m->file};
    off_t keep = 0;
    uint64_t at;
    sb_status st;
    while ((st = next_line(&l)) == SB_OK && line_step(l.line, l.n, &at) &&
           at <= step)
        keep += (off_t)l.n;
    free(l.line);
    *keep_out = keep;
    return st;
}

static sb_status open_file(sb_metrics *m, uint64_t step)
{
    int fd = open(m->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd >= 0 && !(m->file = fdopen(fd, "r+"))) {
        int why = errno;
        close(fd);
        errno = why;
    }
    SB_REQUIRE(m->file, errno == ENOMEM ? SB_ENOMEM : SB_EIO,
               "cannot open '%s': %s", m->path, strerror(errno));
    off_t keep = 0;
    if (step) SB_TRY(lines_to_keep(m, step, &keep));
    SB_REQUIRE(ftruncate(fd, keep) == 0 && fseeko(m->file, keep, SEEK_SET) == 0,
               SB_EIO, "cannot cut '%s': %s", m->path, strerror(errno));
    return SB_OK;
}

static void free_metrics(sb_metrics *m)
{
    if (m->file) fclose(m->file);
    free(m->name);
    free(m->names);
    sb_free(m->path);
    sb_free(m);
}

static sb_status open_files(sb_metrics *m, const char *dir, uint64_t step,
                            int events)
{
    SB_TRY(sb_dir_make(dir));
    m->path = sb_path_join(dir, "metrics.jsonl");
    SB_REQUIRE(m->path, SB_ENOMEM, "out of memory: a path");
    SB_TRY(open_file(m, step));
    /* at step 0 the lines of step 0 are written again */
    return events ? sb_events_open(dir, step ? step + 1 : 0, &m->events)
                  : SB_OK;
}

sb_status sb_metrics_open(const sb_comm *c, const char *dir, uint64_t step,
                          int events, sb_metrics **metrics_out)
{
    sb_metrics *m;
    SB_TRY(sb_alloc(1, sizeof *m, "metrics", &m));
    sb_status st = SB_OK;
    if (sb_comm_rank(c) == 0) st = open_files(m, dir, step, events);
    if (st != SB_OK) {
        free_metrics(m);
        return st;
    }
    *metrics_out = m;
    return SB_OK;
}

/* Names with '_' for what JSON would have to escape. */
static sb_status clean_names(sb_metrics *m, const char *const *name, size_t n)
{
    SB_TRY(sb_grow(&m->name, &m->name_cap, n, sizeof *m->name, "metrics"));
    SB_TRY(sb_grow(&m->names, &m->names_cap, n, sizeof *m->names, "metrics"));
    for (size_t i = 0; i < n; i++) {
        snprintf(m->name[i], NAME_ROOM, "%s", name[i]);
        for (char *c = m->name[i]; *c; c++)
            if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\') *c = '_';
        m->names[i] = m->name[i];
    }
    return SB_OK;
}

static void put_value(FILE *f, double v)
{
    if (!isfinite(v)) /* JSON knows neither NaN nor infinity */
        fputs("null", f);
    else if (fabs(v) < 0x1p53 && v == trunc(v)) /* counts keep all digits */
        fprintf(f, "%.0f", v);
    else
        fprintf(f, "%.9g", v);
}

void sb_metrics_line(sb_metrics *m, uint64_t step, const char *const *name,
                     const double *value, int n)
{
    if (!m->file || m->error) return;
    if (clean_names(m, name, (size_t)n) != SB_OK) {
        m->error = ENOMEM;
        return;
    }
    errno = 0;
    fprintf(m->file, "%s%" PRIu64, line_start, step);
    for (int i = 0; i < n; i++) {
        fprintf(m->file, ",\"%s\":", m->names[i]);
        put_value(m->file, value[i]);
    }
    fputs("}\n", m->file);
    if (fflush(m->file) != 0) m->error = errno ? errno : EIO;
    if (m->events) sb_events_scalars(m->events, step, m->names, value, n);
}

sb_status sb_metrics_close(sb_metrics *m)
{
    if (!m) return SB_OK;
    if (m->file && fclose(m->file) != 0 && !m->error)
        m->error = errno ? errno : EIO;
    m->file = NULL;
    sb_status st = sb_events_close(m->events);
    if (m->error)
        st =
            sb_fail(m->error == ENOMEM ? SB_ENOMEM : SB_EIO, __FILE__, __LINE__,
                    "cannot write '%s': %s", m->path, strerror(m->error));
    free_metrics(m);
    return st;
}

/* ---- reading ------------------------------------------------------------- */

/* Go through the lines of `dir` in which `name` stands, until visit says 0.
 * No file: there are none. */
static sb_status find_lines(const char *dir, const char *name,
                            int (*visit)(void *arg, const lines *l,
                                         const char *value),
                            void *arg)
{
    char *path = sb_path_join(dir, "metrics.jsonl");
    char *key = sb_format("\"%s\":", name);
    sb_status st = SB_OK;
    lines l = {.path = path};
    if (!path || !key)
        st = sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    else if (!(l.file = fopen(path, "r")) && errno != ENOENT)
        st = sb_fail(errno == ENOMEM ? SB_ENOMEM : SB_EIO, __FILE__, __LINE__,
                     "cannot open '%s': %s", path, strerror(errno));
    for (int more = 1; l.file && more && st == SB_OK;) {
        st = next_line(&l);
        if (st != SB_OK || !l.n) break;
        const char *at = strstr(l.line, key);
        if (at) more = visit(arg, &l, at + strlen(key));
    }
    if (l.file) fclose(l.file);
    free(l.line);
    sb_free(path);
    sb_free(key);
    return st;
}

typedef struct search {
    int last, found;
    uint64_t step;
    double value;
} search;

static int take_value(void *arg, const lines *l, const char *value)
{
    search *s = arg;
    (void)l;
    s->value = strncmp(value, "null", 4) == 0 ? NAN : strtod(value, NULL);
    s->found = 1;
    return s->last;
}

sb_status sb_metrics_find(const char *dir, const char *name, int last,
                          double *value_out)
{
    search s = {.last = last};
    SB_TRY(find_lines(dir, name, take_value, &s));
    SB_REQUIRE(s.found, SB_ENOENT, "no %s in the metrics of '%s'", name, dir);
    *value_out = s.value;
    return SB_OK;
}

static int is_of_step(void *arg, const lines *l, const char *value)
{
    search *s = arg;
    uint64_t at;
    (void)value;
    s->found = line_step(l->line, l->n, &at) && at == s->step;
    return !s->found;
}

sb_status sb_metrics_has(const char *dir, const char *name, uint64_t step,
                         int *has_out)
{
    search s = {.step = step};
    SB_TRY(find_lines(dir, name, is_of_step, &s));
    *has_out = s.found;
    return SB_OK;
}
