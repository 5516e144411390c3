/* SPDX-License-Identifier: MIT
 * config.c - the option table at work. */
#include "comm/base/config.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"

typedef enum origin { DEFAULT, FILE_, COMMAND } origin;

typedef struct value {
    char **text; /* one, or several for LIST */
    size_t n;
    origin from;
} value;

struct sb_config {
    const sb_option *table;
    size_t n;
    value *value;
    const char **word;
    size_t words, word_cap;
};

static void value_clear(value *v)
{
    for (size_t i = 0; i < v->n; i++) free(v->text[i]);
    free(v->text);
    v->text = NULL;
    v->n = 0;
}

void sb_config_close(sb_config *c)
{
    if (!c) return;
    for (size_t i = 0; c->value && i < c->n; i++) value_clear(&c->value[i]);
    sb_free(c->value);
    free(c->word);
    sb_free(c);
}

/* ---- nearest name -------------------------------------------------------- */

static size_t distance(const char *a, const char *b)
{
    enum { MAX = 64 };
    size_t n = strlen(a), m = strlen(b), row[MAX + 1];
    if (n > MAX || m > MAX) return MAX;
    for (size_t j = 0; j <= m; j++) row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

const char *sb_nearest(const char *word, const void *names, size_t stride,
                       size_t n)
{
    const char *best = NULL;
    size_t least = strlen(word) / 2 + 2;
    for (size_t i = 0; i < n; i++) {
        const char *name =
            *(const char *const *)(const void *)((const char *)names +
                                                 i * stride);
        size_t d = distance(word, name);
        if (d < least) {
            least = d;
            best = name;
        }
    }
    return best;
}

/* ---- checking a value ---------------------------------------------------- */

static const char size_suffix[] = "KMGT";

/* What a suffix multiplies with; 0: it is none. */
static double factor(const sb_option *o, char suffix)
{
    const char *at = suffix ? strchr(size_suffix, suffix) : NULL;
    if (o->type == SB_OPT_SIZE)
        return at ? ldexp(1, 10 * (int)(at - size_suffix + 1)) : 0;
    if (o->type != SB_OPT_INT) return 0;
    return suffix == 'k' ? 1e3 : suffix == 'M' ? 1e6 : suffix == 'G' ? 1e9 : 0;
}

static sb_status parse_number(const sb_option *o, const char *text,
                              double *number_out)
{
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    if (end != text && end[0] && !end[1] && factor(o, *end) != 0)
        v *= factor(o, *end++);
    SB_REQUIRE(end != text && !*end && !errno && isfinite(v) &&
                   (o->type == SB_OPT_REAL || v == floor(v)),
               SB_EINVAL, "%s = '%s': %s expected", o->name, text,
               o->type == SB_OPT_INT    ? "a whole number"
               : o->type == SB_OPT_SIZE ? "a number of bytes, like 512M or 4G,"
                                        : "a number");
    SB_REQUIRE(v >= o->min && v <= o->max, SB_EINVAL,
               "%s = %s is out of range: it must lie between %.10g and %.10g",
               o->name, text, o->min, o->max);
    *number_out = v;
    return SB_OK;
}

static sb_status parse_bool(const sb_option *o, const char *text, int *out)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *out = strcmp(text, yes[i]) == 0;
            return SB_OK;
        }
    }
    SB_FAIL(SB_EINVAL, "%s = '%s': true or false expected", o->name, text);
}

static int is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Where a comment begins, # or ; at the start or behind white space, or NULL. */
static char *comment(const char *line)
{
    for (const char *s = line; (s = strpbrk(s, "#;")); s++)
        if (s == line || is_blank(s[-1])) return (char *)(uintptr_t)s;
    return NULL;
}

/* Names of files and folders, mostly: one line each in a configuration, which
 * must give them back. */
static sb_status check_text(const sb_option *o, const char *text)
{
    SB_REQUIRE(*text, SB_EINVAL, "%s = '': it must not be empty", o->name);
    for (const char *s = text; *s; s++)
        SB_REQUIRE((unsigned char)*s >= ' ' && *s != 127, SB_EINVAL,
                   "%s = '%s': a control character is in it", o->name, text);
    SB_REQUIRE(!is_blank(*text) && !is_blank(text[strlen(text) - 1]), SB_EINVAL,
               "%s = '%s': white space is around it", o->name, text);
    SB_REQUIRE(!comment(text), SB_EINVAL,
               "%s = '%s': # and ; at the start or behind white space begin a "
               "comment",
               o->name, text);
    return SB_OK;
}

