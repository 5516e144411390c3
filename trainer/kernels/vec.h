/* SPDX-License-Identifier: MIT
 * vec.h - what the kernels share: blocks of sixteen lanes.
 *
 * A loop over n elements goes block by block; inside a block, lane l belongs
 * to element i + l. A short last block is filled up, computed by the same
 * operations, and only its first n - i lanes are stored. So an element's bits
 * depend on its inputs alone, never on its place in the array or on the
 * alignment, and a sum has one order: sixteen partial sums, then a fixed tree.
 *
 * So a kernel is a block function, inlined twice: on the arrays themselves, and
 * on sixteen-element copies for a short last block. Where an operation has but
 * one possible rounding, a plain loop does the same.
 *
 * The loops over lanes are plain C that the compiler turns into vectors of
 * whatever width the processor has. Private to trainer/kernels.
 */
#ifndef SB_KERNELS_VEC_H
#define SB_KERNELS_VEC_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* SB_KERNEL(name, body, parameters, arguments) defines the function `name` as
 * the SB_INLINE function `body`, compiled for three kinds of x86-64 processor;
 * each call takes the widest that this one has. SB_KERNEL_OF is for functions
 * that return a value, SB_KERNEL_WIDE_OF for such whose body gets the floats of
 * a vector register as its last argument. (target_clones would do the same, but the chooser that
 * clang 14 writes for arch=x86-64-v3 never picks it.) */
