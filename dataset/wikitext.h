/* SPDX-License-Identifier: MIT
 * wikitext.h - MediaWiki markup reduced to its text.
 *
 * Removed with what they hold: comments, templates {{..}}, parser functions,
 * tables {|..|}, <ref>, <math>, <gallery> and the like, files and categories
 * ([[File:..]], [[Category:..]]), interlanguage links, magic words
 * (__NOTOC__). Kept as their text: links ([[page|text]], [url text]), bold and
 * italics, headings (a line of their own), list items, HTML elements' content,
 * <nowiki>. Entities are resolved. Closing sections without prose (References,
 * External links, See also, Further reading, ...) are left out, empty
 * parentheses and doubled spaces that the removals leave are tidied.
 *
 * Time is linear in the text and nothing recurses, whatever is nested how
 * deep and left unclosed.
 */
#ifndef SB_DATASET_WIKITEXT_H
#define SB_DATASET_WIKITEXT_H

#include "dataset/text.h"

/* out <- the text of markup[0..n), UTF-8: paragraphs, headings and list items
 * parted by single '\n', none at the end; empty if nothing is left. */
SB_MUST_USE sb_status sb_wikitext(const char *markup, size_t n, sb_buffer *out);

#endif
