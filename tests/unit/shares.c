/* SPDX-License-Identifier: MIT
 * shares.c - tests of proto/ckpt_share.c: shares that writers keep apart, and
 * the checkpoint they make together. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/made_checkpoint.h"

enum { WRITERS = 3, STEP = 8 };

static char *own(uint32_t writer)
{
    return sb_format("%s/disk%u", dir, writer);
}

/* Writers 0 and 1 have what the small checkpoint has, writer 2 nothing. */
static void keep_share(uint32_t writer, const sb_ckpt_meta *m)
{
    static const plan *const plans[] = {plan0, plan1};
    char whole[sizeof dir], *mine = own(writer);
    void *desc = NULL;
    size_t bytes = 0;
    strcpy(whole, dir);
    assert_true(strlen(mine) < sizeof dir);
    strcpy(dir, mine); /* where write_part writes */
    assert_int_equal(sb_ckpt_begin(mine, m->step), SB_OK);
    if (writer < 2)
        assert_int_equal(
            write_part(m->step, writer, plans[writer], 2, &desc, &bytes),
            SB_OK);
    assert_int_equal(
        sb_ckpt_commit_share(mine, writer, m, table, TENSORS, desc, bytes),
        SB_OK);
    strcpy(dir, whole);
    sb_free(desc);
    sb_free(mine);
}

static void keep_all(void)
{
    sb_ckpt_meta m = meta_of(STEP);
    for (uint32_t w = 0; w < WRITERS; w++) keep_share(w, &m);
}

static sb_status join(uint32_t writers)
{
    assert_int_equal(sb_ckpt_begin(dir, STEP), SB_OK);
    sb_status st = SB_OK;
    for (uint32_t w = 0; w < writers && st == SB_OK; w++) {
        char *mine = own(w);
        st = sb_ckpt_share_copy(mine, STEP, w, dir);
        sb_free(mine);
    }
    if (st == SB_OK) st = sb_ckpt_join(dir, STEP, writers);
    if (st != SB_OK) sb_ckpt_abandon(dir, STEP);
    return st;
}

/* A file of writer w's share, of `kind`. */
static char *file_of(uint32_t w, const char *kind)
{
    return sb_format("%s/disk%u/ckpt-%09d/%s-%05u.pb", dir, w, STEP, kind, w);
}

static void shares_of_all_writers_are_the_checkpoint(void **state)
{
    (void)state;
    keep_all();
    assert_int_equal(join(WRITERS), SB_OK);
    assert_int_equal(read_all(STEP), SB_OK);
    for (uint32_t w = 0; w < WRITERS; w++) {
        char *path = sb_format("%s/share-%05u.pb", path_of(STEP), w);
        assert_false(sb_file_exists(path));
        sb_free(path);
    }
}

static void a_share_is_no_checkpoint(void **state)
{
    (void)state;
    sb_ckpt *c;
    keep_all();
    char *mine = own(0), *path = sb_ckpt_path(mine, STEP);
    assert_int_equal(sb_ckpt_open(path, &c), SB_ENOENT);
    sb_free(path);
    sb_free(mine);
}

static void what_is_missing_is_noticed(void **state)
{
    (void)state;
    keep_all();
    assert_int_equal(join(1), SB_EFORMAT); /* half of the elements */
    char *path = file_of(1, "part");
    assert_int_equal(sb_dir_remove(path), SB_OK);
    assert_true(sb_ckpt_is_damage(join(WRITERS)));
    sb_free(path);
    path = file_of(2, "share");
    assert_int_equal(sb_dir_remove(path), SB_OK);
    assert_int_equal(join(WRITERS), SB_ENOENT);
    sb_free(path);
    assert_false(sb_ckpt_exists(dir, STEP));
}

static void shares_of_two_checkpoints_do_not_fit(void **state)
{
    (void)state;
    sb_ckpt_meta m = meta_of(STEP);
    keep_share(0, &m);
    keep_share(2, &m);
    m.seed++;
    keep_share(1, &m);
    assert_int_equal(join(WRITERS), SB_EFORMAT);
    assert_non_null(strstr(sb_error_last()->text, "another checkpoint"));
}

static void every_byte_and_length_of_a_share_counts(void **state)
{
    (void)state;
    keep_all();
    char *path = file_of(0, "share"), *data;
    size_t n;
    assert_int_equal(sb_file_read(path, 1 << 20, &data, &n), SB_OK);
    for (size_t i = 0; i < n; i++) {
        data[i] = (char)(data[i] ^ 0x10);
        assert_int_equal(sb_file_write(path, data, n), SB_OK);
        assert_true(sb_ckpt_is_damage(join(WRITERS)));
        data[i] = (char)(data[i] ^ 0x10);
        assert_int_equal(sb_file_write(path, data, i), SB_OK);
        assert_true(sb_ckpt_is_damage(join(WRITERS)));
    }
    assert_int_equal(sb_file_write(path, data, n), SB_OK);
    assert_int_equal(join(WRITERS), SB_OK);
    free(data);
    sb_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
        T(shares_of_all_writers_are_the_checkpoint),
        T(a_share_is_no_checkpoint),
        T(what_is_missing_is_noticed),
        T(shares_of_two_checkpoints_do_not_fit),
        T(every_byte_and_length_of_a_share_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
