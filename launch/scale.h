/* SPDX-License-Identifier: MIT
 * scale.h - arithmetic of plots: axes with ticks at 1, 2 or 5 times a power of
 * ten, and curves of any length made as short as there are pixels. Numbers are
 * finite and below 1e100 (trainer/curves.h). Local. */
#ifndef SB_LAUNCH_SCALE_H
#define SB_LAUNCH_SCALE_H

#include <stddef.h>

#include "trainer/curves.h"

enum { SB_TICKS_MAX = 24 };

typedef struct sb_axis {
    double low, high; /* low < high; above 0 if logarithmic */
    int logarithmic;
    int power; /* labels are in units of 10^power; named beside the axis */
    double tick[SB_TICKS_MAX]; /* in [low, high], rising */
    int ticks, decimals;
} sb_axis;

/* An axis over [low, high] with at most `most` >= 2 ticks. `wider`: its ends
 * become ticks; else they are as given. Equal ends are moved apart, and wider
 * ones that differ by less than 0.4 %. */
void sb_axis_linear(double low, double high, int most, int wider,
                    sb_axis *axis_out);
/* The same, logarithmic; low > 0. */
void sb_axis_log(double low, double high, int most, sb_axis *axis_out);

/* Where v lies: 0 at low, 1 at high. */
double sb_axis_place(const sb_axis *a, double v);
/* "0.25", "12k": the label of a tick. */
void sb_axis_label(const sb_axis *a, double tick, char text[24]);

/* Of the points in each of `buckets` equal parts of [first, last] the least and
 * the greatest, in their order; all of them if they are no more than two a
 * bucket. x does not fall. out: [2 * buckets]; returns how many. */
size_t sb_thin(const sb_point *p, size_t n, double first, double last,
               size_t buckets, sb_point *out);
/* The mean x and y of each bucket that has a point. out: [buckets]. */
size_t sb_thin_mean(const sb_point *p, size_t n, double first, double last,
                    size_t buckets, sb_point *out);

/* In place: the exponentially weighted mean over about a `share` of the points,
 * without a bias to the first (Kingma & Ba 2015, section 3). */
void sb_smooth(sb_point *p, size_t n, double share);

/* The least y that at least `share` of the points do not exceed; sorts y. */
double sb_quantile(double *y, size_t n, double share);

#endif
