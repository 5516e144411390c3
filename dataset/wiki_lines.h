/* SPDX-License-Identifier: MIT
 * wiki_lines.h - the lines of an article: headings, lists, sections, and the
 * holes that removed markup leaves. Private to dataset/wikitext.c. */
#ifndef SB_DATASET_WIKI_LINES_H
#define SB_DATASET_WIKI_LINES_H

#include <stddef.h>

/* A byte that makes what follows it on its line plain text: no heading, list
 * or row begins there. It is dropped. */
#define SB_WIKI_AS_IS '\001'

/* text[0..n) without links, templates and tags becomes, in place, what
 * dataset/wikitext.h promises. Returns its bytes, at most n. */
size_t sb_wiki_lines(char *text, size_t n);

#endif
