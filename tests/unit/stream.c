/* SPDX-License-Identifier: MIT
 * stream.c - what was packed comes out again. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/made_packed.h"

static void every_kind_comes_back(void **state)
{
    (void)state;
    for (sb_compression k = SB_PLAIN; k <= SB_ZSTD; k++) {
        sb_buffer file = {0}, got = {0};
        pack(k, text, BIG, &file);
        put(file.data, file.n);
        static const size_t rooms[] = {1009, 65536, 262144, 5 * MIB};
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(unpack(0, file.n, rooms[i], no_cap, &got), SB_OK);
            expect_text(&got, BIG);
        }
        sb_free(file.data);
        sb_free(got.data);
    }
}

static void single_bytes_come_back(void **state)
{
    (void)state;
    for (sb_compression k = SB_PLAIN; k <= SB_ZSTD; k++) {
        sb_buffer file = {0}, got = {0};
        pack(k, text, SMALL, &file);
        put(file.data, file.n);
        assert_int_equal(unpack(0, file.n, 1, no_cap, &got), SB_OK);
        expect_text(&got, SMALL);
        sb_free(file.data);
        sb_free(got.data);
    }
}

/* Hundreds of members, empty ones among them, so that borders of members
 * meet borders of the read buffer in many ways. */
static void members_follow_each_other(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_PACKED; k++) {
        sb_buffer file = {0}, got = {0};
        size_t at = 0;
        for (size_t n = 0; at < BIG; n += 173) {
            size_t now = at + n < BIG ? n : BIG - at;
            pack(packed[k], text + at, now, &file);
            if (n % 346 == 0) pack(packed[k], text, 0, &file);
            at += now;
        }
        assert_true(file.n > 300000);
        put(file.data, file.n);
        assert_int_equal(unpack(0, file.n, 100000, no_cap, &got), SB_OK);
        expect_text(&got, BIG);
        sb_free(file.data);
        sb_free(got.data);
    }
}

static void nothing_is_a_whole_stream(void **state)
{
    (void)state;
    for (sb_compression k = SB_PLAIN; k <= SB_ZSTD; k++) {
        sb_buffer file = {0}, got = {0};
        pack(k, text, 0, &file);
        put(file.data, file.n);
        assert_int_equal(unpack(0, file.n, 100, no_cap, &got), SB_OK);
        assert_int_equal(got.n, 0);
        sb_free(file.data);
        sb_free(got.data);
    }
}

static void frames_to_skip_are_skipped(void **state)
{
    (void)state;
    static const char skip[] = "\x5a\x2a\x4d\x18\x03\x00\x00\x00"
                               "abc\x50\x2a\x4d\x18\x00\x00\x00\x00";
    sb_buffer file = {0}, got = {0};
    for (size_t i = 0; i < 2; i++) {
        add(&file, skip, sizeof skip - 1);
        pack(SB_ZSTD, text + i * SMALL, SMALL, &file);
    }
    add(&file, skip, sizeof skip - 1);
    put(file.data, file.n);
    assert_int_equal(unpack(0, file.n, 999, no_cap, &got), SB_OK);
    expect_text(&got, 2 * (size_t)SMALL);
    for (uint64_t cut = file.n - 7; cut < file.n; cut++)
        assert_int_equal(unpack(0, cut, 999, no_cap, &got), SB_EFORMAT);
    sb_free(file.data);
    sb_free(got.data);
}

static void padding_is_passed_over(void **state)
{
    (void)state;
    char *zeros = calloc(1, MIB);
    for (size_t k = 0; k < N_PACKED; k++) {
        sb_buffer file = {0}, got = {0};
        pack(packed[k], text, SMALL, &file);
        add(&file, zeros, MIB);
        put(file.data, file.n);
        int may = packed[k] == SB_GZIP || packed[k] == SB_XZ;
        sb_status st = unpack(0, file.n, 7000, no_cap, &got);
        assert_int_equal(st, may ? SB_OK : SB_EFORMAT);
        expect_text(&got, SMALL);
        st = unpack(0, file.n - 3, 7000, no_cap, &got);
        assert_int_equal(st, packed[k] == SB_GZIP ? SB_OK : SB_EFORMAT);
        sb_free(file.data);
        sb_free(got.data);
    }
    free(zeros);
}

/* The reader looks at a few bytes at once; its buffer may end among them. The
 * second time, so that the buffer's old bytes are none of a member. */
