/* SPDX-License-Identifier: MIT
 * wikitext.c - MediaWiki markup reduced to its text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataset/wikitext.h"

typedef struct example {
    const char *markup, *text;
} example;

static void check(const example *e, size_t n)
{
    sb_buffer out = {NULL, 0, 0};
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(sb_wikitext(e[i].markup, strlen(e[i].markup), &out),
                         SB_OK);
        assert_int_equal(sb_buffer_add(&out, "", 1), SB_OK);
        if (strcmp(out.data, e[i].text) != 0)
            print_message("markup: %s\n", e[i].markup);
        assert_string_equal(out.data, e[i].text);
    }
    free(out.data);
}

#define CHECK(examples) check((examples), sizeof(examples) / sizeof *(examples))

/* ---- what is kept, what goes --------------------------------------------- */

static void links_become_their_text(void **state)
{
    (void)state;
    static const example e[] = {
        {"a [[cat]] sat", "a cat sat"},
        {"[[cat|Cats]] and [[dog]]s", "Cats and dogs"},
        {"[[a|b|c]]", "b|c"},
        {"[[cat (animal)|]] [[Rome, Georgia|]] [[wikt:word|]]",
         "cat Rome word"},
        {"[[#History|its history]] [[#End]]", "its history End"},
        {"x [[File:A.jpg|thumb|a [[cat]] by [http://x.org X]]] y", "x y"},
        {"[[Image:A.jpg]][[Datei:B.png|mini]][[file : c.png]]z", "z"},
        {"[[Category:Cats| ]]z[[Kategorie:Katzen]]", "z"},
        {"see [[:Category:Cats]] and [[:fr:Chat]]",
         "see Category:Cats and fr:Chat"},
        {"z[[fr:Chat]][[zh-min-nan:X]][[simple:Cat]]", "z"},
        {"[[wikt:word|word]] [[2001: A Space Odyssey]] [[doi:10/x|paper]]",
         "word 2001: A Space Odyssey paper"},
        {"x [[Special:Random]] [[Help:Me|help]]", "x help"},
        {"an [http://x.org/a?b=c outer link] and [https://x.org] end",
         "an outer link and end"},
        {"at http://x.org/a_b_c here", "at http://x.org/a_b_c here"},
        {"[[http://x.org both]]", "[both]"},
        {"a[1] and x[i][j] [sic]", "a[1] and x[i][j] [sic]"},
        {"[mailto:a@b.c write] [//x.org y]", "write y"},
    };
    CHECK(e);
}

static void templates_and_tables_go(void **state)
{
    (void)state;
    static const example e[] = {
        {"a {{cite|x={{b|{{c}}}}}}{{d}} z", "a z"},
        {"{{Infobox\n| a = [[b|c]]\n| d = <ref>e}}</ref>\n}}\nText.", "Text."},
        {"a {{{1|b}}} {{{{{x}}}}} z", "a z"},
        {"a {{#if:x|y}}{{PAGENAME}} z", "a z"},
        {"Set {a, b} and {c}", "Set {a, b} and {c}"},
        {"A\n{| class=x\n! h\n|-\n| a || b {{c|\n}}\n{|\n| in\n|}\n|}\nZ",
         "A\nZ"},
        {":{|\n| x\n|}\nZ", "Z"},
        {"{{x|\n{|\n|a\n|}}}\nZ", "Z"},
        {"{{x|\na\n|}}\nZ", "Z"},
        {"A<table><tr><td>x<table>y</table></td></tr></table>Z", "AZ"},
    };
    CHECK(e);
}

static void templates_inside_a_sentence_are_kept(void **state)
{
    (void)state;
    static const example e[] = {
        {"{{lang|de|Wort}} {{Lang-fr|mot}} {{transl|ar|ALA|kalima}}",
         "Wort mot kalima"},
        {"{{lang|de|[[Wort|das ''Wort'']]|size=1}}", "das Wort"},
        {"{{convert|5|km|mi|0}} {{cvt|3|to|4|sqmi}} {{convert|2|hogshead}}",
         "5 kilometres 3 to 4 square miles 2 hogshead"},
        {"{{convert|{{lang|x|5}}|abbr=on|lb}}", "5 pounds"},
        {"a{{nbsp}}b{{ndash}}c{{snd}}d{{mdash}}e{{spaced ndash}}f{{!}}g",
         "a b–c – d—e – f|g"},
        {"{{chem|H|2|O}} {{frac|1|2}} {{nowrap|a b}} {{small|c}}",
         "H2O 1/2 a b c"},
        {"{{quote|1=They said.|author}} {{quote|text=So.}}", "They said. So."},
        {"{{as of|2012|df=US}}, {{circa|1900}} {{USS|Maine}} {{abbr|a|b}}",
         "As of 2012, c. 1900 USS Maine a"},
        {"{{Nihongo|'''Chest thrust'''|胸突き|mune-tsuki}} x",
         "Chest thrust x"},
        {"{{IPA|/a/}} {{IPA|pt|ˈa}} {{val|5|u=m}} {{vanchor|v}} {{—}}",
         "/a/ ˈa 5 v —"},
        {"{{lang|de}} {{lang| de | Wort }}{{nowrap}}.", "Wort."},
    };
    CHECK(e);
}

