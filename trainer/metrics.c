/* SPDX-License-Identifier: MIT
 * metrics.c - metrics.jsonl.
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

struct sb_metrics {
    FILE *file; /* NULL: not rank 0 */
    char *path;
    int error; /* errno of the first failure */
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

/* Bytes of the lines to keep. */
static off_t lines_to_keep(FILE *f, uint64_t step)
{
    char *line = NULL;
    size_t room = 0;
    off_t keep = 0;
    ssize_t n;
    uint64_t at;
    while ((n = getline(&line, &room, f)) > 0) {
        if (!line_step(line, (size_t)n, &at) || at > step) break;
        keep += n;
    }
    free(line);
    return keep;
}

static sb_status open_file(sb_metrics *m, uint64_t step)
{
    int fd = open(m->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd >= 0 && !(m->file = fdopen(fd, "r+"))) {
        int why = errno;
        close(fd);
        errno = why;
    }
    SB_REQUIRE(m->file, SB_EIO, "cannot open '%s': %s", m->path,
               strerror(errno));
    off_t keep = step ? lines_to_keep(m->file, step) : 0;
    SB_REQUIRE(ftruncate(fd, keep) == 0 && fseeko(m->file, keep, SEEK_SET) == 0,
               SB_EIO, "cannot cut '%s': %s", m->path, strerror(errno));
    return SB_OK;
}

static void free_metrics(sb_metrics *m)
{
    if (m->file) fclose(m->file);
    sb_free(m->path);
    sb_free(m);
}

sb_status sb_metrics_open(const sb_comm *c, const char *dir, uint64_t step,
                          sb_metrics **metrics_out)
{
    sb_metrics *m;
    SB_TRY(sb_alloc(1, sizeof *m, "metrics", &m));
    sb_status st = SB_OK;
    if (sb_comm_rank(c) == 0) {
        st = sb_dir_make(dir);
        if (st == SB_OK && !(m->path = sb_path_join(dir, "metrics.jsonl")))
            st =
                sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
        if (st == SB_OK) st = open_file(m, step);
    }
    if (st != SB_OK) {
        free_metrics(m);
        return st;
    }
    *metrics_out = m;
    return SB_OK;
}

static void put_name(FILE *f, const char *name)
{
    putc('"', f);
    for (; *name; name++) {
        unsigned char b = (unsigned char)*name;
        putc(b < ' ' || b == '"' || b == '\\' || b > '~' ? '_' : b, f);
    }
    putc('"', f);
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
    errno = 0;
    fprintf(m->file, "%s%" PRIu64, line_start, step);
    for (int i = 0; i < n; i++) {
        putc(',', m->file);
        put_name(m->file, name[i]);
        putc(':', m->file);
        put_value(m->file, value[i]);
    }
    fputs("}\n", m->file);
    if (fflush(m->file) != 0) m->error = errno ? errno : EIO;
}

sb_status sb_metrics_close(sb_metrics *m)
{
    if (!m) return SB_OK;
    if (m->file && fclose(m->file) != 0 && !m->error)
        m->error = errno ? errno : EIO;
    m->file = NULL;
    sb_status st = SB_OK;
    if (m->error)
        st = sb_fail(SB_EIO, __FILE__, __LINE__, "cannot write '%s': %s",
                     m->path, strerror(m->error));
    free_metrics(m);
    return st;
}

sb_status sb_metrics_find(const char *dir, const char *name, int last,
                          double *value_out)
{
    char *path = sb_path_join(dir, "metrics.jsonl");
    char *key = sb_format("\"%s\":", name), *line = NULL;
    FILE *f = path ? fopen(path, "r") : NULL;
    size_t room = 0;
    int found = 0;
    while (key && f && (last || !found) && getline(&line, &room, f) > 0) {
        const char *at = strstr(line, key);
        if (!at) continue;
        at += strlen(key);
        *value_out = strncmp(at, "null", 4) == 0 ? NAN : strtod(at, NULL);
        found = 1;
    }
    if (f) fclose(f);
    free(line);
    sb_free(path);
    sb_free(key);
    SB_REQUIRE(found, SB_ENOENT, "no %s in the metrics of '%s'", name, dir);
    return SB_OK;
}

int sb_metrics_has(const char *dir, const char *name, uint64_t step)
{
    char *path = sb_path_join(dir, "metrics.jsonl");
    char *key = sb_format("\"%s\":", name), *line = NULL;
    FILE *f = path ? fopen(path, "r") : NULL;
    size_t room = 0;
    ssize_t n;
    uint64_t at;
    int found = 0;
    while (key && f && !found && (n = getline(&line, &room, f)) > 0)
        found =
            line_step(line, (size_t)n, &at) && at == step && strstr(line, key);
    if (f) fclose(f);
    free(line);
    sb_free(path);
    sb_free(key);
    return found;
}
