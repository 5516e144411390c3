/* SPDX-License-Identifier: MIT
 * scale.c - ticks, and thin curves. */
#include "launch/scale.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- axes ---------------------------------------------------------------- */

/* The least of 1, 2, 5 x 10^k that is not below v > 0. */
static double nice(double v)
{
    double unit = pow(10, floor(log10(v)));
    for (int i = 0; i < 3; i++) {
        static const double of[] = {1, 2, 5};
        if (of[i] * unit >= v * (1 - 1e-9)) return of[i] * unit;
    }
    return 10 * unit;
}

static double largest(double a, double b)
{
    return fmax(fabs(a), fabs(b));
}

/* Small numbers get a common power, large ones k, M, ... from sb_number_text's
 * point of view: a power of 3, 6, ... */
static void choose_unit(sb_axis *a, double step)
{
    double most = largest(a->low, a->high);
    int e = (int)floor(log10(most) + 1e-9);
    a->power = e >= 4 ? e / 3 * 3 : e <= -2 ? e : 0;
    int digits = a->power - (int)floor(log10(step) + 1e-9);
    a->decimals = digits < 0 ? 0 : digits > 9 ? 9 : digits;
}

/* Ends that are equal, or nearly, are moved apart: a label has few digits. */
static void move_apart(double *low, double *high, double share)
{
    double most = largest(*low, *high), by = fmax(most * share, 1e-99);
    if (*high - *low > by) return;
    if (most == 0) by = 1;
    *low -= *low > 0 && *low < by ? 0 : by;
    *high += by;
}

void sb_axis_linear(double low, double high, int most, int wider, sb_axis *out)
{
    sb_axis a = {0};
    move_apart(&low, &high, wider ? 0.004 : 1e-9);
    if (most > SB_TICKS_MAX - 2) most = SB_TICKS_MAX - 2;
    double step = nice((high - low) / most);
    if (wider) {
        low = floor(low / step + 1e-9) * step;
        high = ceil(high / step - 1e-9) * step;
    }
    a.low = low;
    a.high = high;
    for (double k = ceil(low / step - 1e-9);
         k * step <= high + step * 1e-9 && a.ticks < SB_TICKS_MAX; k++)
        a.tick[a.ticks++] = k == 0 ? 0 : k * step;
    choose_unit(&a, step);
    *out = a;
}

/* Whole powers of ten, with 2 and 5 times them between if there are few. */
void sb_axis_log(double low, double high, int most, sb_axis *out)
{
    sb_axis a = {.logarithmic = 1};
    if (!(high > low * 1.001)) {
        low /= 2;
        high *= 2;
    }
    double decades = log10(high / low);
    int every = (int)ceil(decades / most), between = decades * 3 <= most;
    a.low = low;
    a.high = high;
    for (int e = (int)floor(log10(low)); e <= log10(high) + 1; e++) {
        static const double of[] = {1, 2, 5};
        for (int i = 0; i < (between ? 3 : 1); i++) {
            double t = of[i] * pow(10, e);
            if (e % (every > 0 ? every : 1) == 0 && t >= low * 0.999 &&
                t <= high * 1.001 && a.ticks < SB_TICKS_MAX)
                a.tick[a.ticks++] = t;
        }
    }
    *out = a;
}

double sb_axis_place(const sb_axis *a, double v)
{
    if (!a->logarithmic) return (v - a->low) / (a->high - a->low);
    return v > 0 ? log(v / a->low) / log(a->high / a->low) : -1;
}

void sb_axis_label(const sb_axis *a, double tick, char text[24])
{
    static const char unit[] = " kMGTPE";
    if (a->logarithmic) {
        int e = (int)floor(log10(tick) + 1e-9);
        if (e < -2 || e > 3)
            snprintf(text, 24, "%.0fe%d", tick / pow(10, e), e);
        else
            snprintf(text, 24, "%g", tick);
        return;
    }
    int k = a->power > 0 && a->power <= 18 ? a->power / 3 : 0;
    double v = a->power ? tick / pow(10, a->power) : tick;
    snprintf(text, 24, "%.*f", a->decimals, v);
    if (k && v != 0) snprintf(text, 24, "%.*f%c", a->decimals, v, unit[k]);
}

/* ---- curves -------------------------------------------------------------- */

static size_t bucket_of(double x, double first, double last, size_t buckets)
{
    if (!(x > first)) return 0;
    if (!(x < last)) return buckets - 1;
    size_t b = (size_t)((x - first) / (last - first) * (double)buckets);
    return b < buckets ? b : buckets - 1;
}

/* The end of the bucket that begins at point i. */
static size_t bucket_end(const sb_point *p, size_t n, size_t i, double first,
                         double last, size_t buckets)
{
    size_t b = bucket_of(p[i].x, first, last, buckets);
    while (i < n && bucket_of(p[i].x, first, last, buckets) == b) i++;
    return i;
}

/* A file that was tampered with may have steps that fall, and so more pieces
 * than buckets: what has no room is left out. */
size_t sb_thin(const sb_point *p, size_t n, double first, double last,
               size_t buckets, sb_point *out)
{
    size_t k = 0;
    if (n <= 2 * buckets) {
        for (; k < n; k++) out[k] = p[k];
        return n;
    }
    for (size_t i = 0; i < n && k + 2 <= 2 * buckets;) {
        size_t end = bucket_end(p, n, i, first, last, buckets);
        size_t least = i, most = i;
        for (; i < end; i++) {
            if (p[i].y < p[least].y) least = i;
            if (p[i].y > p[most].y) most = i;
        }
        out[k++] = p[least < most ? least : most];
        if (least != most) out[k++] = p[least < most ? most : least];
    }
    return k;
}

size_t sb_thin_mean(const sb_point *p, size_t n, double first, double last,
                    size_t buckets, sb_point *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n && k < buckets; k++) {
        size_t end = bucket_end(p, n, i, first, last, buckets), begin = i;
        double x = 0, y = 0;
        for (; i < end; i++) {
            x += p[i].x;
            y += p[i].y;
        }
        out[k] =
            (sb_point){x / (double)(end - begin), y / (double)(end - begin)};
    }
    return k;
}

void sb_smooth(sb_point *p, size_t n, double share)
{
    double a = 2 / (share * (double)n + 1), sum = 0, weight = 0;
    if (a > 1) a = 1;
    for (size_t i = 0; i < n; i++) {
        sum = (1 - a) * sum + a * p[i].y;
        weight = (1 - a) * weight + a;
        p[i].y = sum / weight;
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double sb_quantile(double *y, size_t n, double share)
{
    qsort(y, n, sizeof *y, by_value);
    double at = ceil(share * (double)n) - 1;
    return y[at < 0 ? 0 : at >= (double)n ? n - 1 : (size_t)at];
}