static void a_member_may_begin_anywhere(void **state)
{
    (void)state;
    enum { BORDER = 2 * (256 << 10) };
    char *zeros = calloc(1, BORDER);
    for (size_t before = 0; before < 12; before++) {
        sb_buffer file = {0}, got = {0};
        pack(SB_GZIP, text, SMALL, &file);
        add(&file, zeros, BORDER - before - file.n);
        pack(SB_GZIP, text + SMALL, SMALL, &file);
        put(file.data, file.n);
        assert_int_equal(unpack(0, file.n, 7000, no_cap, &got), SB_OK);
        expect_text(&got, 2 * (size_t)SMALL);
        sb_free(file.data);
        sb_free(got.data);
    }
    free(zeros);
}

static void the_name_says_nothing(void **state)
{
    (void)state;
    char keep[sizeof path];
    sb_buffer got = {0};
    memcpy(keep, path, sizeof path);
    snprintf(path, sizeof path, "%s/plain.gz", folder);
    put(text, SMALL);
    assert_int_equal(unpack(0, SMALL, 999, no_cap, &got), SB_OK);
    expect_text(&got, SMALL);
    sb_free(got.data);
    memcpy(path, keep, sizeof path);
}

static void heads_tell_the_kind(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        size_t n;
        sb_compression kind;
    } cases[] = {
        {"", 0, SB_PLAIN},
        {"\x1f", 1, SB_PLAIN},
        {"\x1f\x8b\x08", 3, SB_GZIP},
        {"BZh", 3, SB_PLAIN},
        {"BZh9", 4, SB_BZIP2},
        {"BZh91A", 6, SB_BZIP2},
        {"BZh9\x17\x72", 6, SB_BZIP2},
        {"BZh91 ", 6, SB_PLAIN},
        {"BZh0\x31\x41", 6, SB_PLAIN},
        {"\xfd\x37zXZ", 5, SB_PLAIN},
        {"\xfd\x37zXZ\0", 6, SB_XZ},
        {"\x28\xb5\x2f\xfd", 4, SB_ZSTD},
        {"\x27\xb5\x2f\xfd", 4, SB_PLAIN}, /* zstd 0.7, read by some builds */
        {"\x5f\x2a\x4d\x18", 4, SB_ZSTD},
        {"{\"text", 6, SB_PLAIN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(
            sb_compression_of((const unsigned char *)cases[i].head, cases[i].n),
            cases[i].kind);
    assert_string_equal(sb_compression_name(SB_PLAIN), "plain");
    assert_string_equal(sb_compression_name(SB_ZSTD), "zstd");
}

static void a_later_first_byte_means_plain(void **state)
{
    (void)state;
    sb_buffer file = {0}, got = {0};
    add(&file, "abc", 3);
    pack(SB_GZIP, text, SMALL, &file);
    put(file.data, file.n);
    assert_int_equal(unpack(3, file.n, 100, no_cap, &got), SB_OK);
    assert_int_equal(got.n, file.n - 3);
    assert_memory_equal(got.data, file.data + 3, got.n);
    assert_int_equal(unpack(file.n, file.n, 100, no_cap, &got), SB_OK);
    assert_int_equal(got.n, 0);
    sb_free(file.data);
    sb_free(got.data);
}

static void a_stream_may_be_closed_early(void **state)
{
    (void)state;
    char *piece = malloc(MIB);
    for (size_t k = 0; k < N_PACKED; k++) {
        sb_buffer file = {0};
        pack(packed[k], text, BIG, &file);
        put(file.data, file.n);
        for (unsigned turn = 0; turn < 20; turn++) {
            sb_stream *s;
            size_t got;
            assert_int_equal(sb_stream_open(path, 0, file.n, 200, &s), SB_OK);
            if (turn % 4)
                assert_int_equal(sb_stream_read(s, piece, MIB, &got), SB_OK);
            if (turn == 1) usleep(100000); /* its ring fills up */
            sb_stream_close(s);
        }
        sb_free(file.data);
    }
    free(piece);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back),
        cmocka_unit_test(single_bytes_come_back),
        cmocka_unit_test(members_follow_each_other),
        cmocka_unit_test(nothing_is_a_whole_stream),
        cmocka_unit_test(frames_to_skip_are_skipped),
        cmocka_unit_test(padding_is_passed_over),
        cmocka_unit_test(a_member_may_begin_anywhere),
        cmocka_unit_test(the_name_says_nothing),
        cmocka_unit_test(heads_tell_the_kind),
        cmocka_unit_test(a_later_first_byte_means_plain),
        cmocka_unit_test(a_stream_may_be_closed_early),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
