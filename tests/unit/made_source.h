/* SPDX-License-Identifier: MIT
 * made_source.h - files in a folder of their own, and all of their documents;
 * shared by the tests of sources. */
#ifndef SB_TESTS_MADE_SOURCE_H
#define SB_TESTS_MADE_SOURCE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/source.h"
#include "dataset/text.h"

static char folder[] = "/tmp/sb-source-XXXXXX";

static inline int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static inline int tear_down(void **state)
{
    (void)state;
    return sb_dir_remove(folder) == SB_OK ? 0 : -1;
}

static inline void put(const char *name, const void *data, size_t n)
{
    char *path = sb_path_join(folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    sb_free(path);
}

static sb_source_options how = {
    .text_field = "text", .column = 1, .max_ratio = 200};

static inline sb_status open_kind(const char *kind, const char *glob,
                                  uint64_t unit, sb_sources **out)
{
    char spec[256];
    snprintf(spec, sizeof spec, "%s:%s/%s", kind, folder, glob);
    const char *const specs[] = {spec};
    how.unit_bytes = unit;
    return sb_sources_open(specs, 1, &how, out);
}

/* All documents of all units as "text|", and what was counted. */
static inline void collect_kind(const char *kind, const char *glob,
                                uint64_t unit, sb_buffer *out, sb_tally *tally)
{
    sb_sources *s;
    *tally = (sb_tally){0};
    out->n = 0;
    assert_int_equal(open_kind(kind, glob, unit, &s), SB_OK);
    for (size_t u = 0; u < sb_sources_units(s); u++) {
        sb_source *from;
        sb_document d;
        int more;
        assert_int_equal(sb_source_open(s, u, &from), SB_OK);
        for (;;) {
            assert_int_equal(sb_source_next(from, &d, tally, &more), SB_OK);
            if (!more) break;
            if (!d.text) continue;
            assert_true(sb_source_done(from) <= sb_sources_unit(s, u).bytes);
            assert_int_equal(sb_buffer_add(out, d.text, d.bytes), SB_OK);
            assert_int_equal(sb_buffer_add(out, "|", 1), SB_OK);
        }
        assert_int_equal(sb_source_done(from), sb_sources_unit(s, u).bytes);
        sb_source_close(from);
    }
    sb_sources_close(s);
    assert_int_equal(sb_buffer_add(out, "", 1), SB_OK);
}

#endif
