/* SPDX-License-Identifier: MIT
 * plot.c - curves to SVG. Colours and sizes of text are the page's style
 * (report.css); pointing at a curve is its script (report.js). */
#include "launch/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/base/mem.h"
#include "launch/scale.h"

/* The frame, in units of the view box. */
enum {
    WIDE = 480,
    HIGH = 272,
    LEFT = 54,
    RIGHT = 460,
    TOP = 10,
    BOTTOM = 228,
    PIXELS = RIGHT - LEFT,
    MEANS = 120 /* points of a band, or of a line of means */
};
static const double outliers = 0.005, smooth_over = 0.03;

typedef struct line {
    const char *name;
    int colour;
    sb_line_style style;
    sb_point *point; /* [n]: thinned, in the axes' units */
    size_t n, all;
    double first, last, least, most; /* of all points */
    double x0, x1, low, high;        /* that the frame has to show */
} line;

struct sb_plot {
    sb_html *h;
    const char *title, *unit, *x;
    int logarithmic, zero;
    line line[SB_PLOT_LINES];
    int lines;
    const char *level_name;
    double level;
    sb_axis ax, ay;
};

sb_plot *sb_plot_open(sb_html *h, const char *title, const char *unit,
                      const char *x)
{
    sb_plot *p;
    if (h->failed != SB_OK) return NULL;
    h->failed = sb_alloc(1, sizeof *p, "a plot", &p);
    if (h->failed != SB_OK) return NULL;
    p->h = h;
    p->title = title;
    p->unit = unit;
    p->x = x;
    return p;
}

static void close_plot(sb_plot *p)
{
    for (int i = 0; i < p->lines; i++) sb_free(p->line[i].point);
    sb_free(p);
}

void sb_plot_log(sb_plot *p)
{
    if (p) p->logarithmic = 1;
}

void sb_plot_zero(sb_plot *p)
{
    if (p) p->zero = 1;
}

void sb_plot_level(sb_plot *p, const char *name, double y)
{
    if (!p) return;
    p->level_name = name;
    p->level = y;
}

/* ---- curves -------------------------------------------------------------- */

/* Key values, and what the frame has to show: of a faint line all but the
 * outliers. y: room for c->n. */
static void measure(line *l, const sb_point *p, size_t n, double *y)
{
    l->x0 = p[0].x;
    l->x1 = p[n - 1].x;
    l->first = p[0].y;
    l->last = p[n - 1].y;
    l->least = l->most = p[0].y;
    for (size_t i = 0; i < n; i++) {
        y[i] = p[i].y;
        l->least = fmin(l->least, y[i]);
        l->most = fmax(l->most, y[i]);
    }
    l->low = l->least;
    l->high = l->most;
    if (l->style != SB_FAINT) return;
    l->high = sb_quantile(y, n, 1 - outliers);
    l->low = sb_quantile(y, n, outliers);
}

static void thin(line *l, const sb_point *p, size_t n)
{
    double first = p[0].x, last = p[n - 1].x;
    if (l->style != SB_BAND && (l->style != SB_MEAN || n <= MEANS)) {
        l->n = sb_thin(p, n, first, last, PIXELS, l->point);
        return;
    }
    l->n = sb_thin_mean(p, n, first, last, MEANS, l->point);
    l->low = l->high = l->point[0].y;
    for (size_t i = 0; i < l->n; i++) {
        l->low = fmin(l->low, l->point[i].y);
        l->high = fmax(l->high, l->point[i].y);
    }
}

static sb_status fill(line *l, const sb_curve *c, double factor, double smooth)
{
    sb_point *all = NULL;
    double *y = NULL;
    sb_status st = sb_alloc(2 * PIXELS, sizeof *l->point, "a plot", &l->point);
    if (st == SB_OK) st = sb_alloc(c->n, sizeof *all, "a plot", &all);
    if (st == SB_OK) st = sb_alloc(c->n, sizeof *y, "a plot", &y);
    if (st == SB_OK) {
        for (size_t i = 0; i < c->n; i++)
            all[i] = (sb_point){c->point[i].x, c->point[i].y * factor};
        if (smooth > 0) sb_smooth(all, c->n, smooth);
        measure(l, all, c->n, y);
        thin(l, all, c->n);
    }
    sb_free(all);
    sb_free(y);
    return st;
}

