/* SPDX-License-Identifier: MIT
 * checkpoint.c - tests of proto/: codec.c and ckpt_*.c. */
#define _GNU_SOURCE /* memmem */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "comm/base/hash.h"
#include "tests/unit/made_checkpoint.h"

static void what_was_saved_comes_back(void **state)
{
    (void)state;
    assert_int_equal(save_small(12), SB_OK);
    assert_int_equal(read_all(12), SB_OK);
    assert_int_equal(entries(), 1);
    assert_true(sb_ckpt_exists(dir, 12));
    assert_false(sb_ckpt_exists(dir, 13));
    sb_ckpt *c = open_latest();
    assert_int_equal(sb_ckpt_tensors(c), TENSORS);
    assert_int_equal(sb_ckpt_parts(c), 2);
    size_t i;
    assert_int_equal(sb_ckpt_find(c, "bias", &i), SB_OK);
    assert_memory_equal(sb_ckpt_tensor(c, i), &table[2], sizeof table[2]);
    assert_int_equal(sb_ckpt_find(c, "biases", &i), SB_EINVAL);
    sb_ckpt_close(c);
}

static void any_range_can_be_read(void **state)
{
    (void)state;
    assert_int_equal(save_small(1), SB_OK);
    sb_ckpt *c = open_latest();
    for (uint64_t first = 0; first <= CELLS; first++)
        for (uint64_t n = 0; first + n <= CELLS; n++) {
            float w[CELLS + 1];
            w[n] = -1;
            assert_int_equal(sb_ckpt_get(c, &table[0], first, n, w), SB_OK);
            assert_memory_equal(w, weights + first, n * sizeof *w);
            assert_true(w[n] == -1);
        }
    float w[1];
    assert_int_equal(sb_ckpt_get(c, &table[0], CELLS, 1, w), SB_EINVAL);
    assert_int_equal(sb_ckpt_get(c, &table[0], 1, UINT64_MAX, w), SB_EINVAL);
    sb_ckpt_close(c);
}

static void another_shape_or_type_is_refused_with_both_in_the_message(
    void **state)
{
    (void)state;
    assert_int_equal(save_small(1), SB_OK);
    sb_ckpt *c = open_latest();
    sb_tensor want = table[0];
    float w[CELLS];
    want.dim[1]++;
    assert_int_equal(sb_ckpt_get(c, &want, 0, 1, w), SB_EINVAL);
    assert_non_null(strstr(sb_error_last()->text, "f32 [7, 5]"));
    assert_non_null(strstr(sb_error_last()->text, "f32 [7, 6]"));
    want = table[0];
    want.dtype = SB_U64;
    assert_int_equal(sb_ckpt_get(c, &want, 0, 1, w), SB_EINVAL);
    want = table[0];
    want.ndim = 1;
    assert_int_equal(sb_ckpt_get(c, &want, 0, 1, w), SB_EINVAL);
    strcpy(want.name, "no such");
    assert_int_equal(sb_ckpt_get(c, &want, 0, 1, w), SB_EINVAL);
    sb_ckpt_close(c);
}

static void the_hash_does_not_depend_on_the_sharding(void **state)
{
    (void)state;
    static const plan other0[] = {{0, 30, 5}, {2, 0, 1}, {0, 0, 1}};
    static const plan other1[] = {{0, 1, 29}, {1, 1, 2}, {1, 0, 1}};
    uint64_t a, b, changed;
    assert_int_equal(save_small(1), SB_OK);
    sb_ckpt *c = open_latest();
    assert_int_equal(sb_ckpt_hash(c, &a), SB_OK);
    sb_ckpt_close(c);
    assert_int_equal(save_plans(2, other0, 3, other1, 3), SB_OK);
    assert_int_equal(read_all(2), SB_OK);
    c = open_latest();
    assert_int_equal(sb_ckpt_hash(c, &b), SB_OK);
    sb_ckpt_close(c);
    assert_true(a == b);
    weights[34] += 1;
    assert_int_equal(save_small(3), SB_OK);
    c = open_latest();
    assert_int_equal(sb_ckpt_hash(c, &changed), SB_OK);
    sb_ckpt_close(c);
    assert_true(a != changed);
}

