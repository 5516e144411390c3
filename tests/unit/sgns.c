/* SPDX-License-Identifier: MIT
 * sgns.c - tests of trainer/kernels/sgns.c: the library's sb_sgns_step, and
 * the copies for each kind of processor that this one can run. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/kernel_check.h"
#include "tests/unit/sgns_reference.h"

/* The copies are static: the source once more, under another name. */
double chosen_here(const sb_sgns *b, float lr, float *g, float **aside);
#define sb_sgns_step chosen_here
#include "trainer/kernels/sgns.c"
#undef sb_sgns_step

enum { IN = SB_SGNS_INPUTS, OUT = SB_SGNS_OUTPUTS, MAX_D = 768, GAP = 5 };
enum { IN_ROOM = IN * (MAX_D + GAP), OUT_ROOM = OUT * (MAX_D + GAP) };

typedef double step_fn(const sb_sgns *b, float lr, float *g, float **aside);
static step_fn *path[6];
static size_t paths;

static size_t D, n, m;
static uint32_t in_row[IN], out_row[OUT]; /* which rows of the rooms */
static uint8_t label[IN];
ROOM(in_room, IN_ROOM);
ROOM(out_room, OUT_ROOM);
static float in_start[IN_ROOM], out_start[OUT_ROOM];
static double in_ref[IN_ROOM], out_ref[OUT_ROOM];
ROOM(soon_room, IN *MAX_D);
static float *soon[IN];
static size_t soon_n;

static double plain_4(const sb_sgns *b, float lr, float *g, float **aside)
{
    return step(b, lr, g, aside, 4);
}

/* Vectors wider than the registers: gcc refuses them in IN_REGISTER. */
#if defined(__clang__) || !defined(__x86_64__)
static double plain_8(const sb_sgns *b, float lr, float *g, float **aside)
{
    return step(b, lr, g, aside, 8);
}

static double plain_16(const sb_sgns *b, float lr, float *g, float **aside)
{
    return step(b, lr, g, aside, 16);
}
#endif

static void find_paths(void)
{
    path[paths++] = sb_sgns_step;
    path[paths++] = plain_4;
#if defined(__clang__) || !defined(__x86_64__)
    path[paths++] = plain_8;
    path[paths++] = plain_16;
#endif
#ifdef SB_HAS_AVX2
    if (SB_HAS_AVX2) path[paths++] = sb_sgns_step_avx2;
    if (SB_HAS_AVX512) path[paths++] = sb_sgns_step_avx512;
#endif
}

/* n inputs out of `rows` rows (all different if that is IN) and m different
 * outputs; dots have a deviation of 2, whatever D is. */
static void choose(size_t inputs, size_t outputs, size_t width, size_t rows)
{
    check_state = 5;
    n = inputs, m = outputs, D = width;
    for (size_t i = 0; i < n; i++) {
        in_row[i] = (uint32_t)(rows < IN ? random_below(rows) : i * 37 % IN);
        label[i] = (uint8_t)random_below(m);
    }
    for (size_t j = 0; j < m; j++) out_row[j] = (uint32_t)(j * 29 + 7) % OUT;
    float size = sqrtf(6.0f / sqrtf((float)D));
    fill(in_start, IN * (D + GAP), size);
    fill(out_start, OUT * (D + GAP), size);
}

static float *in_at(size_t i, size_t shift, size_t gap)
{
    return in_room + shift + in_row[i] * (D + gap);
}

static float *out_at(size_t j, size_t shift, size_t gap)
{
    return out_room + shift + out_row[j] * (D + gap);
}

/* A step on rows as they are, `gap` floats between them. */
static double step_there(step_fn *fn, float lr, size_t shift, size_t gap)
{
    static float g[IN * OUT], aside_room[IN * MAX_D];
    float *in[IN], *out[OUT], *aside[IN];
    for (size_t i = 0; i < n; i++) in[i] = in_at(i, shift, gap);
    for (size_t j = 0; j < m; j++) out[j] = out_at(j, shift, gap);
    for (size_t i = 0; i < n; i++) aside[i] = aside_room + i * D;
    fill(aside_room, n * D, 1.0f);
    fill(g, n * m, 1.0f);
    sb_sgns b = {in, label, out, soon_n ? soon : NULL, n, m, soon_n, D};
    return fn(&b, lr, g, m > SB_SGNS_TILE ? aside : NULL);
}

/* The same from the numbers at the start. */
static double step_from_start(step_fn *fn, float lr)
{
    memcpy(in_room, in_start, sizeof in_start);
    memcpy(out_room, out_start, sizeof out_start);
    return step_there(fn, lr, 0, GAP);
}

