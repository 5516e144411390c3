/* SPDX-License-Identifier: MIT
 * similarity.c - pairs of words and scores; cosines; ranks. */
#include "trainer/word2vec/similarity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "trainer/kernels/kernels.h"
#include "trainer/fields.h"

enum { FILE_MAX = 64 << 20, COLUMNS_MAX = 64 };

struct sb_word_pair {
    uint32_t word[2]; /* of the candidates */
    double score;
};

/* ---- the file ------------------------------------------------------------ */

typedef struct field {
    const char *text;
    size_t n;
} field;

static size_t split(sb_fields line, field *to)
{
    size_t k = 0;
    while (k < COLUMNS_MAX && (to[k].n = sb_fields_next(&line, &to[k].text)))
        k++;
    return k;
}

/* The column of the score, if the line names columns. */
static size_t score_column(const field *f, size_t n)
{
    static const char name[] = "SimLex999";
    for (size_t i = 0; i < n; i++)
        if (f[i].n == sizeof name - 1 && memcmp(f[i].text, name, f[i].n) == 0)
            return i;
    return 2;
}

static sb_status add_pair(sb_similarity *s, const sb_candidates *words,
                          const field *f, double score)
{
    struct sb_word_pair p = {.score = score};
    s->asked++;
    for (int i = 0; i < 2; i++) {
        p.word[i] = sb_candidates_find(words, f[i].text, f[i].n);
        if (p.word[i] == SB_NO_WORD) return SB_OK;
    }
    s->covered++;
    SB_TRY(sb_grow(&s->pair, &s->cap, s->n + 1, sizeof p, "pairs of words"));
    s->pair[s->n++] = p;
    return SB_OK;
}

static sb_status read_lines(sb_similarity *s, const sb_candidates *words,
                            sb_fields text, const char *path)
{
    sb_fields line;
    size_t column = 2, seen = 0;
    for (size_t number = 1; sb_fields_line(&text, &line); number++) {
        field f[COLUMNS_MAX];
        double score;
        size_t n = split(line, f);
        if (n == 0 || f[0].text[0] == '#') continue;
        seen++;
        if (column < n && sb_field_number(f[column].text, f[column].n, &score))
            SB_TRY(add_pair(s, words, f, score));
        else if (seen == 1 && n > 2)
            column = score_column(f, n);
        else
            SB_FAIL(SB_EFORMAT,
                    "'%s': line %zu is not two words and a score in column %zu",
                    path, number, column + 1);
    }
    SB_REQUIRE(s->asked, SB_EFORMAT, "'%s' holds no pair of words", path);
    return SB_OK;
}

sb_status sb_similarity_open(const char *path, const sb_candidates *words,
                             sb_similarity *s_out)
{
    sb_similarity s = {.rho = NAN};
    char *text;
    size_t n;
    SB_TRY(sb_file_read(path, FILE_MAX, &text, &n));
    sb_status st = read_lines(&s, words, (sb_fields){text, text + n}, path);
    sb_free(text);
    if (st != SB_OK)
        sb_similarity_close(&s);
    else
        *s_out = s;
    return st;
}

void sb_similarity_close(sb_similarity *s)
{
    free(s->pair);
    *s = (sb_similarity){0};
}

/* ---- ranks --------------------------------------------------------------- */

typedef struct placed {
    double value;
    size_t at;
} placed;

static int by_value(const void *x, const void *y)
{
    const placed *a = x, *b = y;
    return (a->value > b->value) - (a->value < b->value);
}

/* rank <- from 1, of x [n]; equal values have the mean of their ranks. */
static sb_status rank_all(const double *x, size_t n, double *rank)
{
    placed *p;
    SB_TRY(sb_alloc(n, sizeof *p, "ranks", &p));
    for (size_t i = 0; i < n; i++) p[i] = (placed){x[i], i};
    qsort(p, n, sizeof *p, by_value);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && p[end].value == p[i].value;) end++;
        for (size_t k = i; k < end; k++)
            rank[p[k].at] = (double)(i + 1 + end) / 2;
    }
    sb_free(p);
    return SB_OK;
}

/* Both [n]; ranks have the mean (n + 1) / 2. */
static double correlation(const double *x, const double *y, size_t n)
{
    double mean = (double)(n + 1) / 2, xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        double dx = x[i] - mean, dy = y[i] - mean;
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : (double)NAN;
}

sb_status sb_spearman(const double *x, const double *y, size_t n,
                      double *rho_out)
{
    double *rank;
    if (n < 2) {
        *rho_out = (double)NAN;
        return SB_OK;
    }
    SB_TRY(sb_alloc(2 * n, sizeof *rank, "ranks", &rank));
    sb_status st = rank_all(x, n, rank);
    if (st == SB_OK) st = rank_all(y, n, rank + n);
    if (st == SB_OK) *rho_out = correlation(rank, rank + n, n);
    sb_free(rank);
    return st;
}

/* ---- cosines ------------------------------------------------------------- */

/* 0 if one of them has no finite length. */
static double cosine(const float *a, const float *b, size_t D)
{
    double lengths = sqrt(sb_sum_squares(a, D)) * sqrt(sb_sum_squares(b, D));
    double x = (double)sb_dot(a, b, D) / lengths;
    return lengths > 0 && isfinite(x) ? x : 0;
}

sb_status sb_similarity_run(sb_similarity *s, const sb_candidates *words,
                            const float *table, size_t D, size_t stride)
{
    double *x;
    SB_TRY(sb_alloc(2 * s->n, sizeof *x, "cosines", &x));
    for (size_t i = 0; i < s->n; i++) {
        const float *row[2];
        for (int k = 0; k < 2; k++)
            row[k] =
                table + words->row[words->best[s->pair[i].word[k]]] * stride;
        x[i] = cosine(row[0], row[1], D);
        x[s->n + i] = s->pair[i].score;
    }
    sb_status st = sb_spearman(x, x + s->n, s->n, &s->rho);
    sb_free(x);
    return st;
}
