/* SPDX-License-Identifier: MIT
 * wiki_dump.c - a MediaWiki export. */
#include "dataset/wiki_dump.h"

#include "dataset/text.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *path = fuzz_file("dump.xml", data, n);
    sb_stream *stream;
    sb_wiki_dump *d;
    if (sb_stream_open(path, 0, n, 200, &stream) != SB_OK) return 0;
    HOLDS(sb_wiki_dump_open(stream, path, "", 0, &d) == SB_OK);
    for (int more = 1; more;) {
        sb_record rec = {0};
        if (sb_wiki_dump_next(d, &rec, &more) != SB_OK) break;
        if (!more) continue;
        HOLDS(rec.verdict == SB_GOOD || rec.why);
        if (rec.verdict == SB_GOOD)
            HOLDS(sb_utf8_valid(rec.text, rec.bytes) == rec.bytes);
    }
    sb_wiki_dump_close(d);
    sb_stream_close(stream);
    return 0;
}
