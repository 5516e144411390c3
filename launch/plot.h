/* SPDX-License-Identifier: MIT
 * plot.h - a figure of a page: curves over steps as SVG, with a legend, and a
 * table of their key values for those who do not see it. It takes up as much of
 * the page however long the curves are. Local. */
#ifndef SB_LAUNCH_PLOT_H
#define SB_LAUNCH_PLOT_H

#include "launch/html.h"
#include "trainer/curves.h"

typedef enum sb_line_style {
    SB_LINE,
    SB_MEAN,  /* a long one's means over 120 equal parts */
    SB_FAINT, /* behind the others; its outliers may leave the frame */
    SB_MARKS, /* with a mark at each point */
    SB_BAND   /* stacked on the bands before it: all have the same steps */
} sb_line_style;

/* SB_PLOT_ALL: the colour of text, for the one that the others are parts of. */
enum { SB_PLOT_LINES = 20, SB_PLOT_COLOURS = 8, SB_PLOT_ALL = -1 };

typedef struct sb_plot sb_plot;

/* A plot for page h: `title`, `unit` ("nats", or ""), and what x counts
 * ("step"); all borrowed until sb_plot_end. NULL: h has failed, and the calls
 * below do nothing. */
sb_plot *sb_plot_open(sb_html *h, const char *title, const char *unit,
                      const char *x);
/* y is logarithmic, if all of it is above 0 and it spans a power of ten. */
void sb_plot_log(sb_plot *p);
void sb_plot_zero(sb_plot *p); /* y begins at 0 */

/* Add a curve, y times `factor`. c NULL: there is none, and nothing is added;
 * nor beyond SB_PLOT_LINES. Colours from SB_PLOT_COLOURS on are the first ones,
 * dashed. name: borrowed; any text. */
void sb_plot_add(sb_plot *p, const char *name, const sb_curve *c, double factor,
                 int colour, sb_line_style style);
/* The curve, faint, and its running mean. */
void sb_plot_smooth(sb_plot *p, const char *name, const sb_curve *c,
                    double factor, int colour);
/* A level line. */
void sb_plot_level(sb_plot *p, const char *name, double y);

/* Write the figure, or nothing if there is no curve; frees p. */
void sb_plot_end(sb_plot *p);

#endif
