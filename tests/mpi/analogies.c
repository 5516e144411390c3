/* SPDX-License-Identifier: MIT
 * analogies.c - answers that are known, on any number of ranks and threads.
 *
 * The rows: a<i> = e(i), b<i> = e(i) + o, and fillers that stand upright on all
 * of them; each times another number. The answer to a<i> : b<i> = a<j> : ? is
 * b<j> by a clear distance. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "tests/mpi/check.h"
#include "trainer/word2vec/evaluation.h"

enum { PAIRS = 40, FILLERS = 1500, O = PAIRS, D = 64, ROWS_MAX = 2000 };

static char path[] = "/tmp/sb-analogies-XXXXXX";
static FILE *file;
static sb_vectors v;

/* A row for `word`: x e(i) + y o. */
static void add(const char *word, int i, float x, float y)
{
    uint32_t id;
    OK(sb_word_index_add(v.words, word, strlen(word), &id));
    CHECK(id == v.n && v.n < ROWS_MAX);
    float *row = v.table + v.n++ * D;
    row[i] = x;
    row[O] += y;
}

static void add_numbered(char letter, int i, float x, float y)
{
    char word[16];
    snprintf(word, sizeof word, "%c%d", letter, i);
    add(word, i < PAIRS ? i : O + 1 + i % (D - O - 1), x, y);
}

static void make_rows(void)
{
    v = (sb_vectors){.dim = D};
    OK(sb_word_index_open(&v.words));
    OK(sb_alloc(ROWS_MAX * D, sizeof *v.table, "rows", &v.table));
    for (int i = 0; i < FILLERS; i++) {
        float k = (float)(1 << i % 7); /* so that nothing is rounded */
        if (i % 16 == 3 && i / 16 < PAIRS) add_numbered('a', i / 16, k, 0);
        if (i % 32 == 9 && i / 32 < PAIRS) add_numbered('b', i / 32, k, k);
        add_numbered('f', PAIRS + i, k, 0);
    }
    add("B1", 1, 1, 5);   /* another b1, and a better answer */
    add("zero", 0, 0, 0); /* these are no answers */
    add("nan", 0, 1, NAN);
    add("inf", 0, 1, INFINITY);
    add("b0twin", 0, 0x1p100f, 0x1p100f);
}

static void ask(int a, int b, const char *rest)
{
    fprintf(file, "a%d b%d %s\n", a, b, rest);
}

static void write_questions(void)
{
    CHECK((file = fdopen(mkstemp(path), "w")) != NULL);
    fprintf(file, ": pairs\r\n");
    for (int i = 1; i < PAIRS; i++)
        for (int j = 1; j < PAIRS; j++)
            if (i != j) fprintf(file, "A%d b%d a%d B%d\n", i, i, j, j);
    ask(1, 1, "nobody knows");
    fprintf(file, "\n: others\n");
    /* nearest to c itself, then to B1, which is b's word, then to all other b
     * alike, of which b0 comes first */
    ask(1, 1, "b3 b0");
    ask(1, 1, "b3 b2");
    ask(1, 1, "b3 b0twin");
    ask(1, 1, "zero b1");
    ask(1, 1, "nan b1");
    fprintf(file, ": empty\n: unknown\nw x y z\n");
    CHECK(fclose(file) == 0);
}

static void run(size_t restrict_to, int threads, uint64_t *right,
                uint64_t *covered)
{
    sb_candidates words;
    sb_evaluation *e;
    sb_evaluation_result r;
    sb_pool *pool;
    OK(sb_pool_open(threads, &pool));
    OK(sb_candidates_of_vectors(&v, restrict_to, &words));
    OK(sb_evaluation_open(&(sb_evaluation_files){.analogies = path}, &words,
                          &e));
    for (int twice = 0; twice < 2; twice++) {
        OK(sb_evaluation_run(e, comm, pool, v.table, v.n, D, D, &r));
        CHECK(r.sections == 4 && r.similarities == 0);
        CHECK(strcmp(r.section[0].name, "pairs") == 0);
        CHECK(strcmp(r.section[2].name, "empty") == 0);
        CHECK(r.section[2].asked == 0 && r.section[3].asked == 1);
        CHECK(r.section[3].covered == 0 && r.section[3].right == 0);
        CHECK(r.section[0].asked == (PAIRS - 1) * (PAIRS - 2) + 1);
        CHECK(r.section[1].asked == 5);
        for (int i = 0; i < 2; i++) {
            right[i] = r.section[i].right;
            covered[i] = r.section[i].covered;
        }
        CHECK(r.total.right == right[0] + right[1]);
        CHECK(r.total.covered == covered[0] + covered[1]);
    }
    CHECK(sb_evaluation_run(e, comm, pool, v.table, v.n - 1, D, D, &r) ==
          SB_EINVAL);
    sb_evaluation_close(e);
    sb_candidates_free(&words);
    sb_pool_close(pool);
}

int main(int argc, char **argv)
{
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    uint64_t right[2], covered[2];
    make_rows();
    write_questions();
    for (int threads = 1; threads <= 3; threads++) {
        run(0, threads, right, covered);
        CHECK(covered[0] == (PAIRS - 1) * (PAIRS - 2));
        CHECK(right[0] == covered[0]);
        CHECK(covered[1] == 5);
        CHECK(right[1] == 1);
        /* a8 and b4 are in the first rows, b5 is not */
        run(160, threads, right, covered);
        CHECK(covered[0] == 4 * 3 && right[0] == 4 * 3);
        run(5, threads, right, covered); /* a0 and fillers */
        CHECK(covered[0] == 0 && right[0] == 0);
    }
    CHECK(unlink(path) == 0);
    sb_word_index_close(v.words);
    sb_free(v.table);
    sb_comm_close(comm);
    return 0;
}
