/* SPDX-License-Identifier: MIT
 * kernel_check.h - what the tests of the kernels share: repeatable numbers,
 * comparison with a reference in double, central differences, and arrays at
 * any distance from a 64-byte boundary. Include after cmocka.h. */
#ifndef SB_TESTS_KERNEL_CHECK_H
#define SB_TESTS_KERNEL_CHECK_H

#include <math.h>
#include <string.h>

enum { SHIFTS = 16 }; /* places of a float within 64 bytes */

#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint64_t check_state = 1;

/* Uniform in [-1, 1), the same in every run. */
static inline float random_float(void)
{
    check_state = check_state * 6364136223846793005u + 1442695040888963407u;
    return (float)(check_state >> 40) / 8388608.0f - 1.0f;
}

static inline size_t random_below(size_t n)
{
    check_state = check_state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(check_state >> 33) % n;
}

static inline void fill(float *a, size_t n, float scale)
{
    for (size_t i = 0; i < n; i++) a[i] = scale * random_float();
}

static inline void fill_mask(uint8_t *keep, size_t n)
{
    for (size_t i = 0; i < n; i++) keep[i] = random_float() < 0.6f;
}

static inline void to_double(double *to, const float *from, size_t n)
{
    for (size_t i = 0; i < n; i++) to[i] = (double)from[i];
}

/* |got - want| <= absolute + relative |want|; NaN is near nothing. */
static inline void check_near(const char *what, size_t i, double got,
                              double want, double absolute, double relative)
{
    if (!(fabs(got - want) <= absolute + relative * fabs(want)))
        fail_msg("%s[%zu] is %.9g, wanted %.9g", what, i, got, want);
}

static inline void check_all(const char *what, const float *got,
                             const double *want, size_t n, double absolute,
                             double relative)
{
    for (size_t i = 0; i < n; i++)
        check_near(what, i, (double)got[i], want[i], absolute, relative);
}

static inline void check_bits(const char *what, const float *got,
                              const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(got + i, want + i, sizeof *got) != 0)
            fail_msg("%s[%zu] is %a, wanted the bits of %a", what, i,
                     (double)got[i], (double)want[i]);
}

static inline void check_nan(const char *what, const float *got, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isnan(got[i]))
            fail_msg("%s[%zu] is %g, wanted NaN", what, i, (double)got[i]);
}

static inline void check_no_nan(const char *what, const float *got, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isnan(got[i])) fail_msg("%s[%zu] is NaN", what, i);
}

/* Slope of loss at[i] by central differences. */
typedef double loss_fn(const double *at);

static inline double slope(loss_fn *loss, double *at, size_t i)
{
    const double here = at[i], h = 1e-5;
    at[i] = here + h;
    double up = loss(at);
    at[i] = here - h;
    double down = loss(at);
    at[i] = here;
    return (up - down) / (2 * h);
}

/* Sets *shift floats past a 64-byte boundary; room has SHIFTS to spare. */
#define ROOM(name, n) static _Alignas(64) float name[(n) + SHIFTS]

#endif
