/* SPDX-License-Identifier: MIT
 * unit_files.c - tests of dataset/unit_files.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "dataset/unit_files.h"
#include "tests/unit/made_source.h"

enum { UNIT = 7, FROM = 1234, N = 100, HEAD = 16 };

static uint64_t list[N];

static sb_status put_list(size_t bytes)
{
    for (uint64_t i = 0; i < N; i++) list[i] = i * i;
    return sb_unit_put(folder, UNIT, "drop", FROM, list, bytes);
}

/* What a get says; what it gave is in *data and *bytes. */
static sb_status get(uint64_t from, size_t item, void **data, size_t *bytes)
{
    *data = list;
    *bytes = 99;
    return sb_unit_get(folder, UNIT, "drop", from, item, data, bytes);
}

static void expect_none(size_t unit, const char *kind, uint64_t from)
{
    void *data = list;
    size_t bytes = 99;
    assert_int_equal(sb_unit_get(folder, unit, kind, from, 8, &data, &bytes),
                     SB_OK);
    assert_null(data);
    assert_int_equal(bytes, 0);
}

static void what_was_put_comes_back(void **state)
{
    (void)state;
    void *data;
    size_t bytes;
    static const size_t sizes[] = {sizeof list, 8, 0, 24};
    for (int i = 0; i < 4; i++) { /* each replaces the last */
        assert_int_equal(put_list(sizes[i]), SB_OK);
        assert_int_equal(get(FROM, 8, &data, &bytes), SB_OK);
        assert_non_null(data);
        assert_ptr_not_equal(data, list);
        assert_int_equal(bytes, sizes[i]);
        assert_memory_equal(data, list, bytes);
        sb_free(data);
    }
}

static void what_is_not_there_is_none(void **state)
{
    (void)state;
    assert_int_equal(put_list(sizeof list), SB_OK);
    expect_none(UNIT + 1, "drop", FROM);
    expect_none(UNIT, "done", FROM);
    assert_int_equal(sb_unit_remove(folder, UNIT, "drop"), SB_OK);
    expect_none(UNIT, "drop", FROM);
    assert_int_equal(sb_unit_remove(folder, UNIT, "drop"), SB_OK);
}

static void what_was_made_from_something_else_is_none(void **state)
{
    (void)state;
    assert_int_equal(put_list(sizeof list), SB_OK);
    expect_none(UNIT, "drop", FROM + 1);
    expect_none(UNIT, "drop", 0);
}

static void items_of_another_size_are_refused(void **state)
{
    (void)state;
    void *data;
    size_t bytes;
    assert_int_equal(put_list(24), SB_OK);
    assert_int_equal(get(FROM, 16, &data, &bytes), SB_EFORMAT);
    assert_int_equal(get(FROM, 32, &data, &bytes), SB_EFORMAT);
    assert_true(sb_error_last()->hint[0]);
    assert_int_equal(get(FROM, 12, &data, &bytes), SB_OK);
    sb_free(data);
}

/* Magic, checksum, what it was made from, data: whatever is asked for. */
static void a_flipped_bit_anywhere_is_refused(void **state)
{
    (void)state;
    char *path = sb_format("%s/unit-%05d.drop", folder, UNIT), *was;
    size_t bytes, n;
    void *data;
    assert_int_equal(put_list(sizeof list), SB_OK);
    assert_int_equal(sb_file_read(path, 1 << 20, &was, &bytes), SB_OK);
    assert_int_equal(bytes, HEAD + sizeof list);
    for (size_t i = 0; i < bytes; i += i < 2 * HEAD ? 1 : 13)
        for (int bit = 0; bit < 8; bit++) {
            was[i] = (char)(was[i] ^ 1 << bit);
            assert_int_equal(sb_file_write(path, was, bytes), SB_OK);
            assert_int_equal(get(FROM, 8, &data, &n), SB_EFORMAT);
            assert_int_equal(get(FROM ^ (1 << bit), 8, &data, &n), SB_EFORMAT);
            was[i] = (char)(was[i] ^ 1 << bit);
        }
    sb_free(was);
    sb_free(path);
}

static void a_file_of_another_length_is_refused(void **state)
{
    (void)state;
    char *path = sb_format("%s/unit-%05d.drop", folder, UNIT), *was;
    size_t bytes, n;
    void *data;
    assert_int_equal(put_list(64), SB_OK);
    assert_int_equal(sb_file_read(path, 1 << 20, &was, &bytes), SB_OK);
    for (size_t cut = 0; cut < bytes; cut++) {
        assert_int_equal(sb_file_write(path, was, cut), SB_OK);
        assert_int_equal(get(FROM, 8, &data, &n), SB_EFORMAT);
    }
    char more[HEAD + 64 + 8] = {0};
    memcpy(more, was, bytes);
    assert_int_equal(sb_file_write(path, more, sizeof more), SB_OK);
    assert_int_equal(get(FROM, 8, &data, &n), SB_EFORMAT);
    sb_free(was);
    sb_free(path);
}

static void a_failed_put_leaves_what_was_there(void **state)
{
    (void)state;
    void *data;
    size_t bytes;
    assert_int_equal(put_list(16), SB_OK);
    setenv("SB_FAULT", "rename:1", 1);
    sb_status st = put_list(sizeof list);
    unsetenv("SB_FAULT");
    assert_int_equal(st, SB_EIO);
    assert_int_equal(get(FROM, 8, &data, &bytes), SB_OK);
    assert_int_equal(bytes, 16);
    sb_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_comes_back),
        cmocka_unit_test(what_is_not_there_is_none),
        cmocka_unit_test(what_was_made_from_something_else_is_none),
        cmocka_unit_test(items_of_another_size_are_refused),
        cmocka_unit_test(a_flipped_bit_anywhere_is_refused),
        cmocka_unit_test(a_file_of_another_length_is_refused),
        cmocka_unit_test(a_failed_put_leaves_what_was_there),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
