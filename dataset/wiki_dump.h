/* SPDX-License-Identifier: MIT
 * wiki_dump.h - the articles of a MediaWiki XML export (pages-articles.xml).
 *
 * A record is a page: good with its title as the first line and its text
 * (dataset/wikitext.h) behind it; skipped if it is not in namespace 0, is a
 * redirect, or nothing but markup; bad if it has no title or no text, or
 * is larger than SB_DOCUMENT_MAX (it is read and forgotten). What is not
 * well-formed XML, is cut off, is no <mediawiki>, or declares a DOCTYPE (and
 * with it entities) ends the file: SB_EFORMAT with the line.
 */
#ifndef SB_DATASET_WIKI_DUMP_H
#define SB_DATASET_WIKI_DUMP_H

#include "comm/base/status.h"
#include "dataset/record.h"
#include "dataset/stream.h"

typedef struct sb_wiki_dump sb_wiki_dump;

/* `stream` is borrowed; it may have been read up to `head_n` bytes, which are
 * given as `head` (the caller looked at what the file is). `path` is for
 * messages, borrowed. */
SB_MUST_USE sb_status sb_wiki_dump_open(sb_stream *stream, const char *path,
                                        const char *head, size_t head_n,
                                        sb_wiki_dump **dump_out);
void sb_wiki_dump_close(sb_wiki_dump *d); /* NULL is fine */

/* *more_out = 0 at the end. */
SB_MUST_USE sb_status sb_wiki_dump_next(sb_wiki_dump *d, sb_record *record_out,
                                        int *more_out);

#endif