static double reference(double lr)
{
    static sgns_problem p;
    p.n = n, p.m = m, p.D = D;
    to_double(in_ref, in_start, IN_ROOM);
    to_double(out_ref, out_start, OUT_ROOM);
    for (size_t i = 0; i < n; i++) p.in[i] = in_ref + in_row[i] * (D + GAP);
    for (size_t j = 0; j < m; j++) p.out[j] = out_ref + out_row[j] * (D + GAP);
    memcpy(p.label, label, n);
    return sgns_reference(&p, lr);
}

/* Every path; the numbers between the rows and other rows must not change. */
static void check_step(float lr, double near)
{
    double want = reference((double)lr);
    for (size_t k = 0; k < paths; k++) {
        double got = step_from_start(path[k], lr);
        check_near("loss", k, got, want, near, near);
        check_all("in", in_room, in_ref, IN * (D + GAP), near, near);
        check_all("out", out_room, out_ref, OUT * (D + GAP), near, near);
    }
}

static void a_step_agrees_with_the_reference(void **state)
{
    (void)state;
    const size_t ns[] = {1, 2, 3, 8, 48, 127, 128}, ds[] = {16, 32, 304, 768};
    const size_t ms[] = {1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 64};
    for (size_t i = 0; i < COUNT(ns); i++)
        for (size_t j = 0; j < COUNT(ms); j++)
            for (size_t k = 0; k < COUNT(ds); k++) {
                choose(ns[i], ms[j], ds[k], IN);
                check_step(0.025f, 2e-6);
            }
}

static void the_steps_of_an_input_that_comes_again_add_up(void **state)
{
    (void)state;
    const size_t ms[] = {1, 6, 7, 13}, rows[] = {1, 3, 20};
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t j = 0; j < COUNT(ms); j++)
            for (size_t inputs = 2; inputs <= 48; inputs += 23) {
                choose(inputs, ms[j], 304, rows[i]);
                check_step(0.025f, 1e-5);
            }
}

/* Inputs that are unit vectors, and outputs of zeros: every dot is 0, and
 * number i of an output says what input i did to it. */
static void each_input_has_its_own_true_output(void **state)
{
    (void)state;
    const size_t ms[] = {1, 2, 5, 6, 12, 64};
    for (size_t j = 0; j < COUNT(ms); j++)
        for (size_t k = 0; k < paths; k++) {
            choose(48, ms[j], 48, IN);
            memset(in_room, 0, sizeof in_room);
            memset(out_room, 0, sizeof out_room);
            for (size_t i = 0; i < n; i++) in_at(i, 0, GAP)[i] = 1.0f;
            double got = step_there(path[k], 0.5f, 0, GAP);
            check_near("loss", 0, got, (double)(n * m) * log(2), 0, 1e-6);
            for (size_t o = 0; o < m; o++)
                for (size_t i = 0; i < n; i++)
                    check_near("out", i, (double)out_at(o, 0, GAP)[i],
                               o == label[i] ? 0.25 : -0.25, 1e-7, 0);
        }
}

/* The loss as a function of the n inputs and the m outputs. */
static double loss(const double *at)
{
    double l = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++) {
            double z = 0;
            for (size_t c = 0; c < D; c++)
                z += at[i * D + c] * at[(n + j) * D + c];
            l += softplus(j == label[i] ? -z : z);
        }
    return l;
}

static void check_slope(size_t outputs)
{
    static double at[(5 + 13) * 16];
    choose(5, outputs, 16, IN);
    for (size_t k = 0; k < paths; k++) {
        memcpy(in_room, in_start, sizeof in_start);
        memcpy(out_room, out_start, sizeof out_start);
        for (size_t i = 0; i < n; i++)
            to_double(at + i * D, in_at(i, 0, GAP), D);
        for (size_t j = 0; j < m; j++)
            to_double(at + (n + j) * D, out_at(j, 0, GAP), D);
        check_near("loss", k, step_there(path[k], 1.0f, 0, GAP), loss(at), 1e-6,
                   1e-6);
        for (size_t r = 0; r < n + m; r++)
            for (size_t c = 0; c < D; c++) {
                const float *now =
                    r < n ? in_at(r, 0, GAP) : out_at(r - n, 0, GAP);
                check_near("step", r, (double)now[c] - at[r * D + c],
                           -slope(loss, at, r * D + c), 1e-5, 1e-5);
            }
    }
}

