/* SPDX-License-Identifier: MIT
 * folder.c - tests of trainer/export/folder.c: as a whole or not at all. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/mem.h"
#include "trainer/export/folder.h"

static char folder[] = "/tmp/sb-folder-XXXXXX";
static char to[64];
static const char *const ours[] = {"a", "b"};

static int up(void **state)
{
    (void)state;
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(to, sizeof to, "%s/to", folder);
    return 0;
}

static int down(void **state)
{
    (void)state;
    return sb_dir_remove(folder) == SB_OK ? 0 : -1;
}

static void put(const char *dir, const char *name, const char *text)
{
    char *path = sb_path_join(dir, name);
    assert_int_equal(sb_dir_make(dir), SB_OK);
    assert_int_equal(sb_file_write(path, text, strlen(text)), SB_OK);
    sb_free(path);
}

/* The files of <folder>/to as "name=text;", "-" if there is none; and nothing
 * lies beside it. */
static const char *holds(void)
{
    static char all[256];
    char **name;
    size_t n, bytes;
    assert_int_equal(sb_dir_list(folder, &name, &n), SB_OK);
    assert_true(n <= 1);
    sb_names_free(name, n);
    if (!n) return "-";
    *all = 0;
    assert_int_equal(sb_dir_list(to, &name, &n), SB_OK);
    for (size_t i = 0; i < n; i++) {
        char *path = sb_path_join(to, name[i]), *text;
        assert_int_equal(sb_file_read(path, 99, &text, &bytes), SB_OK);
        strcat(strcat(strcat(strcat(all, name[i]), "="), text), ";");
        sb_free(text);
        sb_free(path);
    }
    sb_names_free(name, n);
    return all;
}

static sb_status build(const char *dir, int replace, const char *text)
{
    sb_folder f;
    SB_TRY(sb_folder_open(dir, replace ? ours : NULL, replace ? 2 : 0, &f));
    put(f.path, "a", text);
    return sb_folder_commit(&f);
}

static void a_new_folder_is_there_when_it_is_whole(void **state)
{
    (void)state;
    sb_folder f;
    assert_int_equal(sb_folder_open(to, NULL, 0, &f), SB_OK);
    put(f.path, "a", "1");
    assert_false(sb_file_exists(to));
    assert_int_equal(sb_folder_commit(&f), SB_OK);
    assert_string_equal(holds(), "a=1;");
}

static void an_empty_folder_and_missing_parents_will_do(void **state)
{
    (void)state;
    char deep[96];
    assert_int_equal(sb_dir_make(to), SB_OK);
    assert_int_equal(build(to, 0, "1"), SB_OK);
    assert_string_equal(holds(), "a=1;");
    snprintf(deep, sizeof deep, "%s/x/y//z///", folder);
    assert_int_equal(build(deep, 0, "1"), SB_OK);
    snprintf(deep, sizeof deep, "%s/x/y/z/a", folder);
    assert_true(sb_file_exists(deep));
}

static void what_is_there_stays_unless_it_is_replaced(void **state)
{
    (void)state;
    put(to, "a", "old");
    put(to, "b", "old");
    assert_int_equal(build(to, 0, "new"), SB_EINVAL);
    assert_non_null(strstr(sb_error_last()->text, "not empty: it holds 'a'"));
    assert_string_equal(holds(), "a=old;b=old;");
    assert_int_equal(build(to, 1, "new"), SB_OK);
    assert_string_equal(holds(), "a=new;");
}

static void files_of_others_are_never_replaced(void **state)
{
    (void)state;
    put(to, "a", "old");
    put(to, "thesis.tex", "!");
    assert_int_equal(build(to, 1, "new"), SB_EINVAL);
    assert_non_null(strstr(sb_error_last()->text, "'thesis.tex'"));
    assert_string_equal(holds(), "a=old;thesis.tex=!;");
    put(folder, "file", "x");
    char *path = sb_path_join(folder, "file");
    assert_int_equal(build(path, 1, "new"), SB_EINVAL);
    sb_free(path);
    static const char *const bad[] = {"", "/", ".", "..", "a/..", "/tmp/."};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(build(bad[i], 0, "new"), SB_EINVAL);
}

static void what_is_abandoned_leaves_nothing(void **state)
{
    (void)state;
    sb_folder f;
    assert_int_equal(sb_folder_open(to, NULL, 0, &f), SB_OK);
    put(f.path, "a", "1");
    sb_folder_abandon(&f);
    assert_string_equal(holds(), "-");
    sb_folder_abandon(&f); /* zeroed */
}

static void what_a_killed_run_left_is_cleared(void **state)
{
    (void)state;
    sb_folder f;
    char old[96];
    assert_int_equal(sb_folder_open(to, NULL, 0, &f), SB_OK);
    put(f.path, "b", "half");
    free(f.path), free(f.dir), free(f.parent), free(f.old);
    assert_int_equal(build(to, 0, "1"), SB_OK);
    assert_string_equal(holds(), "a=1;");
    /* killed between the two renames: the old one is still there */
    snprintf(old, sizeof old, "%s/.tmp-old-to", folder);
    assert_int_equal(rename(to, old), 0);
    assert_int_equal(build(to, 0, "2"), SB_EINVAL);
    assert_string_equal(holds(), "a=1;");
}

/* The n-th call of that kind fails, in a child: fsio counts per process. */
static int build_in_child(const char *call, int n)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        char fault[40];
        snprintf(fault, sizeof fault, "%s:%d", call, n);
        setenv("SB_FAULT", fault, 1);
        _exit((int)build(to, 1, "new"));
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_failure_at_any_call_leaves_the_old_or_the_new(void **state)
{
    (void)state;
    static const char *const calls[] = {"fsync", "rename"};
    static const int first[] = {2, 2}; /* 1 is that of the file a itself */
    for (int k = 0; k < 2; k++) {
        int n = first[k], st;
        assert_int_equal(sb_dir_remove(to), SB_OK);
        put(to, "a", "old");
        while ((st = build_in_child(calls[k], n)) == SB_EIO) {
            char *aside = sb_format("%s/.tmp-old-to", folder);
            if (sb_file_exists(aside)) { /* only the last sync failed */
                assert_int_equal(sb_dir_remove(aside), SB_OK);
                assert_string_equal(holds(), "a=new;");
                put(to, "a", "old");
            }
            sb_free(aside);
            assert_string_equal(holds(), "a=old;");
            n++;
        }
        assert_int_equal(st, SB_OK);
        assert_true(n >= first[k] + 2);
        assert_string_equal(holds(), "a=new;");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
        T(a_new_folder_is_there_when_it_is_whole),
        T(an_empty_folder_and_missing_parents_will_do),
        T(what_is_there_stays_unless_it_is_replaced),
        T(files_of_others_are_never_replaced),
        T(what_is_abandoned_leaves_nothing),
        T(what_a_killed_run_left_is_cleared),
        T(a_failure_at_any_call_leaves_the_old_or_the_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