static void ranges_that_overlap_or_miss_are_refused_at_commit(void **state)
{
    (void)state;
    static const plan twice[] = {{2, 0, 1}, {0, 19, CELLS - 19}};
    static const plan hole[] = {{2, 0, 1}, {0, 21, CELLS - 21}};
    static const plan short_[] = {{2, 0, 1}, {0, 20, CELLS - 21}};
    static const plan absent[] = {{0, 20, CELLS - 20}};
    static const plan doubled[] = {{2, 0, 1}, {2, 0, 1}, {0, 20, CELLS - 20}};
    assert_int_equal(save_small(1), SB_OK);
    assert_int_equal(save_plans(2, plan0, 2, twice, 2), SB_EBUG);
    assert_non_null(strstr(sb_error_last()->text, "twice"));
    assert_non_null(strstr(sb_error_last()->text, "weights"));
    assert_int_equal(save_plans(2, plan0, 2, hole, 2), SB_EBUG);
    assert_non_null(strstr(sb_error_last()->text, "element 20 is missing"));
    assert_int_equal(save_plans(2, plan0, 2, short_, 2), SB_EBUG);
    assert_int_equal(save_plans(2, plan0, 2, absent, 1), SB_EBUG);
    assert_non_null(strstr(sb_error_last()->text, "bias"));
    assert_int_equal(save_plans(2, plan0, 2, doubled, 3), SB_EBUG);
    assert_int_equal(entries(), 1);
    assert_int_equal(read_all(1), SB_OK);
}

static void a_range_outside_of_a_tensor_is_refused(void **state)
{
    (void)state;
    sb_ckpt_part *p;
    assert_int_equal(sb_ckpt_begin(dir, 1), SB_OK);
    assert_int_equal(sb_ckpt_part_open(dir, 1, 0, table, TENSORS, &p), SB_OK);
    assert_int_equal(sb_ckpt_put(p, 3, 0, 1, weights), SB_EBUG);
    assert_int_equal(sb_ckpt_put(p, 0, CELLS, 1, weights), SB_EBUG);
    assert_int_equal(sb_ckpt_put(p, 0, 2, UINT64_MAX, weights), SB_EBUG);
    assert_int_equal(sb_ckpt_put(p, 0, 0, 0, weights), SB_OK);
    sb_ckpt_part_abandon(p);
    sb_tensor bad[2] = {table[0], table[0]};
    assert_int_equal(sb_ckpt_part_open(dir, 1, 0, bad, 2, &p), SB_EBUG);
    bad[0].ndim = 5;
    assert_int_equal(sb_ckpt_part_open(dir, 1, 0, bad, 1, &p), SB_EBUG);
    bad[1].dim[0] = UINT64_MAX;
    assert_int_equal(sb_ckpt_part_open(dir, 1, 0, bad + 1, 1, &p), SB_EBUG);
    sb_ckpt_abandon(dir, 1);
    assert_int_equal(entries(), 0);
}

static void a_part_that_is_not_there_is_refused_at_commit(void **state)
{
    (void)state;
    void *desc;
    size_t bytes;
    static const plan all[] = {{0, 0, CELLS}, {1, 0, IDS}, {2, 0, 1}};
    sb_ckpt_meta m = meta_of(1);
    assert_int_equal(sb_ckpt_begin(dir, 1), SB_OK);
    assert_int_equal(write_part(1, 0, all, 3, &desc, &bytes), SB_OK);
    char *path = sb_format("%s/.tmp-ckpt-000000001/part-00000.pb", dir);
    assert_int_equal(truncate(path, 100), 0);
    const void *list[2] = {desc, desc};
    size_t sizes[2] = {bytes, bytes};
    assert_int_equal(sb_ckpt_commit(dir, &m, table, TENSORS, list, sizes, 2),
                     SB_EBUG);
    assert_int_equal(sb_ckpt_commit(dir, &m, table, TENSORS, list, sizes, 1),
                     SB_EIO);
    unlink(path);
    assert_int_equal(sb_ckpt_commit(dir, &m, table, TENSORS, list, sizes, 1),
                     SB_EIO);
    assert_true(sb_error_last()->hint[0]);
    sb_free(path);
    sb_free(desc);
}