static void a_step_goes_down_the_slope_of_the_loss(void **state)
{
    (void)state;
    check_slope(1);
    check_slope(6);
    check_slope(13);
}

/* ---- extremes ------------------------------------------------------------ */

/* One number is all of a row, so that dots are known. */
static void all_dots(float in, float out)
{
    memset(in_start, 0, sizeof in_start);
    memset(out_start, 0, sizeof out_start);
    for (size_t i = 0; i < IN; i++) in_start[i * (D + GAP)] = in;
    for (size_t j = 0; j < OUT; j++) out_start[j * (D + GAP)] = out;
}

static void the_loss_is_right_for_huge_dots(void **state)
{
    (void)state;
    for (size_t outputs = 1; outputs <= 64; outputs += 21)
        for (float sign = -1; sign < 2; sign += 2) {
            choose(128, outputs, 16, IN);
            all_dots(10.0f, sign * 10.0f);
            check_step(0.025f, 2e-6);
        }
    choose(128, 64, 16, IN);
    all_dots(0.0f, 1.0f); /* the product of 2 for every number */
    for (size_t k = 0; k < paths; k++)
        check_near("loss", k, step_from_start(path[k], 0.025f),
                   128 * 64 * log(2), 0, 1e-7);
}

static void a_sure_pair_has_a_small_loss(void **state)
{
    (void)state;
    for (float z = 1; z < 80; z += 1.37f)
        for (size_t inputs = 1; inputs <= 16; inputs += 15) {
            choose(inputs, 1, 16, IN);
            all_dots(1.0f, z);
            double want = (double)n * log1p(exp((double)-z));
            for (size_t k = 0; k < paths; k++)
                /* 1 + e is a float where 16 go at a time. */
                check_near("loss", k, step_from_start(path[k], 1.0f), want,
                           n == 1 ? 3e-14 : 2e-6, 1e-6);
        }
}

static void products_that_overflow_show_in_the_loss(void **state)
{
    (void)state;
    choose(3, 3, 16, IN);
    for (size_t k = 0; k < paths; k++) {
        all_dots(1e30f, 1e30f); /* sure of the negatives */
        assert_true(!isfinite(step_from_start(path[k], 0.1f)));
        all_dots(1e30f, -1e30f); /* sure that the true ones are not */
        assert_true(step_from_start(path[k], 0.1f) == INFINITY);
    }
}

/* Of NaN in column 5 of an input (a row number below 3) or an output. */
static void put(size_t row, float x)
{
    if (row < 3)
        in_start[in_row[row] * (D + GAP) + 5] = x;
    else
        out_start[out_row[row - 3] * (D + GAP) + 5] = x;
}

static void nan_reaches_the_loss_and_the_rows(void **state)
{
    (void)state;
    for (size_t outputs = 3; outputs <= 8; outputs += 5)
        for (size_t k = 0; k < paths; k++) {
            for (size_t row = 0; row < 3 + outputs; row++) {
                choose(3, outputs, 32, IN);
                put(row, NAN);
                assert_true(isnan(step_from_start(path[k], 0.1f)));
            }
            choose(3, outputs, 32, IN);
            put(1, NAN);
            step_from_start(path[k], 0.1f);
            check_nan("in", in_at(1, 0, GAP), D);
            check_no_nan("in", in_at(0, 0, GAP), D);
            check_no_nan("in", in_at(2, 0, GAP), D);
            for (size_t j = 0; j < m; j++)
                check_nan("out", out_at(j, 0, GAP), D);
        }
}

/* A negative's dot of -INFINITY costs nothing, but its step makes NaN. */
static void infinity_shows_in_the_loss_of_two_steps(void **state)
{
    (void)state;
    for (size_t outputs = 3; outputs <= 8; outputs += 5)
        for (size_t k = 0; k < paths; k++)
            for (size_t row = 0; row < 3 + outputs; row++)
                for (float sign = -1; sign < 2; sign += 2) {
                    choose(3, outputs, 32, IN);
                    put(row, sign * INFINITY);
                    double first = step_from_start(path[k], 0.1f);
                    double second = step_there(path[k], 0.1f, 0, GAP);
                    assert_true(!isfinite(first + second));
                }
}

/* ---- rows ---------------------------------------------------------------- */

