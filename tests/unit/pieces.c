/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "comm/base/mem.h"
#include "trainer/pieces.h"

/* More than two strips; a row goes across the border of one. */
enum { ROWS = 30000, WIDE = 70, STRIDE = 80, FEW = 5 };

static const sb_tensor table[] = {{"wide", SB_F32, 2, {ROWS, WIDE}},
                                  {"few", SB_U64, 1, {FEW}},
                                  {"flat", SB_F32, 1, {ROWS}}};

static void copies_hold_all_elements_one_behind_the_other(void **state)
{
    (void)state;
    float *wide, *flat, *to;
    uint64_t few[FEW] = {9, 8, 7, 6, 5};
    assert_int_equal(sb_alloc(ROWS * STRIDE, sizeof(float), "", &wide), SB_OK);
    assert_int_equal(sb_alloc(ROWS, sizeof(float), "", &flat), SB_OK);
    for (int i = 0; i < ROWS * STRIDE; i++) wide[i] = (float)i;
    for (int i = 0; i < ROWS; i++) flat[i] = (float)-i;
    for (int workers = 0; workers <= 3; workers++) {
        sb_pool *pool = NULL;
        if (workers) assert_int_equal(sb_pool_open(workers, &pool), SB_OK);
        sb_piece p[] = {{1, 0, FEW, few, 0, 0},
                        {0, 0, ROWS * WIDE, wide, WIDE, STRIDE},
                        {2, 10, 0, flat, 0, 0},
                        {2, 10, ROWS - 10, flat + 10, 0, 0}};
        uint64_t bytes = sb_pieces_bytes(table, p, 4);
        assert_int_equal(bytes, 8 * FEW + 4 * (ROWS * WIDE + ROWS - 10));
        assert_int_equal(sb_alloc(bytes, 1, "", &to), SB_OK);
        assert_int_equal(sb_pieces_copy(table, p, 4, to, pool), SB_OK);
        assert_memory_equal(to, few, sizeof few);
        const float *at = to + 2 * FEW;
        for (int i = 0; i < ROWS; i++)
            assert_memory_equal(at + i * WIDE, wide + i * STRIDE, 4 * WIDE);
        assert_ptr_equal(p[1].data, at);
        assert_int_equal(p[1].stride, 0);
        assert_ptr_equal(p[3].data, at + ROWS * WIDE);
        assert_memory_equal(p[3].data, flat + 10, 4 * (ROWS - 10));
        sb_pool_close(pool);
        sb_free(to);
    }
    sb_free(wide);
    sb_free(flat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_hold_all_elements_one_behind_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
