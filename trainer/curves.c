/* SPDX-License-Identifier: MIT
 * curves.c - lines of metrics.jsonl to curves. */
#include "trainer/curves.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"

enum { LINE_MAX_BYTES = 1 << 20 };
static const double largest = 1e100, last_step = 0x1p53;

/* ---- one line ------------------------------------------------------------ */

/* "name": at *p, behind which *p is then left; NULL if that is not there. */
static const char *take_name(const char **p, size_t *n)
{
    const char *start = *p + 1;
    if (**p != '"') return NULL;
    *n = strcspn(start, "\"\\");
    if (*n == 0 || start[*n] != '"' || start[*n + 1] != ':') return NULL;
    *p = start + *n + 2;
    return start;
}

/* A number or null; 0 if it is neither. JSON's numbers begin with a digit or
 * a sign and one; strtod alone takes more. */
static int take_value(const char **p, double *value)
{
    if (strncmp(*p, "null", 4) == 0) {
        *p += 4;
        *value = NAN;
        return 1;
    }
    const char *digit = *p + (**p == '-');
    if (!isdigit((unsigned char)*digit) || digit[1] == 'x' || digit[1] == 'X')
        return 0;
    char *end;
    *value = strtod(*p, &end);
    *p = end;
    return 1;
}

/* The curve of that name, a new one at need, or NULL with no room left. Lines
 * have mostly the same names in the same order: the one behind the last is
 * tried first. */
static sb_status curve_of(sb_curves *c, const char *name, size_t n,
                          size_t *last, sb_curve **curve_out)
{
    *curve_out = NULL;
    if (n >= SB_CURVE_NAME) return SB_OK;
    for (size_t k = 0; k < c->n; k++) {
        size_t i = (*last + 1 + k) % c->n;
        sb_curve *v = &c->curve[i];
        if (strncmp(v->name, name, n) != 0 || v->name[n]) continue;
        *last = i;
        *curve_out = v;
        return SB_OK;
    }
    if (c->n == SB_CURVES_MAX) return SB_OK;
    SB_TRY(sb_grow(&c->curve, &c->cap, c->n + 1, sizeof *c->curve, "curves"));
    sb_curve *v = &c->curve[c->n];
    *v = (sb_curve){0};
    memcpy(v->name, name, n);
    *last = c->n++;
    *curve_out = v;
    return SB_OK;
}

/* *whole_out: the line was of our form to its end. */
static sb_status take_line(sb_curves *c, const char *p, int *whole_out)
{
    size_t n, last = 0;
    double step, value;
    *whole_out = 0;
    const char *name = *p++ == '{' ? take_name(&p, &n) : NULL;
    if (!name || n != 4 || memcmp(name, "step", 4) != 0 ||
        !take_value(&p, &step) || !(step >= 0 && step < last_step))
        return SB_OK;
    while (*p == ',') {
        sb_curve *v;
        p++;
        if (!(name = take_name(&p, &n)) || !take_value(&p, &value))
            return SB_OK;
        if (!(fabs(value) < largest)) continue; /* NaN, too */
        SB_TRY(curve_of(c, name, n, &last, &v));
        if (!v) continue;
        SB_TRY(sb_grow(&v->point, &v->cap, v->n + 1, sizeof *v->point,
                       "points of a curve"));
        v->point[v->n++] = (sb_point){step, value};
    }
    *whole_out = p[0] == '}' && p[1] == '\n' && p[2] == 0;
    return SB_OK;
}

/* ---- the file ------------------------------------------------------------ */

/* A line longer than the room is read in pieces, none of which is one. */
static sb_status read_lines(sb_curves *c, FILE *f, const char *path, char *line)
{
    while (fgets(line, LINE_MAX_BYTES, f)) {
        int whole;
        if (!strchr(line, '\n') && feof(f)) break; /* being written, or torn */
        SB_TRY(take_line(c, line, &whole));
        c->lines++;
        c->unreadable += !whole;
    }
    SB_REQUIRE(!ferror(f), SB_EIO, "cannot read '%s': %s", path,
               strerror(errno));
    return SB_OK;
}

static sb_status read_file(sb_curves *c, const char *path)
{
    char *line;
    SB_TRY(sb_alloc(LINE_MAX_BYTES, 1, "a line", &line));
    FILE *f = fopen(path, "re");
    sb_status st =
        f ? read_lines(c, f, path, line)
          : sb_fail(errno == ENOENT || errno == ENOTDIR ? SB_ENOENT : SB_EIO,
                    __FILE__, __LINE__, "cannot open '%s': %s", path,
                    strerror(errno));
    if (f) fclose(f);
    sb_free(line);
    return st;
}

sb_status sb_curves_read(const char *dir, sb_curves *curves_out)
{
    sb_curves c = {0};
    char *path = sb_path_join(dir, "metrics.jsonl");
    SB_REQUIRE(path, SB_ENOMEM, "out of memory: a path");
    sb_status st = read_file(&c, path);
    sb_free(path);
    if (st == SB_OK)
        *curves_out = c;
    else
        sb_curves_close(&c);
    return st;
}

void sb_curves_close(sb_curves *c)
{
    for (size_t i = 0; i < c->n; i++) free(c->curve[i].point);
    free(c->curve);
    memset(c, 0, sizeof *c);
}

const sb_curve *sb_curves_find(const sb_curves *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->curve[i].name, name) == 0)
            return c->curve[i].n ? &c->curve[i] : NULL;
    return NULL;
}
