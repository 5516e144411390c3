/* SPDX-License-Identifier: MIT
 * wiki_words.c - the tables of MediaWiki's words are sorted: a row out of its
 * order would never be found. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataset/wiki_entity.c"
#include "dataset/wiki_words.c"

/* Rows begin with their name. */
static void sorted(const void *table, size_t rows, size_t row)
{
    for (size_t i = 1; i < rows; i++) {
        const char *a, *b;
        memcpy(&a, (const char *)table + (i - 1) * row, sizeof a);
        memcpy(&b, (const char *)table + i * row, sizeof b);
        if (strcmp(a, b) >= 0) fail_msg("'%s' stands in front of '%s'", a, b);
    }
}

#define SORTED(table)                                                          \
    sorted((table), sizeof(table) / sizeof *(table), sizeof *(table))

static void tables_are_sorted(void **state)
{
    (void)state;
    SORTED(entities);
    SORTED(tags);
    SORTED(templates);
    SORTED(units);
    SORTED(ranges);
    SORTED(namespaces);
    SORTED(others);
    SORTED(closing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables_are_sorted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
