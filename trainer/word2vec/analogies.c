/* SPDX-License-Identifier: MIT
 * analogies.c - a task is a block of questions: it goes over all candidates,
 * block by block, and keeps the best answer to each of its questions. So an
 * answer is one thread's, from matrix products whose shapes depend on D and
 * the file alone. */
#include "trainer/word2vec/analogies.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "comm/base/stop.h"
#include "trainer/kernels/kernels.h"
#include "trainer/fields.h"

enum {
    FILE_MAX = 64 << 20,
    ASKED = 256,           /* questions of a block, if D is not very large */
    ROWS = 512,            /* candidates of a block */
    BLOCK_BYTES = 8 << 20, /* at most, of either */
    LENGTHS = 4096         /* rows measured by a task */
};

typedef struct question {
    uint32_t word[4];
    uint32_t section;
} question;

struct sb_analogies {
    const sb_candidates *words;
    sb_section *section;
    size_t sections, section_cap;
    question *question; /* those that are covered */
    size_t n, cap;
};

/* ---- the file ------------------------------------------------------------ */

static sb_status add_section(sb_analogies *q, sb_fields line)
{
    const char *name;
    size_t n = sb_fields_next(&line, &name);
    SB_TRY(sb_grow(&q->section, &q->section_cap, q->sections + 1,
                   sizeof *q->section, "sections"));
    sb_section *s = &q->section[q->sections++];
    *s = (sb_section){0};
    if (n >= sizeof s->name) n = sizeof s->name - 1;
    for (size_t i = 0; i < n; i++)
        s->name[i] = (unsigned char)name[i] < ' ' ? '?' : name[i];
    return SB_OK;
}

static sb_status add_question(sb_analogies *q, question x)
{
    q->section[x.section].asked++;
    for (int i = 0; i < 4; i++)
        if (x.word[i] == SB_NO_WORD) return SB_OK;
    q->section[x.section].covered++;
    SB_TRY(sb_grow(&q->question, &q->cap, q->n + 1, sizeof x, "questions"));
    q->question[q->n++] = x;
    return SB_OK;
}

static sb_status read_line(sb_analogies *q, sb_fields line, const char *path,
                           size_t number)
{
    question x = {.section = (uint32_t)q->sections - 1};
    const char *p;
    int words = 0;
    for (sb_fields left = line;; words++) {
        size_t n = sb_fields_next(&left, &p);
        if (n == 0) break;
        if (words == 0 && *p == ':')
            return add_section(q, (sb_fields){p + 1, line.end});
        if (words < 4) x.word[words] = sb_candidates_find(q->words, p, n);
    }
    if (words == 0) return SB_OK;
    SB_REQUIRE(words == 4, SB_EFORMAT,
               "'%s': line %zu has %d words, a question has 4", path, number,
               words);
    SB_REQUIRE(q->sections, SB_EFORMAT,
               "'%s': line %zu comes before the first ': section'", path,
               number);
    return add_question(q, x);
}

static sb_status read_file(sb_analogies *q, const char *path)
{
    char *text;
    size_t n, number = 0;
    uint64_t asked = 0;
    SB_TRY(sb_file_read(path, FILE_MAX, &text, &n));
    sb_fields left = {text, text + n}, line;
    sb_status st = SB_OK;
    while (st == SB_OK && sb_fields_line(&left, &line))
        st = read_line(q, line, path, ++number);
    sb_free(text);
    SB_TRY(st);
    for (size_t i = 0; i < q->sections; i++) asked += q->section[i].asked;
    SB_REQUIRE(asked, SB_EFORMAT, "'%s' holds no question", path);
    return SB_OK;
}

sb_status sb_analogies_open(const char *path, const sb_candidates *words,
                            sb_analogies **analogies_out)
{
    sb_analogies *q;
    SB_TRY(sb_alloc(1, sizeof *q, "questions", &q));
    q->words = words;
    sb_status st = read_file(q, path);
    if (st != SB_OK)
        sb_analogies_close(q);
    else
        *analogies_out = q;
    return st;
}

void sb_analogies_close(sb_analogies *q)
{
    if (!q) return;
    free(q->section);
    free(q->question);
    sb_free(q);
}

const sb_section *sb_analogies_sections(const sb_analogies *q, size_t *n_out)
{
    *n_out = q->sections;
    return q->section;
}

/* ---- answers ------------------------------------------------------------- */

typedef struct search {
    const sb_analogies *q;
    const float *table; /* [V] rows of D, stride apart */
    size_t D, stride;
    size_t asked, rows; /* of a block */
    size_t first;       /* block of this rank */
    float *scale;       /* [candidates] 1 / length, 0: no answer */
    float *scratch;     /* [workers, per_worker] */
    size_t per_worker;
    uint32_t *answer; /* [questions] a candidate, or SB_NO_WORD */
} search;

