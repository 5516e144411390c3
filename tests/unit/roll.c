/* SPDX-License-Identifier: MIT
 * Who holds up the run, by what is known of the ranks; and how a process says
 * where it is. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "comm/base/life.h"
#include "comm/roll.h"

enum { RANKS = 4, LIMIT = 10 };
static sb_roll roll;
static uint64_t beats;

static int open_roll(void **state)
{
    (void)state;
    return sb_roll_open(RANKS, LIMIT, &roll) != SB_OK;
}

static int close_roll(void **state)
{
    (void)state;
    sb_roll_close(&roll);
    return 0;
}

/* Heard of at `now`: it moved since the last time, or not. */
static void hear(int rank, int waiting, int moved, double now)
{
    sb_life l = {.beats = moved ? ++beats : roll.rank[rank].life.beats,
                 .waiting = (uint32_t)waiting};
    sb_roll_hear(&roll, rank, &l, now);
}

/* All but `but` wait, and were heard of every second of [from, to]; none moved
 * but in the first. */
static void all_wait(int but, int from, int to)
{
    for (int t = from; t <= to; t++)
        for (int r = 0; r < RANKS; r++)
            if (r != but) hear(r, 1, t == from, t);
}

static void expect_verdict(double now, sb_verdict v, int rank, double seconds)
{
    int who = -1;
    double s = -1;
    assert_int_equal(sb_roll_judge(&roll, now, &who, &s), v);
    assert_int_equal(who, rank);
    assert_float_equal(s, seconds, 1e-9);
}

static void nobody_is_judged_before_the_limit(void **state)
{
    (void)state;
    expect_verdict(1000, SB_ROLL_WELL, -1, -1);
    hear(2, 0, 1, 1000);
    all_wait(2, 1000, 1010);
    expect_verdict(1010, SB_ROLL_WELL, -1, -1);
}

static void a_silent_rank_is_named_before_those_that_wait_for_it(void **state)
{
    (void)state;
    hear(2, 0, 1, 0.5);
    all_wait(2, 0, 11);
    expect_verdict(11, SB_ROLL_SILENT, 2, 10.5);
    hear(2, 0, 0, 11);
    expect_verdict(11, SB_ROLL_STANDS, 2, 10.5);
    hear(2, 0, 1, 11.5);
    expect_verdict(12, SB_ROLL_WELL, -1, -1);
}

static void the_rank_that_was_silent_first_is_named(void **state)
{
    (void)state;
    hear(1, 1, 1, 2);
    hear(3, 0, 1, 1);
    for (int t = 0; t <= 12; t++) hear(0, 1, 0, t), hear(2, 1, 0, t);
    expect_verdict(13, SB_ROLL_SILENT, 3, 12);
}

static void a_rank_that_works_for_long_is_waited_for(void **state)
{
    (void)state;
    for (int t = 0; t <= 100; t++) hear(1, 0, 1, t);
    all_wait(1, 0, 100);
    expect_verdict(100, SB_ROLL_WELL, -1, -1);
}

static void ranks_that_all_wait_are_a_knot(void **state)
{
    (void)state;
    all_wait(-1, 0, 10);
    expect_verdict(10, SB_ROLL_WELL, -1, -1);
    all_wait(-1, 11, 11);
    for (int r = 0; r < RANKS; r++) roll.rank[r].moved = r;
    expect_verdict(14, SB_ROLL_KNOT, 3, 11);
}

static void a_rank_that_may_be_silent_is_not_taken_for_a_knot(void **state)
{
    (void)state;
    hear(2, 1, 1, 0);
    all_wait(2, 0, 9);
    hear(2, 1, 0, 3);
    for (int r = 0; r < RANKS; r++)
        if (r != 2) hear(r, 1, 0, 12);
    expect_verdict(12, SB_ROLL_WELL, -1, -1);
    expect_verdict(13.5, SB_ROLL_SILENT, 2, 10.5);
}

static void a_rank_never_heard_of_is_found_by_elimination(void **state)
{
    (void)state;
    int first = -1;
    all_wait(1, 0, 12);
    assert_int_equal(sb_roll_unseen(&roll, &first), 1);
    assert_int_equal(first, 1);
    expect_verdict(12, SB_ROLL_UNSEEN, 1, 12);
    hear(3, 0, 1, 12);
    expect_verdict(12, SB_ROLL_WELL, -1, -1);
}

static void who_has_left_is_not_judged(void **state)
{
    (void)state;
    hear(1, 0, 1, 0);
    sb_roll_leave(&roll, 1);
    for (int r = 2; r < RANKS; r++) hear(r, 1, 1, 20);
    hear(0, 1, 1, 20);
    expect_verdict(29, SB_ROLL_WELL, -1, -1);
}

static void a_sleep_of_the_judge_is_forgiven(void **state)
{
    (void)state;
    all_wait(-1, 0, 1);
    sb_roll_forgive(&roll, 100);
    expect_verdict(109, SB_ROLL_WELL, -1, -1);
    expect_verdict(111, SB_ROLL_SILENT, 0, 11);
}

static void a_process_says_where_it_is(void **state)
{
    (void)state;
    assert_string_equal(sb_life_now().where, "start");
    sb_life_at("mlm: step", 812);
    assert_string_equal(sb_life_now().where, "mlm: step 812");
    sb_life_doing("gradients");
    assert_string_equal(sb_life_now().where, "mlm: step 812, gradients");
    sb_life_at("the end", SB_LIFE_PLAIN);
    assert_string_equal(sb_life_now().where, "the end");
    uint64_t before = sb_life_now().beats;
    sb_life_wait(1);
    assert_int_equal(sb_life_now().waiting, 1);
    assert_int_equal(sb_life_now().beats, before);
    sb_life_wait(0);
    assert_int_equal(sb_life_now().waiting, 0);
    assert_int_equal(sb_life_now().beats, before + 1);
    sb_life_beat();
    assert_int_equal(sb_life_now().beats, before + 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_roll, close_roll)
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_judged_before_the_limit),
        TEST(a_silent_rank_is_named_before_those_that_wait_for_it),
        TEST(the_rank_that_was_silent_first_is_named),
        TEST(a_rank_that_works_for_long_is_waited_for),
        TEST(ranks_that_all_wait_are_a_knot),
        TEST(a_rank_that_may_be_silent_is_not_taken_for_a_knot),
        TEST(a_rank_never_heard_of_is_found_by_elimination),
        TEST(who_has_left_is_not_judged),
        TEST(a_sleep_of_the_judge_is_forgiven),
        TEST(a_process_says_where_it_is)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
