/* SPDX-License-Identifier: MIT
 * report_made.c - how a run was made: checkpoints, builds, options. */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "launch/report.h"

enum { NEWEST = 20, USED_MAX = 1 << 20 };

/* ---- checkpoints --------------------------------------------------------- */

static uint64_t bytes_in(const char *dir)
{
    char **names;
    size_t n;
    uint64_t sum = 0;
    if (sb_dir_list(dir, &names, &n) != SB_OK) return 0;
    for (size_t i = 0; i < n; i++) {
        char *path = sb_path_join(dir, names[i]);
        uint64_t bytes;
        if (path && sb_file_size(path, &bytes) == SB_OK) sum += bytes;
        sb_free(path);
    }
    sb_names_free(names, n);
    return sum;
}

static void write_time(sb_html *h, const char *path)
{
    struct stat s;
    struct tm t;
    char text[32] = "";
    if (stat(path, &s) == 0 && gmtime_r(&s.st_mtime, &t))
        strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &t);
    sb_html_printf(h, "<td>%s</td>", text);
}

static void write_checkpoint(const char *phase, const char *name,
                             const char *path, sb_html *h)
{
    sb_ckpt *c;
    sb_html_printf(h, "<tr><th scope=\"row\">%s/", phase);
    sb_html_text(h, name);
    sb_html_put(h, "</th>");
    if (sb_ckpt_open(path, &c) != SB_OK) {
        sb_html_put(h,
                    "<td class=\"flow left\" colspan=\"5\">cannot be read: ");
        sb_html_text(h, sb_error_last()->text);
        sb_html_put(h, "</td></tr>\n");
        return;
    }
    const sb_ckpt_meta *m = sb_ckpt_get_meta(c);
    sb_html_printf(h, "<td>%" PRIu64 " of %" PRIu64 "</td><td>%zu</td>",
                   m->step, m->total, sb_ckpt_parts(c));
    sb_html_printf(h, "<td>%s</td>", sb_bytes_text(bytes_in(path)));
    write_time(h, path);
    sb_html_put(h, "<td class=\"left\">");
    sb_html_text(h, m->build);
    sb_html_put(h, "</td></tr>\n");
    sb_ckpt_close(c);
}

/* The newest of a phase, oldest first. Returns how many rows. */
static size_t write_phase(const sb_report *r, const char *phase, sb_html *h)
{
    char **names, *dir = sb_path_join(r->app->run, phase);
    size_t n, rows = 0, due = 0;
    if (!dir || sb_dir_list(dir, &names, &n) != SB_OK) {
        sb_free(dir);
        return 0;
    }
    for (size_t i = 0; i < n; i++) due += strncmp(names[i], "ckpt-", 5) == 0;
    for (size_t i = 0; i < n; i++) {
        if (strncmp(names[i], "ckpt-", 5) != 0 || due-- > NEWEST) continue;
        char *path = sb_path_join(dir, names[i]);
        if (path) write_checkpoint(phase, names[i], path, h);
        sb_free(path);
        rows++;
    }
    sb_names_free(names, n);
    sb_free(dir);
    return rows;
}

static void write_checkpoints(const sb_report *r, sb_html *h)
{
    sb_html_put(h, "<h3>Checkpoints</h3>\n<div class=\"card wide\"><table>"
                   "<thead><tr><th>folder</th><th>done</th><th>parts</th><th>"
                   "size</th><th>written</th><th class=\"left\">build</th>"
                   "</tr></thead><tbody>\n");
    if (!(write_phase(r, "word2vec", h) + write_phase(r, "mlm", h)))
        sb_html_put(h, "<tr><td colspan=\"6\">none</td></tr>\n");
    sb_html_put(h, "</tbody></table></div>\n");
}

/* ---- options ------------------------------------------------------------- */

static int write_used(const sb_report *r, const char *phase, sb_html *h)
{
    char *path = sb_format("%s/%s.used", r->app->run, phase), *text = NULL;
    size_t n;
    int there = path && sb_file_exists(path) &&
                sb_file_read(path, USED_MAX, &text, &n) == SB_OK;
    if (there) {
        sb_html_printf(h, "<details><summary>%s</summary><pre>", phase);
        sb_html_text(h, text);
        sb_html_put(h, "</pre></details>\n");
    }
    sb_free(text);
    sb_free(path);
    return there;
}

void sb_report_made(const sb_report *r, sb_html *h)
{
    static const char *const phase[] = {"vocab", "ingest", "word2vec", "mlm"};
    int any = 0;
    sb_html_put(h, "<h2 id=\"made\">How it was made</h2>\n");
    write_checkpoints(r, h);
    sb_html_put(h, "<h3>Options in effect</h3>\n");
    for (int i = 0; i < 4; i++) any |= write_used(r, phase[i], h);
    if (!any)
        sb_html_put(h, "<p class=\"missing\">No phase has left its options "
                       "here.</p>\n");
}