static void tags_go_and_their_text_stays(void **state)
{
    (void)state;
    static const example e[] = {
        {"a<ref>{{b}} [[c]]</ref>, b<ref name=\"x\" /> c<REF name=y>d</ref >.",
         "a, b c."},
        {"a <!-- b <ref> {{ --> c<!---->d", "a cd"},
        {"H<sub>2</sub>O <b>x</b> <span style=\"a\">y</span>", "H2O x y"},
        {"a<br>b<br />c<BR/>d", "a\nb\nc\nd"},
        {"<div class=x>a</div><p>b</p>", "a\nb"},
        {"x <math>a<b</math> y <gallery>\nF.jpg\n</gallery>z", "x y z"},
        {"<source lang=\"c\">int {{x</source>a<syntaxhighlight>b"
         "</syntaxhighlight>",
         "a"},
        {"<code>x</code> <small>y</small> <references/>", "x y"},
        {"<references><ref>a</ref></references>z", "z"},
        {"<nowiki>[[a]] ''b'' &amp; {{c}}</nowiki>", "[[a]] ''b'' & {{c}}"},
        {"<pre>\n* a\n== b ==\n| c\n</pre>", "* a\n== b ==\n| c"},
        {"<nowiki/>a<nowiki />b", "ab"},
        {"a < b, c > d, <x@y.z>, List<String>, x<y",
         "a < b, c > d, <x@y.z>, List<String>, x<y"},
        {"</ref>a</div>b</nowiki>", "a\nb"},
        {"<poem>a\nb</poem>", "a\nb"},
    };
    CHECK(e);
}

static void entities_are_resolved(void **state)
{
    (void)state;
    static const example e[] = {
        {"a&nbsp;b&ndash;c &mdash; d&hellip; &amp;&lt;&gt;&quot;",
         "a b–c — d… &<>\""},
        {"&#65;&#x42;&#X43;&#8364;&#x1F600;&#39;", "ABC€😀'"},
        {"a&#0;b&#xD800;c&#xFFFF;d&#x110000;e&#99999999999999999999;f&#7;g",
         "abcdefg"},
        {"&Agrave;&Alpha;&alpha;&zeta;&euml;&yen;&zwnj;x&shy;y&thinsp;z",
         "ÀΑαζë¥\u200cxy z"},
        {"AT&T, &unknown; & &; &#; &#x; &#12", "AT&T, &unknown; & &; &#; &#x; "
                                               "&#12"},
        {"&amp;lt; &lt;ref&gt; &#91;&#91;a&#93;&#93;", "&lt; <ref> [[a]]"},
        {"&#42; a\n&#61;&#61;b==\n&#124; c", "* a\n==b==\n| c"},
    };
    CHECK(e);
}

static void quotes_are_bold_and_italics_or_apostrophes(void **state)
{
    (void)state;
    static const example e[] = {
        {"''a'' '''b''' '''''c''''' it's", "a b c it's"},
        {"the ''Enterprise'''s crew", "the Enterprise's crew"},
        {"l'''amour''", "l'amour"},
        {"'''USS ''Enterprise'' (CV-6)''' was", "USS Enterprise (CV-6) was"},
        {"''''a''''", "'a'"},
        {"'''open\nnext''", "open\nnext"},
        {"'' '''", ""},
        {"''''''''a", "'''a"},
    };
    CHECK(e);
}

static void lines_lose_their_marks(void **state)
{
    (void)state;
    static const example e[] = {
        {"* a\n** b\n# c\n:d\n; e\n*#:; f", "a\nb\nc\nd\ne\nf"},
        {"a\n----\nb\n-----c\n- d", "a\nb\nc\n- d"},
        {"a\n\n\n b  \nc", "a\nb\nc"},
        {"__NOTOC__a __TOC__\n__init__ and __x", "a\n__init__ and __x"},
        {"== A ==\nb\n===C===\nd\n=E=\nf", "A\nb\nC\nd\nE\nf"},
        {"== A ==\n=== B ===\n== C ==\nd\n== E ==", "C\nd"},
        {"== A ==\n{{x}}\n* \n== ''B'' <!--x--> ==\nd", "B\nd"},
        {"=\n==\n=== =\na = b", "a = b"},
        {"== A", "== A"},
    };
    CHECK(e);
}

