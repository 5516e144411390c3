/* SPDX-License-Identifier: MIT
 * made_words.h - counted words for the tests of dataset/, by way of runs. */
#ifndef SB_TESTS_MADE_WORDS_H
#define SB_TESTS_MADE_WORDS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "dataset/word_runs.h"
#include "dataset/words.h"

enum { MADE_MEMORY = 64 << 20 };

static char made_dir[64], made_stem[80];

static int made_dir_up(void **state)
{
    (void)state;
    strcpy(made_dir, "/tmp/sb-test-XXXXXX");
    if (!mkdtemp(made_dir)) return -1;
    snprintf(made_stem, sizeof made_stem, "%s/w", made_dir);
    return 0;
}

static int made_dir_down(void **state)
{
    (void)state;
    return sb_dir_remove(made_dir) == SB_OK ? 0 : -1;
}

static inline sb_words *made_words(const char *text, uint64_t memory)
{
    sb_words *w = NULL;
    assert_int_equal(sb_words_open(made_stem, memory, &w), SB_OK);
    assert_int_equal(sb_words_count(w, text, strlen(text)), SB_OK);
    return w;
}

/* Ends and closes w; its words in the order of runs, its run removed. */
static inline sb_word_list made_list(sb_words *w)
{
    sb_word_list list = {NULL, 0, 0, {0, 0, 0, 0}};
    size_t runs = 0;
    assert_int_equal(sb_words_end(w, 1, &runs), SB_OK);
    assert_true(runs <= 1);
    sb_words_close(w);
    char *path = sb_run_path(made_stem, 0);
    if (runs) assert_int_equal(sb_run_load(path, 1, &list), SB_OK);
    assert_int_equal(sb_dir_remove(path), SB_OK);
    sb_free(path);
    return list;
}

/* The count of a word in the list, 0: it is not there. */
static inline uint64_t made_count(const sb_word_list *l, const char *word)
{
    sb_counted w;
    for (size_t at = 0, k; at < l->n; at += k) {
        assert_true((k = sb_word_unpack(l->data + at, l->n - at, &w)) > 0);
        if (w.n == strlen(word) && memcmp(w.text, word, w.n) == 0)
            return w.count;
    }
    return 0;
}

#endif
