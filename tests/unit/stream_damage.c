/* SPDX-License-Identifier: MIT
 * stream_damage.c - a file that is not whole, not what it seems or not
 * harmless gives an error, and nothing but its own text before that. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>

#include "tests/unit/made_packed.h"

static void put_byte(size_t at, int byte)
{
    char c = (char)byte;
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
    close(fd);
}

static void says(const char *part)
{
    if (!strstr(sb_error_last()->text, part))
        fail_msg("'%s' does not say '%s'", sb_error_last()->text, part);
}

/* ---- files that are not whole -------------------------------------------- */

/* A cut is seen as a smaller size: the stream looks no further. */
static void expect_cut(uint64_t cut, size_t whole, sb_buffer *got)
{
    assert_int_equal(unpack(0, cut, 50000, no_cap, got), SB_EFORMAT);
    says(path);
    assert_true(got->n <= whole);
    if (got->n) assert_memory_equal(got->data, text, got->n);
}

static void every_cut_is_noticed(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_PACKED; k++) {
        sb_buffer file = {0}, got = {0};
        pack(packed[k], text, SMALL / 2, &file);
        size_t border = file.n;
        pack(packed[k], text + SMALL / 2, SMALL / 2, &file);
        put(file.data, file.n);
        for (size_t cut = SB_STREAM_HEAD; cut < file.n; cut++)
            if (cut != border) expect_cut(cut, SMALL, &got);
        assert_int_equal(unpack(0, border, 100, no_cap, &got), SB_OK);
        expect_text(&got, SMALL / 2);

        expect_cut(border / 2, SMALL, &got);
        says("is cut off");
        sb_free(file.data);
        sb_free(got.data);
    }
}

static void cuts_of_a_large_file_are_noticed(void **state)
{
    (void)state;
    static const size_t at[] = {50000, 262143, 262144, 262145, 400000};
    for (size_t k = 0; k < N_PACKED; k++) {
        sb_buffer file = {0}, got = {0};
        pack(packed[k], text, BIG, &file);
        put(file.data, file.n);
        assert_true(file.n > 400000);
        for (size_t i = 0; i < 5; i++) expect_cut(at[i], BIG, &got);
        for (size_t i = 1; i < 5; i++) expect_cut(file.n - i, BIG, &got);
        sb_free(file.data);
        sb_free(got.data);
    }
}

static int flip(const sb_buffer *file, size_t at, sb_buffer *got)
{
    put_byte(at, file->data[at] ^ (1 << at % 8));
    sb_status st = unpack(0, file->n, 50000, no_cap, got);
    if (st == SB_OK)
        expect_text(got, SMALL);
    else
        assert_int_equal(st, SB_EFORMAT);
    put_byte(at, file->data[at]);
    return st != SB_OK;
}

/* A bit that means nothing (gzip's time, bzip2's last few) may be wrong, the
 * text may not. */
static void a_wrong_bit_never_passes_for_text(void **state)
{
    (void)state;
    /* the checksum's bytes, counted from the end */
    static const struct {
        size_t from, to;
    } checks[] = {{8, 1}, {4, 2}, {12, 1}, {4, 1}};
    for (size_t k = 0; k < N_PACKED; k++) {
        sb_buffer file = {0}, got = {0};
        pack(packed[k], text, SMALL, &file);
        put(file.data, file.n);
        size_t noticed = 0;
        for (size_t at = SB_STREAM_HEAD; at < file.n; at++)
            noticed += (size_t)flip(&file, at, &got);
        assert_true(noticed > file.n - file.n / 50 - 20);
        for (size_t i = checks[k].from; i >= checks[k].to; i--)
            assert_true(flip(&file, file.n - i, &got));
        sb_free(file.data);
        sb_free(got.data);
    }
}

static void what_follows_must_be_of_the_kind(void **state)
{
    (void)state;
    static const char *const junk[] = {"x", "\n", "trailing garbage"};
    for (size_t k = 0; k < N_PACKED; k++) {
        for (size_t j = 0; j < 3; j++) {
            sb_buffer file = {0}, got = {0};
            pack(packed[k], text, SMALL, &file);
            add(&file, junk[j], strlen(junk[j]));
            put(file.data, file.n);
            assert_int_equal(unpack(0, file.n, 999, no_cap, &got), SB_EFORMAT);
            expect_text(&got, SMALL);
            says("something else behind it");
            sb_free(file.data);
            sb_free(got.data);
        }
        sb_buffer file = {0}, got = {0};
        pack(packed[k], text, SMALL, &file);
        pack(packed[(k + 1) % N_PACKED], text, SMALL, &file);
        put(file.data, file.n);
        assert_int_equal(unpack(0, file.n, 999, no_cap, &got), SB_EFORMAT);
        sb_free(file.data);
        sb_free(got.data);
    }
}

