/* SPDX-License-Identifier: MIT
 * shared_folder.c - in a folder where others may write: links are not followed
 * and nothing is more readable than it was asked to be. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "tests/unit/made_shard.h"

static char *in_dir(const char *name)
{
    static char at[2][160];
    static int turn;
    turn = !turn;
    snprintf(at[turn], sizeof at[turn], "%s/%s", made_dir, name);
    return at[turn];
}

/* A file that no command may touch. */
static const char *victim(void)
{
    static char at[160];
    snprintf(at, sizeof at, "%s", in_dir("victim"));
    assert_int_equal(sb_file_write(at, "mine", 4), SB_OK);
    return at;
}

static void is_untouched(const char *file)
{
    char *text;
    size_t n;
    assert_int_equal(sb_file_read(file, 100, &text, &n), SB_OK);
    assert_string_equal(text, "mine");
    sb_free(text);
}

static void a_link_with_the_name_of_a_temporary_file_is_replaced(void **state)
{
    (void)state;
    const char *mine = victim();
    sb_shard_info info;
    assert_int_equal(symlink(mine, in_dir("file.tmp")), 0);
    assert_int_equal(sb_file_write(in_dir("file"), "new", 3), SB_OK);
    is_untouched(mine);
    assert_int_equal(symlink(mine, in_dir("train-00000.mdb.tmp")), 0);
    assert_int_equal(made_shard(path, 0, 1, 10, &info), SB_OK);
    is_untouched(mine);
    assert_int_equal(read_all(), SB_OK);
    sb_out *o;
    assert_int_equal(symlink(mine, in_dir("part")), 0);
    assert_int_equal(sb_out_open(in_dir("part"), &o), SB_EIO);
    is_untouched(mine);
}

static void removing_does_not_follow_links(void **state)
{
    (void)state;
    char away[] = "/tmp/sb-away-XXXXXX", mine[64];
    assert_non_null(mkdtemp(away));
    snprintf(mine, sizeof mine, "%s/file", away);
    assert_int_equal(sb_file_write(mine, "mine", 4), SB_OK);
    assert_int_equal(sb_dir_make(in_dir("a/b/c")), SB_OK);
    assert_int_equal(symlink(away, in_dir("a/b/away")), 0);
    assert_int_equal(symlink("nowhere", in_dir("a/b/c/broken")), 0);
    assert_int_equal(symlink(away, in_dir("away")), 0);
    assert_int_equal(sb_dir_remove(in_dir("a")), SB_OK);
    assert_int_equal(sb_dir_remove(in_dir("away")), SB_OK);
    assert_false(sb_file_exists(in_dir("a")));
    assert_false(sb_file_exists(in_dir("away")));
    is_untouched(mine);
    assert_int_equal(sb_dir_remove(away), SB_OK);
}

static unsigned mode_of(const char *file)
{
    struct stat s;
    assert_int_equal(stat(file, &s), 0);
    return s.st_mode & 0777;
}

static void the_umask_decides_who_may_read(void **state)
{
    (void)state;
    static const unsigned mask[] = {0, 022, 027, 077};
    for (int i = 0; i < 4; i++) {
        mode_t was = umask(mask[i]);
        sb_shard_info info;
        assert_int_equal(sb_file_write(in_dir("file"), "x", 1), SB_OK);
        assert_int_equal(sb_dir_make(in_dir("folder")), SB_OK);
        assert_int_equal(made_shard(path, 0, 1, 10, &info), SB_OK);
        umask(was);
        assert_int_equal(mode_of(in_dir("file")), 0644 & ~mask[i]);
        assert_int_equal(mode_of(in_dir("folder")), 0755 & ~mask[i]);
        assert_int_equal(mode_of(path), 0444 & ~mask[i]);
        assert_int_equal(sb_dir_remove(in_dir("folder")), SB_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, made_dir_down)
        T(a_link_with_the_name_of_a_temporary_file_is_replaced),
        T(removing_does_not_follow_links),
        T(the_umask_decides_who_may_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
