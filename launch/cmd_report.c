/* SPDX-License-Identifier: MIT
 * cmd_report.c - `shardbert report [RUN]`: a run folder as one HTML file that
 * needs no other. Rank 0 reads and writes; all ranks look for neighbours. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "comm/base/fsio.h"
#include "comm/base/log.h"
#include "comm/base/mem.h"
#include "launch/report.h"
#include "trainer/build.h"

/* ---- parts --------------------------------------------------------------- */

sb_part sb_part_of(sb_status st)
{
    sb_part p = {.there = st == SB_OK};
    if (st == SB_OK || st == SB_ENOENT) return p;
    snprintf(p.why, sizeof p.why, "%s", sb_error_last()->text);
    sb_log(SB_LOG_WARN, "%s", p.why);
    return p;
}

void sb_part_missing(sb_html *h, const sb_part *p, const char *what,
                     const char *command)
{
    if (*p->why) {
        sb_html_put(h, "<p class=\"missing\">Cannot be read: ");
        sb_html_text(h, p->why);
        sb_html_put(h, "</p>\n");
    } else
        sb_html_printf(h,
                       "<p class=\"missing\">This run folder has no %s; "
                       "<code>shardbert %s</code> writes that.</p>\n",
                       what, command);
}

static sb_part read_curves(const char *run, const char *phase,
                           sb_curves *curves)
{
    char *dir = sb_path_join(run, phase);
    sb_status st =
        dir ? sb_curves_read(dir, curves)
            : sb_fail(SB_ENOMEM, __FILE__, __LINE__, "out of memory: a path");
    sb_free(dir);
    return sb_part_of(st);
}

static sb_part read_corpus(sb_report *r)
{
    char *dir = NULL;
    sb_status st = sb_app_path(r->app, NULL, "corpus", &dir);
    if (st == SB_OK)
        st = sb_alloc(1, sizeof *r->manifest, "manifest", &r->manifest);
    if (st == SB_OK) st = sb_manifest_read(dir, r->manifest);
    sb_free(dir);
    return sb_part_of(st);
}

/* ---- the page ------------------------------------------------------------ */

static void write_head(const char *name, sb_html *h)
{
    sb_html_put(
        h, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
           "<meta charset=\"utf-8\">\n<meta http-equiv=\""
           "Content-Security-Policy\" content=\"default-src 'none'; style-src "
           "'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, "
           "initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\">\n<title>");
    sb_html_text(h, name);
    sb_html_put(h, " - shardbert</title>\n<style>\n");
    sb_html_put(h, sb_report_css);
    sb_html_put(h, "</style>\n</head>\n<body>\n<header>\n<h1>");
    sb_html_text(h, name);
    sb_html_put(h, "</h1>\n<nav><a href=\"#mlm\">Masked language model</a>"
                   "<a href=\"#word2vec\">word2vec</a>"
                   "<a href=\"#corpus\">Corpus</a>"
                   "<a href=\"#made\">How it was made</a></nav>\n");
}

static void write_foot(sb_html *h)
{
    char build[128], when[32] = "";
    time_t now = time(NULL);
    struct tm t;
    if (gmtime_r(&now, &t))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", &t);
    sb_build_name(0, build);
    sb_html_printf(h, "</main>\n<footer>Written %s by ", when);
    sb_html_text(h, build);
    sb_html_put(h, ".</footer>\n<script>\n");
    sb_html_put(h, sb_report_js);
    sb_html_put(h, "</script>\n</body>\n</html>\n");
}

/* The folder's last name. */
static void write_page(const sb_report *r, sb_html *h)
{
    char name[256];
    snprintf(name, sizeof name, "%s", r->app->run);
    for (size_t n = strlen(name); n > 1 && name[n - 1] == '/';) name[--n] = 0;
    const char *slash = strrchr(name, '/');
    write_head(slash && slash[1] ? slash + 1 : name, h);
    sb_report_summary(r, h);
    sb_html_put(h, "</header>\n<main>\n");
    sb_report_mlm(r, h);
    sb_report_word2vec(r, h);
    sb_report_words(r, h);
    sb_report_corpus(r, h);
    sb_report_made(r, h);
    write_foot(h);
}

static sb_status write_report(sb_report *r)
{
    sb_html h = {0};
    char *path = NULL;
    r->mlm = read_curves(r->app->run, "mlm", &r->mlm_curves);
    r->word2vec = read_curves(r->app->run, "word2vec", &r->word2vec_curves);
    r->corpus = read_corpus(r);
    write_page(r, &h);
    sb_status st = sb_html_status(&h);
    if (st == SB_OK) st = sb_app_path(r->app, "html", "report.html", &path);
    if (st == SB_OK) st = sb_file_write(path, h.text, h.n);
    if (st == SB_OK) printf("%s\n", path);
    sb_html_close(&h);
    sb_free(path);
    return st;
}

/* ---- the command --------------------------------------------------------- */

static sb_status choose_run(sb_app *a)
{
    static const char *const part[] = {"mlm", "word2vec", "corpus", "vocab"};
    size_t n = sb_config_words(a->config);
    SB_REQUIRE(n <= 1, SB_EINVAL, "a report is of one run folder, not of %zu",
               n);
    if (n) a->run = sb_config_word(a->config, 0);
    for (int i = 0; i < 4; i++) {
        char *path = sb_path_join(a->run, part[i]);
        int there = path && sb_file_exists(path);
        sb_free(path);
        if (there) return SB_OK;
    }
    sb_fail(SB_ENOENT, __FILE__, __LINE__, "'%s' is not a run folder", a->run);
    return sb_hint("shardbert report RUN, a folder that phases wrote with "
                   "--run");
}

sb_status sb_cmd_report(sb_app *a)
{
    sb_report r = {.app = a};
    SB_TRY(sb_agree(a->comm, choose_run(a)));
    sb_status st = sb_report_find_words(&r);
    if (st == SB_EINVAL && sb_config_is_set(a->config, "words")) goto out;
    r.words = sb_part_of(st);
    st = sb_agree(a->comm,
                  sb_comm_rank(a->comm) == 0 ? write_report(&r) : SB_OK);
out:
    sb_curves_close(&r.mlm_curves);
    sb_curves_close(&r.word2vec_curves);
    if (r.manifest) sb_manifest_free(r.manifest);
    sb_free(r.manifest);
    sb_free(r.word);
    return st;
}
