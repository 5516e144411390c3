/* SPDX-License-Identifier: MIT
 * metrics.c - tests of trainer/metrics.c. MPI as a single process. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "trainer/metrics.h"

static sb_comm *comm;
static char dir[64], path[96];

static int up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/sb-test-XXXXXX");
    if (!mkdtemp(dir)) return -1;
    snprintf(path, sizeof path, "%s/metrics.jsonl", dir);
    return 0;
}

static int down(void **state)
{
    (void)state;
    return sb_dir_remove(dir) == SB_OK ? 0 : -1;
}

static void write_steps(uint64_t after, uint64_t first, uint64_t last)
{
    sb_metrics *m;
    static const char *const name[] = {"loss", "tokens"};
    assert_int_equal(sb_metrics_open(comm, dir, after, 0, &m), SB_OK);
    for (uint64_t s = first; s <= last; s++) {
        double value[] = {(double)s / 8, 4e9 + (double)s};
        sb_metrics_line(m, s, name, value, 2);
    }
    assert_int_equal(sb_metrics_close(m), SB_OK);
}

static void holds(const char *want)
{
    char *text;
    size_t n;
    assert_int_equal(sb_file_read(path, 1 << 20, &text, &n), SB_OK);
    assert_string_equal(text, want);
    sb_free(text);
}

#define LINE1 "{\"step\":1,\"loss\":0.125,\"tokens\":4000000001}\n"
#define LINE2 "{\"step\":2,\"loss\":0.25,\"tokens\":4000000002}\n"
#define LINE3 "{\"step\":3,\"loss\":0.375,\"tokens\":4000000003}\n"

static void each_line_is_an_object_and_is_there_at_once(void **state)
{
    (void)state;
    write_steps(0, 1, 3);
    holds(LINE1 LINE2 LINE3);
    sb_metrics *m;
    assert_int_equal(sb_metrics_open(comm, dir, 0, 0, &m), SB_OK);
    holds(""); /* anew */
    static const char *const name[] = {"a\"\\\n", "b", "c"};
    double value[] = {NAN, -INFINITY, 1e-7};
    sb_metrics_line(m, 5, name, value, 3);
    sb_metrics_line(m, 6, NULL, NULL, 0);
    holds("{\"step\":5,\"a___\":null,\"b\":null,\"c\":1e-07}\n"
          "{\"step\":6}\n");
    assert_int_equal(sb_metrics_close(m), SB_OK);
}

static void on_resume_later_lines_are_cut_off(void **state)
{
    (void)state;
    write_steps(0, 1, 3);
    write_steps(2, 3, 3);
    holds(LINE1 LINE2 LINE3);
    write_steps(1, 3, 2);
    holds(LINE1);
    write_steps(9, 2, 2);
    holds(LINE1 LINE2);
}

static void a_torn_line_and_what_follows_is_cut_off(void **state)
{
    (void)state;
    static const char *const torn[] = {"{\"step\":2, \"lo",
                                       "{\"step\":2}",
                                       "\n",
                                       "{\"step\":}\n",
                                       "{\"step\":-1}\n",
                                       "{\"step\":2\n{\"step\":2}\n",
                                       ("nonsense\n" LINE2),
                                       "{\"step\":99999999999999999999999}\n"};
    for (size_t i = 0; i < sizeof torn / sizeof *torn; i++) {
        char *text = sb_format("%s%s", LINE1, torn[i]);
        unlink(path);
        assert_int_equal(sb_file_write(path, text, strlen(text)), SB_OK);
        sb_free(text);
        write_steps(50, 2, 2);
        holds(LINE1 LINE2);
    }
}

static void a_write_that_fails_is_reported_by_close(void **state)
{
    (void)state;
    struct rlimit was, small = {60, 60};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small.rlim_max = was.rlim_max;
    sb_metrics *m;
    assert_int_equal(sb_metrics_open(comm, dir, 0, 0, &m), SB_OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (uint64_t s = 1; s < 10; s++) sb_metrics_line(m, s, NULL, NULL, 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    sb_metrics_line(m, 10, NULL, NULL, 0); /* no hole is papered over */
    assert_int_equal(sb_metrics_close(m), SB_EIO);
    uint64_t bytes;
    assert_int_equal(sb_file_size(path, &bytes), SB_OK);
    assert_int_equal(bytes, 60);
}

static int has(const char *in, const char *name, uint64_t step)
{
    int yes = 7;
    assert_int_equal(sb_metrics_has(in, name, step, &yes), SB_OK);
    return yes;
}

static void a_step_has_a_value_or_not(void **state)
{
    (void)state;
    static const char *const name[] = {"loss"};
    const double value[] = {1};
    sb_metrics *m;
    assert_int_equal(sb_metrics_open(comm, dir, 0, 0, &m), SB_OK);
    sb_metrics_line(m, 3, name, value, 1);
    sb_metrics_line(m, 30, NULL, NULL, 0);
    assert_int_equal(sb_metrics_close(m), SB_OK);
    assert_true(has(dir, "loss", 3));
    assert_false(has(dir, "loss", 30));
    assert_false(has(dir, "oss", 3));
    assert_false(has("/no/such/folder", "loss", 3));
}

static void an_event_file_that_fails_is_reported_by_close(void **state)
{
    (void)state;
    struct rlimit was, small = {50, 50}; /* its first two events are longer */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small.rlim_max = was.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    sb_metrics *m;
    assert_int_equal(sb_metrics_open(comm, dir, 0, 1, &m), SB_OK);
    sb_metrics_line(m, 1, NULL, NULL, 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    sb_metrics_line(m, 2, NULL, NULL, 0);
    assert_int_equal(sb_metrics_close(m), SB_EIO);
    assert_non_null(strstr(sb_error_last()->text, "events.out.tfevents."));
    holds("{\"step\":1}\n{\"step\":2}\n");
}

static void nothing_is_fine_to_close(void **state)
{
    (void)state;
    assert_int_equal(sb_metrics_close(NULL), SB_OK);
}

int main(int argc, char **argv)
{
    if (sb_comm_open(&argc, &argv, &comm) != SB_OK) return 1;
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
        T(each_line_is_an_object_and_is_there_at_once),
        T(on_resume_later_lines_are_cut_off),
        T(a_torn_line_and_what_follows_is_cut_off),
        T(a_write_that_fails_is_reported_by_close),
        T(a_step_has_a_value_or_not),
        T(an_event_file_that_fails_is_reported_by_close),
        T(nothing_is_fine_to_close),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sb_comm_close(comm);
    return failed;
}