static void a_file_that_got_shorter_is_noticed(void **state)
{
    (void)state;
    for (sb_compression k = SB_PLAIN; k <= SB_ZSTD; k++) {
        sb_buffer file = {0}, got = {0};
        char want[80];
        pack(k, text, BIG, &file);
        put(file.data, file.n - 1000);
        assert_int_equal(unpack(0, file.n, 70000, no_cap, &got), SB_EIO);
        snprintf(want, sizeof want,
                 "ends at byte %zu, it had %zu when the run began",
                 file.n - 1000, file.n);
        says(want);
        put(file.data, file.n); /* growth is not looked at */
        pack(SB_PLAIN, "more", 4, &file);
        put(file.data, file.n);
        assert_int_equal(unpack(0, file.n - 4, 70000, no_cap, &got), SB_OK);
        expect_text(&got, BIG);
        sb_free(file.data);
        sb_free(got.data);
    }
}

static void what_cannot_be_read_is_said(void **state)
{
    (void)state;
    sb_stream *s;
    assert_int_equal(sb_stream_open(folder, 0, 100, 1, &s), SB_EIO);
    says("Is a directory");
    assert_int_equal(sb_stream_open("/nowhere/at/all", 0, 1, 1, &s), SB_ENOENT);
    sb_stream_close(NULL);
}

/* ---- hostile files ------------------------------------------------------- */

/* Reads without keeping; for files that unpack to more than a test should. */
static sb_status drain(uint64_t size, double max_ratio, uint64_t *all)
{
    sb_stream *s;
    size_t got = 1;
    char *piece = malloc(MIB);
    assert_int_equal(sb_stream_open(path, 0, size, max_ratio, &s), SB_OK);
    sb_status st = SB_OK;
    for (*all = 0; st == SB_OK && got; *all += st == SB_OK ? got : 0)
        st = sb_stream_read(s, piece, MIB, &got);
    sb_stream_close(s);
    free(piece);
    return st;
}

static void bombs_are_refused(void **state)
{
    (void)state;
    enum { FRAME = 64 * MIB };
    const uint64_t gib = 1u << 30;
    sb_buffer frame = {0}, file = {0};
    uint64_t all;
    char *zeros = calloc(1, FRAME);
    pack(SB_ZSTD, zeros, FRAME, &frame);
    free(zeros);
    for (size_t i = 0; i < 17; i++) add(&file, frame.data, frame.n);
    put(file.data, file.n);
    assert_int_equal(drain(16 * frame.n, 2, &all), SB_OK); /* 1 GiB sharp */
    assert_int_equal(all, gib);
    assert_int_equal(drain(file.n, 200, &all), SB_EFORMAT);
    assert_true(all <= gib);
    assert_non_null(strstr(sb_error_last()->hint, "--max-ratio"));
    assert_int_equal(drain(file.n, no_cap, &all), SB_OK);
    assert_int_equal(all, gib + FRAME);
    sb_free(frame.data);
    sb_free(file.data);
}

static void wide_windows_are_refused(void **state)
{
    (void)state;
    unsigned char empty[] = "\x28\xb5\x2f\xfd\x00\x88\x01\x00"; /* 128 MiB */
    sb_buffer file = {0}, got = {0};
    put(empty, 9);
    assert_int_equal(unpack(0, 9, 100, no_cap, &got), SB_OK);
    empty[5] += 8; /* 256 MiB */
    put(empty, 9);
    assert_int_equal(unpack(0, 9, 100, no_cap, &got), SB_EFORMAT);
    says("window of more than 128.0 MiB");

    enum { BLOCK = 12 }; /* header: its size / 4 - 1, ..., CRC */
    pack(SB_XZ, text, SMALL, &file);
    unsigned char *block = (unsigned char *)file.data + BLOCK;
    size_t n = 4u * block[0];
    unsigned char *lzma2 = block;
    while (memcmp(lzma2, "\x21\x01", 2) != 0) lzma2++; /* its id, a byte */
    assert_true(lzma2 < block + n);
    for (int dict = 30; dict <= 32; dict += 2) { /* 128 and 256 MiB */
        lzma2[2] = (unsigned char)dict;
        uint32_t crc = lzma_crc32(block, n, 0);
        for (size_t i = 0; i < 4; i++)
            block[n + i] = (unsigned char)(crc >> 8 * i);
        put(file.data, file.n);
        assert_int_equal(unpack(0, file.n, 100, no_cap, &got),
                         dict == 30 ? SB_OK : SB_EFORMAT);
    }
    says("window of more than 128.0 MiB");
    sb_free(file.data);
    sb_free(got.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_is_noticed),
        cmocka_unit_test(cuts_of_a_large_file_are_noticed),
        cmocka_unit_test(a_wrong_bit_never_passes_for_text),
        cmocka_unit_test(what_follows_must_be_of_the_kind),
        cmocka_unit_test(a_file_that_got_shorter_is_noticed),
        cmocka_unit_test(what_cannot_be_read_is_said),
        cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(wide_windows_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
