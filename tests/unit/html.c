/* SPDX-License-Identifier: MIT
 * html.c - tests of launch/html.c, launch/plot.c and trainer/curves.c: what
 * comes from outside, and how much comes of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "launch/html.h"
#include "launch/plot.h"

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

/* ---- text ---------------------------------------------------------------- */

static void text_becomes(const char *text, const char *want)
{
    sb_html h = {0};
    sb_html_text(&h, text);
    assert_int_equal(sb_html_status(&h), SB_OK);
    assert_string_equal(h.text ? h.text : "", want);
    sb_html_close(&h);
}

static void text_is_never_markup(void **state)
{
    (void)state;
    text_becomes("", "");
    text_becomes("plain", "plain");
    text_becomes("<script>alert('1' && \"2\")</script>",
                 "&lt;script&gt;alert(&#39;1&#39; &amp;&amp; &quot;2&quot;)"
                 "&lt;/script&gt;");
    text_becomes("<", "&lt;");
    text_becomes("&amp;", "&amp;amp;");
    text_becomes("a\tb\nc", "a\tb\nc");
    text_becomes("gr\u00fc\u00df \u65e5\u672c", "gr\u00fc\u00df \u65e5\u672c");
}

static void bytes_that_are_no_text_are_replaced(void **state)
{
    (void)state;
    text_becomes("\xff", "\ufffd");
    text_becomes("a\xff<\xfe", "a\ufffd&lt;\ufffd");
    text_becomes("\xe2\x82", "\ufffd\ufffd");           /* cut short */
    text_becomes("\xc0\xbc", "\ufffd\ufffd");           /* an overlong '<' */
    text_becomes("\xed\xa0\x80", "\ufffd\ufffd\ufffd"); /* a surrogate */
    text_becomes("a\x1b[2Jb\x7f\x01", "a\ufffd[2Jb\ufffd\ufffd");
    text_becomes("\u20ac\xe2\u20ac", "\u20ac\ufffd\u20ac");
}

static void numbers_are_short(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *want;
    } is[] = {{0, "0"},          {4.65351, "4.654"},
              {-12.5, "-12.5"},  {9999, "9999"},
              {9999.5, "10.0k"}, {15167433, "15.2M"},
              {999999, "1.00M"}, {123456789, "123M"},
              {1e12, "1.00T"},   {3.125e-5, "3.13e-05"},
              {0.001, "0.001"},  {1e30, "1e+30"},
              {-2.5e6, "-2.50M"}};
    for (size_t i = 0; i < sizeof is / sizeof *is; i++) {
        char text[24];
        sb_number_text(is[i].v, text);
        assert_string_equal(text, is[i].want);
    }
}

/* ---- metrics.jsonl ------------------------------------------------------- */

static void write_file(const char *text)
{
    assert_int_equal(sb_file_write(path, text, strlen(text)), SB_OK);
}

static void lines_become_curves(void **state)
{
    (void)state;
    sb_curves c;
    assert_int_equal(sb_curves_read(dir, &c), SB_ENOENT);
    write_file("{\"step\":0,\"heldout_loss\":9.5}\n"
               "{\"step\":1,\"loss\":-2.5e-1,\"lr\":0}\n"
               "{\"step\":2,\"loss\":null,\"lr\":1e-05}\n"
               "{\"step\":3}\n"
               "{\"step\":4,\"loss\":1e999,\"lr\":2,\"heldout_loss\":7}\n"
               "{\"step\":5,\"loss\":3"); /* being written */
    assert_int_equal(sb_curves_read(dir, &c), SB_OK);
    assert_int_equal(c.lines, 5);
    assert_int_equal(c.unreadable, 0);
    assert_int_equal(c.n, 3);
    const sb_curve *loss = sb_curves_find(&c, "loss");
    const sb_curve *lr = sb_curves_find(&c, "lr");
    assert_true(loss->n == 1 && lr->n == 3);
    assert_true(loss->point[0].x == 1 && loss->point[0].y == -0.25);
    assert_true(lr->point[1].x == 2 && lr->point[1].y == 1e-5);
    assert_null(sb_curves_find(&c, "los"));
    assert_null(sb_curves_find(&c, "step"));
    sb_curves_close(&c);
}

static void what_is_no_line_of_ours_is_counted(void **state)
{
    (void)state;
    static const char *const bad[] = {"nonsense",
                                      "",
                                      "{}",
                                      "{\"step\":-1}",
                                      "{\"step\":null}",
                                      "{\"step\":1,}",
                                      "{\"step\":1}}",
                                      "{\"step\":1,\"a\":}",
                                      "{\"step\":1,\"a\\n\":1}",
                                      "{\"step\":1,\"a\":0x10}",
                                      "{\"step\":1,\"a\":nan}",
                                      "{\"step\":1,\"a\":inf}",
                                      "{\"step\":1,\"a\":\"1\"}",
                                      "{\"step\":1 ,\"a\":1}",
                                      "{\"step\":1,\"a\":1",
                                      "[1]",
                                      "{\"step\":1,\"\":1}",
                                      "{\"step\":1,\"a\":+1}",
                                      "{\"a\":1,\"step\":1}",
                                      "{\"step\":9e99}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *text = sb_format("%s\n{\"step\":7,\"b\":1}\n", bad[i]);
        sb_curves c;
        write_file(text);
        assert_int_equal(sb_curves_read(dir, &c), SB_OK);
        assert_int_equal(c.lines, 2);
        assert_int_equal(c.unreadable, 1);
        assert_int_equal(sb_curves_find(&c, "b")->n, 1);
        sb_curves_close(&c);
        free(text);
    }
}