static void columns_of_zeros_stay_zero(void **state)
{
    (void)state;
    static const float zeros[15];
    for (size_t outputs = 5; outputs <= 13; outputs += 4)
        for (size_t k = 0; k < paths; k++) {
            choose(48, outputs, 304, 30);
            for (size_t r = 0; r < IN; r++)
                memset(in_start + r * (D + GAP) + 289, 0, sizeof zeros);
            for (size_t r = 0; r < OUT; r++)
                memset(out_start + r * (D + GAP) + 289, 0, sizeof zeros);
            step_from_start(path[k], 0.1f);
            for (size_t i = 0; i < n; i++)
                check_bits("in", in_at(i, 0, GAP) + 289, zeros, 15);
            for (size_t j = 0; j < m; j++)
                check_bits("out", out_at(j, 0, GAP) + 289, zeros, 15);
        }
}

static void rows_that_come_soon_change_nothing(void **state)
{
    (void)state;
    static float in[IN_ROOM], out[OUT_ROOM], before[IN * MAX_D];
    const size_t soon_ns[] = {0, 1, 3, 7, 8, 100}, ms[] = {6, 12};
    for (size_t j = 0; j < COUNT(ms); j++)
        for (size_t k = 0; k < paths; k++) {
            double first = 0;
            for (size_t s = 0; s < COUNT(soon_ns); s++) {
                choose(7, ms[j], 304, IN);
                fill(soon_room, IN * D, 1.0f);
                memcpy(before, soon_room, sizeof before);
                for (size_t i = 0; i < IN; i++) soon[i] = soon_room + i * D;
                soon[2] = in_at(4, 0, GAP); /* one may be in use */
                soon_n = soon_ns[s];
                double got = step_from_start(path[k], 0.1f);
                soon_n = 0;
                check_bits("soon", soon_room, before, IN * D);
                if (s == 0) {
                    first = got;
                    memcpy(in, in_room, sizeof in);
                    memcpy(out, out_room, sizeof out);
                }
                assert_true(got == first);
                check_bits("in", in_room, in, IN * (D + GAP));
                check_bits("out", out_room, out, OUT * (D + GAP));
            }
        }
}

static void check_bits_everywhere(step_fn *fn)
{
    static float in[48 * MAX_D], out[OUT * MAX_D];
    double first = 0;
    for (size_t s = 0; s < SHIFTS; s++) {
        size_t gap = s % 6; /* GAP at most */
        for (size_t i = 0; i < n; i++)
            memcpy(in_at(i, s, gap), in_start + in_row[i] * D, D * sizeof *in);
        for (size_t j = 0; j < m; j++)
            memcpy(out_at(j, s, gap), out_start + out_row[j] * D,
                   D * sizeof *out);
        double got = step_there(fn, 0.1f, s, gap);
        if (s == 0) first = got;
        assert_true(got == first);
        for (size_t i = 0; i < n; i++) {
            if (s == 0) memcpy(in + i * D, in_at(i, s, gap), D * sizeof *in);
            check_bits("in", in_at(i, s, gap), in + i * D, D);
        }
        for (size_t j = 0; j < m; j++) {
            if (s == 0) memcpy(out + j * D, out_at(j, s, gap), D * sizeof *out);
            check_bits("out", out_at(j, s, gap), out + j * D, D);
        }
    }
}

static void bits_are_the_same_wherever_rows_lie(void **state)
{
    (void)state;
    const size_t ds[] = {16, 304, 768}, ms[] = {1, 6, 13};
    for (size_t i = 0; i < COUNT(ds); i++)
        for (size_t j = 0; j < COUNT(ms); j++)
            for (size_t inputs = 1; inputs <= 48; inputs += 47)
                for (size_t k = 0; k < paths; k++) {
                    choose(inputs, ms[j], ds[i], 40);
                    check_bits_everywhere(path[k]);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_agrees_with_the_reference),
        cmocka_unit_test(the_steps_of_an_input_that_comes_again_add_up),
        cmocka_unit_test(each_input_has_its_own_true_output),
        cmocka_unit_test(a_step_goes_down_the_slope_of_the_loss),
        cmocka_unit_test(the_loss_is_right_for_huge_dots),
        cmocka_unit_test(a_sure_pair_has_a_small_loss),
        cmocka_unit_test(products_that_overflow_show_in_the_loss),
        cmocka_unit_test(nan_reaches_the_loss_and_the_rows),
        cmocka_unit_test(infinity_shows_in_the_loss_of_two_steps),
        cmocka_unit_test(columns_of_zeros_stay_zero),
        cmocka_unit_test(rows_that_come_soon_change_nothing),
        cmocka_unit_test(bits_are_the_same_wherever_rows_lie),
    };
    sb_kernels_start();
    find_paths();
    print_message("%zu ways to take a step\n", paths);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
