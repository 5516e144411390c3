/* SPDX-License-Identifier: MIT
 * test_files.h - the files of --analogies and --similarity. */
#ifndef SB_LAUNCH_TEST_FILES_H
#define SB_LAUNCH_TEST_FILES_H

#include "comm/base/config.h"
#include "trainer/word2vec/evaluation.h"

typedef struct sb_test_files {
    sb_evaluation_files list; /* for sb_evaluation_open */
    char *names;              /* of the similarity files, cut at the commas */
    const char **similarity;
    size_t cap;
} sb_test_files;

/* Their names; none is fine. The config is borrowed until close. Local. */
SB_MUST_USE sb_status sb_test_files_open(const sb_config *c, sb_test_files *t);
void sb_test_files_close(sb_test_files *t); /* zeroed is fine */

#endif