static void names_without_end_are_bounded(void **state)
{
    (void)state;
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < SB_CURVES_MAX + 100; i++)
        fprintf(f, "{\"step\":1,\"name%d\":1}\n", i);
    fprintf(f, "{\"step\":1,\"%0*d\":1}\n", 200, 0); /* too long */
    fprintf(f, "{\"step\":1,\"%0*d\":1}\n", 3 << 20, 0);
    fprintf(f, "{\"step\":1,\"name0\":1}\n");
    assert_int_equal(fclose(f), 0);
    sb_curves c;
    assert_int_equal(sb_curves_read(dir, &c), SB_OK);
    assert_int_equal(c.n, SB_CURVES_MAX);
    assert_int_equal(sb_curves_find(&c, "name0")->n, 2);
    sb_curves_close(&c);
}

/* ---- plots --------------------------------------------------------------- */

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)); text++) n++;
    return n;
}

static sb_point points[200000];

static sb_curve made(size_t n, double y)
{
    for (size_t i = 0; i < n; i++)
        points[i] = (sb_point){(double)i, y * sin((double)i)};
    return (sb_curve){.point = points, .n = n};
}

static void a_plot_is_as_long_for_a_long_curve(void **state)
{
    (void)state;
    sb_curve c = made(200000, 1);
    sb_html h = {0};
    sb_plot *p = sb_plot_open(&h, "t", "u", "step");
    sb_plot_smooth(p, "<b>&\"hostile\"", &c, 1, 0);
    sb_plot_end(p);
    assert_int_equal(sb_html_status(&h), SB_OK);
    assert_in_range(h.n, 10000, 40000);
    assert_null(strstr(h.text, "<b>"));
    assert_int_equal(count(h.text, "&lt;b&gt;&amp;&quot;hostile&quot;"), 5);
    assert_int_equal(count(h.text, "<title"), 1);
    assert_int_equal(count(h.text, "<desc"), 1);
    assert_int_equal(count(h.text, "<polyline"), 2);
    sb_html_close(&h);
}

/* No number that SVG cannot read, whatever the curve. */
static void odd_curves_are_plots_too(void **state)
{
    (void)state;
    static const double size[] = {0, 1e-90, 1, 1e90};
    for (size_t i = 0; i < 4; i++) {
        for (size_t n = 1; n < 4; n++) {
            for (int style = SB_LINE; style <= SB_BAND; style++) {
                sb_curve c = made(n, size[i]);
                sb_html h = {0};
                sb_plot *p = sb_plot_open(&h, "t", "", "step");
                sb_plot_log(p);
                sb_plot_add(p, "a", &c, 1, 0, (sb_line_style)style);
                sb_plot_add(p, "b", &c, 1, 9, (sb_line_style)style);
                sb_plot_level(p, "level", size[i]);
                sb_plot_end(p);
                assert_int_equal(sb_html_status(&h), SB_OK);
                assert_non_null(strstr(h.text, "</figure>"));
                assert_null(strstr(h.text, "nan"));
                assert_null(strstr(h.text, "inf"));
                sb_html_close(&h);
            }
        }
    }
}

static void no_curve_is_no_figure(void **state)
{
    (void)state;
    sb_html h = {0};
    sb_plot *p = sb_plot_open(&h, "t", "u", "step");
    sb_plot_add(p, "a", NULL, 1, 0, SB_LINE);
    sb_plot_level(p, "level", 1);
    sb_plot_end(p);
    assert_null(h.text);
    assert_int_equal(h.figures, 0);
}

static void more_curves_than_room_are_left_out(void **state)
{
    (void)state;
    sb_curve c = made(3, 1);
    sb_html h = {0};
    sb_plot *p = sb_plot_open(&h, "t", "u", "step");
    for (int i = 0; i < SB_PLOT_LINES + 5; i++)
        sb_plot_add(p, "a", &c, 1, i, SB_BAND);
    sb_plot_end(p);
    assert_int_equal(count(h.text, "<polygon"), SB_PLOT_LINES);
    sb_html_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
        T(text_is_never_markup),
        T(bytes_that_are_no_text_are_replaced),
        T(numbers_are_short),
        T(lines_become_curves),
        T(what_is_no_line_of_ours_is_counted),
        T(names_without_end_are_bounded),
        T(a_plot_is_as_long_for_a_long_curve),
        T(odd_curves_are_plots_too),
        T(no_curve_is_no_figure),
        T(more_curves_than_room_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