static void closing_sections_are_left_out(void **state)
{
    (void)state;
    static const example e[] = {
        {"a\n== References ==\nx\n=== Notes ===\ny\n== B ==\nz", "a\nB\nz"},
        {"a\n==See also==\n* x\n== EXTERNAL LINKS ==\n* y", "a"},
        {"a\n== B ==\nb\n=== Further reading ===\nx\n== C ==\nc",
         "a\nB\nb\nC\nc"},
        {"a\n== [[Einzelnachweise]] ==\nx", "a"},
        {"a\n== Weblinks ==\nx\n== Примечания ==\ny\n== См. также ==\nz", "a"},
        {"a\n== Notes and letters ==\nx", "a\nNotes and letters\nx"},
    };
    CHECK(e);
}

static void holes_are_tidied(void **state)
{
    (void)state;
    static const example e[] = {
        {"Chen ({{zh|c=x}}; born 1942) is", "Chen (born 1942) is"},
        {"A ({{IPAc-en|x}}) is, B ( , ; ) is", "A is, B is"},
        {"(born 1942; {{x}}) (a , b) ( c )", "(born 1942) (a, b) (c)"},
        {"a {{x}} , b {{x}}. c {{x}}; d", "a, b. c; d"},
        {"a  b\tc   d", "a b c d"},
        {"f() and f( ) and (x)", "f() and f() and (x)"},
        {"a ... b .NET .5", "a ... b .NET .5"},
        {"({{x}}) a", "a"},
        {"((({{x}})))", ""},
        {"({{x}}", ""},
        {"...\n()\n, ;\n\"\"\na", "a"},
    };
    CHECK(e);
}

static void what_never_closes_does_not_take_the_rest(void **state)
{
    (void)state;
    static const example e[] = {
        {"a {{b c", "a b c"},
        {"{{Box\n| x = 1\nText.\n\nMore.", "Box\nText.\nMore."},
        {"{{Box\n| x = 1\n== H ==\nText. {{c}}}} End.", "Box\nH\nText. End."},
        {"{| class=x\n|-\n! h\n| a\n\nText.", "Text."},
        {"{| class=x\n| a\n== H ==\nText.\n|}\nMore.", "H\nText.\nMore."},
        {"a [[b c\n\nd ]] e", "a b c\nd e"},
        {"a [[b|c\n\nd", "a c\nd"},
        {"[[File:A.jpg|thumb|a cat\n\nText.", "Text."},
        {"[http://x.org a\nb]", "a\nb]"},
        {"a<ref>b c<ref>d</ref> e", "ab c e"},
        {"a<ref name=x>b {{c}}", "ab"},
        {"a<!-- b {{c}} d", "a b d"},
        {"a<nowiki>b [[c]]", "ab c"},
        {"a}} b]] c|} d", "a b c|} d"},
        {"{{a [[b}} c]] d", "c d"},
        {"<table>a\n== H ==\nb", "a\nH\nb"},
        {"<ref", "<ref"},
        {"a <b c", "a <b c"},
        {"{{{!}} a\nb", "b"},
    };
    CHECK(e);
}

static void nothing_gives_nothing(void **state)
{
    (void)state;
    sb_buffer out = {NULL, 0, 0};
    assert_int_equal(sb_wikitext(NULL, 0, &out), SB_OK);
    assert_int_equal(out.n, 0);
    assert_int_equal(sb_wikitext("{{a}}\n\n[[File:b]]", 17, &out), SB_OK);
    assert_int_equal(out.n, 0);
    free(out.data);
}

/* ---- torture ------------------------------------------------------------- */

static double seconds(const char *text, size_t n, sb_buffer *out)
{
    struct timespec a, b;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    assert_int_equal(sb_wikitext(text, n, out), SB_OK);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    return (double)(b.tv_sec - a.tv_sec) +
           1e-9 * (double)(b.tv_nsec - a.tv_nsec);
}

static double fastest(const char *text, size_t n, sb_buffer *out)
{
    double best = 1e9;
    for (int i = 0; i < 3; i++) {
        double t = seconds(text, n, out);
        if (t < best) best = t;
    }
    return best;
}

/* `open` again and again, then `close` as often: 16 times the text may take
 * 16 times as long, not 256 times. The slack is for a busy machine. */
static void is_linear(const char *open, const char *close)
{
    enum { SMALL = 1 << 15, TIMES = 16 };
    sb_buffer text = {NULL, 0, 0}, out = {NULL, 0, 0};
    double t[2];
    for (int large = 0; large < 2; large++) {
        size_t n = (size_t)(large ? SMALL * TIMES : SMALL) / strlen(open);
        text.n = 0;
        for (size_t i = 0; i < n; i++)
            assert_int_equal(sb_buffer_add(&text, open, strlen(open)), SB_OK);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(sb_buffer_add(&text, close, strlen(close)), SB_OK);
        t[large] = fastest(text.data, text.n, &out);
    }
    if (t[1] > 5 * TIMES * t[0] + 0.05)
        fail_msg("'%s'..'%s': %.4f s, then %.4f s", open, close, t[0], t[1]);
    free(text.data);
    free(out.data);
}