static sb_status check(const sb_option *o, const char *text)
{
    double number;
    int flag;
    switch (o->type) {
    case SB_OPT_INT:
    case SB_OPT_SIZE:
    case SB_OPT_REAL:
        return parse_number(o, text, &number);
    case SB_OPT_BOOL:
        return parse_bool(o, text, &flag);
    case SB_OPT_CHOICE: {
        size_t n = strlen(text);
        for (const char *p = o->choices; p; p = strchr(p, '|')) {
            p += *p == '|';
            if (n && strncmp(p, text, n) == 0 && (!p[n] || p[n] == '|'))
                return SB_OK;
        }
        SB_FAIL(SB_EINVAL, "%s = '%s': one of %s expected", o->name, text,
                o->choices);
    }
    case SB_OPT_TEXT:
    case SB_OPT_LIST:
        return check_text(o, text);
    }
    return SB_OK;
}

static size_t find(const sb_config *c, const char *name)
{
    size_t i = 0;
    while (i < c->n && strcmp(c->table[i].name, name) != 0) i++;
    return i;
}

static void spell_number(const sb_option *o, double v, char number[40])
{
    int power = 0, whole = fabs(v) < 1e6 && fmod(v, 1) == 0; /* not 2e+02 */
    if (o->type == SB_OPT_REAL && !whole)
        for (int digits = 1; digits <= 17; digits++) {
            snprintf(number, 40, "%.*g", digits, v);
            if (strtod(number, NULL) == v) return;
        }
    if (o->type == SB_OPT_SIZE)
        for (; v != 0 && power < 4 && fmod(v, 1024) == 0; power++) v /= 1024;
    snprintf(number, 40, "%.0f%.1s", v, power ? size_suffix + power - 1 : "");
}

/* Numbers in one spelling, the shortest that reads back the same, so that what
 * is written down can be compared as text: 1k and 1000 are one value. */
static sb_status spell(const sb_option *o, const char *text, char **out)
{
    char number[40];
    double v;
    if (o->type == SB_OPT_INT || o->type == SB_OPT_SIZE ||
        o->type == SB_OPT_REAL) {
        SB_TRY(parse_number(o, text, &v));
        spell_number(o, v, number);
        text = number;
    }
    *out = strdup(text);
    SB_REQUIRE(*out, SB_ENOMEM, "out of memory: options");
    return SB_OK;
}

static sb_status set(sb_config *c, size_t at, const char *text, origin from)
{
    const sb_option *o = &c->table[at];
    value *v = &c->value[at];
    SB_TRY(check(o, text));
    if (v->from > from) return SB_OK;
    if (o->type != SB_OPT_LIST || v->from < from) value_clear(v);
    char **grown = realloc(v->text, (v->n + 1) * sizeof *grown);
    SB_REQUIRE(grown, SB_ENOMEM, "out of memory: options");
    v->text = grown;
    SB_TRY(spell(o, text, &v->text[v->n]));
    v->n++;
    v->from = from;
    return SB_OK;
}

sb_status sb_config_open(const sb_option *table, size_t n,
                         sb_config **config_out)
{
    sb_config *c;
    SB_TRY(sb_alloc(1, sizeof *c, "options", &c));
    c->table = table;
    c->n = n;
    sb_status st = sb_alloc(n, sizeof *c->value, "options", &c->value);
    for (size_t i = 0; i < n && st == SB_OK; i++)
        if (table[i].def) st = set(c, i, table[i].def, DEFAULT);
    if (st == SB_OK)
        *config_out = c;
    else
        sb_config_close(c);
    return st;
}

static sb_status unknown(const sb_config *c, const char *name, const char *how)
{
    const char *near = sb_nearest(name, c->table, sizeof c->table[0], c->n);
    if (near)
        SB_FAIL(SB_EINVAL, "%s '%s' is not known; the nearest is '%s'", how,
                name, near);
    SB_FAIL(SB_EINVAL, "%s '%s' is not known", how, name);
}

/* ---- config file --------------------------------------------------------- */

/* text[0..n) without white space around it, in place. */
static char *trim(char *text, size_t n)
{
    while (n && is_blank(text[n - 1])) n--;
    text[n] = 0;
    while (is_blank(*text)) text++;
    return text;
}

static sb_status file_line(sb_config *c, char *line)
{
    char *rest = comment(line);
    if (rest) *rest = 0;
    char *name = trim(line, strlen(line)), *eq = strchr(name, '=');
    if (!*name) return SB_OK;
    SB_REQUIRE(*name != '[', SB_EINVAL, "%s: sections have no meaning here",
               name);
    SB_REQUIRE(eq && eq > name, SB_EINVAL, "'name = value' expected");
    char *text = trim(eq + 1, strlen(eq + 1));
    name = trim(name, (size_t)(eq - name));
    size_t at = find(c, name);
    return at < c->n ? set(c, at, text, FILE_) : unknown(c, name, "option");
}