#if defined(__x86_64__) && !defined(SB_NO_CLONES)
#define SB_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define SB_AVX2   __attribute__((target("avx2,fma")))
#define SB_HAS_AVX512                                                          \
    (__builtin_cpu_supports("avx512f") &&                                      \
     __builtin_cpu_supports("avx512bw") &&                                     \
     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
#define SB_HAS_AVX2                                                            \
    (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#define SB_KERNEL(name, body, parameters, arguments)                           \
    SB_AVX512 static void name##_avx512 parameters                             \
    {                                                                          \
        body arguments;                                                        \
    }                                                                          \
    SB_AVX2 static void name##_avx2 parameters                                 \
    {                                                                          \
        body arguments;                                                        \
    }                                                                          \
    void name parameters                                                       \
    {                                                                          \
        if (SB_HAS_AVX512)                                                     \
            name##_avx512 arguments;                                           \
        else if (SB_HAS_AVX2)                                                  \
            name##_avx2 arguments;                                             \
        else                                                                   \
            body arguments;                                                    \
    }
#define SB_KERNEL_OF(type, name, body, parameters, arguments)                  \
    SB_AVX512 static type name##_avx512 parameters                             \
    {                                                                          \
        return body arguments;                                                 \
    }                                                                          \
    SB_AVX2 static type name##_avx2 parameters                                 \
    {                                                                          \
        return body arguments;                                                 \
    }                                                                          \
    type name parameters                                                       \
    {                                                                          \
        if (SB_HAS_AVX512) return name##_avx512 arguments;                     \
        if (SB_HAS_AVX2) return name##_avx2 arguments;                         \
        return body arguments;                                                 \
    }
#define SB_KERNEL_WIDE_OF(type, name, body, parameters, ...)                   \
    SB_AVX512 static type name##_avx512 parameters                             \
    {                                                                          \
        return body(__VA_ARGS__, 16);                                          \
    }                                                                          \
    SB_AVX2 static type name##_avx2 parameters                                 \
    {                                                                          \
        return body(__VA_ARGS__, 8);                                           \
    }                                                                          \
    type name parameters                                                       \
    {                                                                          \
        if (SB_HAS_AVX512) return name##_avx512(__VA_ARGS__);                  \
        if (SB_HAS_AVX2) return name##_avx2(__VA_ARGS__);                      \
        return body(__VA_ARGS__, 4);                                           \
    }
#else
#define SB_KERNEL(name, body, parameters, arguments)                           \
    void name parameters                                                       \
    {                                                                          \
        body arguments;                                                        \
    }
#define SB_KERNEL_OF(type, name, body, parameters, arguments)                  \
    type name parameters                                                       \
    {                                                                          \
        return body arguments;                                                 \
    }
#define SB_KERNEL_WIDE_OF(type, name, body, parameters, ...)                   \
    type name parameters                                                       \
    {                                                                          \
        return body(__VA_ARGS__, 4);                                           \
    }
#endif

/* Must end up inside the copy that calls it. */
#define SB_INLINE static inline __attribute__((always_inline))

enum { LANES = 16 };

/* The loop over the lanes of a block. Lane l of an output may be lane l of an
 * input (in place), never another lane of it. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* a hint, not a demand */
#define EACH_LANE(l)                                                           \
    _Pragma("clang loop vectorize(assume_safety)") for (size_t l = 0;          \
                                                        l < LANES; l++)
#else
#define EACH_LANE(l) _Pragma("GCC ivdep") for (size_t l = 0; l < LANES; l++)
#endif

SB_INLINE void lanes_set(float *a, float value)
{
    for (size_t l = 0; l < LANES; l++) a[l] = value;
}

/* The short last block: a = x[0..n), n < 16; the other lanes are `fill`. */
SB_INLINE void lanes_load(float *a, const float *x, size_t n, float fill)
{
    lanes_set(a, fill);
    memcpy(a, x, n * sizeof *a);
}

SB_INLINE void lanes_store(float *y, const float *a, size_t n)
{
    memcpy(y, a, n * sizeof *a);
}

SB_INLINE float lanes_sum(const float *a)
{
    float s[8];
    for (size_t l = 0; l < 8; l++) s[l] = a[l] + a[l + 8];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* The largest; NaN is passed over, so -INFINITY for NaN alone. */
SB_INLINE float lanes_max(const float *a)
{
    float m = a[0];
    for (size_t l = 1; l < LANES; l++) m = a[l] > m ? a[l] : m;
    return m;
}

/* Sixteen partial sums of a[i] b[i], and their tree. */
SB_INLINE float dot_row(const float *a, const float *b, size_t D)
{
    float sum[LANES];
    size_t i = 0;
    lanes_set(sum, 0.0f);
    for (; D - i >= LANES; i += LANES) EACH_LANE(l)
        {
            sum[l] += a[i + l] * b[i + l];
        }
    for (size_t l = 0; l < D - i; l++) sum[l] += a[i + l] * b[i + l];
    return lanes_sum(sum);
}

/* The largest of a row; NaN is passed over. */
SB_INLINE float max_row(const float *x, size_t n)
{
    float top[LANES];
    size_t i = 0;
    lanes_set(top, -INFINITY);
    for (; n - i >= LANES; i += LANES) EACH_LANE(l)
        {
            top[l] = x[i + l] > top[l] ? x[i + l] : top[l];
        }
    for (size_t l = 0; l < n - i; l++)
        top[l] = x[i + l] > top[l] ? x[i + l] : top[l];
    return lanes_max(top);
}

SB_INLINE uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

SB_INLINE float float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* exp(x) = 2^k exp(r), k = round(x / log 2), |r| <= log(2) / 2. Below 2 ulp
 * for x in [-87, 88.7]; 0 below, INFINITY above; NaN stays NaN. k is read from
 * the low bits of x / log 2 + 1.5 * 2^23: no conversion, no library call. */
SB_INLINE float exp_lane(float x)
{
    const float shift = 12582912.0f;
    float t = x * 1.44269504f + shift;
    float k = t - shift;
    float r = x - k * 0.693359375f; /* exact: 10 bits of log 2 */
    r -= k * -2.12194440e-4f;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    float y = float_of(bits_of(p) + (bits_of(t) << 23));
    y = x < -87.0f ? 0.0f : y;
    y = x > 88.7228317f ? INFINITY : y;
    return x == x ? y : x;
}

#endif