static void the_newest_is_the_one_with_the_highest_step(void **state)
{
    (void)state;
    char *path;
    assert_int_equal(sb_ckpt_latest(dir, &path), SB_ENOENT);
    assert_int_equal(save_small(999999999), SB_OK);
    assert_int_equal(save_small(1000000000), SB_OK); /* sorts before it */
    assert_int_equal(save_small(7), SB_OK);
    static const char *const others[] = {"ckpt-2000000000.old",
                                         "ckpt-0000000001",
                                         "ckpt-x",
                                         "ckpt--00000001",
                                         ".tmp-ckpt-3000000000",
                                         "ckpt-99999999999999999999999"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        path = sb_path_join(dir, others[i]);
        assert_int_equal(mkdir(path, 0755), 0);
        sb_free(path);
    }
    assert_int_equal(sb_ckpt_latest(dir, &path), SB_OK);
    assert_non_null(strstr(path, "/ckpt-1000000000"));
    sb_free(path);
    assert_int_equal(sb_ckpt_prune(dir, 2, 0), SB_OK);
    assert_false(sb_ckpt_exists(dir, 7));
    assert_true(sb_ckpt_exists(dir, 999999999));
    assert_int_equal(sb_ckpt_prune(dir, 1, 0), SB_OK);
    assert_false(sb_ckpt_exists(dir, 999999999));
    assert_int_equal(read_all(1000000000), SB_OK);
    assert_int_equal(entries(), 1 + sizeof others / sizeof *others);
}

static void every_nth_is_kept_beside_the_newest(void **state)
{
    (void)state;
    for (uint64_t step = 0; step <= 50; step += 5)
        assert_int_equal(save_small(step), SB_OK);
    assert_int_equal(sb_ckpt_prune(dir, 2, 20), SB_OK);
    assert_int_equal(entries(), 5); /* 0, 20, 40, and 45, 50 */
    for (uint64_t step = 0; step <= 40; step += 20)
        assert_true(sb_ckpt_exists(dir, step));
    assert_true(sb_ckpt_exists(dir, 45));
    assert_int_equal(read_all(50), SB_OK);
}

static void debris_of_a_killed_run_is_removed(void **state)
{
    (void)state;
    void *desc;
    size_t bytes;
    assert_int_equal(save_small(1), SB_OK);
    assert_int_equal(sb_ckpt_begin(dir, 2), SB_OK);
    assert_int_equal(write_part(2, 0, plan0, 2, &desc, &bytes), SB_OK);
    sb_free(desc);
    assert_int_equal(sb_ckpt_begin(dir, 3), SB_OK); /* another step */
    sb_ckpt_abandon(dir, 3);
    assert_int_equal(entries(), 1);
    assert_int_equal(sb_ckpt_begin(dir, 1), SB_EINVAL); /* it exists */
    assert_int_equal(read_all(1), SB_OK);
}