static size_t block_of(size_t most, size_t D)
{
    size_t n = BLOCK_BYTES / (D * sizeof(float));
    return n < 1 ? 1 : n < most ? n : most;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static const float *row_of(const search *s, size_t candidate)
{
    return s->table + (size_t)s->q->words->row[candidate] * s->stride;
}

static sb_status measure(void *context, size_t task, int worker)
{
    search *s = context;
    const sb_candidates *c = s->q->words;
    size_t last = least((task + 1) * LENGTHS, c->n);
    (void)worker;
    for (size_t i = task * LENGTHS; i < last; i++) {
        const float *row = row_of(s, i);
        double length = sqrt(sb_sum_squares(row, s->D));
        float scale = length > 0 ? (float)(1 / length) : 0;
        s->scale[i] = isfinite(scale) ? scale : 0;
    }
    return SB_OK;
}

/* x <- b - a + c of rows of length 1. */
static void make_query(const search *s, const question *q, float *x)
{
    static const float sign[3] = {-1, 1, 1};
    const sb_candidates *c = s->q->words;
    memset(x, 0, s->D * sizeof *x);
    for (int i = 0; i < 3; i++) {
        uint32_t k = c->best[q->word[i]];
        sb_axpy(x, sign[i] * s->scale[k], row_of(s, k), s->D);
    }
}

static int is_asked(const question *q, uint32_t word)
{
    return word == q->word[0] || word == q->word[1] || word == q->word[2];
}

/* The best of the candidates [first, first + n), whose products with the query
 * are x, and what was best before. */
static void offer(const search *s, const question *q, const float *x,
                  size_t first, size_t n, float *best, uint32_t *answer)
{
    for (size_t i = 0; i < n; i++) {
        float score = x[i] * s->scale[first + i];
        if (!(score > *best)) continue;
        if (s->scale[first + i] == 0) continue;
        if (is_asked(q, s->q->words->word[first + i])) continue;
        *best = score;
        *answer = (uint32_t)(first + i);
    }
}

static sb_status answer_block(void *context, size_t task, int worker)
{
    search *s = context;
    const sb_candidates *c = s->q->words;
    size_t from = (s->first + task) * s->asked;
    size_t n = least(s->asked, s->q->n - from);
    const question *q = s->q->question + from;
    float *query = s->scratch + (size_t)worker * s->per_worker;
    float *panel = query + s->asked * s->D;
    float *score = panel + s->rows * s->D;
    float best[ASKED];
    for (size_t i = 0; i < n; i++) {
        make_query(s, &q[i], query + i * s->D);
        best[i] = -INFINITY;
        s->answer[from + i] = SB_NO_WORD;
    }
    for (size_t at = 0; at < c->n; at += s->rows) {
        size_t m = least(s->rows, c->n - at);
        if (sb_stop_asked()) SB_FAIL(SB_ESTOP, "asked to stop");
        for (size_t i = 0; i < m; i++)
            memcpy(panel + i * s->D, row_of(s, at + i), s->D * sizeof *panel);
        sb_linear_forward(score, query, panel, NULL, n, s->D, m);
        for (size_t i = 0; i < n; i++)
            offer(s, &q[i], score + i * m, at, m, &best[i],
                  &s->answer[from + i]);
    }
    return SB_OK;
}

static sb_status answer_share(search *s, sb_comm *c, sb_pool *pool)
{
    size_t workers = (size_t)sb_pool_workers(pool), n = s->q->words->n;
    size_t blocks = (s->q->n + s->asked - 1) / s->asked;
    int rank = sb_comm_rank(c), size = sb_comm_size(c);
    s->per_worker = (s->asked + s->rows) * s->D + s->asked * s->rows;
    s->per_worker = (s->per_worker + 15) / 16 * 16;
    SB_TRY(sb_alloc(n, sizeof(float), "lengths of rows", &s->scale));
    SB_TRY(sb_alloc(s->q->n, sizeof(uint32_t), "answers", &s->answer));
    SB_TRY(sb_alloc(workers * s->per_worker, sizeof(float),
                    "questions and rows", &s->scratch));
    SB_TRY(sb_pool_run(pool, (n + LENGTHS - 1) / LENGTHS, measure, s));
    s->first = (size_t)sb_share(blocks, rank, size);
    size_t last = (size_t)sb_share(blocks, rank + 1, size);
    return sb_pool_run(pool, last - s->first, answer_block, s);
}

/* right <- how many answers of this rank are, [sections]. */
static void count(const search *s, uint64_t *right, size_t last)
{
    const sb_candidates *c = s->q->words;
    for (size_t i = s->first * s->asked; i < last; i++) {
        const question *q = &s->q->question[i];
        if (s->answer[i] != SB_NO_WORD && c->word[s->answer[i]] == q->word[3])
            right[q->section]++;
    }
}

sb_status sb_analogies_run(sb_analogies *q, sb_comm *c, sb_pool *pool,
                           const float *table, size_t D, size_t stride)
{
    search s = {.q = q, .table = table, .D = D, .stride = stride};
    uint64_t *right = NULL;
    s.asked = block_of(ASKED, D);
    s.rows = block_of(ROWS, D);
    sb_status st = sb_alloc(q->sections, sizeof *right, "sections", &right);
    if (st == SB_OK && q->n) st = answer_share(&s, c, pool);
    st = sb_agree(c, st);
    if (st == SB_OK) {
        size_t blocks = (q->n + s.asked - 1) / s.asked;
        size_t last =
            (size_t)sb_share(blocks, sb_comm_rank(c) + 1, sb_comm_size(c));
        if (q->n) count(&s, right, least(last * s.asked, q->n));
        sb_comm_sum_u64(c, right, q->sections);
        for (size_t i = 0; i < q->sections; i++) q->section[i].right = right[i];
    }
    sb_free(right);
    sb_free(s.scale);
    sb_free(s.answer);
    sb_free(s.scratch);
    return st;
}
