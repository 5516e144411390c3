/* SPDX-License-Identifier: MIT
 * rows.c - tests of trainer/kernels/rows.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/kernel_check.h"
#include "trainer/kernels/kernels.h"

enum { ROWS = 11, MAX_D = 770, MAX_N = 20 };

ROOM(table_room, ROWS *MAX_D);
ROOM(in_room, MAX_N *MAX_D);
ROOM(out_room, MAX_N *MAX_D);
static float was[ROWS * MAX_D];

static const size_t widths[] = {1, 7, 15, 16, 17, 33, 65, 300, 770};
/* A row more than once, next to itself and apart; the first and the last. */
static const uint32_t row[] = {3, 0, 3, 3, 10, 5, 0, 10, 3, 7};
enum { N = COUNT(row) };

static void get_copies_rows_in_order(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(widths); k++)
        for (size_t s = 0; s < SHIFTS; s++) {
            const size_t D = widths[k];
            fill(table_room + s, ROWS * D, 1.0f);
            table_room[s + 5 * D] = NAN;
            out_room[s + N * D] = 4.0f;
            sb_rows_get(out_room + s, table_room + s, row, N, D);
            for (size_t i = 0; i < N; i++)
                check_bits("out", out_room + s + i * D,
                           table_room + s + row[i] * D, D);
            assert_true(out_room[s + N * D] == 4.0f);
        }
}

static void add_adds_repeated_rows_in_order(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(widths); k++)
        for (size_t s = 0; s < SHIFTS; s++) {
            const size_t D = widths[k];
            fill(table_room + s, ROWS * D, 1.0f);
            fill(in_room + s, N * D, 1.0f);
            in_room[s + 5 * D] = NAN;
            memcpy(was, table_room + s, sizeof was);
            sb_rows_add(table_room + s, in_room + s, row, N, D);
            for (size_t i = 0; i < N; i++)
                for (size_t d = 0; d < D; d++)
                    was[row[i] * D + d] += in_room[s + i * D + d];
            check_nan("table", table_room + s + 5 * D, 1);
            was[5 * D] = table_room[s + 5 * D] = 0.0f;
            check_bits("table", table_room + s, was, ROWS * D);
        }
}

static void no_rows_and_no_columns_change_nothing(void **state)
{
    (void)state;
    out_room[0] = table_room[0] = 2.0f;
    sb_rows_get(out_room, table_room, row, 0, 16);
    sb_rows_add(table_room, in_room, row, 0, 16);
    sb_rows_get(out_room, table_room, row, N, 0);
    sb_rows_add(table_room, in_room, row, N, 0);
    assert_true(out_room[0] == 2.0f && table_room[0] == 2.0f);
    assert_true(sb_dot(out_room, table_room, 0) == 0.0f);
}

static void dot_agrees_with_the_reference_at_every_alignment(void **state)
{
    (void)state;
    for (size_t D = 1; D < 130; D++) {
        float first = 0;
        for (size_t s = 0; s < SHIFTS; s++) {
            double want = 0;
            check_state = D;
            fill(in_room + s, D, 1.0f);
            fill(out_room + SHIFTS - s, D, 1.0f);
            for (size_t i = 0; i < D; i++)
                want +=
                    (double)in_room[s + i] * (double)out_room[SHIFTS - s + i];
            float got = sb_dot(in_room + s, out_room + SHIFTS - s, D);
            check_near("dot", D, (double)got, want, 2e-6, 1e-6);
            if (s == 0) first = got;
            check_bits("dot", &got, &first, 1);
        }
        for (size_t i = 0; i < D; i++) {
            float keep = in_room[i];
            in_room[i] = NAN;
            float got = sb_dot(in_room, out_room, D);
            check_nan("dot", &got, 1);
            in_room[i] = keep;
        }
    }
}

static void dot_of_a_vector_with_itself_is_its_square(void **state)
{
    (void)state;
    for (size_t i = 0; i < 65; i++) in_room[i] = (float)i;
    assert_true(sb_dot(in_room, in_room, 65) == 64.0f * 65 * 129 / 6);
}

static void axpy_adds_a_multiple_at_every_alignment(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(widths); k++)
        for (size_t s = 0; s < SHIFTS; s++) {
            const size_t D = widths[k];
            static double want[MAX_D];
            check_state = k;
            fill(in_room + s, D, 1.0f);
            fill(out_room + s, D + 1, 1.0f);
            float after = out_room[s + D];
            for (size_t i = 0; i < D; i++)
                want[i] =
                    (double)out_room[s + i] - 0.7f * (double)in_room[s + i];
            sb_axpy(out_room + s, -0.7f, in_room + s, D);
            check_all("y", out_room + s, want, D, 1e-7, 1e-7);
            if (s == 0) memcpy(was, out_room, D * sizeof *was);
            check_bits("y", out_room + s, was, D);
            assert_true(out_room[s + D] == after);
        }
    in_room[0] = NAN;
    sb_axpy(out_room, 0.0f, in_room, 1); /* 0 * NaN is NaN */
    check_nan("y", out_room, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_copies_rows_in_order),
        cmocka_unit_test(add_adds_repeated_rows_in_order),
        cmocka_unit_test(no_rows_and_no_columns_change_nothing),
        cmocka_unit_test(dot_agrees_with_the_reference_at_every_alignment),
        cmocka_unit_test(dot_of_a_vector_with_itself_is_its_square),
        cmocka_unit_test(axpy_adds_a_multiple_at_every_alignment),
    };
    sb_kernels_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