sb_status sb_config_parse(sb_config *c, const char *text, const char *name)
{
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0) text += 3;
    for (int number = 1; *text; number++) {
        size_t n = strcspn(text, "\n");
        char *line = strndup(text, n);
        SB_REQUIRE(line, SB_ENOMEM, "out of memory: config file");
        sb_status st = file_line(c, line);
        free(line);
        if (st != SB_OK) {
            sb_error e = *sb_error_last();
            SB_FAIL(e.code, "%s line %d: %s", name, number, e.text);
        }
        text += n + (text[n] == '\n');
    }
    return SB_OK;
}

sb_status sb_config_file(sb_config *c, const char *path)
{
    char *text;
    size_t bytes;
    SB_TRY(sb_file_read(path, 1 << 20, &text, &bytes));
    sb_status st =
        strlen(text) == bytes
            ? sb_config_parse(c, text, path)
            : sb_fail(SB_EFORMAT, __FILE__, __LINE__,
                      "'%s' is not a text: it holds a NUL byte", path);
    sb_free(text);
    return st;
}

/* ---- command line -------------------------------------------------------- */

static sb_status add_word(sb_config *c, const char *word)
{
    SB_TRY(sb_grow(&c->word, &c->word_cap, c->words + 1, sizeof *c->word,
                   "command line"));
    c->word[c->words++] = word;
    return SB_OK;
}

sb_status sb_config_args(sb_config *c, unsigned phases, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--") == 0) {
            while (++i < argc) SB_TRY(add_word(c, argv[i]));
            return SB_OK;
        }
        if (strncmp(arg, "--", 2) != 0) {
            SB_TRY(add_word(c, arg));
            continue;
        }
        char name[64];
        const char *eq = strchr(arg, '=');
        size_t n = eq ? (size_t)(eq - arg) - 2 : strlen(arg) - 2;
        SB_REQUIRE(n < sizeof name, SB_EINVAL, "option '%.80s' is not known",
                   arg);
        memcpy(name, arg + 2, n);
        name[n] = 0;
        size_t at = find(c, name);
        if (at == c->n) return unknown(c, name, "option");
        const sb_option *o = &c->table[at];
        SB_REQUIRE(o->phases & phases, SB_EINVAL,
                   "option '--%s' has no meaning for this subcommand", name);
        const char *text = eq ? eq + 1 : NULL;
        if (!text && o->type == SB_OPT_BOOL) text = "true";
        if (!text) {
            SB_REQUIRE(i + 1 < argc, SB_EINVAL, "option '--%s' wants a value",
                       name);
            text = argv[++i];
        }
        SB_TRY(set(c, at, text, COMMAND));
    }
    return SB_OK;
}

size_t sb_config_words(const sb_config *c)
{
    return c->words;
}

const char *sb_config_word(const sb_config *c, size_t i)
{
    return c->word[i];
}

/* ---- values -------------------------------------------------------------- */

static const sb_option *option(const sb_config *c, const char *name,
                               const char **text)
{
    size_t at = find(c, name);
    if (at == c->n) {
        fprintf(stderr, "shardbert: bug: no option '%s' in the table\n", name);
        abort();
    }
    *text = c->value[at].n ? c->value[at].text[0] : NULL;
    return &c->table[at];
}

const char *sb_config_text(const sb_config *c, const char *name)
{
    const char *text;
    option(c, name, &text);
    return text;
}

static double number(const sb_config *c, const char *name)
{
    const char *text;
    const sb_option *o = option(c, name, &text);
    double v = 0;
    if (!text || parse_number(o, text, &v) != SB_OK) {
        fprintf(stderr, "shardbert: bug: option '%s' has no number\n", name);
        abort();
    }
    return v;
}

int64_t sb_config_int(const sb_config *c, const char *name)
{
    return (int64_t)number(c, name);
}

double sb_config_real(const sb_config *c, const char *name)
{
    return number(c, name);
}

int sb_config_bool(const sb_config *c, const char *name)
{
    const char *text;
    const sb_option *o = option(c, name, &text);
    int v = 0;
    if (text && parse_bool(o, text, &v) != SB_OK) abort();
    return v;
}

size_t sb_config_list(const sb_config *c, const char *name,
                      const char *const **items_out)
{
    size_t at = find(c, name);
    if (at == c->n) abort();
    *items_out = (const char *const *)c->value[at].text;
    return c->value[at].n;
}

int sb_config_is_set(const sb_config *c, const char *name)
{
    size_t at = find(c, name);
    return at < c->n && c->value[at].from > DEFAULT;
}

char *sb_config_effective(const sb_config *c, unsigned phases)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    if (!f) return NULL;
    for (size_t i = 0; i < c->n; i++) {
        const sb_option *o = &c->table[i];
        const value *v = &c->value[i];
        if (!(o->phases & phases)) continue;
        for (size_t k = 0; k < v->n; k++)
            fprintf(f, "%s = %s\n", o->name, v->text[k]);
    }
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
