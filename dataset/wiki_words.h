/* SPDX-License-Identifier: MIT
 * wiki_words.h - the words that mean something to MediaWiki: entities, tags,
 * templates, namespaces. Private to dataset/wikitext.c and wiki_lines.c. */
#ifndef SB_DATASET_WIKI_WORDS_H
#define SB_DATASET_WIKI_WORDS_H

#include <stddef.h>

/* The entity at p[0..n), p[0] = '&': its bytes (0: there is none) and what it
 * stands for, "" if that is no character. Every space is ' '. */
size_t sb_wiki_entity(const char *p, size_t n, char to[8]);

typedef enum sb_wiki_tag {
    SB_TAG_NONE,   /* not a tag: text */
    SB_TAG_INLINE, /* dropped, its content stays */
    SB_TAG_BLOCK,  /* becomes '\n', its content stays */
    SB_TAG_TABLE,  /* <table>: dropped with its content, may nest */
    SB_TAG_HIDDEN, /* dropped with its content, up to the next </..> */
    SB_TAG_LITERAL /* content up to the next </..> is no markup */
} sb_wiki_tag;

enum { SB_TAGS_MAX = 128 };

/* By its name; *id_out < SB_TAGS_MAX tells it from the others. */
sb_wiki_tag sb_wiki_tag_of(const char *name, size_t n, unsigned *id_out);

/* A template whose text is part of a sentence. Its text is `before`, then the
 * positional arguments in `mask` (bit 1: the first), parted by `between`. */
typedef struct sb_wiki_template {
    const char *name, *before;
    unsigned mask;
    const char *between;
    enum { SB_PLAIN_ARGS, SB_LAST_ARG, SB_UNIT_ARGS } args;
} sb_wiki_template;

/* By the text behind its braces, or NULL: it is dropped. */
const sb_wiki_template *sb_wiki_template_of(const char *p, size_t n);

/* {{convert}}: the unit behind a number ("sqmi": "square miles"), or NULL; and
 * whether a word says that a second number follows ("5|to|10|km"). */
const char *sb_wiki_unit(const char *p, size_t n);
int sb_wiki_is_range(const char *p, size_t n);

typedef enum sb_wiki_link {
    SB_LINK_TEXT,  /* shows its text, or its target */
    SB_LINK_NAMED, /* shows its text if it has one: [[Help:X|text]] */
    SB_LINK_HIDDEN /* files, categories, other languages */
} sb_wiki_link;

/* By the text behind its brackets. */
sb_wiki_link sb_wiki_link_of(const char *p, size_t n);

/* Does text[0..n) begin with a protocol ("https://", "//", "mailto:")? */
int sb_wiki_is_url(const char *p, size_t n);

/* Is this the heading of a section of references or links? */
int sb_wiki_is_closing(const char *heading, size_t n);

#endif