static void add(sb_plot *p, line l, const sb_curve *c, double factor,
                double smooth)
{
    if (!p || !c || !c->n || p->lines == SB_PLOT_LINES) return;
    if (p->h->failed != SB_OK) return;
    l.all = c->n;
    p->h->failed = fill(&l, c, factor, smooth);
    p->line[p->lines++] = l; /* to be freed, whatever happened */
}

void sb_plot_add(sb_plot *p, const char *name, const sb_curve *c, double factor,
                 int colour, sb_line_style style)
{
    add(p, (line){.name = name, .colour = colour, .style = style}, c, factor,
        0);
}

void sb_plot_smooth(sb_plot *p, const char *name, const sb_curve *c,
                    double factor, int colour)
{
    line l = {.name = name, .colour = colour, .style = SB_FAINT};
    add(p, l, c, factor, 0);
    l.style = SB_LINE;
    add(p, l, c, factor, smooth_over);
}

/* ---- axes ---------------------------------------------------------------- */

/* Each band on top of those before it. */
static void stack(sb_plot *p)
{
    const line *under = NULL;
    for (int i = 0; i < p->lines; i++) {
        line *l = &p->line[i];
        if (l->style != SB_BAND) continue;
        for (size_t k = 0; under && k < l->n; k++)
            l->point[k].y += under->point[k < under->n ? k : under->n - 1].y;
        l->low = 0;
        for (size_t k = 0; k < l->n; k++)
            l->high = k ? fmax(l->high, l->point[k].y) : l->point[k].y;
        under = l;
    }
}

static void fit_axes(sb_plot *p)
{
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    for (int i = 0; i < p->lines; i++) {
        const line *l = &p->line[i];
        x0 = fmin(x0, fmin(l->x0, l->x1));
        x1 = fmax(x1, fmax(l->x0, l->x1));
        y0 = fmin(y0, l->low);
        y1 = fmax(y1, l->high);
    }
    if (p->level_name) {
        y0 = fmin(y0, p->level);
        y1 = fmax(y1, p->level);
    }
    if (p->zero && y0 >= 0) {
        y0 = 0;
        if (y1 == 0) y1 = 1;
    }
    sb_axis_linear(x0 < 0.05 * x1 ? 0 : x0, x1, 6, 0, &p->ax);
    if (p->logarithmic && y0 > 0 && y1 > 10 * y0)
        sb_axis_log(y0, y1, 6, &p->ay);
    else
        sb_axis_linear(y0, y1, 6, 1, &p->ay);
}

/* What leaves the frame stays near it: SVG's numbers are floats. */
static double near(double place)
{
    return fmin(fmax(place, -1), 2);
}

static double px(const sb_plot *p, double x)
{
    return LEFT + near(sb_axis_place(&p->ax, x)) * (RIGHT - LEFT);
}

static double py(const sb_plot *p, double y)
{
    return BOTTOM - near(sb_axis_place(&p->ay, y)) * (BOTTOM - TOP);
}

static void write_axes(const sb_plot *p, sb_html *h)
{
    char text[24];
    sb_html_put(h, "<g class=\"grid\">");
    for (int i = 0; i < p->ay.ticks; i++) {
        double y = py(p, p->ay.tick[i]);
        sb_html_printf(h, "<path d=\"M%d %.1fH%d\"/>", LEFT, y, RIGHT);
    }
    sb_html_printf(h, "</g><path class=\"axis\" d=\"M%d %dH%d\"/>", LEFT,
                   BOTTOM, RIGHT);
    sb_html_put(h, "<g class=\"y\">");
    for (int i = 0; i < p->ay.ticks; i++) {
        sb_axis_label(&p->ay, p->ay.tick[i], text);
        sb_html_printf(h, "<text x=\"%d\" y=\"%.1f\">%s</text>", LEFT - 7,
                       py(p, p->ay.tick[i]) + 4, text);
    }
    sb_html_put(h, "</g><g class=\"x\">");
    for (int i = 0; i < p->ax.ticks; i++) {
        double x = px(p, p->ax.tick[i]);
        sb_axis_label(&p->ax, p->ax.tick[i], text);
        sb_html_printf(h, "<path d=\"M%.1f %dv4\"/>", x, BOTTOM);
        sb_html_printf(h, "<text x=\"%.1f\" y=\"%d\">%s</text>", x, BOTTOM + 19,
                       text);
    }
    sb_html_printf(h, "<text x=\"%d\" y=\"%d\">", (LEFT + RIGHT) / 2, HIGH - 6);
    sb_html_text(h, p->x);
    sb_html_put(h, "</text></g>");
}