/* Other writers may order a message's fields as they like. */
static void a_chunk_with_its_fields_in_another_order_is_read_too(void **state)
{
    (void)state;
    static const unsigned char ours[] = {0x08, 2, 0x18, 1, 0x22, 4},
                               other[] = {0x18, 1, 0x08, 2, 0x22, 4};
    static const plan all[] = {{2, 0, 1}, {0, 0, CELLS}, {1, 0, 3}};
    void *desc;
    size_t bytes, file_bytes;
    sb_ckpt_meta m = meta_of(1);
    char *path = sb_format("%s/.tmp-ckpt-000000001/part-00000.pb", dir), *file;
    assert_int_equal(sb_ckpt_begin(dir, 1), SB_OK);
    assert_int_equal(write_part(1, 0, all, 3, &desc, &bytes), SB_OK);
    assert_int_equal(sb_file_read(path, 1 << 16, &file, &file_bytes), SB_OK);
    assert_memory_equal(file + 8, ours, sizeof ours);
    memcpy(file + 8, other, sizeof other);
    uint32_t crc = sb_crc32c(0, file + 8, sizeof other + 4);
    char *in_desc = memmem(desc, bytes, file + 4, sizeof crc);
    assert_non_null(in_desc);
    memcpy(in_desc, &crc, sizeof crc);
    memcpy(file + 4, &crc, sizeof crc);
    assert_int_equal(sb_file_write(path, file, file_bytes), SB_OK);
    const void *list = desc;
    assert_int_equal(sb_ckpt_commit(dir, &m, table, TENSORS, &list, &bytes, 1),
                     SB_OK);
    assert_int_equal(read_all(1), SB_OK);
    sb_free(desc);
    sb_free(file);
    sb_free(path);
}

static void a_large_tensor_is_cut_into_chunks(void **state)
{
    (void)state;
    enum { N = 9 << 20 }; /* 36 MiB of floats: three chunks */
    sb_tensor big = {"big", SB_F32, 2, {9 << 10, 1 << 10}};
    float *x, *y;
    assert_int_equal(sb_alloc(N, sizeof *x, "test", &x), SB_OK);
    assert_int_equal(sb_alloc(N, sizeof *y, "test", &y), SB_OK);
    for (size_t i = 0; i < N; i++) x[i] = (float)i;
    sb_ckpt_part *p;
    void *desc;
    size_t bytes;
    sb_ckpt_meta m = meta_of(1);
    m.config = NULL;
    assert_int_equal(sb_ckpt_begin(dir, 1), SB_OK);
    assert_int_equal(sb_ckpt_part_open(dir, 1, 0, &big, 1, &p), SB_OK);
    assert_int_equal(sb_ckpt_put(p, 0, 0, N, x), SB_OK);
    assert_int_equal(sb_ckpt_part_close(p, &desc, &bytes), SB_OK);
    const void *list = desc;
    assert_int_equal(sb_ckpt_commit(dir, &m, &big, 1, &list, &bytes, 1), SB_OK);
    sb_free(desc);
    sb_ckpt *c = open_latest();
    assert_string_equal(sb_ckpt_get_meta(c)->config, "");
    assert_int_equal(sb_ckpt_get(c, &big, 0, N, y), SB_OK);
    assert_memory_equal(x, y, N * sizeof *x);
    uint64_t edge = ((16u << 20) - 64) / 4;
    assert_int_equal(sb_ckpt_get(c, &big, edge - 3, 7, y), SB_OK);
    assert_memory_equal(x + edge - 3, y, 7 * sizeof *x);
    sb_ckpt_close(c);
    sb_free(x);
    sb_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
        T(what_was_saved_comes_back),
        T(any_range_can_be_read),
        T(another_shape_or_type_is_refused_with_both_in_the_message),
        T(the_hash_does_not_depend_on_the_sharding),
        T(ranges_that_overlap_or_miss_are_refused_at_commit),
        T(a_range_outside_of_a_tensor_is_refused),
        T(a_part_that_is_not_there_is_refused_at_commit),
        T(the_newest_is_the_one_with_the_highest_step),
        T(every_nth_is_kept_beside_the_newest),
        T(debris_of_a_killed_run_is_removed),
        T(a_chunk_with_its_fields_in_another_order_is_read_too),
        T(a_large_tensor_is_cut_into_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