static void time_is_linear_whatever_is_left_open(void **state)
{
    (void)state;
    static const char *const open[] = {
        "{{",       "[[",          "{|",           "\n{|",      "<ref>",
        "'''",      "''",          "==",           "<!--",      "<!-- x>",
        "<nowiki>", "<math><ref>", "{{lang|x|",    "[[a|",      "}}",
        "]]",       "|}",          "\n|}",         "&",         "&#",
        "__",       "__A",         "[http://x ",   "<b ",       "<",
        "<table>",  "</table>",    "\n",           "\n== a ==", "(",
        ")",        "( ;",         ") ( ",         "|",         "[[[[}}",
        "{{[[[[}}", "[[File:a|",   "{{convert|1|", "{{\n==\n",  "<ref>\n",
        "*",        "=\n",         "\n{|\n{{",     "</",        "--",
        "\n=",      "[[a\n\n",     "{{{",          "[",         "{{lang|a=",
    };
    static const char *const pair[][2] = {
        {"{{", "}}"},
        {"[[", "]]"},
        {"\n{|", "\n|}"},
        {"{{lang|de|", "}}"},
        {"[[a|", "|]]"},
        {"[[:a:b", "|]]"},
        {"(", ")"},
        {"( ", " )"},
        {"<table>", "</table>"},
        {"[[", "}}"},
        {"{{", "]]"},
        {"\n{|\n{{", "}}"},
        {"<ref>", "</math>"},
        {"[http://x [[", "]]]"},
        {"<!--", "->"},
    };
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        is_linear(open[i], "");
    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++)
        is_linear(pair[i][0], pair[i][1]);
}

static uint64_t next(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

/* Texts of random bytes, and of random pieces of markup. What goes in as
 * UTF-8 comes out as UTF-8. */
static void random_text_does_no_harm(void **state)
{
    (void)state;
    static const char *const piece[] = {
        "{{",    "}}",    "[[",   "]]",       "{|",        "|}",      "|",
        "\n",    "''",    "'''",  "<ref>",    "</ref>",    "<!--",    "-->",
        "==",    "= ",    "* ",   "<nowiki>", "</nowiki>", "&lt;",    "&#x41;",
        "lang|", "File:", "fr:",  "convert|", "5|km",      " ",       "(",
        ")",     ", ",    "; ",   "word",     "é漢",       "http://", "[",
        "]",     "<br/>", "<",    "__TOC__",  "!",         "table>",  "{",
        "\x80",  "\xe6",  "\xff", "transl|",  "x=",        "<pre>",   "</",
    };
    enum { UTF8_PIECES = sizeof piece / sizeof *piece - 7, TEXTS = 20000 };
    sb_buffer text = {NULL, 0, 0}, out = {NULL, 0, 0};
    uint64_t s = 88172645463325252u;
    for (int i = 0; i < TEXTS; i++) {
        size_t n = next(&s) % 60, kind = next(&s) % 3;
        text.n = 0;
        for (size_t k = 0; k < n; k++) {
            char byte = (char)next(&s);
            size_t all = kind == 1 ? UTF8_PIECES : sizeof piece / sizeof *piece;
            const char *p = kind ? piece[next(&s) % all] : &byte;
            assert_int_equal(sb_buffer_add(&text, p, kind ? strlen(p) : 1),
                             SB_OK);
        }
        char *exact = malloc(text.n + !text.n); /* a byte more is an error */
        assert_non_null(exact);
        if (text.n) memcpy(exact, text.data, text.n);
        assert_int_equal(sb_wikitext(exact, text.n, &out), SB_OK);
        if (kind == 1) assert_int_equal(sb_utf8_valid(out.data, out.n), out.n);
        if (out.n) assert_int_not_equal(out.data[out.n - 1], '\n');
        free(exact);
    }
    free(text.data);
    free(out.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_become_their_text),
        cmocka_unit_test(templates_and_tables_go),
        cmocka_unit_test(templates_inside_a_sentence_are_kept),
        cmocka_unit_test(tags_go_and_their_text_stays),
        cmocka_unit_test(entities_are_resolved),
        cmocka_unit_test(quotes_are_bold_and_italics_or_apostrophes),
        cmocka_unit_test(lines_lose_their_marks),
        cmocka_unit_test(closing_sections_are_left_out),
        cmocka_unit_test(holes_are_tidied),
        cmocka_unit_test(what_never_closes_does_not_take_the_rest),
        cmocka_unit_test(nothing_gives_nothing),
        cmocka_unit_test(time_is_linear_whatever_is_left_open),
        cmocka_unit_test(random_text_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