/* ---- lines --------------------------------------------------------------- */

static void write_points(const sb_plot *p, const line *l, int back, sb_html *h)
{
    for (size_t k = 0; k < l->n; k++) {
        const sb_point *v = &l->point[back ? l->n - 1 - k : k];
        sb_html_printf(h, "%s%.1f,%.1f", k ? " " : "", px(p, v->x),
                       py(p, v->y));
    }
}

static const char *colour_class(const line *l)
{
    static const char *const name[] = {"c0", "c1", "c2", "c3",
                                       "c4", "c5", "c6", "c7"};
    return l->colour == SB_PLOT_ALL ? "all" : name[l->colour % SB_PLOT_COLOURS];
}

/* From this band's upper edge back along that of the band under it. */
static void write_area(const sb_plot *p, const line *l, const line *under,
                       sb_html *h)
{
    sb_html_printf(h, "<polygon class=\"%s\" points=\"", colour_class(l));
    write_points(p, l, 0, h);
    sb_html_put(h, " ");
    if (under)
        write_points(p, under, 1, h);
    else
        sb_html_printf(h, "%.1f,%.1f %.1f,%.1f", px(p, l->point[l->n - 1].x),
                       py(p, 0), px(p, l->point[0].x), py(p, 0));
    sb_html_put(h, "\"/>");
}

static const char *style_class(const line *l)
{
    return l->style == SB_FAINT           ? " faint"
           : l->style == SB_BAND          ? " edge"
           : l->colour >= SB_PLOT_COLOURS ? " dash"
                                          : "";
}

static void write_line(const sb_plot *p, const line *l, sb_html *h)
{
    const char *colour = colour_class(l);
    sb_html_printf(h, "<polyline class=\"%s%s\"", colour, style_class(l));
    if (l->style != SB_FAINT) {
        sb_html_put(h, " data-name=\"");
        sb_html_text(h, l->name);
        sb_html_put(h, "\"");
    }
    sb_html_put(h, " points=\"");
    write_points(p, l, 0, h);
    sb_html_put(h, "\"/>");
    int marks = l->style == SB_MARKS && l->n <= 60;
    if (!marks && l->n > 1) return;
    sb_html_printf(h, "<g class=\"%s\">", colour);
    for (size_t k = 0; k < l->n; k++)
        sb_html_printf(h, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\"/>",
                       px(p, l->point[k].x), py(p, l->point[k].y));
    sb_html_put(h, "</g>");
}

static void write_lines(const sb_plot *p, sb_html *h)
{
    const line *under = NULL;
    if (p->level_name)
        sb_html_printf(h, "<path class=\"level\" d=\"M%d %.1fH%d\"/>", LEFT,
                       py(p, p->level), RIGHT);
    for (int i = 0; i < p->lines; i++) {
        if (p->line[i].style != SB_BAND) continue;
        write_area(p, &p->line[i], under, h);
        under = &p->line[i];
    }
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < p->lines; i++)
            if ((p->line[i].style != SB_FAINT) == pass)
                write_line(p, &p->line[i], h);
}

/* ---- the figure ---------------------------------------------------------- */

/* One curve alone is named by the title. */
static void write_legend(const sb_plot *p, sb_html *h)
{
    sb_html_put(h, "<ul class=\"legend\">");
    if (p->lines == 1 && !p->level_name) {
        sb_html_put(h, "</ul>");
        return;
    }
    for (int i = 0; i < p->lines; i++) {
        const line *l = &p->line[i];
        if (l->style == SB_FAINT) continue;
        sb_html_printf(h, "<li><i class=\"%s%s\"></i>", colour_class(l),
                       l->style == SB_BAND ? " block" : style_class(l));
        sb_html_text(h, l->name);
        sb_html_put(h, "</li>");
    }
    if (p->level_name) {
        sb_html_put(h, "<li><i class=\"level\"></i>");
        sb_html_text(h, p->level_name);
        sb_html_put(h, "</li>");
    }
    sb_html_put(h, "</ul>");
}

static void cell(sb_html *h, double v)
{
    char text[24];
    sb_number_text(v, text);
    sb_html_printf(h, "<td>%s</td>", text);
}

static void write_table(const sb_plot *p, sb_html *h)
{
    sb_html_put(h, "<details><summary>Values</summary><div class=\"wide\">"
                   "<table><thead><tr><th>curve</th><th>points</th><th>first"
                   "</th><th>least</th><th>greatest</th><th>last</th></tr>"
                   "</thead><tbody>");
    for (int i = 0; i < p->lines; i++) {
        const line *l = &p->line[i];
        sb_html_put(h, "<tr><th scope=\"row\">");
        sb_html_text(h, l->name);
        sb_html_put(h, l->style == SB_FAINT ? ", as measured</th>" : "</th>");
        sb_html_printf(h, "<td>%zu</td>", l->all);
        cell(h, l->first);
        cell(h, l->least);
        cell(h, l->most);
        cell(h, l->last);
        sb_html_put(h, "</tr>");
    }
    sb_html_put(h, "</tbody></table></div></details>");
}

/* In words, what a screen reader says. */
static void write_description(const sb_plot *p, sb_html *h)
{
    char a[24], b[24];
    for (int i = 0; i < p->lines; i++) {
        const line *l = &p->line[i];
        if (l->style == SB_FAINT) continue;
        sb_number_text(l->first, a);
        sb_number_text(l->last, b);
        sb_html_text(h, l->name);
        sb_html_printf(h, ": from %s to %s; ", a, b);
    }
    sb_number_text(p->ax.low, a);
    sb_number_text(p->ax.high, b);
    sb_html_text(h, p->x);
    sb_html_printf(h, " %s to %s.", a, b);
}

static void write_head(const sb_plot *p, int number, sb_html *h)
{
    int power = p->ay.power < 0 || p->ay.power > 18;
    sb_html_put(h, "<figure><figcaption>");
    sb_html_text(h, p->title);
    if (*p->unit || power) sb_html_put(h, " <span>");
    sb_html_text(h, p->unit);
    if (power)
        sb_html_printf(h, "%s\u00d7 10<sup>%d</sup>", *p->unit ? ", " : "",
                       p->ay.power);
    if (*p->unit || power) sb_html_put(h, "</span>");
    sb_html_put(h, "</figcaption>");
    write_legend(p, h);
    sb_html_printf(h,
                   "<svg viewBox=\"0 0 %d %d\" role=\"img\" "
                   "aria-labelledby=\"t%d d%d\" ",
                   WIDE, HIGH, number, number);
    sb_html_printf(h,
                   "data-box=\"%d %d %d %d\" data-x=\"%.17g %.17g\" "
                   "data-y=\"%.17g %.17g\"%s>",
                   LEFT, TOP, RIGHT, BOTTOM, p->ax.low, p->ax.high, p->ay.low,
                   p->ay.high, p->ay.logarithmic ? " data-log=\"1\"" : "");
    sb_html_printf(h, "<title id=\"t%d\">", number);
    sb_html_text(h, p->title);
    sb_html_printf(h, "</title><desc id=\"d%d\">", number);
    write_description(p, h);
    sb_html_put(h, "</desc>");
}

static void write_figure(sb_plot *p, sb_html *h)
{
    int number = ++h->figures;
    stack(p);
    fit_axes(p);
    write_head(p, number, h);
    write_axes(p, h);
    sb_html_printf(h,
                   "<clipPath id=\"k%d\"><path d=\"M%d %dH%dV%dH%dz\"/>"
                   "</clipPath><g clip-path=\"url(#k%d)\">",
                   number, LEFT - 3, TOP - 3, RIGHT + 3, BOTTOM + 1, LEFT - 3,
                   number);
    write_lines(p, h);
    sb_html_put(h, "</g></svg>");
    write_table(p, h);
    sb_html_put(h, "</figure>\n");
}

void sb_plot_end(sb_plot *p)
{
    if (!p) return;
    if (p->lines && p->h->failed == SB_OK) write_figure(p, p->h);
    close_plot(p);
}
